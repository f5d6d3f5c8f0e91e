//! Our own words on standard error, held back while a screen has the terminal, or while nobody reads them.
//!
//! Must not depend on: what is said.

use std::io;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::stdio::stderr;
use tracer_core::time::{MILLISECOND, Timestamp};

use crate::outlet::offer;
use crate::source::clock;

/// Bytes held back at most; what is said later is lost.
const MOST: usize = 64 << 10;

/// How long, in nanoseconds, who reads them may take at the end.
const PATIENCE: u64 = 250 * MILLISECOND;

/// Where our own words go. Clones speak to the same place.
#[derive(Clone, Debug, Default)]
pub struct Words(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    words: Vec<u8>,
    /// Until they are released.
    silent: bool,
}

impl Words {
    /// From here on words are held back.
    pub fn hold(&self) {
        self.held(|held| held.silent = true);
    }

    /// Says what has been held back, and everything at once from here on.
    pub fn release(&self) {
        self.held(|held| {
            held.silent = false;
            held.say(clock::now());
        });
    }

    /// Says what is still held back, if it is taken soon: there is no later.
    pub fn finish(&self) {
        self.held(|held| held.say(clock::now().plus(PATIENCE)));
    }

    fn held<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Held {
    fn add(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.words.len()).min(bytes.len());
        self.words.extend_from_slice(&bytes[..room]);
    }

    /// What is not taken until then is kept. Standard error may be closed: then nobody wants to hear it.
    fn say(&mut self, until: Timestamp) {
        let words = take(&mut self.words);
        if let Ok(taken) = offer(stderr(), &words, until) {
            self.words
                .extend_from_slice(words.get(taken..).unwrap_or_default());
        }
    }
}

impl io::Write for Words {
    /// Whoever speaks is never held up by one who does not listen.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held(|held| {
            held.add(bytes);
            if !held.silent {
                held.say(clock::now());
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_said_while_held_is_kept_up_to_a_bound() {
        let mut words = Words::default();
        words.hold();
        words.write_all(&vec![b'x'; MOST]).unwrap();
        words.write_all(b"too much").unwrap();
        assert_eq!(words.held(|held| held.words.len()), MOST);
    }
}
