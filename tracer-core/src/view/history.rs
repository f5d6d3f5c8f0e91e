//! Winds a capture back: everything that is known at any point of it.
//!
//! Must not depend on: screens, files. What is known at a point is the engine over the events up to it, in time
//! order. So that going back is quick, the engine is kept as it was at every so many events; what lies
//! between is judged again.

use std::collections::VecDeque;

use crate::intake::Intake;
use crate::memory::coverage::Blemish;
use crate::recording::log::{Entry, Header};
use crate::report::Report;
use crate::verdict::conclude::{Provenance, conclude};
use crate::verdict::docket::Docket;
use crate::view::meter::Meter;
use crate::vocabulary::event::{Event, EventKind};
use crate::vocabulary::time::{MILLISECOND, Timestamp};

/// Everything that is known at one point.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// How many events it has seen.
    pub position: u64,
    /// What follows from them.
    pub docket: Docket,
    /// Upcalls among them.
    pub meter: Meter,
}

impl Book {
    fn take(&mut self, event: &Event, transport: &[Blemish]) {
        self.docket.step(event, &|| transport.to_vec());
        if let EventKind::Upcalls(upcalls) = &event.kind {
            self.meter.count(upcalls);
        }
    }

    /// The time of its last event.
    pub fn now(&self) -> Timestamp {
        self.docket.engine.now
    }
}

/// Kept ticks are no farther apart: the clock counts as silent after 800 ms.
const BEAT: u64 = 500 * MILLISECOND;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Events between two points to which going back is at once.
    pub stride: u64,
    /// Events kept; the oldest are forgotten first. `None`: all of them.
    pub events: Option<usize>,
}

/// A capture that can be wound back.
#[derive(Clone, Debug)]
pub struct History {
    provenance: Provenance,
    limits: Limits,
    events: VecDeque<Event>,
    forgotten: u64,
    stops: VecDeque<Book>,
    head: Book,
}

impl History {
    /// A capture that begins.
    pub fn new(header: Header, limits: Limits) -> Self {
        Self {
            provenance: Provenance {
                header,
                ..Provenance::default()
            },
            limits,
            events: VecDeque::new(),
            forgotten: 0,
            stops: VecDeque::from([Book::default()]),
            head: Book::default(),
        }
    }

    /// A whole recording, and the report over it. `flaw`: why it could not be read to its end.
    pub fn of_recording(
        header: Header,
        entries: Vec<Entry>,
        flaw: Option<&str>,
        stride: u64,
    ) -> (Self, Report) {
        let limits = Limits { stride, events: None };
        let mut history = Self::new(header, limits);
        let mut intake = Intake::default();
        let mut events = Vec::with_capacity(entries.len());
        for entry in entries {
            intake.push(entry);
            events.extend(std::iter::from_fn(|| intake.pop()));
        }
        events.extend(std::iter::from_fn(|| intake.take()));
        // What is wrong with the recording holds at every point of it.
        let cut = intake.cut(flaw);
        history.comes_by(&intake, cut);
        for event in events {
            history.push(event);
        }
        let report = history.report(history.head());
        (history, report)
    }

    /// How the events come: what is known to be missing by now.
    pub fn comes_by(&mut self, intake: &Intake, cut: Option<String>) {
        self.provenance.blemishes = intake.blemishes(cut);
        self.provenance.missing = intake.missing();
    }

    /// Takes in the next event in time order.
    pub fn push(&mut self, event: Event) {
        if self.head.position.saturating_sub(self.last_stop()) >= self.limits.stride {
            self.stops.push_back(self.head.clone());
        }
        self.head.take(&event, &self.provenance.blemishes);
        self.head.position += 1;
        self.events.push_back(event);
        self.forget();
    }

    /// Takes in the next event of a capture that has no end. Of ticks in a row only as many are kept as show that the clock never
    /// fell silent, so that a quiet system costs little; no conclusion depends on those between.
    pub fn follow(&mut self, event: Event) {
        let mut ticks = self
            .events
            .iter()
            .rev()
            .take_while(|event| event.kind == EventKind::Tick);
        let before = (ticks.next(), ticks.next()).1;
        if event.kind == EventKind::Tick && before.is_some_and(|before| event.at.since(before.at) <= BEAT) {
            self.head.take(&event, &self.provenance.blemishes);
            if let Some(last) = self.events.back_mut() {
                *last = event;
            }
        } else {
            self.push(event);
        }
    }

    fn last_stop(&self) -> u64 {
        self.stops.back().map_or(0, |stop| stop.position)
    }

    /// Forgets what lies before the second stop, once there is too much.
    fn forget(&mut self) {
        while self.limits.events.is_some_and(|limit| self.events.len() > limit) {
            let Some(second) = self.stops.get(1).map(|stop| stop.position) else {
                return;
            };
            self.stops.pop_front();
            let count = usize::try_from(second - self.forgotten).unwrap_or(usize::MAX);
            self.events.drain(..count.min(self.events.len()));
            self.forgotten = second;
        }
    }

    /// The header of the capture.
    pub fn header(&self) -> &Header {
        &self.provenance.header
    }

    /// How many events came before the first that is kept.
    pub fn begin(&self) -> u64 {
        self.forgotten
    }

    /// How many events there are, forgotten ones included.
    pub fn end(&self) -> u64 {
        self.head.position
    }

    /// What is known by now.
    pub fn head(&self) -> &Book {
        &self.head
    }

    /// The event after which `position + 1` events have been seen.
    pub fn event(&self, position: u64) -> Option<&Event> {
        let index = usize::try_from(position.checked_sub(self.forgotten)?).ok()?;
        self.events.get(index)
    }

    /// Every event that is kept, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// How many events there are up to a time, this one included.
    pub fn position_at(&self, at: Timestamp) -> u64 {
        self.forgotten + self.events.partition_point(|event| event.at <= at) as u64
    }

    /// What was known after `position` events. `near`, where it is on the way, is gone on from.
    pub fn book(&self, position: u64, near: Option<Book>) -> Book {
        let position = position.clamp(self.forgotten, self.end());
        let stop = self.stops.iter().rev().find(|stop| stop.position <= position);
        let ahead = |stop: &Book| stop.position;
        let mut book = match near.filter(|near| (stop.map_or(0, ahead)..=position).contains(&near.position)) {
            Some(near) => near,
            None => stop.cloned().unwrap_or_default(),
        };
        while book.position < position {
            let Some(event) = self.event(book.position) else {
                break;
            };
            book.take(event, &self.provenance.blemishes);
            book.position += 1;
        }
        book
    }

    /// What can be concluded from a book.
    pub fn report(&self, book: &Book) -> Report {
        conclude(&book.docket, &self.provenance)
    }
}
