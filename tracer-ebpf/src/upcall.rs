//! Upcalls: packets that the datapath hands to userspace, and whether userspace took them.
//!
//! Must not depend on: other hooks, megaflows.

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use tracer_common::counters::{UpcallCount, UpcallKey, UpcallSlot};
use tracer_common::hook::Hook;
use tracer_common::lost::Obstacle;

use crate::emit;
use crate::kernel::{self, Address, now, offset};
use crate::latency;
use crate::maps::{self, upcalls};
use crate::packet;

/// `OVS_PACKET_CMD_MISS`.
const MISS: u32 = 1;

/// From entry to return.
const PENDING: u32 = 1;
/// After its return.
const ENDED: u32 = 2;

/// An upcall on its way.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Upcall {
    key: UpcallKey,
    datapath: Address,
    skb: Address,
    flow_key: Address,
    began: u64,
    /// [`PENDING`] or [`ENDED`]; 0: no entry was seen on this CPU yet.
    state: u32,
    reserved: u32,
}

/// The upcall that this CPU is in: softirqs are off from its entry to its return.
#[map]
static UPCALL: PerCpuArray<Upcall> = PerCpuArray::with_max_entries(1, 0);

/// `ovs_dp_upcall(dp, skb, key, upcall_info, cutlen)`.
#[inline(always)]
pub fn began(ctx: &ProbeContext) {
    let (Some(dp), Some(skb), Some(key), Some(info)) = (ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3))
    else {
        return;
    };
    let Some(upcall) = UPCALL.get_ptr_mut(0) else {
        return;
    };
    let (datapath, flow_key) = (Address(dp), Address(key));
    let port_no = flow_key.at(offset!(key_in_port)).and_then(Address::read::<u16>);
    let command = Address(info)
        .at(offset!(upcall_cmd))
        .and_then(Address::read::<u8>);
    let key = UpcallKey {
        dp: kernel::datapath_ifindex(datapath),
        port_no: port_no.map_or(u32::from(u16::MAX), u32::from),
        command: command.map_or(0, u32::from),
        result: 0,
        cpu: kernel::cpu(),
        reserved: 0,
    };
    // SAFETY: this CPU's own slot.
    unsafe {
        if (*upcall).state == PENDING {
            // Its return was not seen: the kernel skips a kretprobe that it has no room for.
            emit::lost(Hook::Upcall, Obstacle::HalfSeen);
        }
        *upcall = Upcall {
            key,
            datapath,
            skb: Address(skb),
            flow_key,
            began: now(),
            state: PENDING,
            reserved: 0,
        };
    }
}

/// Its return: 0 or a negative errno.
#[inline(always)]
pub fn ended(ctx: &RetProbeContext) {
    let Some(upcall) = UPCALL.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: this CPU's own slot.
    let upcall = unsafe { &mut *upcall };
    match upcall.state {
        PENDING => upcall.state = ENDED,
        ENDED => return emit::lost(Hook::Upcall, Obstacle::HalfSeen),
        // The return is hooked some tenths of a second before the entry: what returns meanwhile came before the capture.
        _ => return,
    }
    upcall.key.result = ctx.ret();
    if upcall.key.command == MISS && upcall.key.result == 0 {
        latency::queued(upcall.skb);
    }
    count(&upcall.key);
    packet::upcalled(packet::Upcall {
        datapath: upcall.datapath,
        skb: upcall.skb,
        key: upcall.flow_key,
        miss: upcall.key.command == MISS,
        result: upcall.key.result,
        began: upcall.began,
    });
}

#[inline(always)]
fn count(key: &UpcallKey) {
    let now = now();
    let tick = maps::tick();
    let Some(slot) = upcalls().find(key) else {
        let fill = |slot: &mut UpcallSlot| {
            let first = UpcallCount {
                count: 0,
                last: now,
                first: now,
                earlier_first: 0,
                tick,
                earlier_tick: tick,
            };
            // SAFETY: plain memory; in this order, because userspace sees by the count whether there is one.
            unsafe {
                core::ptr::write_volatile(&raw mut slot.key, *key);
                core::ptr::write_volatile(&raw mut slot.count, first);
                core::ptr::write_volatile(&raw mut slot.count.count, 1);
            }
        };
        if !upcalls().insert(key, fill) {
            emit::lost(Hook::Upcall, Obstacle::Upcalls);
        }
        return;
    };
    // SAFETY: only programs on this CPU write to this key, one at a time.
    let counted = unsafe { &mut (*slot).count };
    if counted.tick != tick || counted.count == 0 {
        counted.earlier_first = counted.first;
        counted.earlier_tick = counted.tick;
        counted.first = now;
        counted.tick = tick;
    }
    counted.count += 1;
    counted.last = now;
}
