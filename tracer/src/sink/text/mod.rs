//! The report for people: head, milestones, a timeline in characters, a row per Pod, what was not seen.
//!
//! Must not depend on: colours, terminals, events.

mod had;
mod head;
mod latency;
mod line;
mod pods;
pub(crate) mod table;
mod timeline;

use tracer_core::report::{Report, Restart};
use tracer_core::timeline::milestones;

use super::words::{kind, verdict};
use crate::writing::{self, Clock};
use line::line;

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
    let began = writing::time_of_day(restart.began_ns, report.capture.wall_offset_ns);
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
            .map(|before| format!("  (+{})", writing::span(at.since(before))))
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
    had::it_waited(out, restart, clock);
}
