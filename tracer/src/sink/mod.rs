//! Sinks: a report in, what may be shown out. Every sink is a pure function of the report.
//!
//! Must not depend on: events, sources, where the text goes.

pub(crate) mod causes;
pub mod comparison;
pub mod gate;
pub mod html;
pub mod json;
pub mod junit;
pub mod live;
pub mod markdown;
pub mod perfetto;
pub(crate) mod proof;
pub mod runs;
pub mod text;
pub(crate) mod words;

use tracer_core::budget::Judgement;
use tracer_core::report::Report;

use crate::writing::Shown;

/// A format a report can be printed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: milestones, a timeline in characters, a row per Pod.
    #[default]
    Text,
    /// For programs: schema `ovsgap.report/2`.
    Json,
    /// For the test pages of CI servers.
    Junit,
    /// For the summary page of a job.
    Markdown,
    /// For browsers: one page without scripts, nothing fetched.
    Html,
    /// For trace viewers: tracks per Pod, milestones as instants.
    Perfetto,
}

impl Format {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::Json,
        Self::Junit,
        Self::Markdown,
        Self::Html,
        Self::Perfetto,
    ];
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Which format.
    pub format: Format,
    /// Times of day in UTC instead of milliseconds since the disruption began.
    pub utc: bool,
    /// What each verdict rests on, Pod by Pod, where the format leaves that out otherwise.
    pub explain: bool,
}

/// The report in a format.
pub fn render(report: &Report, style: Style) -> Shown {
    print(report, None, style)
}

/// The report in a format, with what a budget makes of it where the format can say that.
pub fn judged(report: &Report, judgement: &Judgement, style: Style) -> Shown {
    print(report, Some(judgement), style)
}

fn print(report: &Report, judgement: Option<&Judgement>, style: Style) -> Shown {
    let text = match style.format {
        Format::Json => return json::render(report),
        Format::Perfetto => return perfetto::render(report),
        Format::Text => text::render(report, style.utc, style.explain),
        Format::Junit => junit::render(report, judgement),
        Format::Markdown => markdown::render(report, judgement, style.explain),
        Format::Html => html::render(report, judgement),
    };
    Shown::text(&text)
}
