//! Puts events in the order in which they happened.
//!
//! Must not depend on: what events mean. Ring order is not time order across CPUs, nor across sources, so
//! events wait until the newest event time is [`WINDOW`] ahead. Only event time moves it, never a
//! clock: a replay flushes at the same points as the live run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::vocabulary::event::Event;
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::{MILLISECOND, Timestamp};

/// How far back an event may lie behind the newest one and still be put in order. Counters are read
/// and sources scheduled within a tick of 100 ms; under emulation several ticks can pass.
pub const WINDOW: u64 = 500 * MILLISECOND;

/// A bounded reorder buffer.
#[derive(Clone, Debug, Default)]
pub struct Sorter {
    /// Most events come in order: those that do, and need not be sorted.
    ordered: VecDeque<Event>,
    /// Those that came when a later one waited already.
    unordered: BinaryHeap<Reverse<Event>>,
    newest: Timestamp,
    released: Timestamp,
    late: Spans<u64>,
}

impl Sorter {
    /// Takes one event in.
    pub fn push(&mut self, event: Event) {
        if event.at < self.released {
            self.late
                .add(event.at, self.released, 1, WINDOW, u64::saturating_add);
        }
        self.newest = self.newest.max(event.at);
        if self.ordered.back().is_none_or(|last| *last <= event) {
            self.ordered.push_back(event);
        } else {
            self.unordered.push(Reverse(event));
        }
    }

    /// The next event whose time has come.
    pub fn pop(&mut self) -> Option<Event> {
        let ordered = self.ordered.front().map(|event| event.at);
        let unordered = self.unordered.peek().map(|Reverse(event)| event.at);
        let first = ordered.into_iter().chain(unordered).min()?;
        if first.plus(WINDOW) > self.newest {
            return None;
        }
        self.take()
    }

    /// The next event, whether or not its time has come: the input has ended.
    pub fn take(&mut self) -> Option<Event> {
        let event = self.first()?;
        self.released = self.released.max(event.at);
        Some(event)
    }

    fn first(&mut self) -> Option<Event> {
        let unordered = match (self.ordered.front(), self.unordered.peek()) {
            (Some(ordered), Some(Reverse(unordered))) => unordered < ordered,
            (ordered, _) => ordered.is_none(),
        };
        if unordered {
            self.unordered.pop().map(|Reverse(event)| event)
        } else {
            self.ordered.pop_front()
        }
    }

    /// Events that came after a later one had been released: how many, and from when to when their order is not known.
    pub fn late(&self) -> &Spans<u64> {
        &self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::event::EventKind;

    fn tick(at: u64) -> Event {
        Event {
            at: Timestamp(at * MILLISECOND),
            kind: EventKind::Tick,
        }
    }

    fn drain(sorter: &mut Sorter) -> Vec<u64> {
        std::iter::from_fn(|| sorter.pop())
            .map(|event| event.at.0 / MILLISECOND)
            .collect()
    }

    #[test]
    fn events_leave_in_time_order_once_the_window_has_passed() {
        let mut sorter = Sorter::default();
        for at in [10, 5, 7] {
            sorter.push(tick(at));
        }
        assert!(sorter.pop().is_none());
        sorter.push(tick(508));
        assert_eq!(drain(&mut sorter), [5, 7]);
        assert_eq!(sorter.late().iter().count(), 0);
        sorter.push(tick(6));
        assert_eq!(sorter.late().iter().count(), 1);
        assert_eq!(drain(&mut sorter), [6], "late, but not lost");
    }

    #[test]
    fn those_that_came_in_order_and_those_that_did_not_leave_as_one() {
        let mut sorter = Sorter::default();
        for at in [3, 9, 1, 9, 4, 20, 2, 20, 19] {
            sorter.push(tick(at));
        }
        let order: Vec<u64> = std::iter::from_fn(|| sorter.take())
            .map(|event| event.at.0 / MILLISECOND)
            .collect();
        assert_eq!(order, [1, 2, 3, 4, 9, 9, 19, 20, 20]);
        assert_eq!(sorter.late().iter().count(), 0);
    }
}
