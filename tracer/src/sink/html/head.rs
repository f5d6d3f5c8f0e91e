//! The top of the page: node, verdict, what was captured, what the budget says.
//!
//! Must not depend on: single Pods.

use std::fmt::Write as _;

use tracer_core::budget::Judgement;
use tracer_core::report::{Disruption, Report, Verdict};

use super::text::{each, escape, or_not_seen, pill};
use crate::sink::gate;
use crate::sink::words::{ending, listed, longest_exposed, longest_observed, omitted, range, verdict};
use crate::writing::{count, span, time_of_day};

/// Lines of a budget that are listed.
const LINES: usize = 200;

/// Title, node, capture, command.
pub fn head(report: &Report, worst: Verdict) -> String {
    let node = &report.node;
    let name = |name: &Option<String>| or_not_seen(name.as_deref().map(escape));
    let title = match report.disruptions.len() {
        0 => "No disruption of Open vSwitch was seen",
        1 => "A disruption of Open vSwitch",
        _ => "Disruptions of Open vSwitch",
    };
    let mut facts = vec![
        ("node", name(&node.hostname)),
        ("kernel", name(&node.kernel)),
        ("Open vSwitch", name(&node.ovs)),
        ("captured", captured(report)),
        ("seen with", hooks(report)),
    ];
    facts.extend(report.command.as_ref().map(|command| {
        let text = format!(
            "<code>{}</code> {}",
            escape(&command.argv.join(" ")),
            ending(command)
        );
        ("command", text)
    }));
    let facts = each(facts, |(name, value)| {
        format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")
    });
    format!(
        "<header>\n<p class=\"mark\">ovsgap</p>\n<h1>{title} {}</h1>\n{}<dl class=\"facts\">\n{facts}</dl>\n{}{}</header>\n",
        pill(worst),
        why(&listed(&report.why)),
        sight(report),
        omitted(report).map_or_else(String::new, |text| format!("<p class=\"soft\">{text}.</p>\n"))
    )
}

/// Why a verdict is not pass.
pub fn why(why: &[String]) -> String {
    let items = each(why.iter(), |sentence| format!("<li>{}</li>\n", escape(sentence)));
    if items.is_empty() {
        return items;
    }
    format!("<ul class=\"why\">\n{items}</ul>\n")
}

fn captured(report: &Report) -> String {
    let capture = &report.capture;
    format!(
        "{} from {}",
        span(capture.ended_ns.since(capture.started_ns)),
        time_of_day(capture.started_ns, capture.wall_offset_ns)
    )
}

fn hooks(report: &Report) -> String {
    let capture = &report.capture;
    let attached = capture.hooks.iter().filter(|hook| hook.ok).count();
    let mut text = format!(
        "{attached} of {} attached · {} · {} lost",
        count(capture.hooks.len() as u64, "hook"),
        count(capture.events, "event"),
        capture.lost_events
    );
    for counts in &capture.reconciliation {
        let answer = if counts.agrees { "agree" } else { "DISAGREE" };
        let _ = write!(
            text,
            "<br/>datapath {} counted {} missed, {} lost: the hooks {answer} ({}, {})",
            escape(&counts.datapath),
            counts.datapath_missed,
            counts.datapath_lost,
            range(counts.seen_missed),
            range(counts.seen_lost)
        );
    }
    text
}

/// How much was seen, in one line at the top; the findings themselves stand below.
fn sight(report: &Report) -> String {
    let weakening = report.coverage.iter().filter(|finding| finding.weakens).count() as u64;
    let noted = report.coverage.len() as u64 - weakening;
    let (class, text) = match (weakening, noted) {
        (0, 0) => ("sight clear", "Nothing is known that was not seen.".to_owned()),
        (0, noted) => (
            "sight clear",
            format!(
                "{} on what was not seen, outside of what decides the verdict: <a href=\"#unseen\">listed below</a>.",
                count(noted, "finding")
            ),
        ),
        (weakening, _) => (
            "sight weak",
            format!(
                "Not everything was seen: {} the verdict. <a href=\"#unseen\">What was not seen</a>",
                if weakening == 1 {
                    "1 finding weakens".to_owned()
                } else {
                    format!("{weakening} findings weaken")
                }
            ),
        ),
    };
    format!("<p class=\"{class}\">{text}</p>\n")
}

/// What the budget does not allow, and what it cannot decide.
pub fn budget(judgement: Option<&Judgement>) -> String {
    let Some(judgement) = judgement else {
        return String::new();
    };
    let (lines, more) = gate::excess(judgement, LINES);
    let mut items = each(lines, |(of, text)| {
        format!("<li><b>{}</b> {}</li>\n", verdict(of), escape(&text))
    });
    if more > 0 {
        let _ = writeln!(items, "<li>and {more} more</li>");
    }
    format!(
        "<section>\n<h2>Budget {}</h2>\n<p>{} of {} within it.</p>\n<ul class=\"findings\">\n{items}</ul>\n</section>\n",
        pill(judgement.verdict),
        judgement.of(Verdict::Pass).count(),
        count(judgement.cases.len() as u64, "Pod"),
    )
}

/// A disruption in four figures.
pub fn figures(disruption: &Disruption) -> Vec<(String, &'static str)> {
    let summary = &disruption.summary;
    let unit = |text: &str| match text {
        "not seen" => or_not_seen(None),
        text => text.replace(" ms", "<small> ms</small>"),
    };
    vec![
        (
            format!("{}<small> of {}</small>", summary.affected, summary.pods),
            "Pods affected",
        ),
        (summary.lost_packets.to_string(), "packets lost"),
        (unit(&longest_exposed(disruption)), "longest exposed window"),
        (unit(&longest_observed(disruption)), "longest gap, at most"),
    ]
}
