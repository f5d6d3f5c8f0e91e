//! The user's terminal: raw while it is lent to a program elsewhere, and as it was before, whatever happens.
//!
//! Must not depend on: what is drawn, and where the program runs.

use std::io::{self, Stdin, Write as _, stdin, stdout};

use anyhow::{Context as _, Result};
use lab::words::wire;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Back to the ordinary screen and its cursor, no mouse, no colours, no pasting in brackets: whatever a program that ended
/// half-way has left.
const ORDINARY: &[u8] =
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[0m\r";

/// The key that ends it all (Ctrl-]), as telnet has it.
const END: u8 = 0x1d;

/// A terminal in raw mode; it is given back when this is dropped.
pub struct Raw {
    terminal: Stdin,
    before: Termios,
    /// The program has put the screen in order itself. Else that is done here, as far as it can be: to leave the second
    /// screen again would take the cursor back to where it was when the first was left.
    pub tidy: bool,
}

impl Raw {
    /// Makes the terminal raw.
    pub fn take() -> Result<Self> {
        let terminal = stdin();
        let before = tcgetattr(&terminal).context("reading the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw).context("making the terminal raw")?;
        Ok(Self {
            terminal,
            before,
            tidy: false,
        })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        if !self.tidy {
            let _ = stdout().write_all(ORDINARY).and_then(|()| stdout().flush());
        }
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Reads what was typed, past the buffer of the standard library, which no poll sees. Nothing: the terminal is gone.
pub fn typed() -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    let length = rustix::io::read(stdin(), &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// What of it is for the program; `None`: the user wants to end it all.
pub fn for_the_program(typed: &[u8]) -> Option<&[u8]> {
    (!typed.contains(&END)).then_some(typed)
}

/// The line that names the terminal's size. One that does not know it is taken for the smallest usual one.
pub fn size() -> String {
    let size = tcgetwinsize(stdout()).ok();
    let known = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    let (columns, rows) = known.map_or((80, 24), |size| (size.ws_col, size.ws_row));
    wire::size_line(columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_is_not_for_the_program() {
        assert_eq!(for_the_program(b"q\x03\x1b[A"), Some(b"q\x03\x1b[A".as_slice()));
        assert_eq!(for_the_program(b"jj\x1d"), None);
    }
}
