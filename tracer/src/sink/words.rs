//! The words in which all formats for people say the same things.
//!
//! Must not depend on: where they stand.

use tracer_core::budget::Case;
use tracer_core::count::total;
use tracer_core::report::{
    Command, Condition, Disruption, EndedBy, Finding, Kind, Loss, Pod, Reason, Report, Unattributed, Verdict,
};
use tracer_core::vocabulary::bounds::Bounds;
use tracer_core::witness::proof::{Proof, within};

use crate::writing::{Clock, count, millis, short, span, word};

/// What began a disruption, and how it went.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Graceful => "graceful exit of ovs-vswitchd",
        Kind::Killed => "ovs-vswitchd killed",
        Kind::Restarted => "ovs-vswitchd restarted",
        Kind::FlagOnly => "flow-restore-wait changed, ovs-vswitchd kept running",
        Kind::FlushOnly => "datapath flushed, ovs-vswitchd kept running",
        Kind::ModuleReload => "kernel module reloaded",
        Kind::FlowsRemoved => "OpenFlow flows removed, ovs-vswitchd kept running",
        Kind::PortsRemoved => "datapath ports removed, ovs-vswitchd kept running",
        Kind::HandlersStuck => "upcalls refused, ovs-vswitchd kept running",
        Kind::DatapathTakenOver => "a second ovs-vswitchd on the same datapath",
    }
}

/// A verdict.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

/// The verdict on a Pod; `None`: no disruption has touched it, so nothing was judged.
pub fn judged(pod: &Pod) -> Option<Verdict> {
    pod.proof.as_ref().map(|_| pod.verdict)
}

/// The verdict on packets that belong to no known port.
pub fn judged_unknown(loss: &Loss) -> Verdict {
    let known = Bounds {
        at_least: loss.lost_packets,
        at_most: None,
    };
    within(known, 0)
}

/// Why packets were lost.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoHandler => "no handler",
        Reason::QueueFull => "queue full",
        Reason::DropFlow => "drop flow",
        Reason::UserspaceDrop => "dropped in userspace",
        Reason::UpcallError => "upcall error",
    }
}

/// How many packets were lost for each reason: `3 no handler, 12 drop flow`.
pub fn reasons<'a>(by_reason: impl IntoIterator<Item = (&'a Reason, &'a u64)>) -> String {
    let each: Vec<String> = by_reason
        .into_iter()
        .map(|(why, packets)| format!("{packets} {}", reason(*why)))
        .collect();
    each.join(", ")
}

/// What ended an exposed window.
pub fn ended_by(ended_by: EndedBy) -> &'static str {
    match ended_by {
        EndedBy::Converged => "datapath flow",
        EndedBy::Delivered => "packet",
        EndedBy::FlowsInstalled => "flows installed",
        EndedBy::DropFlowsRemoved => "drop flows gone",
        EndedBy::FlowsBeforeFlush => "flows kept",
        EndedBy::PortDeleted => "port deleted",
    }
}

/// What Kubernetes allows a namespace and a name at most, with a few to spare.
const LONGEST_NAME: usize = 320;

/// What a Pod is called.
pub fn label(pod: &Pod) -> String {
    let name = match &pod.namespace {
        Some(namespace) => format!("{namespace}/{}", pod.name),
        None => pod.name.clone(),
    };
    short(&name, LONGEST_NAME)
}

/// What the budget's judgement calls it.
pub fn label_of(case: &Case) -> String {
    short(&case.label(), LONGEST_NAME)
}

/// What a port that nobody is known to own is called: `port 9 (unknown)`.
pub fn unknown(port: &Unattributed) -> String {
    format!("{} (unknown)", short(&port.interface, LONGEST_NAME))
}

/// Whether a port is worth a row: Pods always, others where something befell them.
pub fn is_shown(pod: &Pod) -> bool {
    pod.namespace.is_some() || pod.cause.is_some() || lost(pod) > 0
}

/// Packets lost, to it and from it.
fn lost(pod: &Pod) -> u64 {
    total(losses(pod).map(|loss| loss.lost_packets))
}

