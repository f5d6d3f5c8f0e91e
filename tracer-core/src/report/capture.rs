//! The capture within a report: hooks, counters, upcalls, the command.
//!
//! May not know: restarts, Pods.

use serde::{Deserialize, Serialize};

use crate::hook::Offsets;
use crate::latency::LatencyCount;
use crate::time::Timestamp;

/// What was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Capture {
    /// `CLOCK_MONOTONIC` when it began.
    pub started_ns: Timestamp,
    /// `CLOCK_MONOTONIC` of its last event.
    pub ended_ns: Timestamp,
    /// Wall time minus `CLOCK_MONOTONIC`, at the beginning.
    pub wall_offset_ns: i64,
    /// Hooks on the kernel.
    pub hooks: Vec<Hook>,
    /// Events judged.
    pub events: u64,
    /// Records and events known to be lost.
    pub lost_events: u64,
    /// Upcalls seen beside the datapath's own counters.
    pub reconciliation: Vec<Reconciliation>,
    /// How long upcalls waited for their answer, over the whole capture; `None`: no answer was seen.
    #[serde(default)]
    pub upcall_latency: Option<UpcallLatency>,
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

/// A hook as it stood at the end of the capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hook {
    /// Kernel function or tracepoint.
    pub name: String,
    /// `raw_tracepoint`, `kprobe`, `kretprobe`.
    pub attach: String,
    /// Whether it is attached.
    pub ok: bool,
    /// Why not; absent when `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(default)]
    pub error: Option<String>,
    /// How the places of what it reads in the kernel's structures were found; absent where it reads nothing there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(default)]
    pub offsets: Option<Offsets>,
}

/// Upcalls that the hooks counted beside the datapath's own counters, from the first to the last reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reconciliation {
    /// The datapath's name.
    pub datapath: String,
    /// Growth of the datapath's `n_missed`.
    pub datapath_missed: u64,
    /// Miss upcalls counted by the hooks, at least and at most (they are read just before and just
    /// after the datapath's counters).
    pub seen_missed: [u64; 2],
    /// Growth of the datapath's `n_lost`.
    pub datapath_lost: u64,
    /// Failed upcalls counted by the hooks, at least and at most.
    pub seen_lost: [u64; 2],
    /// Whether both of the datapath's figures lie between those of the hooks.
    pub agrees: bool,
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
