//! Calls of hooked functions, from entry to return: arguments are known at the one, the result at the other.
//!
//! Must not depend on: what the calls do.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use tracer_common::hook::Hook;
use tracer_common::lost::Obstacle;

use crate::emit;
use crate::kernel::{Address, now};

/// A thread inside a hooked function.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CallKey {
    thread: u32,
    hook: u32,
}

/// What is remembered of it, as `tracer_common::names::CALLS` says.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    /// First argument.
    pub first: Address,
    /// Second argument.
    pub second: Address,
    /// When it was entered.
    pub entered: u64,
}

/// Calls of hooked functions that have not returned, by thread: they sleep and migrate.
///
/// A return that the kernel does not probe (it has room for so many calls at a time: `maxactive` of `struct kretprobe`,
/// kernel/kprobes.c) leaves its call here. Userspace clears such away where the table is full. No LRU hash: on many CPUs that lets go of
/// elements long before it is full (`LOCAL_FREE_TARGET` in kernel/bpf/bpf_lru_list.c), and of calls that are under way, unnoticed.
#[map]
pub static CALLS: HashMap<CallKey, Call> = HashMap::with_max_entries(4096, 0);

impl CallKey {
    /// The current thread inside `hook`.
    #[inline(always)]
    pub fn current(hook: Hook) -> Self {
        Self {
            thread: bpf_get_current_pid_tgid() as u32,
            hook: hook as u32,
        }
    }
}

/// Remembers a call's arguments until it returns.
#[inline(always)]
pub fn began(hook: Hook, ctx: &ProbeContext) {
    let (Some(first), Some(second)) = (ctx.arg(0), ctx.arg(1)) else {
        return;
    };
    let call = Call {
        first: Address(first),
        second: Address(second),
        entered: now(),
    };
    if CALLS.insert(CallKey::current(hook), call, 0).is_err() {
        emit::lost(hook, Obstacle::Calls);
    }
}

/// The call that now returns, if it returns 0. One that began before the hooks were attached is not known.
#[inline(always)]
pub fn succeeded(hook: Hook, ctx: &RetProbeContext) -> Option<Call> {
    let key = CallKey::current(hook);
    // SAFETY: only this thread writes to this key.
    let call = unsafe { CALLS.get(key) }.copied()?;
    let _ = CALLS.remove(key);
    (ctx.ret::<i32>() == 0).then_some(call)
}
