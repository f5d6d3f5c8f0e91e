//! Tables whose values userspace reads from memory that it shares with the programs.
//!
//! Must not depend on: what is kept in them, who reads.
//!
//! A program finds a value by its key through a hash that holds its slot; userspace has the array of slots mapped. Were
//! the values in the hash, userspace would copy them out by system calls, and the kernel runs no probe on a CPU while
//! it copies (`bpf_disable_instrumentation()`): packets that come then would be in no value.

use aya_ebpf::maps::{Array, HashMap, PerCpuArray, Queue};
use tracer_common::slot::{Slot, Span};

/// The maps that make a table.
#[derive(Clone, Copy)]
pub struct Table<S: Slot + 'static> {
    /// Key → slot.
    pub index: &'static HashMap<S::Key, u32>,
    /// Slots; userspace has them mapped.
    pub slots: &'static Array<S>,
    /// Empty slots that no CPU has taken; userspace puts them there.
    pub vacant: &'static Queue<u64>,
    /// Empty slots that this CPU has taken.
    pub taken: &'static PerCpuArray<u64>,
}

impl<S: Slot> Table<S> {
    /// The slot of a key.
    #[inline(always)]
    pub fn find(self, key: &S::Key) -> Option<*mut S> {
        // SAFETY: memory of a hash that stays an element of it as long as the map is there, and a number that is written whole. Should
        // userspace take it out just now, the slot is given to nobody before its next reading (`Table::remove` there).
        let at = unsafe { *self.index.get_ptr(key)? };
        self.slots.get_ptr_mut(at)
    }

    /// Gives a key an empty slot, which `fill` fills; whether there was room.
    #[inline(always)]
    pub fn insert(self, key: &S::Key, fill: impl FnOnce(&mut S)) -> bool {
        let Some(taken) = self.taken.get_ptr_mut(0) else {
            return false;
        };
        // SAFETY: this CPU's own slot.
        let taken = unsafe { &mut *taken };
        let span = match Span::of(*taken) {
            Span { length: 0, .. } => match self.vacant.pop() {
                Ok(Some(more)) => Span::of(more),
                _ => return false,
            },
            span => span,
        };
        let Some(slot) = self.slots.get_ptr_mut(span.first) else {
            return false;
        };
        // Whether or not the key gets it, the rest is this CPU's.
        *taken = span.word();
        if self.index.insert(key, span.first, 0).is_err() {
            return false;
        }
        *taken = span.rest().word();
        // SAFETY: an element of an array, which nobody else has been given.
        fill(unsafe { &mut *slot });
        true
    }
}
