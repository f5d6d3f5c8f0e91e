//! Upcalls over time: how many per command and result, and how many per tenth of a second.
//!
//! Must not depend on: Pods, disruptions.

use std::collections::{BTreeMap, VecDeque};

use crate::vocabulary::count;
use crate::vocabulary::event::{UpcallCommand, Upcalls};
use crate::vocabulary::time::{MILLISECOND, Timestamp};

/// The length of a slot.
pub const SLOT: u64 = 100 * MILLISECOND;

/// Slots kept: a minute.
const SLOTS: usize = 600;

/// Upcalls in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Which slot: [`SLOT`]s since the clock's zero.
    pub number: u64,
    /// Upcalls that a handler's socket took.
    pub taken: u64,
    /// Upcalls that failed.
    pub failed: u64,
}

impl Slot {
    /// All of them.
    pub fn upcalls(&self) -> u64 {
        self.taken.saturating_add(self.failed)
    }
}

/// Upcalls counted so far. Its size does not grow with time.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    totals: BTreeMap<(UpcallCommand, i32), u64>,
    slots: VecDeque<Slot>,
}

impl Meter {
    /// Upcalls were counted. When those between the first and the last came is not known: they are
    /// spread evenly.
    pub fn count(&mut self, upcalls: &Upcalls) {
        let total = self.totals.entry((upcalls.command, upcalls.result));
        count::add(total.or_default(), upcalls.count);
        let last = upcalls.last.0 / SLOT;
        let first = (upcalls.first.0 / SLOT)
            .min(last)
            .max(last.saturating_sub(SLOTS as u64 - 1));
        let slots = last - first + 1;
        for number in first..=last {
            let rest = if number == last { upcalls.count % slots } else { 0 };
            self.add(number, upcalls.count / slots + rest, upcalls.result == 0);
        }
        while self.slots.len() > SLOTS {
            self.slots.pop_front();
        }
    }

    fn add(&mut self, number: u64, count: u64, taken: bool) {
        let place = self.slots.partition_point(|slot| slot.number < number);
        if self.slots.get(place).is_none_or(|slot| slot.number != number) {
            let slot = Slot {
                number,
                ..Slot::default()
            };
            self.slots.insert(place, slot);
        }
        if let Some(slot) = self.slots.get_mut(place) {
            let sum = if taken { &mut slot.taken } else { &mut slot.failed };
            count::add(sum, count);
        }
    }

    /// How many, by why they were sent up and what `ovs_dp_upcall` returned.
    pub fn totals(&self) -> &BTreeMap<(UpcallCommand, i32), u64> {
        &self.totals
    }

    /// The `count` slots that end with the one of `now`, oldest first.
    pub fn recent(&self, now: Timestamp, count: usize) -> Vec<Slot> {
        let last = now.0 / SLOT;
        let first = (last + 1).saturating_sub(count as u64);
        let mut recent: Vec<Slot> = (first..=last)
            .map(|number| Slot {
                number,
                ..Slot::default()
            })
            .collect();
        for slot in self
            .slots
            .iter()
            .filter(|slot| (first..=last).contains(&slot.number))
        {
            if let Some(place) = usize::try_from(slot.number - first)
                .ok()
                .and_then(|at| recent.get_mut(at))
            {
                *place = *slot;
            }
        }
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::id::{DpIfindex, PortNo};

    fn upcalls(result: i32, count: u64, first: u64, last: u64) -> Upcalls {
        Upcalls {
            dp: DpIfindex(1),
            port_no: PortNo(1),
            command: UpcallCommand::Miss,
            result,
            count,
            first: Timestamp(first * MILLISECOND),
            last: Timestamp(last * MILLISECOND),
        }
    }

    #[test]
    fn a_count_is_spread_over_its_slots() {
        let mut meter = Meter::default();
        meter.count(&upcalls(0, 10, 1000, 1250));
        meter.count(&upcalls(-11, 4, 1100, 1100));
        let recent = meter.recent(Timestamp(1_300 * MILLISECOND), 5);
        let figures: Vec<(u64, u64)> = recent.iter().map(|slot| (slot.taken, slot.failed)).collect();
        assert_eq!(figures, [(0, 0), (3, 0), (3, 4), (4, 0), (0, 0)]);
        assert_eq!(meter.totals()[&(UpcallCommand::Miss, -11)], 4);
    }

    #[test]
    fn it_does_not_grow_with_time() {
        let mut meter = Meter::default();
        for at in 0..10_000 {
            meter.count(&upcalls(0, 1, at * 100, at * 100));
        }
        meter.count(&upcalls(0, 1, 0, 2_000_000));
        assert_eq!(meter.slots.len(), SLOTS);
    }
}
