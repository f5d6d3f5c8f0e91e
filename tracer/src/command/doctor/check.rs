//! One line of the doctor's answer, and how all of them are drawn.
//!
//! Must not depend on: what is looked at.

use std::fmt::Write as _;

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) ok: bool,
    pub(super) detail: String,
}

/// A line.
pub(super) fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}

/// All lines, the names below each other.
pub(super) fn draw(checks: &[Check]) -> String {
    let width = checks
        .iter()
        .map(|check| check.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for Check { name, ok, detail } in checks {
        let sign = if *ok { "ok  " } else { "MISS" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{sign}  {name:width$}  {detail}");
    }
    out
}
