//! The capture within a report: hooks, counters, upcalls, the command.
//!
//! Must not depend on: restarts, Pods.

use serde::{Deserialize, Serialize};

use crate::vocabulary::capture::UpcallLatency;
use crate::vocabulary::hook::Offsets;
use crate::vocabulary::time::Timestamp;

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
