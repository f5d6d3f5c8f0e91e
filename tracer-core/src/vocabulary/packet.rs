//! Packet evidence: runs of packets of one traffic key that met the same fate.
//!
//! Must not depend on: Pods, windows. A run is what the kernel's per-CPU map held.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::vocabulary::id::{DpIfindex, Mac, PortNo};
use crate::vocabulary::time::Timestamp;

/// Negative errnos of an upcall that say that nobody listens: `ENOTCONN` (portid 0, `ovs_dp_upcall` in `net/openvswitch/datapath.c`),
/// `ECONNREFUSED` (no such socket, `netlink_unicast` in `net/netlink/af_netlink.c`).
pub const NOBODY: [i32; 2] = [-107, -111];

/// What a packet was addressed to when it entered the datapath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// IPv4/IPv6 destination, ARP or ND target.
    Ip(IpAddr),
    /// Anything else, by Ethernet destination.
    Mac(Mac),
}

/// Traffic as it entered the datapath (first pass, `recirc_id` 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrafficKey {
    /// Datapath.
    pub dp: DpIfindex,
    /// The port at which it came in.
    pub in_port: PortNo,
    /// Ethernet type.
    pub eth_type: u16,
    /// What it was addressed to.
    pub dst: Destination,
    /// IP protocol, or ARP opcode.
    pub proto: u8,
    /// The lower of the two L4 ports; 0 where there are none.
    pub port: u16,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PacketFate {
    /// `ovs_vport_send` to at least one port; the first one.
    Delivered(PortNo),
    /// `ovs_execute_actions` with no output or an explicit drop.
    DropFlow,
    /// `ovs_dp_upcall` took it (0): it waits in a socket; a `Delivered` follows if userspace executes it.
    Queued,
    /// `ovs_dp_upcall` failed with this (negative) errno.
    UpcallFailed(i32),
}

/// Packets of one key on one CPU with the same fate, without any other fate between them there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// Whose packets.
    pub key: TrafficKey,
    /// What became of them.
    pub fate: PacketFate,
    /// They came back from userspace (`ovs_packet_cmd_execute`): the same packets that were `Queued`.
    pub executed: bool,
    /// The CPU that saw them.
    pub cpu: u32,
    /// The first of them. With key, CPU and fate: the run's identity.
    pub first: Timestamp,
    /// The last of them so far.
    pub last: Timestamp,
    /// How many so far (cumulative: a later event of the same run replaces this one).
    pub packets: u64,
    /// Their bytes so far, L2 header included; 0 where they were delivered.
    pub bytes: u64,
    /// Whether another fate has ended it.
    pub closed: bool,
}
