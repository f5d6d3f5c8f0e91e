//! Tables of the programs whose values are in slots: see `table.rs` of the programs.
//!
//! Must not depend on: what is kept in them.

use aya::Ebpf;
use aya::maps::{HashMap, MapData, Queue};
use tracer_common::names;
use tracer_common::slot::{Slot, Span};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::mapped::Mapped;
use super::object;

/// A slot as userspace reads it.
pub(super) trait Kept: Slot + FromBytes + IntoBytes + Immutable {
    /// Its key, as the kernel's hash has it.
    type Bytes: aya::Pod;
    /// Which of its words is 0 as long as nothing is kept in it.
    const COUNT: usize;

    /// The key.
    fn key(&self) -> Self::Bytes;
}

/// Into so many spans the share of each CPU that there might be is divided: a quarter of the slots at most lies idle with CPUs that have
/// taken more than they need.
const SPANS: u32 = 4;
/// Slots that a CPU takes at once, at most.
const SPAN: u32 = 256;

/// How many slots a table needs for so many keys.
pub(super) fn slots(keys: u32) -> u32 {
    keys.saturating_add(keys / (SPANS - 1)).saturating_add(1)
}

/// A table of one loaded object.
pub(super) struct Table<S: Kept> {
    index: HashMap<MapData, S::Bytes, u32>,
    slots: Mapped<S>,
    vacant: Queue<MapData, u64>,
    reach: Reach,
    /// Taken out of the index, in order: a program may still be writing to them.
    removed: Vec<u32>,
}

impl<S: Kept> Table<S> {
    /// Takes a table out of `ebpf`, and gives it empty slots.
    pub(super) fn take(ebpf: &mut Ebpf, names: names::Table) -> anyhow::Result<Self> {
        let slots = Mapped::new(object::take_map(ebpf, names.slots)?)?;
        let mut vacant = Queue::try_from(object::take_map(ebpf, names.vacant)?)?;
        let reach = Reach::new(slots.entries(), object::cpus()?);
        for span in reach.spans() {
            vacant.push(span.word(), 0)?;
        }
        Ok(Self {
            index: HashMap::try_from(object::take_map(ebpf, names.index)?)?,
            slots,
            vacant,
            reach,
            removed: Vec::new(),
        })
    }

    /// All that is kept, by the number of its slot. What a program is just putting there may be missing, or half of it there.
    pub(super) fn read(&mut self) -> anyhow::Result<Vec<(u32, S)>> {
        let Self {
            slots,
            reach,
            removed,
            ..
        } = self;
        let mut kept = Vec::new();
        for slot in 0..reach.end(|slot| Ok(slots.peek(slot, S::COUNT)? != 0))? {
            if slots.peek(slot, S::COUNT)? == 0 || removed.binary_search(&slot).is_ok() {
                continue;
            }
            kept.push((slot, slots.read(slot)?));
        }
        Ok(kept)
    }

    /// One of them, as it is now.
    pub(super) fn read_one(&mut self, slot: u32) -> anyhow::Result<S> {
        self.slots.read(slot)
    }

    /// Takes some out, by the numbers of their slots, in order. Their slots are given to others when this is called again: no program is
    /// inside one then.
    pub(super) fn remove(&mut self, removed: Vec<u32>) -> anyhow::Result<()> {
        for slot in &removed {
            object::unless_absent(self.index.remove(&self.slots.read(*slot)?.key()))?;
        }
        let free = std::mem::replace(&mut self.removed, removed);
        for slot in &free {
            self.slots.write(*slot, &S::new_zeroed())?;
        }
        for span in joined(&free) {
            self.vacant.push(span.word(), 0)?;
        }
        Ok(())
    }
}

/// What is remembered of each slot; of one that nothing was remembered of, the default.
#[derive(Debug, Default)]
pub(super) struct BySlot<T>(Vec<T>);

