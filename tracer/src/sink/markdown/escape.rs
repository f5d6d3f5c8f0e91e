//! Text from outside in Markdown: no character of it has a meaning, and no server makes a link of it.
//!
//! Must not depend on: what the text says. Servers look for mentions (`@user`), issues (`#12`), commits and addresses in the
//! text as it is rendered, so a backslash before a character keeps nobody away. They leave code alone.

use std::fmt::Write as _;

use crate::writing::one_line;

/// A name: always code.
pub fn code(name: &str) -> String {
    let name = one_line(name);
    if name.is_empty() {
        return name;
    }
    // A fence ends at a backtick, a cell of a table at a bar (a backslash before it included), and a blank at an end is
    // taken off.
    let is_simple = !name.contains(['`', '|', '\\']) && name.trim() == name;
    if is_simple {
        format!("`{name}`")
    } else {
        format!("<code>{}</code>", spelled(&name))
    }
}

/// A sentence in which names may stand: what could be more than a word is code.
pub fn prose(sentence: &str) -> String {
    let sentence = one_line(sentence);
    let mut words = Vec::new();
    for word in sentence.split_whitespace() {
        let begins_block = words.is_empty() && is_mark(word);
        words.push(match word {
            ">" => "&gt;".to_owned(),
            word if is_word(word) && !begins_block => word.to_owned(),
            word => code(word),
        });
    }
    words.join(" ")
}

/// With a number for every character that is neither letter nor digit: in Markdown such a character never has a meaning.
fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            out.push(letter);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "&#{};", u32::from(letter));
        }
    }
    out
}

/// Signs that mean nothing to Markdown or to a server, wherever they stand in a line.
const SIGNS: &str = "-.,;:()/\"'+=?–—·…≤≥≠×→";

/// Whether it is nothing but a word, a figure, or a path.
fn is_word(word: &str) -> bool {
    let body = word.trim_end_matches(['.', ',', ';', ':', ')']);
    word.chars().all(|letter| letter.is_alphanumeric() || SIGNS.contains(letter))
        // Addresses, and emoji by their names.
        && !body.contains(':')
        && !body.to_ascii_lowercase().contains("www.")
        && !parts(body).any(is_commit)
        && !is_ticket(body)
}

fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split(|letter: char| !letter.is_alphanumeric())
}

/// `1a2b3c4`: a commit by its number.
fn is_commit(part: &str) -> bool {
    (7..=64).contains(&part.len())
        && part.chars().all(|letter| letter.is_ascii_hexdigit())
        && !part.chars().all(|letter| letter.is_ascii_digit())
}

/// `GH-12`, or a ticket of whichever tracker a project is tied to.
fn is_ticket(word: &str) -> bool {
    word.split_once('-').is_some_and(|(before, after)| {
        before.ends_with(|letter: char| letter.is_ascii_uppercase())
            && after.starts_with(|letter: char| letter.is_ascii_digit())
    })
}

/// What begins a list or underlines a heading at the beginning of a line: `-`, `+`, `1.`, `2)`, `===`.
fn is_mark(word: &str) -> bool {
    let numbered = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
    (numbered.len() < word.len() && matches!(numbered, "." | ")"))
        || word.chars().all(|letter| matches!(letter, '-' | '+' | '='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_code_whatever_is_in_them() {
        assert_eq!(code("default/web-1"), "`default/web-1`");
        assert_eq!(code("@user"), "`@user`");
        assert_eq!(code("a|b"), "<code>a&#124;b</code>");
        assert_eq!(code("``` x"), "<code>&#96;&#96;&#96;&#32;x</code>");
        assert_eq!(code("a\\"), "<code>a&#92;</code>");
        assert_eq!(code("a\n\u{202e}b"), "`a\u{fffd}\u{fffd}b`");
        assert_eq!(code(" "), "");
    }

    #[test]
    fn nothing_in_a_sentence_becomes_a_link() {
        for word in [
            "@user",
            "#12",
            "!12",
            "owner/repo#12",
            "https://e.com",
            "(www.e.com)",
            "me@e.com",
            "1a2b3c4",
            "GH-12",
            "JIRA-12.",
            ":tada:",
            "a_b_c",
            "*x*",
            "<img>",
            "[x](y)",
            "~~x~~",
            "&lt;",
            "$x$",
        ] {
            let shown = prose(&format!("Pod {word} lost 3 packets."));
            assert_eq!(shown, format!("Pod {} lost 3 packets.", code(word)));
            assert!(shown.contains('`'), "{shown}");
        }
        assert_eq!(prose("a `b|c` d"), "a <code>&#96;b&#124;c&#96;</code> d");
        let sentence = "default/web-1: window 319.000–321.000 ms > limit, ended by (the) flow; +3.000 ms.";
        assert_eq!(prose(sentence), sentence.replace('>', "&gt;"));
        assert_eq!(prose("- x"), "`-` x");
        assert_eq!(prose("1. x"), "`1.` x");
        assert_eq!(prose("3 packets"), "3 packets");
    }
}
