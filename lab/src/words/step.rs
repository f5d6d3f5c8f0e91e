//! A step of a scenario, as the node writes it down and the host reads it.
//!
//! Must not depend on: what a step does.

use serde::{Deserialize, Serialize};

/// A step that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was done.
    #[serde(rename = "step")]
    pub name: String,
    /// To whom, where it is about one Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// `CLOCK_MONOTONIC` before it.
    pub started_ns: u64,
    /// `CLOCK_MONOTONIC` after it.
    pub ended_ns: u64,
}

/// The name of a step between one restart and the next.
pub const NEXT: &str = "next_restart";
