//! Upcalls: packets that the datapath handed to userspace, as they are counted.
//!
//! Must not depend on: what became of the packets.

use serde::{Deserialize, Serialize};

use crate::vocabulary::id::{DpIfindex, PortNo};
use crate::vocabulary::time::Timestamp;

/// Why the datapath asked userspace (`enum ovs_packet_cmd`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpcallCommand {
    /// No megaflow matched (`OVS_PACKET_CMD_MISS`).
    Miss,
    /// A `userspace` action (`OVS_PACKET_CMD_ACTION`).
    Action,
}

/// Upcalls of one kind since the last such event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Upcalls {
    /// Datapath.
    pub dp: DpIfindex,
    /// The port at which the packet came in.
    pub port_no: PortNo,
    /// Why it was sent up.
    pub command: UpcallCommand,
    /// What `ovs_dp_upcall` returned: 0 or a negative errno.
    pub result: i32,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// Upcalls counted by the hooks over all ports of a datapath.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UpcallTotals {
    /// Miss upcalls, whatever came of them.
    pub missed: u64,
    /// Upcalls (miss and action) that failed.
    pub failed: u64,
}
