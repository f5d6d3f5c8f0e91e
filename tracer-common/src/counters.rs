//! Volumes: what the programs count in maps and userspace reads on its tick.
//!
//! Must not depend on: who reads them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::slot::Slot;

/// How many kinds of upcalls are counted apart on each CPU that there might be: three of each port (missed, asked for, refused), of 500.
pub const UPCALL_KEYS: u32 = 1536;
/// And on all CPUs, at least.
pub const LEAST_UPCALL_KEYS: u32 = 4096;
/// And at most: on so many CPUs not all ports have all kinds.
pub const MOST_UPCALL_KEYS: u32 = 65_536;

/// One kind of upcall on one CPU.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct UpcallKey {
    /// Datapath, 0 where it could not be told.
    pub dp: u32,
    /// Port of entry.
    pub port_no: u32,
    /// `OVS_PACKET_CMD_MISS` (1) or `_ACTION` (2).
    pub command: u32,
    /// What `ovs_dp_upcall` returned.
    pub result: i32,
    /// The CPU.
    pub cpu: u32,
    /// Zero.
    pub reserved: u32,
}

/// How often on one CPU, and when.
///
/// Userspace numbers its ticks, so that the first upcall of each tick can be told without userspace
/// ever writing into a value that a program may be updating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UpcallCount {
    /// Upcalls since the programs were loaded.
    pub count: u64,
    /// The last one.
    pub last: u64,
    /// The first one of tick `tick`.
    pub first: u64,
    /// The first one of the tick that was last seen before `tick`.
    pub earlier_first: u64,
    /// The tick in which the last one fell.
    pub tick: u32,
    /// The tick that was last seen before `tick`.
    pub earlier_tick: u32,
}

/// A slot of the table of upcalls: empty as long as `count.count` is 0.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UpcallSlot {
    /// How often.
    pub count: UpcallCount,
    /// Of which kind: written before `count`, and read after it.
    pub key: UpcallKey,
}

impl Slot for UpcallSlot {
    type Key = UpcallKey;
}
