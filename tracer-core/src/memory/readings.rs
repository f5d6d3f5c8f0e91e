//! The datapath's own counters, reading by reading, beside what the hooks had counted by then.
//!
//! Must not depend on: Pods, packets.

use std::collections::{BTreeMap, VecDeque};

use crate::vocabulary::count;
use crate::vocabulary::event::{UpcallCommand, UpcallTotals, Upcalls};
use crate::vocabulary::id::DpIfindex;
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::{SECOND, Timestamp};

/// A reading of a datapath's counters, with what the hooks had counted just before and just after.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// Packets that hit a megaflow.
    pub hit: u64,
    /// Packets that missed.
    pub missed: u64,
    /// Upcalls that failed.
    pub lost: u64,
    /// What the hooks had counted just before; `None`: they did not count.
    pub before: Option<UpcallTotals>,
    /// The same just after.
    pub after: Option<UpcallTotals>,
}

/// Growth of a datapath's counters between two readings, beside what the hooks counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Growth of the datapath's `n_missed`.
    pub missed: u64,
    /// Miss upcalls counted by the hooks, at least and at most.
    pub seen_missed: [u64; 2],
    /// Growth of the datapath's `n_lost`.
    pub lost: u64,
    /// Failed upcalls counted by the hooks, at least and at most.
    pub seen_lost: [u64; 2],
}

impl Growth {
    /// From one reading to a later one; `None`: the hooks did not count.
    pub fn between(first: &Reading, last: &Reading) -> Option<Self> {
        let (first_before, first_after) = (first.before?, first.after?);
        let (last_before, last_after) = (last.before?, last.after?);
        let span = |last_before: u64, last_after: u64, first_before: u64, first_after: u64| {
            [
                last_before.saturating_sub(first_after),
                last_after.saturating_sub(first_before),
            ]
        };
        Some(Self {
            missed: last.missed.saturating_sub(first.missed),
            seen_missed: span(
                last_before.missed,
                last_after.missed,
                first_before.missed,
                first_after.missed,
            ),
            lost: last.lost.saturating_sub(first.lost),
            seen_lost: span(
                last_before.failed,
                last_after.failed,
                first_before.failed,
                first_after.failed,
            ),
        })
    }

    /// Whether the datapath's figures lie between those of the hooks.
    pub fn agrees(&self) -> bool {
        let within = |[least, most]: [u64; 2], value: u64| least <= value && value <= most;
        within(self.seen_missed, self.missed) && within(self.seen_lost, self.lost)
    }
}

impl Of {
    fn counted(&self) -> impl DoubleEndedIterator<Item = &Reading> {
        self.recent
            .iter()
            .filter(|reading| reading.before.is_some() && reading.after.is_some())
    }
}

/// So many readings of a datapath are remembered: a quarter of an hour.
const REMEMBERED: usize = 900;

/// What the hooks have counted is in the events after so long: they are read every 500 ms while packets are followed.
const READ: u64 = 2 * SECOND;

/// Readings of all datapaths.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    all: BTreeMap<DpIfindex, Of>,
    /// Upcalls in the events so far.
    reported: BTreeMap<DpIfindex, UpcallTotals>,
}

#[derive(Clone, Debug)]
struct Of {
    first: Reading,
    recent: VecDeque<Reading>,
    book: Book,
}

/// What the hooks counted beside what their events reported.
#[derive(Clone, Debug, Default)]
struct Book {
    /// Readings whose upcalls may still be on their way.
    open: VecDeque<Reading>,
    /// The last reading by which all that was counted had been reported.
    closed: Timestamp,
    /// Upcalls that were counted and not reported so far.
    missing: u64,
    /// From when to when, and how many.
    short: Spans<u64>,
}

impl Book {
    fn close(&mut self, until: Timestamp, reported: UpcallTotals) {
        while let Some(reading) = self.open.pop_front_if(|reading| reading.at <= until) {
            let Some(counted) = reading.before else { continue };
            // A failed miss is in both.
            let missed = counted.missed.saturating_sub(reported.missed);
            let missing = missed.max(counted.failed.saturating_sub(reported.failed));
            if let Some(more) = missing.checked_sub(self.missing).filter(|more| *more > 0) {
                self.short
                    .add(self.closed, reading.at, more, 0, u64::saturating_add);
                self.missing = missing;
            } else {
                self.closed = reading.at;
            }
        }
    }
}

impl Readings {
    /// A datapath's counters were read.
    pub fn read(&mut self, dp: DpIfindex, reading: Reading) {
        let of = self.all.entry(dp).or_insert_with(|| Of {
            first: reading,
            recent: VecDeque::new(),
            book: Book::default(),
        });
        // A reading in which the hooks did not count compares with nothing.
        if of.first.before.is_none() {
            of.first = reading;
        }
        of.book.open.push_back(reading);
        of.recent.push_back(reading);
        if of.recent.len() > REMEMBERED {
            of.recent.pop_front();
        }
    }

