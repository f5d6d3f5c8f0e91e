//! The report as JSON, indented, with a line feed at its end.
//!
//! Must not depend on: anything but serde.

use serde::Serialize;
use tracer_core::budget::Judgement;
use tracer_core::report::Report;

use crate::writing::Shown;

/// The report as JSON.
pub fn render(report: &Report) -> Shown {
    pretty(report)
}

/// The report as JSON, and in it, as `judgement`, what a budget says of it.
pub fn judged(report: &Report, judgement: &Judgement) -> Shown {
    pretty(&Judged { report, judgement })
}

#[derive(Serialize)]
struct Judged<'a> {
    #[serde(flatten)]
    report: &'a Report,
    judgement: &'a Judgement,
}

/// Anything of ours as JSON.
pub fn pretty(value: &impl Serialize) -> Shown {
    // Plain structs with string keys: serde_json has nothing to refuse in them.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    Shown::json(&text)
}
