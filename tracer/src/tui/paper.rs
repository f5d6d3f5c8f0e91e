//! What a terminal is written on: whole frames at once, colours in the oldest spelling there is.
//!
//! Must not depend on: what is drawn. crossterm spells the sixteen colours as the first of 256 (`38;5;1`), which terminals
//! that have only sixteen do not understand; ECMA-48 and aixterm call the same ones 30–37 and 90–97.

use std::io::{self, Write};

/// Holds a frame back until it is whole.
#[derive(Debug)]
pub struct Paper<W> {
    out: W,
    frame: Vec<u8>,
}

impl<W: Write> Paper<W> {
    /// Writes on something.
    pub fn new(out: W) -> Self {
        Self {
            out,
            frame: Vec::new(),
        }
    }
}

impl<W: Write> Write for Paper<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let frame = respelled(&self.frame);
        self.frame.clear();
        self.out.write_all(&frame)?;
        self.out.flush()
    }
}

/// The same with each of the sixteen colours in its old spelling.
fn respelled(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len());
    let mut rest = frame;
    while let Some(start) = rest.windows(2).position(|pair| pair == b"\x1b[") {
        let (before, sequence) = rest.split_at(start + 2);
        out.extend_from_slice(before);
        let length = sequence
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
            .count();
        let (parameters, after) = sequence.split_at(length);
        match after.first().zip(std::str::from_utf8(parameters).ok()) {
            Some((b'm', parameters)) => out.extend_from_slice(colours(parameters).as_bytes()),
            _ => out.extend_from_slice(parameters),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

fn colours(parameters: &str) -> String {
    let mut all = parameters.split(';').peekable();
    let mut spelled: Vec<String> = Vec::new();
    while let Some(parameter) = all.next() {
        let ground = match parameter {
            "38" => 30,
            "48" => 40,
            other => {
                spelled.push(other.to_owned());
                continue;
            }
        };
        let Some(kind) = all.next_if_eq(&"5") else {
            // 24 bits: what follows is no parameter of its own.
            spelled.push(parameter.to_owned());
            spelled.extend(all.by_ref().take(4).map(str::to_owned));
            continue;
        };
        match all.next().and_then(|number| number.parse::<u32>().ok()) {
            Some(number @ 0..8) => spelled.push((ground + number).to_string()),
            Some(number @ 8..16) => spelled.push((ground + 60 + number - 8).to_string()),
            Some(number) => spelled.push(format!("{parameter};{kind};{number}")),
            None => {}
        }
    }
    spelled.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_colours_are_spelled_the_old_way() {
        let check = |before: &str, after: &str| {
            assert_eq!(String::from_utf8(respelled(before.as_bytes())).unwrap(), after);
        };
        check("a\x1b[38;5;2mb\x1b[0m", "a\x1b[32mb\x1b[0m");
        check("\x1b[38;5;9;48;5;0m", "\x1b[91;40m");
        check("\x1b[38;2;38;5;2;48;5;1mx", "\x1b[38;2;38;5;2;41mx");
        check("\x1b[38;5;200m", "\x1b[38;5;200m");
        check("\x1b[2;5H\x1b[?25l─", "\x1b[2;5H\x1b[?25l─");
        check("cut off \x1b[38;5", "cut off \x1b[38;5");
    }
}
