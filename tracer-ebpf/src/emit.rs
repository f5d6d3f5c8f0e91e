//! The ring: reserve, fill, submit, and counting what could not be told.
//!
//! Must not depend on: what a record means. Nothing else touches the ring.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use tracer_common::hook::Hook;
use tracer_common::lost::Obstacle;
use tracer_common::record::{FlowInsert, Header, Kind, MAX_ACTIONS};

use crate::kernel::{self, Address, now};
use crate::maps::{LOST, RECORDS};

#[repr(C)]
struct Record<B> {
    header: Header,
    body: B,
}

impl<B> Record<B> {
    const HAS_NO_PADDING: () = assert!(size_of::<Self>() == size_of::<Header>() + size_of::<B>());
}

/// A record's header: now, in the current process, nothing after the body.
#[inline(always)]
pub fn header(kind: Kind, dp: u32) -> Header {
    Header {
        kind: kind as u32,
        tgid: (bpf_get_current_pid_tgid() >> 32) as u32,
        at: now(),
        dp,
        trailing: 0,
    }
}

/// Counts something that `hook` saw and cannot tell.
#[inline(always)]
pub fn lost(hook: Hook, obstacle: Obstacle) {
    if let Some(counts) = LOST.get_ptr_mut(kernel::cpu()) {
        let index = hook as usize * Obstacle::ALL.len() + obstacle as usize;
        // SAFETY: this CPU's own element, and both numbers are less than the lengths of its arrays.
        unsafe { *counts.cast::<u64>().add(index) += 1 }
    }
}

/// Sends a record of fixed length.
#[inline(always)]
pub fn send<B: Copy + 'static>(hook: Hook, header: Header, body: B) {
    const { Record::<B>::HAS_NO_PADDING }
    match RECORDS.reserve::<Record<B>>(0) {
        Some(mut entry) => {
            entry.write(Record { header, body });
            entry.submit(0);
        }
        None => lost(hook, Obstacle::Ring),
    }
}

/// The longest record, too long for the stack.
const SCRATCH_LEN: usize = size_of::<Header>() + size_of::<FlowInsert>() + MAX_ACTIONS;

/// Where records of variable length are put together.
#[map]
static SCRATCH: PerCpuArray<[u64; SCRATCH_LEN / 8]> = PerCpuArray::with_max_entries(1, 0);

/// A record being put together in this CPU's scratch, because the stack could not hold it.
pub struct Draft<B: 'static>(&'static mut Record<B>);

impl<B: Copy> Draft<B> {
    /// A record with this header; its body holds whatever the scratch held.
    #[inline(always)]
    pub fn new(header: Header) -> Option<Self> {
        const { Record::<B>::HAS_NO_PADDING }
        const { assert!(size_of::<Record<B>>() <= SCRATCH_LEN) }
        let scratch = SCRATCH.get_ptr_mut(0)?.cast::<Record<B>>();
        // SAFETY: the scratch is this CPU's own, aligned to 8, long enough (asserted above), always
        // initialised, and one program at a time drafts one record.
        let record = unsafe { &mut *scratch };
        record.header = header;
        Some(Self(record))
    }

    /// Its body.
    #[inline(always)]
    pub fn body(&mut self) -> &mut B {
        &mut self.0.body
    }

    /// Sends it.
    #[inline(always)]
    pub fn send(self, hook: Hook) {
        self.send_with_trailing(hook, 0);
    }

    /// Sends it followed by an action list of `len` bytes at `list`, or as much of it as is recorded.
    #[inline(always)]
    pub fn send_with_actions(self, hook: Hook, list: Address, len: u32) {
        const { assert!(size_of::<Record<B>>() + MAX_ACTIONS <= SCRATCH_LEN) }
        self.0.header.trailing = len;
        // Read back as something new, so that the compiler cannot compare one copy of the length and use
        // another: the verifier knows the bound of the copy that was compared only.
        // SAFETY: a plain member of this CPU's scratch.
        let len = unsafe { core::ptr::read_volatile(&raw const self.0.header.trailing) };
        let recorded = if len < MAX_ACTIONS as u32 {
            len
        } else {
            MAX_ACTIONS as u32
        };
        // SAFETY: the scratch is MAX_ACTIONS longer than the record (asserted above).
        let to = unsafe { core::slice::from_raw_parts_mut(self.after(), recorded as usize) };
        match list.read_into(to) {
            Some(()) => self.send_with_trailing(hook, recorded),
            None => lost(hook, Obstacle::Unreadable),
        }
    }

    /// Sends it, and says whether it fit.
    #[inline(always)]
    pub fn try_send(self) -> bool {
        self.output(0)
    }

    #[inline(always)]
    fn send_with_trailing(self, hook: Hook, trailing: u32) {
        if !self.output(trailing) {
            lost(hook, Obstacle::Ring);
        }
    }

    #[inline(always)]
    fn output(self, trailing: u32) -> bool {
        self.0.header.trailing = trailing;
        let record = (&raw const *self.0).cast::<u8>();
        // SAFETY: as above; `trailing` is at most MAX_ACTIONS.
        let bytes =
            unsafe { core::slice::from_raw_parts(record, size_of::<Record<B>>() + trailing as usize) };
        RECORDS.output::<[u8]>(bytes, 0).is_ok()
    }

    #[inline(always)]
    fn after(&self) -> *mut u8 {
        (&raw const *self.0).wrapping_add(1).cast::<u8>().cast_mut()
    }
}
