//! The maps and read-only globals that userspace knows by name (`tracer_common::names`).
//!
//! Must not depend on: the programs. What one concern alone remembers is a map beside its code.
//!
//! Per-CPU scratch is safe without a lock: the kernel runs no kprobe program on a CPU that is already
//! inside one (`bpf_prog_active` in `trace_call_bpf`).

use aya_ebpf::Global;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, Queue, RingBuf};
use tracer_common::counters::{LEAST_UPCALL_KEYS, UpcallKey, UpcallSlot};
use tracer_common::latency::Waits;
use tracer_common::lost::Lost;
use tracer_common::offsets::Offsets;
use tracer_common::run::{RunKey, RunSlot};

use crate::shared::Shared;
use crate::table::Table;

/// Where the kernel keeps what is read; userspace fills it in before the programs are loaded.
#[unsafe(no_mangle)]
pub static OFFSETS: Global<Offsets> = Global::new(Offsets::unknown());

/// Records on their way to userspace, which sets the size at load time.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// What could not be told, by hook and obstacle: one element for each CPU, as userspace sets it at load time. (A per-CPU array
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

/// The session, as a map of its own: userspace writes it by a system call, once a restart.
#[unsafe(link_section = ".data.session")]
#[unsafe(no_mangle)]
static SESSION: Shared<u32> = Shared::new(0);

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