    /// Upcalls were reported.
    pub fn upcalls(&mut self, upcalls: &Upcalls) {
        let reported = self.reported.entry(upcalls.dp).or_default();
        if upcalls.command == UpcallCommand::Miss {
            count::add(&mut reported.missed, upcalls.count);
        }
        if upcalls.result != 0 {
            count::add(&mut reported.failed, upcalls.count);
        }
    }

    /// Time passed: whatever the hooks had counted a while ago should have been reported by now.
    pub fn tick(&mut self, now: Timestamp) {
        self.close(Timestamp(now.0.saturating_sub(READ)));
    }

    /// The capture has ended: everything that the hooks counted should have been reported.
    pub fn end(&mut self, now: Timestamp) {
        self.close(now);
    }

    fn close(&mut self, until: Timestamp) {
        for (dp, of) in &mut self.all {
            let reported = self.reported.get(dp).copied().unwrap_or_default();
            of.book.close(until, reported);
        }
    }

    /// From when to when the events reported fewer upcalls than the hooks had counted, and how many fewer.
    pub fn short(&self) -> impl Iterator<Item = (DpIfindex, &(Timestamp, Timestamp, u64))> {
        let all = self.all.iter();
        all.flat_map(|(dp, of)| of.book.short.iter().map(|span| (*dp, span)))
    }

    /// The first and the last reading of each datapath in which the hooks counted, too.
    pub fn ends(&self) -> impl Iterator<Item = (DpIfindex, &Reading, &Reading)> {
        let all = self.all.iter();
        all.filter_map(|(dp, of)| Some((*dp, &of.first, of.counted().next_back()?)))
    }

    /// The same, two after each other.
    pub fn counted_pairs(&self) -> impl Iterator<Item = (DpIfindex, &Reading, &Reading)> {
        self.all.iter().flat_map(|(dp, of)| {
            let next = of.counted().skip(1);
            of.counted().zip(next).map(move |(one, next)| (*dp, one, next))
        })
    }

    /// Whether the hooks ever counted what went through a datapath.
    pub fn is_counted(&self, dp: DpIfindex) -> bool {
        self.all.get(&dp).is_some_and(|of| of.counted().next().is_some())
    }

    /// Two readings of one datapath after each other, for all that are remembered.
    pub fn pairs(&self) -> impl Iterator<Item = (DpIfindex, &Reading, &Reading)> {
        self.all.iter().flat_map(|(dp, of)| {
            let next = of.recent.iter().skip(1);
            of.recent
                .iter()
                .zip(next)
                .map(move |(one, next)| (*dp, one, next))
        })
    }

    /// When counters were read last.
    pub fn last(&self) -> Option<Timestamp> {
        let last = self.all.values().filter_map(|of| of.recent.back());
        last.map(|reading| reading.at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::id::PortNo;

    const DP: DpIfindex = DpIfindex(5);

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * SECOND)
    }

    fn read(readings: &mut Readings, seconds: u64, missed: u64, failed: u64) {
        let totals = Some(UpcallTotals { missed, failed });
        let reading = Reading {
            at: at(seconds),
            hit: 0,
            missed,
            lost: failed,
            before: totals,
            after: totals,
        };
        readings.read(DP, reading);
    }

    fn report(readings: &mut Readings, count: u64, result: i32) {
        readings.upcalls(&Upcalls {
            dp: DP,
            port_no: PortNo(1),
            command: UpcallCommand::Miss,
            result,
            count,
            first: at(0),
            last: at(0),
        });
    }

    fn short(readings: &Readings) -> Vec<(Timestamp, Timestamp, u64)> {
        readings.short().map(|(_, span)| *span).collect()
    }

    #[test]
    fn upcalls_that_no_event_reports_are_missing_since_the_last_reading_that_was_reported_whole() {
        let mut readings = Readings::default();
        read(&mut readings, 1, 3, 1);
        report(&mut readings, 2, 0);
        report(&mut readings, 1, -111);
        readings.tick(at(3));
        read(&mut readings, 4, 8, 1);
        readings.tick(at(5));
        assert_eq!(short(&readings), [], "they may be on their way");
        read(&mut readings, 6, 8, 1);
        readings.end(at(6));
        assert_eq!(short(&readings), [(at(1), at(4), 5)], "told once");
    }

    #[test]
    fn what_is_reported_late_is_not_missing() {
        let mut readings = Readings::default();
        read(&mut readings, 1, 3, 0);
        readings.tick(at(2));
        report(&mut readings, 3, 0);
        readings.end(at(3));
        assert_eq!(short(&readings), []);
    }

    #[test]
    fn upcalls_that_were_refused_have_a_count_of_their_own() {
        let mut readings = Readings::default();
        read(&mut readings, 1, 2, 2);
        report(&mut readings, 2, 0);
        readings.end(at(1));
        assert_eq!(short(&readings), [(Timestamp(0), at(1), 2)]);
    }
}