fn losses(pod: &Pod) -> impl Iterator<Item = &Loss> {
    [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten()
}

/// How a command ended.
pub fn ending(command: &Command) -> String {
    match (command.exit_code, command.signal, command.ended_ns) {
        (Some(code), ..) => format!("exited with {code}"),
        (None, Some(signal), _) => format!("was ended by signal {signal}"),
        (None, None, Some(_)) => "ended".to_owned(),
        (None, None, None) => "was still running".to_owned(),
    }
}

/// From when to when, counted from the beginning of the capture, where it is not the whole of it.
pub fn when(finding: &Finding, clock: Clock) -> String {
    match (finding.from_ns, finding.to_ns) {
        (None, None) => String::new(),
        (from, to) => {
            let from = from.map_or_else(|| "the beginning".to_owned(), |at| clock.point(at));
            let to = to.map_or_else(|| "the end".to_owned(), |at| clock.point(at));
            format!(" (from {from} to {to} of the capture)")
        }
    }
}

/// A figure that is known as least and most.
pub fn range([least, most]: [u64; 2]) -> String {
    if least == most {
        least.to_string()
    } else {
        format!("{least}–{most}")
    }
}

/// The longer of the two directions' gaps.
pub fn longest_gap(pod: &Pod) -> Option<&Loss> {
    losses(pod)
        .filter(|loss| loss.lost_packets > 0)
        .max_by_key(|loss| (loss.max_ns, loss.min_ns))
}

/// The bounds of a gap in ms, without the unit.
pub fn bounds(loss: &Loss) -> String {
    let most = loss.max_ns.map_or_else(|| "…".to_owned(), millis);
    format!("{}–{most}", loss.min_ns.map_or_else(|| "…".to_owned(), millis))
}

/// What stands behind a Pod's figures, a line each.
pub fn details(pod: &Pod) -> Vec<String> {
    let mut lines = Vec::new();
    if !pod.waterfall.is_empty() {
        let phases: Vec<String> = pod
            .waterfall
            .iter()
            .map(|phase| format!("{} {}", phase.phase, span(phase.ns)))
            .collect();
        lines.push(phases.join(" · "));
    }
    lines.extend(
        directions(pod)
            .into_iter()
            .filter_map(|(way, loss)| Some(format!("lost {way} {}", loss_in_words(loss?)?))),
    );
    if let Some(delayed) = &pod.delayed {
        let packets = count(delayed.packets, "packet");
        lines.push(format!(
            "{packets} waited for userspace up to {} and were delivered",
            span(delayed.max_ns)
        ));
    }
    if pod.leak.is_some() {
        lines.push("traffic was forwarded although its flows were absent (leak)".to_owned());
    }
    lines
}

/// Why neither a loss nor its absence is proven of a Pod, a line each.
pub fn unproven(pod: &Pod) -> Vec<String> {
    let open = judged(pod) == Some(Verdict::Inconclusive);
    let sentences = why(pod).iter().filter(|_| open);
    sentences
        .map(|sentence| format!("not proven: {sentence}"))
        .collect()
}

fn directions(pod: &Pod) -> [(&'static str, Option<&Loss>); 2] {
    [
        ("to it", pod.observed.to_pod.as_ref()),
        ("from it", pod.observed.from_pod.as_ref()),
    ]
}

/// What was lost, reason by reason, and in how many gaps; `None`: nothing.
pub fn loss_in_words(loss: &Loss) -> Option<String> {
    let gaps = if loss.gaps > 1 {
        format!(" in {} gaps", loss.gaps)
    } else {
        String::new()
    };
    (loss.lost_packets > 0).then(|| format!("{}{gaps}", reasons(&loss.by_reason)))
}

/// What keeps the verdict on a Pod from being certain, as sentences.
pub fn why(pod: &Pod) -> &[String] {
    pod.proof.as_ref().map_or(&[], Proof::why)
}

/// A Pod's windows in one line: `default/web-1: exposed 464.910 ms, lost 486 packets to it …`.
pub fn sentence(pod: &Pod) -> String {
    let mut parts = vec![exposed(pod)];
    for (way, loss) in directions(pod) {
        let lost = loss.map(|loss| loss.lost_packets).filter(|lost| *lost > 0);
        parts.extend(lost.map(|lost| format!("lost {} {way}", count(lost, "packet"))));
    }
    parts.extend(longest_gap(pod).map(|loss| format!("gap {} ms", bounds(loss))));
    parts.extend(pod.cause.map(|it| format!("cause {}", word(it))));
    format!("{}: {}", label(pod), parts.join(", "))
}

/// The same for packets that belong to no known port.
pub fn unknown_sentence(port: &Unattributed) -> String {
    let lost = count(port.loss.lost_packets, "packet");
    format!("{}: lost {lost}, gap {} ms", unknown(port), bounds(&port.loss))
}

/// Whether of an exposed window only the upper bound is known: the flow monitor reported its end, and nothing proves that
/// it lasted so long.
pub fn at_most(pod: &Pod) -> bool {
    let length = pod.exposed.as_ref().and_then(|exposed| exposed.duration_ns);
    let proven = pod.proof.as_ref().map(|proof| proof.exposed_ns().at_least);
    length.zip(proven).is_some_and(|(length, proven)| proven < length)
}

/// An exposed window's length in ms, without the unit: `12.345`, `≤ 12.345` where only that is known. `None`: it has no
/// end that was seen.
pub fn exposed_ms(pod: &Pod) -> Option<String> {
    let length = pod.exposed.as_ref()?.duration_ns?;
    let sign = if at_most(pod) { "≤ " } else { "" };
    Some(format!("{sign}{}", millis(length)))
}

/// An exposed window in words.
pub fn exposed(pod: &Pod) -> String {
    let at_most = if at_most(pod) { "at most " } else { "" };
    let window = pod.exposed.as_ref();
    match window.map(|exposed| (exposed.duration_ns, exposed.ended_by)) {
        None => "exposed: not seen".to_owned(),
        Some((None, _)) => "exposed, its end not seen".to_owned(),
        Some((Some(length), None)) => format!("exposed {at_most}{}", span(length)),
        Some((Some(length), Some(by))) => {
            format!("exposed {at_most}{} (ended by {})", span(length), ended_by(by))
        }
    }
}

/// The longest exposed window of a disruption: a lower bound where one has no end that was seen, an upper bound where
/// no more is known of the longest.
pub fn longest_exposed(disruption: &Disruption) -> String {
    let shown = || disruption.pods.iter().filter(|pod| is_shown(pod));
    let windows = || shown().filter_map(|pod| Some((pod, pod.exposed.as_ref()?)));
    let Some(longest) = disruption.summary.max_exposed_ns else {
        return "not seen".to_owned();
    };
    let open = windows().any(|(_, exposed)| exposed.end_ns.is_none());
    let mut longest_ones = windows()
        .filter(|(_, exposed)| exposed.duration_ns == Some(longest))
        .peekable();
    let bound = longest_ones.peek().is_some() && longest_ones.all(|(pod, _)| at_most(pod));
    match (open, bound) {
        (true, _) => format!("≥ {}", span(longest)),
        (false, true) => format!("≤ {}", span(longest)),
        (false, false) => span(longest),
    }
}

/// The upper bound of a disruption's longest gap.
pub fn longest_observed(disruption: &Disruption) -> String {
    match disruption.summary.max_observed_ns {
        Some(longest) => span(longest),
        None if disruption.summary.lost_packets == 0 => "none".to_owned(),
        None => "not seen".to_owned(),
    }
}

/// A condition in one line; its times are those of the capture.
pub fn condition(condition: &Condition, clock: Clock) -> String {
    let since = clock.point(condition.since_ns);
    let until = condition.until_ns.map_or_else(
        || "still so at the end".to_owned(),
        |at| format!("until {}", clock.point(at)),
    );
    let cause = word(condition.cause);
    format!(
        "condition {cause} since {since} of the capture, {until}: {}",
        condition.detail
    )
}

/// Sentences listed below a verdict.
const WHY: usize = 8;

/// Why a verdict is not pass, as far as there is room for it.
pub fn listed(why: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = why.iter().take(WHY).cloned().collect();
    let more = why.len().saturating_sub(WHY);
    if more > 0 {
        lines.push(format!(
            "and {more} more reasons (all of them in the JSON report)"
        ));
    }
    lines
}

/// Why the verdict on a disruption is not pass, without what already stands below the verdict on the whole capture.
pub fn own_reasons(report: &Report, disruption: &Disruption) -> Vec<String> {
    let said = listed(&report.why);
    let own: Vec<String> = disruption
        .why
        .iter()
        .filter(|sentence| !said.contains(sentence))
        .cloned()
        .collect();
    listed(&own)
}

/// What is said of disruptions that are no longer listed; `None`: there are none.
pub fn omitted(report: &Report) -> Option<String> {
    let older = match report.omitted {
        0 => return None,
        1 => "1 older disruption is".to_owned(),
        older => format!("{older} older disruptions are"),
    };
    Some(format!(
        "{older} no longer listed; the verdict on the whole capture includes them"
    ))
}

/// How a drop by policy came about, where that is known: ` (5 drop flow)`.
pub fn steady_reasons<'a>(by_reason: impl IntoIterator<Item = (&'a Reason, &'a u64)>) -> String {
    match reasons(by_reason) {
        none if none.is_empty() => none,
        reasons => format!(" ({reasons})"),
    }
}
