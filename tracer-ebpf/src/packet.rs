//! Packets on their way through the datapath: the traffic key with which each came in is kept until its fate is
//! known, and the fate is booked once.
//!
//! Must not depend on: how runs are kept, records.
//!
//! A CPU is inside one packet at a time, but for a packet that a send to an internal or tunnel device brings back
//! into the datapath: that one is met before its outer packet is done with. The outer one has been booked by
//! then, at that very send, and what is left of it is told from the inner one by its port of entry.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{LruHashMap, PerCpuArray};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use tracer_common::hook::Hook;
use tracer_common::lost::Obstacle;
use tracer_common::run::{FOLLOWED, RunKey, fate};

use crate::call::{CALLS, Call, CallKey};
use crate::emit;
use crate::kernel::{self, Address, now, offset};
use crate::maps::session;
use crate::run::{self, Booking};
use crate::shared::Shared;
use crate::traffic::Window;

const ACTION_USERSPACE: u16 = 2;
const ACTION_DROP: u16 = 24;

/// The packet that a CPU is inside.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Current {
    /// As it came in.
    key: RunKey,
    /// Where it is.
    datapath: Address,
    /// By which address it goes; its copies go by others.
    skb: u64,
    /// `maps::session()` when it came in.
    session: u32,
    /// 1: its fate is not known yet.
    pending: u32,
    /// 1: it came back from userspace.
    executed: u32,
    /// 1: the list of actions that it met last does nothing but send it to userspace.
    only_userspace: u32,
    /// Where its flow key is read to.
    window: Window,
}

/// A packet whose headers had been rewritten by the time it went to userspace: how it is known when it comes back.
///
/// Not by its recirculation id: ovs-vswitchd gives back packets of later passes with id 0.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Rewritten {
    key: RunKey,
    src: [u32; 4],
    ports: u32,
    reserved: u32,
}

/// How it had come in.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CameIn {
    key: RunKey,
    /// When it went to userspace.
    at: u64,
}

/// The packet that this CPU is inside.
#[map]
static CURRENT: PerCpuArray<Current> = PerCpuArray::with_max_entries(1, 0);

/// Packets that went to userspace with rewritten headers. Most come back within milliseconds, some never.
#[map]
static REWRITTEN: LruHashMap<Rewritten, CameIn> = LruHashMap::with_max_entries(4096, 0);

/// The process that has packets executed: ovs-vswitchd.
static EXECUTOR: Shared<u32> = Shared::new(0);

/// A packet that does not come back in this time does not come back: the same addresses then are another packet's.
const COMES_BACK_WITHIN: u64 = 10_000_000_000;

impl Rewritten {
    #[inline(always)]
    fn of(window: &Window, key: RunKey) -> Self {
        let (src, ports) = window.source();
        Self {
            key,
            src,
            ports,
            reserved: 0,
        }
    }
}

/// `ovs_execute_actions(dp, skb, acts, key)`.
#[inline(always)]
pub fn executed(ctx: &ProbeContext) {
    let session = session();
    let Some(current) = CURRENT.get_ptr_mut(0).filter(|_| session & FOLLOWED != 0) else {
        return;
    };
    let (Some(dp), Some(skb), Some(actions), Some(key)) = (ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3))
    else {
        return;
    };
    // SAFETY: this CPU's own slot.
    let current = unsafe { &mut *current };
    if current.window.fill(Address(key)).is_none() {
        return emit::lost(Hook::Execute, Obstacle::Unreadable);
    }
    let from_userspace = comes_from_userspace(skb);
    if from_userspace || current.window.recirc_id() == 0 {
        current.session = session;
        current.datapath = Address(dp);
        current.skb = skb;
        current.came_in(from_userspace);
    } else if !current.is(session, current.window.in_port()) {
        return;
    }
    current.meets(Address(skb), Address(actions));
}

#[inline(always)]
fn length(skb: Address) -> u32 {
    skb.at(offset!(skb_len)).and_then(Address::read).unwrap_or(0)
}

