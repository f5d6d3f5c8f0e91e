//! Lines of text.
//!
//! Must not depend on: what they say.

use std::fmt::Write as _;

use crate::writing::plain;

/// Appends a line; trailing blanks of padded columns go, and so does what characters from outside could do to a terminal.
pub fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", plain(text.trim_end()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_power_over_a_terminal() {
        let mut out = String::new();
        line(&mut out, "web\u{1b}[2J\n\u{202e}x  ");
        assert_eq!(out, "web\u{fffd}[2J\u{fffd}\u{fffd}x\n");
    }
}
