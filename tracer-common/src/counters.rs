//! Volumes: what the programs count in maps and userspace reads on its tick.
//!
//! May not know: who reads them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many kinds of upcalls are counted apart.
pub const MAX_UPCALL_KEYS: u32 = 4096;
/// How many datapaths are counted apart.
pub const MAX_DATAPATHS: u32 = 64;

/// One kind of upcall.
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

/// Upcalls of a datapath on one CPU since the programs were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UpcallTotals {
    /// Upcalls of every kind.
    pub upcalls: u64,
    /// Miss upcalls, whatever came of them.
    pub missed: u64,
    /// Upcalls (miss and action) that failed.
    pub failed: u64,
}