impl Current {
    #[inline(always)]
    fn came_in(&mut self, from_userspace: bool) {
        self.pending = 1;
        self.executed = u32::from(from_userspace);
        self.key = self.window.traffic(self.datapath);
        if from_userspace && let Some(known) = REWRITTEN.get_ptr(Rewritten::of(&self.window, self.key)) {
            // SAFETY: memory of a hash that stays an element of it as long as the map is there. It may become another packet's while it
            // is read (elements are used again at once): at worst this packet is booked as one that was rewritten at the same moment.
            let known = unsafe { &*known };
            if now().wrapping_sub(known.at) < COMES_BACK_WITHIN {
                self.key = known.key;
            }
        }
    }

    /// Whether this is the packet, still without a fate, that came in at `in_port`.
    #[inline(always)]
    fn is(&self, session: u32, in_port: u16) -> bool {
        self.session == session && self.pending != 0 && self.key.in_port == in_port
    }

    /// The packet meets a list of actions: what it begins with may be all that is to be known.
    #[inline(always)]
    fn meets(&mut self, skb: Address, actions: Address) {
        let Some((len, first)) = beginning(actions) else {
            return emit::lost(Hook::Execute, Obstacle::Unreadable);
        };
        let first_kind = (first >> 16) as u16;
        // NLA_ALIGN of nla_len.
        let first_len = ((first & 0xffff) + 3) & !3;
        self.only_userspace = u32::from(first_kind == ACTION_USERSPACE && first_len >= len);
        if len == 0 || first_kind == ACTION_DROP {
            self.ends(fate::DROP_FLOW, 0, length(skb), now());
        }
    }

    #[inline(always)]
    fn ends(&mut self, fate: u32, subject: u64, len: u32, at: u64) {
        if self.pending != 0 {
            self.pending = 0;
            let booking = Booking {
                datapath: self.datapath,
                fate,
                subject,
                executed: self.executed,
                session: self.session,
                len,
                at,
            };
            run::book(&mut self.key, booking);
        }
    }
}

/// The length of a list of actions, and its first `struct nlattr` (0 where it is empty).
#[inline(always)]
fn beginning(actions: Address) -> Option<(u32, u32)> {
    let len_at = offset!(actions_len);
    if offset!(actions) == len_at.wrapping_add(4) {
        let [len, first]: [u32; 2] = actions.at(len_at)?.read()?;
        return Some((len, if len == 0 { 0 } else { first }));
    }
    match actions.at(len_at)?.read()? {
        0 => Some((0, 0)),
        len => Some((len, actions.at(offset!(actions))?.read()?)),
    }
}

/// `ovs_vport_send(vport, skb, mac_proto)`.
#[inline(always)]
pub fn sent(ctx: &ProbeContext) {
    let session = session();
    let Some(current) = CURRENT.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: this CPU's own slot.
    let current = unsafe { &mut *current };
    if current.pending == 0 || current.session != session {
        return;
    }
    let (Some(vport), Some(skb)) = (ctx.arg(0), ctx.arg(1)) else {
        return;
    };
    if skb == current.skb || came_in_at(Address(skb)) == Some(current.key.in_port) {
        // Nobody asks how long delivered packets are, and to read it takes as long as to look up their run.
        current.ends(fate::DELIVERED, vport, 0, now());
    }
}

/// The port at which a packet, or the one of which it is a copy, came in.
#[inline(always)]
fn came_in_at(skb: Address) -> Option<u16> {
    let cb = skb.at(offset!(skb_cb))?;
    kernel::vport_number(cb.at(offset!(cb_input_vport))?.pointer()?)
}

/// An upcall that has returned.
#[derive(Clone, Copy)]
pub struct Upcall {
    /// The datapath.
    pub datapath: Address,
    /// The packet.
    pub skb: Address,
    /// Its flow key.
    pub key: Address,
    /// Whether no megaflow matched; else an action asked for it.
    pub miss: bool,
    /// 0 or a negative errno.
    pub result: i32,
    /// When it was made. Userspace may have answered it before it returned.
    pub began: u64,
}

