//! Packet evidence: the current run of each traffic key on each CPU.
//!
//! Must not depend on: who counts, who reads.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::slot::Slot;

/// Runs of one key on one CPU that may end within a [`FLAP_WINDOW`] and still be sent.
pub const MAX_FLAPS: u32 = 64;
/// One second, in nanoseconds.
pub const FLAP_WINDOW: u64 = 1_000_000_000;

/// Values of [`RunKey::family`].
pub mod family {
    /// `dst` is an Ethernet address.
    pub const MAC: u8 = 0;
    /// `dst` is an IPv4 address.
    pub const IPV4: u8 = 4;
    /// `dst` is an IPv6 address.
    pub const IPV6: u8 = 6;
}

/// Values of [`Run::fate`].
pub mod fate {
    /// Sent to the port in [`super::Run::detail`].
    pub const DELIVERED: u32 = 1;
    /// Met a list of actions that keeps nothing.
    pub const DROP_FLOW: u32 = 2;
    /// Waits in userspace's socket.
    pub const QUEUED: u32 = 3;
    /// Was not taken by userspace, with the negative errno in [`super::Run::detail`].
    pub const UPCALL_FAILED: u32 = 4;
}

/// Traffic as it entered the datapath, on one CPU. Numbers are in host order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct RunKey {
    /// The lower half of the address of `struct datapath`: what it is called stands in [`Run::dp`].
    pub datapath: u32,
    /// What it is addressed to: the first 4, 6 or 16 bytes, by `family`.
    pub dst: [u32; 4],
    /// Port of entry.
    pub in_port: u16,
    /// Ethernet type.
    pub eth_type: u16,
    /// The lower of the two L4 ports; 0 where there are none.
    pub port: u16,
    /// IP protocol or ARP opcode.
    pub proto: u8,
    /// Which kind of address `dst` is.
    pub family: u8,
    /// The CPU.
    pub cpu: u32,
}

/// Packets of one key on one CPU with the same fate.
///
/// `ended` is the first and `begun` the last member so that a reader who copies front to back can tell a value
/// that was being replaced: a program writes `begun` before and `ended` after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Run {
    /// How often the run was replaced by another.
    pub ended: u32,
    /// Datapath's ifindex, 0 where it could not be told.
    pub dp: u32,
    /// First packet.
    pub first: u64,
    /// Last packet so far.
    pub last: u64,
    /// Packets so far.
    pub packets: u64,
    /// Their bytes; 0 where they were delivered.
    pub bytes: u64,
    /// The address of the port they were sent to, or the errno: what, with `fate`, one run has in common.
    pub subject: u64,
    /// What became of them.
    pub fate: u32,
    /// The port's number or the errno.
    pub detail: i32,
    /// 1: they came back from userspace.
    pub executed: u32,
    /// The session when it began.
    pub session: u32,
    /// When the fate of any traffic had last changed when it was last compared.
    pub generation: u64,
    /// When the fate of its traffic last changed on any CPU, as of its beginning: once that is another time, the
    /// run ends with the next packet. So no run hides, behind its first and last packet, what became of packets of
    /// its traffic on other CPUs in between.
    pub change: u64,
    /// Since when `flaps` is counted.
    pub window: u64,
    /// Runs that ended since.
    pub flaps: u32,
    /// Runs of this key that ended and were not sent because there were too many of them, since the programs were loaded.
    pub flapped: u32,
    /// The same, because the ring was full.
    pub unsent: u32,
    /// How often the run began to be replaced.
    pub begun: u32,
}

/// A slot of the table of runs: empty as long as `run.packets` is 0.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RunSlot {
    /// The run.
    pub run: Run,
    /// Of which traffic: written before `run`, and read after it.
    pub key: RunKey,
}

impl Slot for RunSlot {
    type Key = RunKey;
}

/// The bit of a session (`u32`, [`crate::names::SESSION`]) that tells whether packets are followed. While the session stays the
/// same, addresses of datapaths and ports mean the same ones, and packets are followed throughout or not at all.
pub const FOLLOWED: u32 = 1;
