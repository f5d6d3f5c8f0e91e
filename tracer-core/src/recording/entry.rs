//! One event of a recording, with its number.
//!
//! Must not depend on: how it is written.

use crate::vocabulary::event::Event;

/// One line after the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 0 for the first; no number is left out.
    pub seq: u64,
    /// The event.
    pub event: Event,
}
