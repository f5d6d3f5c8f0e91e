//! The report for people: head, milestones, a timeline in characters, a row per Pod, what was not seen.
//!
//! Must not depend on: colours, terminals, events.

mod explain;
mod had;
mod head;
mod latency;
mod pods;
pub(crate) mod table;
mod timeline;

use tracer_core::report::{Disruption, Report};
use tracer_core::timeline::milestones;

use super::words::{kind, own_reasons, verdict};
use crate::writing::{self, Clock, line};

/// The report as text. With `utc`, points in time are times of day, else milliseconds since the
/// disruption's first sign. With `explain`, what each verdict rests on stands below the table.
pub fn render(report: &Report, utc: bool, explain: bool) -> String {
    let mut out = String::new();
    head::head(&mut out, report);
    for disruption in &report.disruptions {
        let clock = Clock::new(disruption.began_ns, report.capture.wall_offset_ns, utc);
        one(&mut out, report, disruption, clock);
        if explain {
            explain::proofs(&mut out, disruption, clock);
        }
    }
    head::tail(&mut out, report);
    out
}

fn one(out: &mut String, report: &Report, disruption: &Disruption, clock: Clock) {
    let datapath = disruption.datapath.as_deref().unwrap_or("datapath not known");
    let began = writing::time_of_day(disruption.began_ns, report.capture.wall_offset_ns);
    line(out, "");
    line(
        out,
        &format!(
            "disruption {} · {} · {datapath} · began {began} · {}",
            disruption.id,
            kind(disruption.kind),
            verdict(disruption.verdict)
        ),
    );
    for sentence in own_reasons(report, disruption) {
        line(out, &format!("  why: {sentence}"));
    }
    line(out, "");
    let mut before = None;
    for (name, at) in milestones(disruption) {
        let step = before
            .map(|before| format!("  (+{})", writing::span(at.since(before))))
            .unwrap_or_default();
        line(out, &format!("  {:>14}  {name}{step}", clock.point(at)));
        before = Some(at);
    }
    if let Some(latency) = &disruption.upcall_latency {
        line(out, "");
        line(out, &latency::row(latency));
    }
    timeline::draw(out, report, disruption, clock);
    pods::rows(out, disruption, clock);
    had::it_waited(out, disruption, clock);
}
