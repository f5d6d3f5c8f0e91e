//! What became of one key's packets: gaps, waits, and the words for single runs.
//!
//! Must not depend on: how runs are put together.

use std::collections::{BTreeMap, BTreeSet};

use crate::vocabulary::count;
use crate::vocabulary::id::PortNo;
use crate::vocabulary::packet::PacketFate;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::Reason;

/// A packet that was handed to userspace and neither executed nor answered by a megaflow for this long
/// was dropped there: a handler batch takes milliseconds, a reconfiguration of ovs-vswitchd hundreds.
pub(crate) const PATIENCE: u64 = SECOND;

/// Ports of one traffic that are remembered: more than one says that it is no port's own.
pub const PORTS: usize = 4;

/// Which run: its first packet, its CPU and its fate.
pub(crate) type RunId = (Timestamp, u32, PacketFate, bool);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub last: Timestamp,
    pub packets: u64,
    pub bytes: u64,
}

/// Lost packets of one key without a delivery between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// First packet lost.
    pub first_lost: Timestamp,
    /// Last packet known to be lost.
    pub last_lost: Timestamp,
    /// Last delivery before.
    pub before: Option<Timestamp>,
    /// First delivery after.
    pub after: Option<Timestamp>,
    /// How many, by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// Their bytes.
    pub bytes: u64,
}

impl Gap {
    /// Packets lost.
    pub fn packets(&self) -> u64 {
        count::total(self.by_reason.values())
    }

    /// At most this long; `None`: one side is open.
    pub fn max_ns(&self) -> Option<u64> {
        Some(self.after?.since(self.before?))
    }
}

/// Packets that waited for userspace and were then executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The first was queued then.
    pub queued: Timestamp,
    /// The last was delivered then.
    pub executed: Timestamp,
    /// How many.
    pub packets: u64,
    /// The longest that one of them waited, at most.
    pub longest: u64,
}

impl Wait {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            queued: self.queued.min(other.queued),
            executed: self.executed.max(other.executed),
            packets: self.packets.saturating_add(other.packets),
            longest: self.longest.max(other.longest),
        }
    }
}

/// What became of one key's packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Whether any packet of it was ever delivered.
    pub forwarded: bool,
    /// The first that was.
    pub first_delivered: Option<Timestamp>,
    /// The last that was.
    pub last_delivered: Option<Timestamp>,
    /// Where packets were delivered; at most [`PORTS`] of them.
    pub ports: BTreeSet<PortNo>,
    /// Gaps, in time order.
    pub gaps: Vec<Gap>,
    /// Waits, in time order.
    pub waits: Vec<Wait>,
    /// When packets were handed to userspace of which it is too early to say what became of them.
    pub waiting: Vec<Timestamp>,
}
