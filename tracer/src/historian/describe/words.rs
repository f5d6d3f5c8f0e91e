//! What is said of one event.
//!
//! Must not depend on: events.

use crate::historian::moment::Weight;

/// What kind of event it is, in a word; the event in words; how it bears on forwarding.
pub type Words = (&'static str, String, Weight);
