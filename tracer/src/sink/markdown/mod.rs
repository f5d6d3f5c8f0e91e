//! The report as Markdown, for the summary page of a job: what happened, a row per Pod, what was not seen.
//!
//! Must not depend on: which server shows it. What comes from outside goes through `escape` alone.

mod escape;

use std::fmt::Write as _;

use tracer_core::budget::Judgement;
use tracer_core::count::total;
use tracer_core::report::{Disruption, Loss, Pod, Report, Unattributed, Verdict};
use tracer_core::timeline::milestones;

use super::gate;
use super::proof;
use super::words::{
    bounds, condition, details, ended_by, exposed_ms, is_shown, judged, judged_unknown, kind, label, listed,
    longest_exposed, longest_gap, longest_observed, loss_in_words, omitted, own_reasons, unknown, unproven,
    verdict, when,
};
use crate::writing::{Clock, count, span, time_of_day, word};
use escape::{code, prose};

/// Pods listed for a disruption, the worst first: a page of a job takes 1 MiB, and nobody reads more.
const ROWS: usize = 100;

/// The report as Markdown; with a judgement, what it says stands first.
pub fn render(report: &Report, judgement: Option<&Judgement>, explain: bool) -> String {
    let mut out = String::new();
    let worst = judgement.map_or(report.verdict, |judgement| judgement.verdict);
    paragraph(&mut out, &format!("## ovsgap: {}", verdict(worst)));
    if judgement.is_none() {
        paragraph(&mut out, &reasons(&listed(&report.why)));
    }
    paragraph(&mut out, &head(report));
    if let Some(judgement) = judgement {
        budget(&mut out, judgement);
    }
    if report.disruptions.is_empty() {
        paragraph(&mut out, "No disruption of Open vSwitch was seen.");
    }
    paragraph(&mut out, &omitted(report).unwrap_or_default());
    for each in &report.disruptions {
        disruption(&mut out, report, each, explain);
    }
    tail(&mut out, report);
    out
}

/// Why a verdict is not pass, an item each.
fn reasons(why: &[String]) -> String {
    let items: Vec<String> = why
        .iter()
        .map(|sentence| format!("- {}", prose(sentence)))
        .collect();
    items.join("\n")
}

fn head(report: &Report) -> String {
    let name = |name: &Option<String>| name.as_deref().map_or_else(|| "not seen".to_owned(), code);
    let capture = &report.capture;
    let attached = capture.hooks.iter().filter(|hook| hook.ok).count();
    format!(
        "{} · Linux {} · Open vSwitch {} · {} from {} · {attached} of {} attached · {} lost",
        name(&report.node.hostname),
        name(&report.node.kernel),
        name(&report.node.ovs),
        span(capture.ended_ns.since(capture.started_ns)),
        time_of_day(capture.started_ns, capture.wall_offset_ns),
        count(capture.hooks.len() as u64, "hook"),
        count(capture.lost_events, "event"),
    )
}

/// What the budget does not allow, and what it cannot decide.
fn budget(out: &mut String, judgement: &Judgement) {
    let passed = judgement.of(Verdict::Pass).count();
    let budget = format!(
        "{passed} of {} within the budget.",
        count(judgement.cases.len() as u64, "Pod")
    );
    paragraph(out, &budget);
    let (lines, more) = gate::excess(judgement, ROWS);
    let mut items: Vec<String> = lines
        .iter()
        .map(|(of, text)| format!("- **{}** {}", verdict(*of), prose(text)))
        .collect();
    if more > 0 {
        items.push(format!("- and {more} more"));
    }
    paragraph(out, &items.join("\n"));
}

fn disruption(out: &mut String, report: &Report, disruption: &Disruption, explain: bool) {
    let title = format!(
        "### Disruption {}: {} · {}",
        disruption.id,
        kind(disruption.kind),
        verdict(disruption.verdict)
    );
    paragraph(out, &title);
    paragraph(out, &reasons(&own_reasons(report, disruption)));
    let summary = &disruption.summary;
    let line = format!(
        "{} of {} affected · {} lost · longest exposed window {} · longest gap {}{}",
        summary.affected,
        count(u64::from(summary.pods), "Pod"),
        count(summary.lost_packets, "packet"),
        longest_exposed(disruption),
        summary.max_observed_ns.map_or("", |_| "at most "),
        longest_observed(disruption),
    );
    paragraph(out, &line);
    pods(out, disruption);
    if explain {
        proofs(out, report, disruption);
    }
    steps(out, report, disruption);
}

