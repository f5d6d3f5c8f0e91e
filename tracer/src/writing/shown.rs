//! Text from outside, shown: names, addresses, error messages of others must not move a cursor, turn the direction of what
//! follows, hide, or begin a line of their own. The one escape of the whole program.
//!
//! Must not depend on: what the text says, formats.

use std::fmt::{self, Write as _};
use std::ops::Deref;

/// Stands where a character was that may not be shown.
const REPLACED: char = '\u{fffd}';

/// Whether a character takes its place on a line and does nothing else.
pub fn is_harmless(letter: char) -> bool {
    !(letter.is_control() || is_unseen(letter) || is_no_character(letter))
}

/// What Unicode gives no look of its own (`Default_Ignorable_Code_Point`), and separators of lines and paragraphs: all that
/// turns direction or joins, variation selectors, tags, blanks without width.
fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// XML, for one, cannot hold them.
fn is_no_character(letter: char) -> bool {
    matches!(letter, '\u{fdd0}'..='\u{fdef}') || u32::from(letter) & 0xfffe == 0xfffe
}

fn harmless(letter: char) -> char {
    if is_harmless(letter) { letter } else { REPLACED }
}

/// One line of text in which no character has power over who reads it.
pub fn plain(text: impl Into<String>) -> String {
    let text = text.into();
    if text.chars().all(is_harmless) {
        text
    } else {
        text.chars().map(harmless).collect()
    }
}

/// What may be printed. There is no way to print anything else, so no format can forget the escape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// Lines of text. What of a name could begin a line has to be replaced before; everything else that is not harmless
    /// is replaced here.
    pub fn text(text: &str) -> Self {
        let shown = |letter| {
            if matches!(letter, '\n' | '\t') {
                letter
            } else {
                harmless(letter)
            }
        };
        Self(text.chars().map(shown).collect())
    }

    /// JSON. Nothing of it is lost: what is not harmless is within a string, and is spelled there as `\u202e`.
    pub fn json(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len());
        for letter in text.chars() {
            if letter == '\n' || is_harmless(letter) {
                shown.push(letter);
                continue;
            }
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        }
        Self(shown)
    }
}

impl Deref for Shown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_power() {
        assert_eq!(
            plain("web\u{1b}[2J\n\u{202e}x"),
            "web\u{fffd}[2J\u{fffd}\u{fffd}x"
        );
        assert_eq!(plain("näme-1 日本 e\u{301}"), "näme-1 日本 e\u{301}");
        assert_eq!(
            &*Shown::text("one\n\ttwo\r\u{2028}"),
            "one\n\ttwo\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn json_loses_nothing() {
        let name = "\u{202e}\u{7f}\u{9b}\u{e0041}\u{1b}\n";
        let shown = Shown::json(&serde_json::to_string_pretty(&[name]).unwrap());
        assert!(
            shown.chars().all(|letter| letter == '\n' || is_harmless(letter)),
            "{shown}"
        );
        let back: Vec<String> = serde_json::from_str(&shown).unwrap();
        assert_eq!(back, [name]);
    }
}
