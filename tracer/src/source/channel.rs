//! The way of events from the sources to whoever judges them.
//!
//! Must not depend on: what events mean.
//!
//! What was seen together travels together: each message may wake a thread, which takes as long as to judge dozens of events.

use std::vec::IntoIter;

use tokio::sync::mpsc;
use tracer_core::event::Event;

/// Events in one message, at most.
const TOGETHER: usize = 64;

/// The receiver is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Where a source puts what it saw.
#[derive(Clone, Debug)]
pub struct EventSender(mpsc::Sender<Vec<Event>>);

/// What the sources saw, in the order in which it came.
#[derive(Debug)]
pub struct EventReceiver {
    messages: mpsc::Receiver<Vec<Event>>,
    next: IntoIter<Event>,
}

/// A way for events; sources are held back while so many `messages` wait (`TOGETHER` events each, at most).
pub fn channel(messages: usize) -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::channel(messages);
    let receiver = EventReceiver {
        messages: receiver,
        next: IntoIter::default(),
    };
    (EventSender(sender), receiver)
}

impl EventSender {
    /// Sends one event.
    pub async fn send(&self, event: Event) -> Result<(), Gone> {
        self.0.send(vec![event]).await.map_err(|_| Gone)
    }

    /// Sends events that were seen together.
    pub async fn send_all(&self, events: impl IntoIterator<Item = Event>) -> Result<(), Gone> {
        let mut events = events.into_iter();
        loop {
            let message: Vec<Event> = events.by_ref().take(TOGETHER).collect();
            if message.is_empty() {
                return Ok(());
            }
            self.0.send(message).await.map_err(|_| Gone)?;
        }
    }

    /// Ready once the receiver is gone.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl EventReceiver {
    /// The next event, on a thread that may wait for it; `None`: all senders are gone.
    pub fn blocking_recv(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.next.next() {
                return Some(event);
            }
            self.next = self.messages.blocking_recv()?.into_iter();
        }
    }

    /// The next event; `None`: all senders are gone.
    pub async fn recv(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.next.next() {
                return Some(event);
            }
            self.next = self.messages.recv().await?.into_iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use tracer_core::event::EventKind;
    use tracer_core::time::Timestamp;

    use super::*;

    fn event(at: u64) -> Event {
        Event {
            at: Timestamp(at),
            kind: EventKind::Tick,
        }
    }

    #[tokio::test]
    async fn events_come_in_the_order_in_which_they_were_sent() {
        let many = 2 * TOGETHER as u64 + 1;
        let (sender, mut receiver) = channel(8);
        sender.send(event(0)).await.unwrap();
        sender.send_all((1..many).map(event)).await.unwrap();
        sender.send_all([]).await.unwrap();
        drop(sender);
        for at in 0..many {
            assert_eq!(receiver.recv().await, Some(event(at)));
        }
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn that_the_receiver_is_gone_is_told() {
        let (sender, receiver) = channel(1);
        drop(receiver);
        sender.closed().await;
        assert_eq!(sender.send(event(0)).await, Err(Gone));
        assert_eq!(sender.send_all([event(0)]).await, Err(Gone));
    }
}
