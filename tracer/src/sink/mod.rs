//! Sinks: a report in, text out. Every sink is a pure function of the report.
//!
//! May not know: events, sources, where the text goes.

pub mod json;
pub mod live;
pub mod text;

use tracer_core::report::Report;

/// A format a report can be printed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: milestones, a timeline in characters, a row per Pod.
    #[default]
    Text,
    /// For programs: schema `ovsgap.report/1`.
    Json,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Which format.
    pub format: Format,
    /// Times of day in UTC instead of milliseconds since the restart began.
    pub utc: bool,
}

/// The report in a format.
pub fn render(report: &Report, style: Style) -> String {
    match style.format {
        Format::Text => text::render(report, style.utc),
        Format::Json => json::render(report),
    }
}