impl<T: Clone + Default> BySlot<T> {
    /// Remembers `now`; what was remembered before.
    pub(super) fn replace(&mut self, slot: u32, now: T) -> T {
        let index = slot as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, T::default());
        }
        std::mem::replace(&mut self.0[index], now)
    }

    /// All that is remembered.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

/// Slots that follow each other, as spans.
fn joined(slots: &[u32]) -> impl Iterator<Item = Span> {
    let follow = |one: &u32, next: &u32| one.checked_add(1) == Some(*next);
    slots.chunk_by(follow).filter_map(|chunk| {
        let length = u32::try_from(chunk.len()).ok()?;
        Some(Span {
            first: *chunk.first()?,
            length,
        })
    })
}

/// How far slots are in use: the programs are given spans in their order, and fill each from its beginning.
#[derive(Debug)]
struct Reach {
    entries: u32,
    span: u32,
    cpus: u32,
    /// All spans before this one have been taken.
    spans: u32,
}

impl Reach {
    fn new(entries: u32, cpus: u32) -> Self {
        let cpus = cpus.max(1);
        let share = entries / cpus.saturating_mul(SPANS);
        Self {
            entries,
            span: share.clamp(1, SPAN),
            cpus,
            spans: 0,
        }
    }

    fn first(&self, span: u32) -> u32 {
        span.saturating_mul(self.span).min(self.entries)
    }

    fn spans(&self) -> impl Iterator<Item = Span> {
        let firsts = (0..).map(|span| (self.first(span), self.first(span + 1)));
        firsts
            .take_while(|(first, end)| first < end)
            .map(|(first, end)| Span {
                first,
                length: end - first,
            })
    }

    /// The end of the spans that have been taken, as far as their first slot is `used`. Each CPU may have taken one and not yet filled it.
    fn end(&mut self, mut used: impl FnMut(u32) -> anyhow::Result<bool>) -> anyhow::Result<u32> {
        let mut next = self.spans;
        while next < self.spans.saturating_add(self.cpus) && self.first(next) < self.entries {
            if used(self.first(next))? {
                self.spans = next + 1;
            }
            next += 1;
        }
        Ok(self.first(self.spans))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_all_slots_and_a_quarter_of_them_at_most_lies_idle() {
        for (keys, cpus) in [(1, 1), (1, 128), (64, 2), (16_384, 2), (16_384, 128), (3, 0)] {
            let reach = Reach::new(slots(keys), cpus);
            let spans: Vec<Span> = reach.spans().collect();
            assert_eq!(spans[0].first, 0);
            assert!(spans.is_sorted_by(|one, next| one.first + one.length == next.first));
            let all: u32 = spans.iter().map(|span| span.length).sum();
            assert_eq!(all, slots(keys));
            let idle = (reach.span - 1) * cpus;
            assert!(
                all - idle >= keys,
                "{keys} keys, {cpus} CPUs: {idle} of {all} idle"
            );
        }
    }

    #[test]
    fn what_is_used_is_found_also_behind_a_span_that_is_not_filled_yet() {
        let mut reach = Reach::new(64, 2);
        assert_eq!(reach.span, 8);
        let mut end = |used: fn(u32) -> bool| reach.end(|slot| Ok(used(slot))).unwrap();
        assert_eq!(end(|_| false), 0);
        assert_eq!(end(|slot| slot == 8), 16);
        assert_eq!(end(|slot| slot < 40), 40);
        assert_eq!(end(|_| false), 40, "once taken, for ever");
        assert_eq!(end(|slot| slot < 64), 64);
    }

    #[test]
    fn slots_that_follow_each_other_are_one_span() {
        let spans: Vec<(u32, u32)> = joined(&[1, 2, 3, 7, 9, 10])
            .map(|span| (span.first, span.length))
            .collect();
        assert_eq!(spans, [(1, 3), (7, 1), (9, 2)]);
        assert_eq!(joined(&[]).count(), 0);
    }
}
