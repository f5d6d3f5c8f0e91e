//! The report for people: head, milestones, a timeline in characters, a row per Pod, what was not seen.
//!
//! May not know: colours, terminals, events.

mod head;
mod latency;
mod pods;
mod table;
mod timeline;
pub(crate) mod units;

use std::fmt::Write as _;

use tracer_core::report::{Kind, Report, Restart, Verdict};
use tracer_core::timeline::milestones;

use units::Clock;

/// The report as text. With `utc`, points in time are times of day, else milliseconds since the
/// restart's first sign.
pub fn render(report: &Report, utc: bool) -> String {
    let mut out = String::new();
    head::head(&mut out, report);
    for restart in &report.restarts {
        let clock = Clock::new(restart.began_ns, report.capture.wall_offset_ns, utc);
        one(&mut out, report, restart, clock);
    }
    head::tail(&mut out, report);
    out
}

fn one(out: &mut String, report: &Report, restart: &Restart, clock: Clock) {
    let datapath = restart.datapath.as_deref().unwrap_or("datapath not known");
    let began = units::time_of_day(restart.began_ns, report.capture.wall_offset_ns);
    line(out, "");
    line(
        out,
        &format!(
            "restart {} · {} · {datapath} · began {began} · {}",
            restart.id,
            kind(restart.kind),
            verdict(restart.verdict)
        ),
    );
    line(out, "");
    let mut before = None;
    for (name, at) in milestones(restart) {
        let step = before
            .map(|before| format!("  (+{})", units::span(at.since(before))))
            .unwrap_or_default();
        line(out, &format!("  {:>14}  {name}{step}", clock.point(at)));
        before = Some(at);
    }
    if let Some(latency) = &restart.upcall_latency {
        line(out, "");
        line(out, &latency::row(latency));
    }
    timeline::draw(out, report, restart, clock);
    pods::rows(out, restart, clock);
}

/// Appends a line; trailing blanks of padded columns go.
fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", text.trim_end());
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Graceful => "graceful exit of ovs-vswitchd",
        Kind::Killed => "ovs-vswitchd killed",
        Kind::Restarted => "ovs-vswitchd restarted",
        Kind::FlagOnly => "flow-restore-wait changed, ovs-vswitchd kept running",
        Kind::FlushOnly => "datapath flushed, ovs-vswitchd kept running",
        Kind::ModuleReload => "kernel module reloaded",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}