fn pods(out: &mut String, disruption: &Disruption) {
    let mut shown: Vec<&Pod> = disruption.pods.iter().filter(|pod| is_shown(pod)).collect();
    if shown.is_empty() && disruption.unattributed.is_empty() {
        return;
    }
    let rank = |pod: &Pod| {
        (
            pod.verdict,
            pod.exposed.as_ref().and_then(|exposed| exposed.duration_ns),
        )
    };
    if shown.len() > ROWS {
        shown.sort_by_key(|pod| std::cmp::Reverse(rank(pod)));
    }
    let mut rows = vec![
        "| Pod | Exposed, ms | Ended by | Lost to it | Lost from it | Gap, ms | Cause | Verdict |".to_owned(),
        "|---|--:|---|--:|--:|--:|---|---|".to_owned(),
    ];
    rows.extend(shown.iter().take(ROWS).map(|pod| row(pod)));
    rows.extend(disruption.unattributed.iter().take(ROWS).map(unknown_row));
    paragraph(out, &rows.join("\n"));
    if shown.len() > ROWS {
        paragraph(out, &format!("The {ROWS} worst of {} Pods.", shown.len()));
    }
    let item = |name: &str, line: &str| format!("- {}: {}", code(name), prose(line));
    let of_pods = shown.iter().take(ROWS).flat_map(|pod| {
        let name = label(pod);
        let lines = details(pod).into_iter().chain(unproven(pod));
        lines.map(move |line| item(&name, &line))
    });
    let of_others = disruption.unattributed.iter().take(ROWS).filter_map(|port| {
        let lost = loss_in_words(&port.loss)?;
        Some(item(
            &unknown(port),
            &format!("lost {lost}; nobody is known to own this port"),
        ))
    });
    let details: Vec<String> = of_pods.chain(of_others).collect();
    fold(out, "Each Pod's window", &details.join("\n"));
}

/// What each verdict rests on.
fn proofs(out: &mut String, report: &Report, disruption: &Disruption) {
    let clock = Clock::new(disruption.began_ns, report.capture.wall_offset_ns, false);
    let shown = disruption.pods.iter().filter(|pod| is_shown(pod));
    let lines = shown.take(ROWS).flat_map(|pod| {
        let of_witnesses = proof::witnesses(pod, clock).into_iter();
        let item = format!("- {}", prose(&proof::sentence(pod, clock)));
        [item]
            .into_iter()
            .chain(of_witnesses.map(|line| format!("  - {}", prose(&line))))
    });
    fold(
        out,
        "What each verdict rests on",
        &lines.collect::<Vec<_>>().join("\n"),
    );
}

fn row(pod: &Pod) -> String {
    let dash = || "–".to_owned();
    let exposed = pod.exposed.as_ref();
    let length = exposed.map_or_else(dash, |_| {
        exposed_ms(pod).unwrap_or_else(|| "end not seen".to_owned())
    });
    let lost = |loss: &Option<Loss>| {
        loss.as_ref().map_or_else(
            || "no packet seen".to_owned(),
            |loss| loss.lost_packets.to_string(),
        )
    };
    let cells = [
        code(&label(pod)),
        length,
        exposed
            .and_then(|exposed| exposed.ended_by)
            .map_or_else(dash, |by| ended_by(by).to_owned()),
        lost(&pod.observed.to_pod),
        lost(&pod.observed.from_pod),
        longest_gap(pod).map_or_else(dash, bounds),
        pod.cause.map_or_else(dash, |it| format!("`{}`", word(it))),
        judged(pod).map_or_else(dash, |of| verdict(of).to_owned()),
    ];
    format!("| {} |", cells.join(" | "))
}

/// Packets that came in at a port that nobody is known to own.
fn unknown_row(port: &Unattributed) -> String {
    format!(
        "| {} | – | – | – | {} | {} | – | {} |",
        code(&unknown(port)),
        port.loss.lost_packets,
        bounds(&port.loss),
        verdict(judged_unknown(&port.loss))
    )
}

fn steps(out: &mut String, report: &Report, disruption: &Disruption) {
    let clock = Clock::new(disruption.began_ns, report.capture.wall_offset_ns, false);
    let mut rows = vec![
        "| Milestone | Since the disruption began |".to_owned(),
        "|---|--:|".to_owned(),
    ];
    let seen = milestones(disruption).into_iter();
    rows.extend(seen.map(|(name, at)| format!("| {name} | {} |", clock.point(at))));
    let began = time_of_day(disruption.began_ns, report.capture.wall_offset_ns);
    fold(out, &format!("Milestones (began {began})"), &rows.join("\n"));
}

fn tail(out: &mut String, report: &Report) {
    let clock = Clock::new(report.capture.started_ns, report.capture.wall_offset_ns, false);
    let mut lines: Vec<String> = report
        .conditions
        .iter()
        .map(|it| format!("- **{}**", prose(&condition(it, clock))))
        .collect();
    lines.extend(report.coverage.iter().map(|finding| {
        let weight = if finding.weakens {
            " **(weakens the verdict)**"
        } else {
            ""
        };
        format!(
            "- not seen{weight}: {}{}",
            prose(&finding.detail),
            when(finding, clock)
        )
    }));
    let steady = total(report.steady_drops.iter().map(|drop| drop.packets));
    if steady > 0 {
        let keys = count(report.steady_drops.len() as u64, "traffic key");
        let packets = count(steady, "packet");
        lines.push(format!(
            "- steady drops (never forwarded, so no loss): {packets} of {keys}"
        ));
    }
    paragraph(out, &lines.join("\n"));
}

/// Something that opens at a click.
fn fold(out: &mut String, title: &str, text: &str) {
    if !text.is_empty() {
        paragraph(
            out,
            &format!("<details><summary>{title}</summary>\n\n{text}\n\n</details>"),
        );
    }
}

/// Appends a paragraph, unless it is empty.
fn paragraph(out: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    let gap = if out.is_empty() { "" } else { "\n" };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{gap}{text}");
}
