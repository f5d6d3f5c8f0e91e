//! The words in which all formats for people say the same things.
//!
//! May not know: where they stand.

use tracer_core::report::{
    Cause, Command, Condition, EndedBy, Exposed, Finding, Kind, Loss, Pod, Reason, Restart, Verdict,
};

use crate::writing::{Clock, count, millis, span};

/// How a restart went.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Graceful => "graceful exit of ovs-vswitchd",
        Kind::Killed => "ovs-vswitchd killed",
        Kind::Restarted => "ovs-vswitchd restarted",
        Kind::FlagOnly => "flow-restore-wait changed, ovs-vswitchd kept running",
        Kind::FlushOnly => "datapath flushed, ovs-vswitchd kept running",
        Kind::ModuleReload => "kernel module reloaded",
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

/// A cause by the name it has in JSON.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::FlagBeforeFlows => "flag_before_flows",
        Cause::FlowsNeverInstalled => "flows_never_installed",
        Cause::RevalidationLag => "revalidation_lag",
        Cause::NoFlag => "no_flag",
        Cause::FlagStuck => "flag_stuck",
        Cause::HandlersDown => "handlers_down",
        Cause::QueueOverflow => "queue_overflow",
        Cause::ModuleReload => "module_reload",
        Cause::PortRecreated => "port_recreated",
        Cause::Unknown => "unknown",
    }
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

/// What a Pod is called.
pub fn label(pod: &Pod) -> String {
    match &pod.namespace {
        Some(namespace) => format!("{namespace}/{}", pod.name),
        None => pod.name.clone(),
    }
}

/// Whether a port is worth a row: Pods always, others where something befell them.
pub fn is_shown(pod: &Pod) -> bool {
    pod.namespace.is_some() || pod.cause.is_some()
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

/// The longer of the two directions' holes.
pub fn longest_hole(pod: &Pod) -> Option<&Loss> {
    let losses = [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten();
    losses
        .filter(|loss| loss.lost_packets > 0)
        .max_by_key(|loss| (loss.max_ns, loss.min_ns))
}

/// The bounds of a hole in ms, without the unit.
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
    for (way, loss) in [
        ("to it", &pod.observed.to_pod),
        ("from it", &pod.observed.from_pod),
    ] {
        let Some(loss) = loss.as_ref().filter(|loss| loss.lost_packets > 0) else {
            continue;
        };
        let reasons: Vec<String> = loss
            .by_reason
            .iter()
            .map(|(why, count)| format!("{count} {}", reason(*why)))
            .collect();
        let holes = if loss.holes > 1 {
            format!(" in {} holes", loss.holes)
        } else {
            String::new()
        };
        lines.push(format!("lost {way} {}{holes}", reasons.join(", ")));
    }
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

/// A Pod's windows in one line: `default/web-1: exposed 464.910 ms, lost 486 packets to it …`.
pub fn sentence(pod: &Pod) -> String {
    let mut parts = vec![exposed(pod.exposed.as_ref())];
    for (way, loss) in [
        ("to it", &pod.observed.to_pod),
        ("from it", &pod.observed.from_pod),
    ] {
        let lost = loss
            .as_ref()
            .map(|loss| loss.lost_packets)
            .filter(|lost| *lost > 0);
        parts.extend(lost.map(|lost| format!("lost {} {way}", count(lost, "packet"))));
    }
    parts.extend(longest_hole(pod).map(|loss| format!("hole {} ms", bounds(loss))));
    parts.extend(pod.cause.map(|it| format!("cause {}", cause(it))));
    format!("{}: {}", label(pod), parts.join(", "))
}

/// An exposed window in words.
pub fn exposed(exposed: Option<&Exposed>) -> String {
    match exposed.map(|exposed| (exposed.duration_ns, exposed.ended_by)) {
        None => "exposed: not seen".to_owned(),
        Some((None, _)) => "exposed, its end not seen".to_owned(),
        Some((Some(length), None)) => format!("exposed {}", span(length)),
        Some((Some(length), Some(by))) => format!("exposed {} (ended by {})", span(length), ended_by(by)),
    }
}

/// The longest exposed window of a restart; where one has no end that was seen, that is a lower bound.
pub fn longest_exposed(restart: &Restart) -> String {
    let is_open = |pod: &Pod| {
        let exposed = pod.exposed.as_ref();
        is_shown(pod) && exposed.is_some_and(|exposed| exposed.end_ns.is_none())
    };
    let open = restart.pods.iter().any(is_open);
    match restart.summary.max_exposed_ns {
        None => "not seen".to_owned(),
        Some(longest) if open => format!("≥ {}", span(longest)),
        Some(longest) => span(longest),
    }
}

/// The upper bound of a restart's longest hole.
pub fn longest_observed(restart: &Restart) -> String {
    match restart.summary.max_observed_ns {
        Some(longest) => span(longest),
        None if restart.summary.lost_packets == 0 => "none".to_owned(),
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
    let cause = cause(condition.cause);
    format!(
        "condition {cause} since {since} of the capture, {until}: {}",
        condition.detail
    )
}
