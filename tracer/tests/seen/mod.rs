//! What a source under test has said.

use tracer::source::{EventReceiver, EventSender, channel};
use tracer_core::event::EventKind;
use tracer_core::time::Timestamp;

/// The receiving end of a source.
pub struct Seen {
    events: EventReceiver,
    last: Timestamp,
}

/// A sender for a source, and what it will have said.
pub fn seen() -> (EventSender, Seen) {
    let (sender, events) = channel(4);
    (
        sender,
        Seen {
            events,
            last: Timestamp(0),
        },
    )
}

impl Seen {
    /// The next event.
    pub async fn next(&mut self) -> EventKind {
        let event = self.events.recv().await.expect("the source runs");
        self.last = event.at;
        event.kind
    }

    /// The events up to and including the first that `last` accepts.
    pub async fn until(&mut self, last: impl Fn(&EventKind) -> bool) -> Vec<EventKind> {
        let mut seen = Vec::new();
        loop {
            seen.push(self.next().await);
            if seen.last().is_some_and(&last) {
                return seen;
            }
        }
    }

    /// When the latest event was.
    #[allow(dead_code, reason = "not every test asks for it")]
    pub fn at(&self) -> Timestamp {
        self.last
    }
}
