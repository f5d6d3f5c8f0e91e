//! Text in columns: how many a terminal gives it, cut and set to them.
//!
//! Must not depend on: what the text says, terminals.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::shown::plain;

/// The longest line that is printed, in columns. JSON has what is cut.
const LONGEST: usize = 2_000;

/// Letters that share a column, at most: one with its marks.
const STACKED: usize = 8;

/// How many columns a text takes as it is shown.
pub fn width(text: &str) -> usize {
    plain(text).width()
}

/// Text cut to a width, with a mark where it was cut.
pub fn cut(text: &str, width: usize) -> String {
    let text = plain(text);
    if fits(&text, width) {
        return text;
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    format!("{}…", taken(text.chars(), room))
}

/// A name cut to a width in its middle: names that are alike differ at their ends.
pub fn short(name: &str, width: usize) -> String {
    let name = plain(name);
    if fits(&name, width) || width < 3 {
        return cut(&name, width);
    }
    let end = (width - 1) / 3;
    let last: String = taken(name.chars().rev(), end).chars().rev().collect();
    format!("{}…{last}", taken(name.chars(), width - 1 - end))
}

fn fits(text: &str, width: usize) -> bool {
    text.width() <= width && text.chars().count() <= width.saturating_mul(STACKED)
}

/// As many letters from the first on as have room.
fn taken(letters: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    let within = letters.take(room.saturating_mul(STACKED)).take_while(|letter| {
        used += letter.width().unwrap_or(0);
        used <= room
    });
    within.collect()
}

/// Set to the left in a column.
pub fn left(text: &str, width: usize) -> String {
    let (text, blanks) = set(text, width);
    text + &blanks
}

/// Set to the right in a column.
pub fn right(text: &str, width: usize) -> String {
    let (text, blanks) = set(text, width);
    blanks + &text
}

fn set(text: &str, width: usize) -> (String, String) {
    let text = cut(text, width);
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    (text, blanks)
}

/// What may be said in one line.
pub fn one_line(text: &str) -> String {
    cut(text.trim_end(), LONGEST)
}

/// Appends a line. Trailing blanks of padded columns go, and so does all power of characters from outside.
pub fn line(out: &mut String, text: &str) {
    out.push_str(&one_line(text));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(
            ["web", "日本", "e\u{301}", "👍", "\u{202e}"].map(width),
            [3, 4, 1, 2, 1]
        );
        assert_eq!(left("日本", 6), "日本  ");
        assert_eq!(right("e\u{301}", 3), "  e\u{301}");
        assert_eq!(left("日本語", 4), "日… ");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(cut("deployment-7d4f9-abcde", 9), "deployme…");
        assert_eq!(short("deployment-7d4f9-abcde", 16), "deployment…abcde");
        assert_eq!(width(&short(&"日".repeat(10_000), 64)), 63);
        assert_eq!(short("ab", 1), "…");
        assert_eq!(cut("ab", 0), "");
    }

    #[test]
    fn marks_without_end_are_cut_too() {
        let heap = format!("e{}", "\u{301}".repeat(10_000));
        assert!(cut(&heap, 10).len() < 300);
        assert!(short(&heap, 10).len() < 300);
    }

    #[test]
    fn a_line_is_one() {
        let mut out = String::new();
        line(&mut out, "web\u{1b}[2J\nx  ");
        assert_eq!(out, "web\u{fffd}[2J\u{fffd}x\n");
        line(&mut out, &"x".repeat(10_000));
        assert!(out.len() < 2_100, "{}", out.len());
    }
}
