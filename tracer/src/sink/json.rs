//! The report as JSON, indented, with a line feed at its end.
//!
//! May not know: anything but serde.

use tracer_core::report::Report;

/// The report as JSON.
pub fn render(report: &Report) -> String {
    // A report is plain structs with string keys: serde_json has nothing to refuse in it.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}
