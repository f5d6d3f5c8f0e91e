//! What stands above and below the disruptions: node, capture, steady drops, conditions, coverage.
//!
//! Must not depend on: single Pods.

use tracer_core::count::total;
use tracer_core::report::{Capture, Finding, Reconciliation, Report};

use crate::sink::words::{self, ending, range, verdict, when};
use crate::writing::{self, Clock, line};

/// Steady drops listed by name.
const STEADY: usize = 5;

/// Node, capture, command.
pub fn head(out: &mut String, report: &Report) {
    let unknown = || "?".to_owned();
    let node = &report.node;
    line(
        out,
        &format!(
            "ovsgap · node {} · Linux {} · Open vSwitch {} · {}",
            node.hostname.clone().unwrap_or_else(unknown),
            node.kernel.clone().unwrap_or_else(unknown),
            node.ovs.clone().unwrap_or_else(unknown),
            verdict(report.verdict)
        ),
    );
    for sentence in words::listed(&report.why) {
        line(out, &format!("  why: {sentence}"));
    }
    capture(out, &report.capture);
    if let Some(command) = &report.command {
        line(
            out,
            &format!("command `{}` {}", command.argv.join(" "), ending(command)),
        );
    }
    if report.disruptions.is_empty() {
        line(out, "no disruption of Open vSwitch was seen");
    }
    if let Some(omitted) = words::omitted(report) {
        line(out, &omitted);
    }
}

fn capture(out: &mut String, capture: &Capture) {
    let attached = capture.hooks.iter().filter(|hook| hook.ok).count();
    line(
        out,
        &format!(
            "capture {} from {} · {} · {attached} of {} attached · {} lost",
            writing::span(capture.ended_ns.since(capture.started_ns)),
            writing::time_of_day(capture.started_ns, capture.wall_offset_ns),
            writing::count(capture.events, "event"),
            writing::count(capture.hooks.len() as u64, "hook"),
            capture.lost_events,
        ),
    );
    for counts in &capture.reconciliation {
        line(out, &reconciliation(counts));
    }
}

fn reconciliation(counts: &Reconciliation) -> String {
    let Reconciliation {
        datapath,
        datapath_missed,
        seen_missed,
        datapath_lost,
        seen_lost,
        agrees,
    } = counts;
    let answer = if *agrees {
        "agrees with the hooks"
    } else {
        "DISAGREES with the hooks"
    };
    format!(
        "datapath {datapath} counted {datapath_missed} missed, {datapath_lost} lost: {answer} ({}, {})",
        range(*seen_missed),
        range(*seen_lost)
    )
}

/// Steady drops, conditions, coverage.
pub fn tail(out: &mut String, report: &Report) {
    let clock = Clock::new(report.capture.started_ns, report.capture.wall_offset_ns, false);
    if !report.steady_drops.is_empty() {
        steady(out, report);
    }
    for condition in &report.conditions {
        line(out, "");
        line(out, &words::condition(condition, clock));
    }
    if !report.coverage.is_empty() {
        line(out, "");
        line(out, "not seen:");
    }
    for finding in &report.coverage {
        line(
            out,
            &format!("  {} {}{}", weight(finding), finding.detail, when(finding, clock)),
        );
    }
}

fn steady(out: &mut String, report: &Report) {
    let packets = total(report.steady_drops.iter().map(|drop| drop.packets));
    let keys = writing::count(report.steady_drops.len() as u64, "traffic key");
    line(out, "");
    line(
        out,
        &format!(
            "steady drops (never forwarded, so no loss): {} of {keys}",
            writing::count(packets, "packet")
        ),
    );
    for drop in report.steady_drops.iter().take(STEADY) {
        let target = format!(
            "{} type 0x{:04x} proto {} port {}",
            drop.dst, drop.eth_type, drop.proto, drop.port
        );
        line(
            out,
            &format!(
                "  {} → {target}: {}{}",
                drop.interface,
                writing::count(drop.packets, "packet"),
                words::steady_reasons(&drop.by_reason)
            ),
        );
    }
}

fn weight(finding: &Finding) -> &'static str {
    if finding.weakens { "!" } else { "·" }
}
