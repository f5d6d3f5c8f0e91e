//! Our own words on standard error, held back while a screen has the terminal.
//!
//! May not know: what is said.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes held back at most; what is said later is lost.
const MOST: usize = 64 << 10;

/// Where our own words go. Clones speak to the same place.
#[derive(Clone, Debug, Default)]
pub struct Words(Arc<Mutex<Option<Vec<u8>>>>);

impl Words {
    /// From here on words are held back.
    pub fn hold(&self) {
        self.held(|held| {
            held.get_or_insert_default();
        });
    }

    /// Says what has been held back, and everything at once from here on.
    pub fn release(&self) {
        let said = self.held(Option::take);
        // Standard error may be closed: then nobody wants to hear it.
        let _ = io::stderr().write_all(&said.unwrap_or_default());
    }

    fn held<T>(&self, change: impl FnOnce(&mut Option<Vec<u8>>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Words {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held(|held| match held {
            Some(held) => {
                let room = MOST.saturating_sub(held.len()).min(bytes.len());
                held.extend_from_slice(&bytes[..room]);
                Ok(bytes.len())
            }
            None => io::stderr().write(bytes),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_while_held_is_kept_up_to_a_bound() {
        let mut words = Words::default();
        words.hold();
        words.write_all(&vec![b'x'; MOST]).unwrap();
        words.write_all(b"too much").unwrap();
        assert_eq!(words.held(|held| held.as_ref().map(Vec::len)), Some(MOST));
    }
}
