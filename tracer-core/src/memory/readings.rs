//! The datapath's own counters, reading by reading, beside what the hooks had counted by then.
//!
//! Must not depend on: Pods, packets.

use std::collections::{BTreeMap, VecDeque};

use crate::vocabulary::event::UpcallTotals;
use crate::vocabulary::id::DpIfindex;
use crate::vocabulary::time::Timestamp;

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

/// Readings of all datapaths.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    all: BTreeMap<DpIfindex, Of>,
}

#[derive(Clone, Debug)]
struct Of {
    first: Reading,
    recent: VecDeque<Reading>,
}

impl Readings {
    /// A datapath's counters were read.
    pub fn read(&mut self, dp: DpIfindex, reading: Reading) {
        let of = self.all.entry(dp).or_insert_with(|| Of {
            first: reading,
            recent: VecDeque::new(),
        });
        // A reading in which the hooks did not count compares with nothing.
        if of.first.before.is_none() {
            of.first = reading;
        }
        of.recent.push_back(reading);
        if of.recent.len() > REMEMBERED {
            of.recent.pop_front();
        }
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