/// Books what came of an upcall: failures always, the others where packets are followed.
#[inline(always)]
pub fn upcalled(upcall: Upcall) {
    let session = session();
    let followed = session & FOLLOWED != 0;
    if !followed && (upcall.result == 0 || !upcall.miss) || !Window::can_be_read() {
        return;
    }
    let Some(current) = CURRENT.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: this CPU's own slot.
    let current = unsafe { &mut *current };
    if current.window.fill(upcall.key).is_none() {
        return emit::lost(Hook::Execute, Obstacle::Unreadable);
    }
    let fate = match upcall.result {
        0 => fate::QUEUED,
        _ => fate::UPCALL_FAILED,
    };
    let errno = i64::from(upcall.result) as u64;
    if upcall.miss && (!followed || current.window.recirc_id() == 0) {
        // On its first pass, or where it was not followed: under the key that it has.
        let booking = Booking {
            datapath: upcall.datapath,
            fate,
            subject: errno,
            executed: 0,
            session,
            len: length(upcall.skb),
            at: upcall.began,
        };
        let mut key = current.window.traffic(upcall.datapath);
        return run::book(&mut key, booking);
    }
    // One that had been sent to a port before has its fate already.
    if !current.is(session, current.window.in_port()) {
        return;
    }
    if upcall.miss {
        if upcall.result == 0 {
            current.remember();
        }
        current.ends(fate, errno, length(upcall.skb), upcall.began);
    } else if current.only_userspace != 0 {
        // Else it is a copy that goes to userspace.
        current.ends(fate, errno, length(upcall.skb), upcall.began);
    }
}

impl Current {
    /// Remembers under which key a packet had come in that goes to userspace under another.
    #[inline(always)]
    fn remember(&self) {
        let key = self.window.traffic(self.datapath);
        if key.dst == self.key.dst && key.port == self.key.port {
            return;
        }
        let came_in = CameIn {
            key: self.key,
            at: now(),
        };
        if REWRITTEN
            .insert(Rewritten::of(&self.window, key), came_in, 0)
            .is_err()
        {
            emit::lost(Hook::Execute, Obstacle::Calls);
        }
    }
}

/// `ovs_flow_key_extract_userspace(net, attr, skb, key, log)`, which only `ovs_packet_cmd_execute` calls: from here
/// on it is known by which address the packet of this thread goes.
#[inline(always)]
pub fn extracted(ctx: &ProbeContext) {
    let Some(skb) = ctx.arg(2) else {
        return;
    };
    let call = Call {
        first: Address(skb),
        second: Address(0),
        entered: now(),
    };
    if CALLS
        .insert(CallKey::current(Hook::PacketExecute), call, 0)
        .is_err()
    {
        return emit::lost(Hook::PacketExtract, Obstacle::Calls);
    }
    EXECUTOR.write(tgid());
}

/// `ovs_packet_cmd_execute(skb, info)` returns.
#[inline(always)]
pub fn returned(_ctx: &RetProbeContext) {
    let _ = CALLS.remove(CallKey::current(Hook::PacketExecute));
}

/// Whether `skb` is the packet that the current thread got from userspace, the first time it is asked. A packet that
/// merely interrupts that thread has another address.
#[inline(always)]
fn comes_from_userspace(skb: u64) -> bool {
    // Most packets of the fast path interrupt some other process.
    if EXECUTOR.read() != tgid() {
        return false;
    }
    let Some(call) = CALLS.get_ptr_mut(CallKey::current(Hook::PacketExecute)) else {
        return false;
    };
    // SAFETY: only this thread, on which this program runs, writes to this key.
    let call = unsafe { &mut *call };
    let same = call.first.0 == skb;
    if same {
        // Its later passes are not another packet.
        call.first = Address(0);
    }
    same
}

#[inline(always)]
fn tgid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}
