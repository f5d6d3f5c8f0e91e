//! The way of a source's events out: keeps the order in which they were put.
//!
//! Must not depend on: what the events mean. Events are sorted by time, then by value, so two events of one source
//! that must not change places (the last row of a snapshot and its end) need different times: of two events
//! that were received at once, the later one is moved by 1 ns.

use std::future::Future;

use tracer_core::event::{Event, EventKind};
use tracer_core::time::Timestamp;

use super::EventSender;

/// A sender of events whose times strictly increase.
pub(crate) struct Outbox {
    events: EventSender,
    last: Option<Timestamp>,
}

impl Outbox {
    pub(crate) fn new(events: EventSender) -> Self {
        Self { events, last: None }
    }

    /// Another outbox to the same receiver, with an order of its own.
    pub(crate) fn sibling(&self) -> Self {
        Self::new(self.events.clone())
    }

    /// Sends `kind` as seen at `at`. That the receiver is gone is no error: it ends the source where it waits
    /// for [`Self::closed`].
    pub(crate) async fn put(&mut self, at: Timestamp, kind: EventKind) {
        let at = self.last.map_or(at, |last| at.max(last.plus(1)));
        self.last = Some(at);
        let _gone = self.events.send(Event { at, kind }).await;
    }

    /// Ready once the receiver is gone.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let events = self.events.clone();
        async move { events.closed().await }
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel;
    use super::*;

    #[tokio::test]
    async fn events_received_at_once_keep_their_order() {
        let (sender, mut receiver) = channel(8);
        let mut outbox = Outbox::new(sender);
        let at = Timestamp(1000);
        let order = [
            EventKind::OvsdbUp,
            EventKind::CaptureEnded,
            EventKind::Tick,
            EventKind::OvsdbUp,
        ];
        for kind in order.clone() {
            outbox.put(at, kind).await;
        }
        drop(outbox);
        let mut seen = Vec::new();
        while let Some(event) = receiver.recv().await {
            seen.push(event);
        }
        seen.sort();
        assert!(seen.iter().map(|event| event.kind.clone()).eq(order));
        assert_eq!(seen[0].at, at);
        assert_eq!(seen[3].at, Timestamp(1003));
    }
}
