//! Lines of text.
//!
//! Must not depend on: what they say.

use std::fmt::Write as _;

/// Appends a line; trailing blanks of padded columns go.
pub fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", text.trim_end());
}
