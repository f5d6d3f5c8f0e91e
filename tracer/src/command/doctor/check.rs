//! One line of the doctor's answer, and how all of them are drawn.
//!
//! Must not depend on: what is looked at.

use crate::writing::{left, line, width};

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

/// Columns of the names at most.
const NAMES: usize = 64;

/// All lines, the names below each other.
pub(super) fn draw(checks: &[Check]) -> String {
    let names = checks.iter().map(|check| width(&check.name));
    let wide = names.max().unwrap_or(0).min(NAMES);
    let mut out = String::new();
    for Check { name, ok, detail } in checks {
        let sign = if *ok { "ok  " } else { "MISS" };
        line(&mut out, &format!("{sign}  {}  {detail}", left(name, wide)));
    }
    out
}
