//! Counters of upcalls in the kernel → events, and totals for whoever wants to compare.
//!
//! Must not depend on: records, hooks.

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::sync::{Arc, Mutex, PoisonError};

use aya::Ebpf;
use tracer_common::counters::{UpcallCount, UpcallKey, UpcallSlot};
use tracer_common::names;
use tracer_core::event::{UpcallCommand, UpcallTotals, Upcalls};
use tracer_core::id::{DpIfindex, PortNo};
use tracer_core::time::Timestamp;

use super::control::Control;
use super::table::{BySlot, Kept, Table};

impl Kept for UpcallSlot {
    type Bytes = [u8; size_of::<UpcallKey>()];
    const COUNT: usize = offset_of!(Self, count.count) / size_of::<u64>();

    fn key(&self) -> Self::Bytes {
        zerocopy::transmute!(self.key)
    }
}

/// Reads how many upcalls the hooks have counted since they were attached. Clones read the same counters, and go
/// on reading after openvswitch was reloaded.
#[derive(Clone, Default)]
pub struct UpcallReader {
    table: Arc<Mutex<Option<Table<UpcallSlot>>>>,
}

impl UpcallReader {
    /// Upcalls of a datapath so far; `None`: they are not counted (now).
    pub fn totals(&self, dp: DpIfindex) -> Option<UpcallTotals> {
        let all = self.read().ok()??;
        let mut totals = UpcallTotals::default();
        for UpcallSlot { count, key } in all
            .iter()
            .map(|(_, slot)| slot)
            .filter(|slot| slot.key.dp == dp.0)
        {
            if command(key.command) == Some(UpcallCommand::Miss) {
                totals.missed += count.count;
            }
            if key.result != 0 {
                totals.failed += count.count;
            }
        }
        Some(totals)
    }

    fn read(&self) -> anyhow::Result<Option<Vec<(u32, UpcallSlot)>>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.as_mut().map(Table::read).transpose()
    }

    fn take(&self) -> Option<Table<UpcallSlot>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn replace(&self, table: Option<Table<UpcallSlot>>) {
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = table;
    }
}

/// The counters of one loaded object.
pub(super) struct Counters {
    reader: UpcallReader,
    /// What was read last.
    seen: Seen,
}

impl Counters {
    /// Takes the counters out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let counters = Self {
            reader: UpcallReader::default(),
            seen: Seen::default(),
        };
        counters.reader.replace(Some(Table::take(ebpf, names::UPCALLS)?));
        Ok(counters)
    }

    /// The hooks are attached: `reader` reads these counters from now on.
    pub(super) fn publish(&mut self, reader: &UpcallReader) {
        reader.replace(self.reader.take());
        self.reader = reader.clone();
    }

    /// Upcalls since the last call.
    pub(super) fn read(&mut self, control: &mut Control) -> anyhow::Result<Vec<Upcalls>> {
        let ended = control.next_tick()?;
        let now = self.reader.read()?.unwrap_or_default();
        Ok(self.seen.update(&now, ended))
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        self.reader.replace(None);
    }
}

/// What was read of each slot.
#[derive(Default)]
pub(super) struct Seen(BySlot<UpcallCount>);

/// How many on all CPUs, the first and the last of them.
type News = (u64, u64, u64);

impl Seen {
    /// What is new in `now`, read after tick `ended` was over, by slot.
    pub(super) fn update(&mut self, now: &[(u32, UpcallSlot)], ended: u32) -> Vec<Upcalls> {
        let mut news: BTreeMap<UpcallKey, News> = BTreeMap::new();
        for (slot, UpcallSlot { count: now, key }) in now {
            let before = self.0.replace(*slot, *now);
            let count = now.count.saturating_sub(before.count);
            if count > 0 {
                let first = first_since(before, *now, ended);
                let all_cpus = UpcallKey { cpu: 0, ..*key };
                let (sum, earliest, latest) = news.entry(all_cpus).or_insert((0, first, now.last));
                *sum = sum.saturating_add(count);
                (*earliest, *latest) = ((*earliest).min(first), (*latest).max(now.last));
            }
        }
        news.into_iter().filter_map(upcalls).collect()
    }
}

fn upcalls((key, (count, first, last)): (UpcallKey, News)) -> Option<Upcalls> {
    Some(Upcalls {
        dp: DpIfindex(key.dp),
        port_no: PortNo(key.port_no),
        command: command(key.command)?,
        result: key.result,
        count,
        first: Timestamp(first),
        last: Timestamp(last),
    })
}

/// The first upcall on a CPU after those of `before`. Upcalls between the start of a tick and the reading of the
/// one before have been reported already; the last of those bounds it from below.
fn first_since(before: UpcallCount, now: UpcallCount, ended: u32) -> u64 {
    let first = if now.tick != ended && now.earlier_tick == ended {
        now.earlier_first
    } else {
        now.first
    };
    first.max(before.last).min(now.last)
}

fn command(command: u32) -> Option<UpcallCommand> {
    match command {
        1 => Some(UpcallCommand::Miss),
        2 => Some(UpcallCommand::Action),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(cpu: u32, count: UpcallCount) -> (u32, UpcallSlot) {
        let key = UpcallKey {
            dp: 4,
            port_no: 2,
            command: 1,
            result: -111,
            cpu,
            reserved: 0,
        };
        (cpu * 7, UpcallSlot { count, key })
    }

    fn count(count: u64, tick: u32, first: u64, last: u64) -> UpcallCount {
        UpcallCount {
            count,
            last,
            first,
            earlier_first: 0,
            tick,
            earlier_tick: tick,
        }
    }

    fn told(upcalls: &[Upcalls]) -> Vec<(u64, u64, u64)> {
        let told = upcalls.iter();
        told.map(|told| (told.count, told.first.0, told.last.0)).collect()
    }

    #[test]
    fn cpus_are_merged_and_only_news_is_told() {
        let mut seen = Seen::default();
        let first = [slot(0, count(2, 0, 10, 20)), slot(1, count(1, 0, 5, 5))];
        let upcalls = seen.update(&first, 0);
        assert_eq!(told(&upcalls), [(3, 5, 20)]);
        assert_eq!(
            (upcalls[0].dp, upcalls[0].port_no, upcalls[0].result),
            (DpIfindex(4), PortNo(2), -111)
        );
        assert_eq!(seen.update(&first, 1), []);
        let then = [slot(0, count(2, 0, 10, 20)), slot(1, count(4, 2, 50, 70))];
        assert_eq!(told(&seen.update(&then, 2)), [(3, 50, 70)]);
    }

    #[test]
    fn upcalls_while_the_tick_changes_are_told_once() {
        let mut seen = Seen::default();
        // Two in tick 0 (at 10, 20), one after the tick had changed (at 30): all are read together.
        let first = UpcallCount {
            count: 3,
            last: 30,
            first: 30,
            earlier_first: 10,
            tick: 1,
            earlier_tick: 0,
        };
        assert_eq!(told(&seen.update(&[slot(0, first)], 0)), [(3, 10, 30)]);
        // One more in tick 1 at 40: `first` of that tick was told before.
        let second = UpcallCount {
            count: 4,
            last: 40,
            ..first
        };
        assert_eq!(told(&seen.update(&[slot(0, second)], 1)), [(1, 30, 40)]);
    }

    #[test]
    fn a_reader_without_counters_says_so() {
        assert_eq!(UpcallReader::default().totals(DpIfindex(4)), None);
    }
}
