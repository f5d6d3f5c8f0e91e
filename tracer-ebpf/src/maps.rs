//! The maps and read-only globals of the programs.
//!
//! May not know: who writes to them.
//!
//! Per-CPU scratch is safe without a lock: the kernel runs no kprobe program on a CPU that is already
//! inside one (`bpf_prog_active` in `trace_call_bpf`).

use core::cell::UnsafeCell;

use aya_ebpf::Global;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, Queue, RingBuf};
use tracer_common::counters::{LEAST_UPCALL_KEYS, UpcallKey, UpcallSlot};
use tracer_common::hook::Lost;
use tracer_common::latency::Waits;
use tracer_common::offsets::Offsets;
use tracer_common::record::{FlowInsert, Header, MAX_ACTIONS};
use tracer_common::run::{RunKey, RunSlot};

use crate::call::{Call, CallKey};
use crate::latency::Waiting;
use crate::packet::{CameIn, Current, Rewritten};
use crate::table::Table;
use crate::upcall::Upcall;

/// Where the kernel keeps what is read; userspace fills it in before the programs are loaded.
#[unsafe(no_mangle)]
pub static OFFSETS: Global<Offsets> = Global::new(Offsets::unknown());

/// Records on their way to userspace, which sets the size at load time.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Records that did not fit, by hook: one element for each CPU, as userspace sets it at load time. (A per-CPU array
/// cannot be mapped.)
#[map]
pub static LOST: Array<Lost> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Upcalls by kind.
#[inline(always)]
pub fn upcalls() -> Table<UpcallSlot> {
    Table {
        index: &UPCALLS,
        slots: &UPCALL_SLOTS,
        vacant: &UPCALL_VACANT,
        taken: &UPCALL_TAKEN,
    }
}

#[map]
static UPCALLS: HashMap<UpcallKey, u32> = HashMap::with_max_entries(LEAST_UPCALL_KEYS, 0);
#[map]
static UPCALL_SLOTS: Array<UpcallSlot> = Array::with_max_entries(LEAST_UPCALL_KEYS, BPF_F_MMAPABLE);
#[map]
static UPCALL_VACANT: Queue<u64> = Queue::with_max_entries(LEAST_UPCALL_KEYS, 0);
#[map]
static UPCALL_TAKEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// How long upcalls waited for their answer: one element for each CPU, as [`LOST`].
#[map]
pub static WAITS: Array<Waits> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Packets that wait for userspace, by fingerprint. What is dropped there is never taken out: the oldest make room.
#[map]
pub static WAITING: LruHashMap<u64, Waiting> = LruHashMap::with_max_entries(8192, 0);

/// A word that more than one writes to, and that is read without a look-up: it is in a section that the kernel knows
/// as a map of one value, whose address is part of the program.
#[repr(transparent)]
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: read and written whole, by single instructions.
unsafe impl<T: Copy> Sync for Shared<T> {}

impl<T: Copy> Shared<T> {
    /// What is there now.
    #[inline(always)]
    pub fn read(&self) -> T {
        // SAFETY: initialised plain old data that is always there.
        unsafe { core::ptr::read_volatile(self.0.get()) }
    }

    /// Puts another there: whichever CPU writes last is as good.
    #[inline(always)]
    pub fn write(&self, value: T) {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(self.0.get(), value) }
    }
}

/// The session, as a map of its own: userspace writes it by a system call, once a restart.
#[unsafe(link_section = ".data.session")]
#[unsafe(no_mangle)]
static SESSION: Shared<u32> = Shared(UnsafeCell::new(0));

/// [`tracer_common::run::FOLLOWED`] and what else `names::SESSION` says.
#[inline(always)]
pub fn session() -> u32 {
    SESSION.read()
}

/// The number of userspace's current tick, which it writes by way of memory.
#[map]
static TICK: Array<u32> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The same.
#[inline(always)]
pub fn tick() -> u32 {
    // SAFETY: written whole, by single instructions.
    TICK.get_ptr(0)
        .map_or(0, |tick| unsafe { core::ptr::read_volatile(tick) })
}

/// The upcall that this CPU is in: softirqs are off from its entry to its return.
#[map]
pub static UPCALL: PerCpuArray<Upcall> = PerCpuArray::with_max_entries(1, 0);

/// Calls of hooked functions that have not returned, by thread: they sleep and migrate.
#[map]
pub static CALLS: HashMap<CallKey, Call> = HashMap::with_max_entries(4096, 0);

/// The longest record, too long for the stack.
pub const SCRATCH_LEN: usize = size_of::<Header>() + size_of::<FlowInsert>() + MAX_ACTIONS;

/// Where records of variable length are put together.
#[map]
pub static SCRATCH: PerCpuArray<[u64; SCRATCH_LEN / 8]> = PerCpuArray::with_max_entries(1, 0);

/// Runs; userspace sets how many there can be at load time. The CPU is part of the key: other than in a per-CPU
/// map, memory goes by the keys there are and not by the CPUs there might be, and each value has one writer.
#[inline(always)]
pub fn runs() -> Table<RunSlot> {
    Table {
        index: &RUNS,
        slots: &RUN_SLOTS,
        vacant: &RUN_VACANT,
        taken: &RUN_TAKEN,
    }
}

#[map]
static RUNS: HashMap<RunKey, u32> = HashMap::with_max_entries(16_384, 0);
#[map]
static RUN_SLOTS: Array<RunSlot> = Array::with_max_entries(16_384, BPF_F_MMAPABLE);
#[map]
static RUN_VACANT: Queue<u64> = Queue::with_max_entries(16_384, 0);
#[map]
static RUN_TAKEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// When the fate of each traffic last changed on any CPU; the CPU of the key is 0.
#[map]
pub static CHANGES: HashMap<RunKey, u64> = HashMap::with_max_entries(16_384, 0);

/// When the fate of any traffic last changed: as long as it has not, no run need look into [`CHANGES`].
pub static GENERATION: Shared<u64> = Shared(UnsafeCell::new(0));

/// The packet that this CPU is inside.
#[map]
pub static CURRENT: PerCpuArray<Current> = PerCpuArray::with_max_entries(1, 0);

/// Packets that went to userspace with rewritten headers. Most come back within milliseconds, some never.
#[map]
pub static REWRITTEN: LruHashMap<Rewritten, CameIn> = LruHashMap::with_max_entries(4096, 0);

/// The process that has packets executed: ovs-vswitchd.
pub static EXECUTOR: Shared<u32> = Shared(UnsafeCell::new(0));
