//! Characters with power, and the places in a document where others decide what stands there.
//!
//! Must not depend on: what the document is, what prints it.

use std::fmt;

use serde_json::Value;

/// Each of them by itself: what moves a cursor or begins a command to a terminal, what turns direction, what cannot be seen.
pub const CHARACTERS: &[char] = &[
    '\u{0}',
    '\u{1}',
    '\u{2}',
    '\u{3}',
    '\u{4}',
    '\u{5}',
    '\u{6}',
    '\u{7}',
    '\u{8}',
    '\t',
    '\n',
    '\u{b}',
    '\u{c}',
    '\r',
    '\u{e}',
    '\u{f}',
    '\u{10}',
    '\u{11}',
    '\u{12}',
    '\u{13}',
    '\u{14}',
    '\u{15}',
    '\u{16}',
    '\u{17}',
    '\u{18}',
    '\u{19}',
    '\u{1a}',
    '\u{1b}',
    '\u{1c}',
    '\u{1d}',
    '\u{1e}',
    '\u{1f}',
    '\u{7f}',
    '\u{80}',
    '\u{81}',
    '\u{82}',
    '\u{83}',
    '\u{84}',
    '\u{85}',
    '\u{86}',
    '\u{87}',
    '\u{88}',
    '\u{89}',
    '\u{8a}',
    '\u{8b}',
    '\u{8c}',
    '\u{8d}',
    '\u{8e}',
    '\u{8f}',
    '\u{90}',
    '\u{91}',
    '\u{92}',
    '\u{93}',
    '\u{94}',
    '\u{95}',
    '\u{96}',
    '\u{97}',
    '\u{98}',
    '\u{99}',
    '\u{9a}',
    '\u{9b}',
    '\u{9c}',
    '\u{9d}',
    '\u{9e}',
    '\u{9f}',
    '\u{ad}',
    '\u{61c}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2067}',
    '\u{2068}',
    '\u{2069}',
    '\u{feff}',
    '\u{fe0f}',
    '\u{fff9}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e007f}',
];

/// The first character of a text that has power. A line feed ends a line, which is looked at elsewhere.
pub fn powers(text: &str) -> Option<(usize, char)> {
    let has = |letter: char| letter != '\n' && CHARACTERS.contains(&letter);
    text.char_indices().find(|(_, letter)| has(*letter))
}

/// Where a string stands in a document.
#[derive(Clone, Debug)]
pub struct Leaf(String);

impl Leaf {
    /// The string.
    pub fn of<'a>(&self, whole: &'a Value) -> &'a str {
        whole.pointer(&self.0).and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Every string in a document that may be any other: with another one there, it is still read. Words of a closed list are not.
pub fn each_open_leaf(whole: &Value, is_read: impl Fn(&Value) -> bool) -> Vec<Leaf> {
    let mut all = Vec::new();
    strings(whole, &Leaf(String::new()), &mut all);
    all.retain(|leaf| is_read(&with(whole, std::slice::from_ref(leaf), &['?'])));
    all
}

fn strings(value: &Value, at: &Leaf, all: &mut Vec<Leaf>) {
    match value {
        Value::String(_) => all.push(at.clone()),
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                strings(value, &Leaf(format!("{at}/{number}")), all);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                strings(value, &Leaf(format!("{at}/{key}")), all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The document with characters behind each of these strings.
pub fn with(whole: &Value, leaves: &[Leaf], some: &[char]) -> Value {
    let mut whole = whole.clone();
    let tail: String = some.iter().flat_map(|letter| [*letter, 'x']).collect();
    for leaf in leaves {
        if let Some(Value::String(text)) = whole.pointer_mut(&leaf.0) {
            *text += &tail;
        }
    }
    whole
}
