//! How long packets of miss upcalls wait: from when a handler's socket has them until ovs-vswitchd has them executed.
//!
//! Must not depend on: traffic keys, megaflows.
//!
//! A packet is known again by a fingerprint of its L3 header and what follows of L4: userspace gives back the bytes
//! that it got. Packets that are just alike (ARP requests) cannot be told apart while several wait: those are counted,
//! and not timed.
//!
//! Each CPU counts in an element of its own ([`WAITS`]), so none loses what another counts. What waits is shared: two CPUs that
//! change one element at a time may count a wait as ambiguous, or not at all.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use aya_ebpf::programs::ProbeContext;
use tracer_common::hook::Hook;
use tracer_common::latency::{BUCKETS, bucket};
use tracer_common::lost::Obstacle;

use crate::emit;
use crate::kernel::{self, Address, now, offset};
use crate::maps::WAITS;
use crate::netlink::Attribute;

/// Packets with one fingerprint that wait.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Waiting {
    /// Since when the last one has been waiting.
    since: u64,
    /// How many.
    packets: u32,
    /// 1: there was more than one at a time.
    ambiguous: u32,
}

/// Packets that wait for userspace, by fingerprint. What is dropped there is never taken out: the oldest make room.
#[map]
static WAITING: LruHashMap<u64, Waiting> = LruHashMap::with_max_entries(8192, 0);

/// A packet that is not back by then was dropped by userspace, as the judge takes it, too: the next one like it is another.
const DROPPED_AFTER: u64 = 1_000_000_000;

/// `OVS_PACKET_ATTR_PACKET`.
const ATTR_PACKET: u32 = 1;
const ETH_HLEN: u32 = 14;
const VLAN_HLEN: u32 = 4;
/// `ETH_P_8021Q` and `ETH_P_8021AD`.
const VLAN: [u16; 2] = [0x8100, 0x88a8];
/// An IPv4 header without options and the longest L4 header that there must be: TCP's sequence numbers are inside.
const OF_IPV4: u32 = 40;
/// The same for IPv6.
const OF_IPV6: u32 = 60;

/// A handler's socket has taken the packet.
#[inline(always)]
pub fn queued(skb: Address) {
    let Some(fingerprint) = linear(skb).and_then(fingerprint) else {
        return;
    };
    let since = now();
    if let Some(waiting) = WAITING.get_ptr_mut(fingerprint) {
        // SAFETY: memory of a hash that stays an element of it as long as the map is there. Another CPU may make it another packet's
        // meanwhile (elements are used again at once): that one's wait is then counted as ambiguous, or not at all.
        let waiting = unsafe { &mut *waiting };
        if since.wrapping_sub(waiting.since) < DROPPED_AFTER {
            waiting.packets = waiting.packets.wrapping_add(1);
            waiting.ambiguous = 1;
            waiting.since = since;
            return;
        }
    }
    let waiting = Waiting {
        since,
        packets: 1,
        ambiguous: 0,
    };
    if WAITING.insert(fingerprint, waiting, 0).is_err() {
        emit::lost(Hook::Upcall, Obstacle::Calls);
    }
}

/// `ovs_packet_cmd_execute(skb, info)`: userspace gives a packet back.
#[inline(always)]
pub fn answered(ctx: &ProbeContext) {
    let Some(fingerprint) = ctx
        .arg(1)
        .and_then(|info| given_back(Address(info)))
        .and_then(fingerprint)
    else {
        return;
    };
    let Some(waiting) = WAITING.get_ptr_mut(fingerprint) else {
        return;
    };
    let Some(waits) = WAITS.get_ptr_mut(kernel::cpu()) else {
        return;
    };
    // SAFETY: as above; and this CPU's own element, to which no other adds.
    let (waiting, waits) = unsafe { (&mut *waiting, &mut *waits) };
    if waiting.ambiguous == 0 {
        let wait = now().wrapping_sub(waiting.since);
        if let Some(count) = waits.counts.get_mut(bucket(wait).min(BUCKETS - 1)) {
            *count = count.wrapping_add(1);
        }
    } else {
        waits.ambiguous = waits.ambiguous.wrapping_add(1);
    }
    waiting.packets = waiting.packets.wrapping_sub(1);
    if waiting.packets == 0 {
        let _ = WAITING.remove(fingerprint);
    }
}

/// A packet from its L3 header on: where it is, and how much of it is there in one piece.
#[derive(Clone, Copy)]
struct Piece {
    at: Address,
    len: u32,
}

#[inline(always)]
fn linear(skb: Address) -> Option<Piece> {
    let head = skb.at(offset!(skb_head))?.pointer()?;
    let data = skb.at(offset!(skb_data))?.pointer()?;
    let network: u16 = skb.at(offset!(skb_network_header))?.read()?;
    let len: u32 = skb.at(offset!(skb_len))?.read()?;
    let paged: u32 = skb.at(offset!(skb_data_len))?.read()?;
    let at = Address(head.0.wrapping_add(u64::from(network)));
    let before = at.0.wrapping_sub(data.0);
    let len = u64::from(len.wrapping_sub(paged));
    (before < len).then(|| Piece {
        at,
        len: (len - before) as u32,
    })
}

#[inline(always)]
fn given_back(info: Address) -> Option<Piece> {
    Attribute::of_command(info, ATTR_PACKET).and_then(|packet| {
        let kind: u16 = packet.payload.at(ETH_HLEN - 2)?.read()?;
        let kind = u16::from_be(kind);
        let tag = if kind == VLAN[0] || kind == VLAN[1] {
            VLAN_HLEN
        } else {
            0
        };
        let before = ETH_HLEN + tag;
        let len = u32::from(packet.len);
        (before < len).then(|| Piece {
            at: Address(packet.payload.0.wrapping_add(u64::from(before))),
            len: len - before,
        })
    })
}

/// FNV's prime: any odd number with bits all over does.
const PRIME: u64 = 0x0000_0100_0000_01b3;

#[inline(always)]
fn fingerprint(packet: Piece) -> Option<u64> {
    let first: u8 = packet.at.read()?;
    let most = if first >> 4 == 6 { OF_IPV6 } else { OF_IPV4 };
    let len = if packet.len < most { packet.len } else { most };
    let mut words = [0_u64; 8];
    // SAFETY: the helper checks the address; `len` is at most `OF_IPV6`, which fits.
    let read = unsafe { bpf_probe_read_kernel(words.as_mut_ptr().cast(), len, packet.at.0 as *const _) };
    if read != 0 {
        return None;
    }
    let mut hash = u64::from(len);
    for word in words {
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(PRIME);
    }
    Some(hash)
}
