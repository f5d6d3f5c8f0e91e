//! What all of this source's events have in common: its name, and when they are said.
//!
//! Must not depend on: what is said, aya.

use tracer_core::event::{Event, EventKind};

use crate::source::clock::now;

/// The name of this source in [`EventKind::Source`].
pub(super) const NAME: &str = "ebpf";

/// What is known now.
pub(super) fn stamped(kinds: impl IntoIterator<Item = EventKind>) -> impl Iterator<Item = Event> {
    let at = now();
    kinds.into_iter().map(move |kind| Event { at, kind })
}
