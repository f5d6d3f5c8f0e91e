//! Counters of upcalls in the kernel → events, and totals for whoever wants to compare.
//!
//! May not know: records, hooks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aya::Ebpf;
use aya::maps::{MapData, PerCpuHashMap};
use tracer_common::counters::{self, UpcallCount, UpcallKey};
use tracer_common::names;
use tracer_core::event::{UpcallCommand, UpcallTotals, Upcalls};
use tracer_core::id::{DpIfindex, PortNo};
use tracer_core::time::Timestamp;
use zerocopy::{FromBytes, IntoBytes};

use super::control::Control;
use super::object;

type Counts = PerCpuHashMap<MapData, [u8; size_of::<UpcallKey>()], [u8; size_of::<UpcallCount>()]>;
type Totals = PerCpuHashMap<MapData, u32, [u8; size_of::<counters::UpcallTotals>()]>;

/// Reads how many upcalls the hooks have counted since they were attached. Clones read the same counters, and go
/// on reading after openvswitch was reloaded.
#[derive(Clone, Default)]
pub struct UpcallReader {
    totals: Arc<Mutex<Option<Totals>>>,
}

impl UpcallReader {
    /// Upcalls of a datapath so far; `None`: they are not counted (now).
    pub fn totals(&self, dp: DpIfindex) -> Option<UpcallTotals> {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        // The kernel makes the entry at a datapath's first upcall.
        let found = sum(totals.as_ref()?, dp.0).unwrap_or_default();
        Some(UpcallTotals {
            missed: found.missed,
            failed: found.failed,
        })
    }

    /// Upcalls of all datapaths and kinds so far.
    fn upcalls(&self) -> u64 {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(totals) = totals.as_ref() else {
            return 0;
        };
        let datapaths = totals.keys().filter_map(Result::ok);
        datapaths
            .filter_map(|dp| sum(totals, dp))
            .map(|totals| totals.upcalls)
            .sum()
    }

    fn take(&self) -> Option<Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn replace(&self, totals: Option<Totals>) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = totals;
    }
}

fn sum(totals: &Totals, dp: u32) -> Option<counters::UpcallTotals> {
    let per_cpu = totals.get(&dp, 0).ok()?;
    let mut sum = counters::UpcallTotals::default();
    for cpu in per_cpu
        .iter()
        .filter_map(|bytes| counters::UpcallTotals::read_from_bytes(bytes).ok())
    {
        sum.upcalls += cpu.upcalls;
        sum.missed += cpu.missed;
        sum.failed += cpu.failed;
    }
    Some(sum)
}

/// The counters of one loaded object.
pub(super) struct Counters {
    counts: Counts,
    reader: UpcallReader,
    /// What was read last.
    seen: Seen,
    upcalls: u64,
}

impl Counters {
    /// Takes the counters out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let mut take = |name| object::take_map(ebpf, name);
        let counters = Self {
            counts: Counts::try_from(take(names::UPCALLS)?)?,
            reader: UpcallReader::default(),
            seen: Seen::default(),
            upcalls: 0,
        };
        let totals = Totals::try_from(take(names::UPCALL_TOTALS)?)?;
        counters.reader.replace(Some(totals));
        Ok(counters)
    }

    /// The hooks are attached: `reader` reads these counters from now on.
    pub(super) fn publish(&mut self, reader: &UpcallReader) {
        reader.replace(self.reader.take());
        self.reader = reader.clone();
    }

    /// Upcalls since the last call.
    pub(super) fn read(&mut self, control: &mut Control) -> anyhow::Result<Vec<Upcalls>> {
        let upcalls = self.reader.upcalls();
        if upcalls == self.upcalls {
            return Ok(Vec::new());
        }
        self.upcalls = upcalls;
        let ended = control.next_tick()?;
        let mut changed = Vec::new();
        for entry in &self.counts {
            let (key, per_cpu) = entry?;
            if let Ok(key) = UpcallKey::read_from_bytes(key.as_bytes()) {
                let per_cpu = per_cpu
                    .iter()
                    .filter_map(|bytes| UpcallCount::read_from_bytes(bytes).ok());
                changed.extend(self.seen.update(key, per_cpu, ended));
            }
        }
        Ok(changed)
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        self.reader.replace(None);
    }
}

/// What was read of each kind, by CPU.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<UpcallKey, Vec<UpcallCount>>);

impl Seen {
    /// What is new in `now`, read after tick `ended` was over.
    pub(super) fn update(
        &mut self,
        key: UpcallKey,
        now: impl Iterator<Item = UpcallCount>,
        ended: u32,
    ) -> Option<Upcalls> {
        let now: Vec<_> = now.collect();
        let before = self.0.insert(key, now.clone()).unwrap_or_default();
        let mut new: Option<(u64, u64, u64)> = None;
        for (cpu, now) in now.iter().enumerate() {
            let before = before.get(cpu).copied().unwrap_or_default();
            let count = now.count.saturating_sub(before.count);
            if count > 0 {
                let first = first_since(before, *now, ended);
                let (sum, earliest, latest) = new.unwrap_or((0, first, now.last));
                new = Some((
                    u64::saturating_add(sum, count),
                    earliest.min(first),
                    latest.max(now.last),
                ));
            }
        }
        let (count, first, last) = new?;
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

    const KEY: UpcallKey = UpcallKey {
        dp: 4,
        port_no: 2,
        command: 1,
        result: -111,
    };

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

    #[test]
    fn cpus_are_merged_and_only_news_is_told() {
        let mut seen = Seen::default();
        let told = seen
            .update(KEY, [count(2, 0, 10, 20), count(1, 0, 5, 5)].into_iter(), 0)
            .unwrap();
        assert_eq!(
            (told.count, told.first, told.last),
            (3, Timestamp(5), Timestamp(20))
        );
        assert_eq!(
            (told.dp, told.port_no, told.result),
            (DpIfindex(4), PortNo(2), -111)
        );
        assert_eq!(
            seen.update(KEY, [count(2, 0, 10, 20), count(1, 0, 5, 5)].into_iter(), 1),
            None
        );
        let told = seen
            .update(KEY, [count(2, 0, 10, 20), count(4, 2, 50, 70)].into_iter(), 2)
            .unwrap();
        assert_eq!(
            (told.count, told.first, told.last),
            (3, Timestamp(50), Timestamp(70))
        );
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
        let told = seen.update(KEY, [first].into_iter(), 0).unwrap();
        assert_eq!(
            (told.count, told.first, told.last),
            (3, Timestamp(10), Timestamp(30))
        );
        // One more in tick 1 at 40: `first` of that tick was told before.
        let second = UpcallCount {
            count: 4,
            last: 40,
            ..first
        };
        let told = seen.update(KEY, [second].into_iter(), 1).unwrap();
        assert_eq!(
            (told.count, told.first, told.last),
            (1, Timestamp(30), Timestamp(40))
        );
    }

    #[test]
    fn a_reader_without_counters_says_so() {
        assert_eq!(UpcallReader::default().totals(DpIfindex(4)), None);
    }
}
