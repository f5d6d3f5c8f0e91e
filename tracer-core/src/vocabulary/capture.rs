//! The command under observation, and how long upcalls waited.
//!
//! Must not depend on: how it was measured.

use serde::{Deserialize, Serialize};

use crate::vocabulary::time::Timestamp;

/// Upcalls whose answers took about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LatencyCount {
    /// At least so long, in nanoseconds.
    pub at_least_ns: u64,
    /// Not so long, in nanoseconds.
    pub below_ns: u64,
    /// How many.
    pub upcalls: u64,
}

/// How long the packets of miss upcalls waited: from when a handler's socket had taken them until ovs-vswitchd had them
/// executed. What it dropped has no such time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpcallLatency {
    /// Upcalls whose wait is known.
    pub timed: u64,
    /// Upcalls that were answered while others just like them were waiting: which waited how long is not known.
    pub ambiguous: u64,
    /// The shortest wait was at least so long.
    pub min_ns: Option<u64>,
    /// Half of the waits were at most so long. (All quantiles are upper bounds, up to a fourteenth too high: the kernel
    /// counts in buckets of a sixteenth of their value.)
    pub p50_ns: Option<u64>,
    /// Nine in ten were at most so long.
    pub p90_ns: Option<u64>,
    /// 99 in a hundred were at most so long.
    pub p99_ns: Option<u64>,
    /// All were at most so long.
    pub max_ns: Option<u64>,
    /// The waits as they were counted, shortest first.
    pub waits: Vec<LatencyCount>,
}

impl UpcallLatency {
    /// Upcalls that were answered.
    pub fn answered(&self) -> u64 {
        self.timed.saturating_add(self.ambiguous)
    }
}

/// The command that ran during the capture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// When it was started.
    pub started_ns: Timestamp,
    /// When it ended.
    pub ended_ns: Option<Timestamp>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}
