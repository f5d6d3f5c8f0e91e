//! The maps and read-only globals of the programs.
//!
//! May not know: who writes to them.
//!
//! Per-CPU scratch is safe without a lock: the kernel runs no kprobe program on a CPU that is already
//! inside one (`bpf_prog_active` in `trace_call_bpf`).

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf};
use tracer_common::counters::{MAX_DATAPATHS, MAX_UPCALL_KEYS, UpcallCount, UpcallKey, UpcallTotals};
use tracer_common::hook::Lost;
use tracer_common::latency::Waits;
use tracer_common::offsets::Offsets;
use tracer_common::record::{FlowInsert, Header, MAX_ACTIONS};
use tracer_common::run::{Control, Run, RunKey};

use crate::call::{Call, CallKey};
use crate::latency::Waiting;
use crate::packet::{CameIn, Current, Rewritten};
use crate::upcall::Upcall;

/// Where the kernel keeps what is read; userspace fills it in before the programs are loaded.
#[unsafe(no_mangle)]
pub static OFFSETS: Global<Offsets> = Global::new(Offsets::unknown());

/// Records on their way to userspace, which sets the size at load time.
#[map]
pub static RECORDS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Records that did not fit, by hook.
#[map]
pub static LOST: PerCpuArray<Lost> = PerCpuArray::with_max_entries(1, 0);

/// Upcalls by kind.
#[map]
pub static UPCALLS: PerCpuHashMap<UpcallKey, UpcallCount> =
    PerCpuHashMap::with_max_entries(MAX_UPCALL_KEYS, 0);

/// Upcalls by datapath.
#[map]
pub static UPCALL_TOTALS: PerCpuHashMap<u32, UpcallTotals> =
    PerCpuHashMap::with_max_entries(MAX_DATAPATHS, 0);

/// How long upcalls waited for their answer.
#[map]
pub static WAITS: PerCpuArray<Waits> = PerCpuArray::with_max_entries(1, 0);

/// Packets that wait for userspace, by fingerprint. What is dropped there is never taken out: the oldest make room.
#[map]
pub static WAITING: LruHashMap<u64, Waiting> = LruHashMap::with_max_entries(8192, 0);

/// What userspace tells.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

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
#[map]
pub static RUNS: HashMap<RunKey, Run> = HashMap::with_max_entries(16_384, 0);

/// When the fate of each traffic last changed on any CPU; the CPU of the key is 0.
#[map]
pub static CHANGES: HashMap<RunKey, u64> = HashMap::with_max_entries(16_384, 0);

/// When the fate of any traffic last changed: as long as it has not, no run need look into [`CHANGES`].
#[map]
pub static GENERATION: Array<u64> = Array::with_max_entries(1, 0);

/// The packet that this CPU is inside.
#[map]
pub static CURRENT: PerCpuArray<Current> = PerCpuArray::with_max_entries(1, 0);

/// Packets that went to userspace with rewritten headers. Most come back within milliseconds, some never.
#[map]
pub static REWRITTEN: LruHashMap<Rewritten, CameIn> = LruHashMap::with_max_entries(4096, 0);

/// The process that has packets executed: ovs-vswitchd.
#[map]
pub static EXECUTOR: Array<u32> = Array::with_max_entries(1, 0);
