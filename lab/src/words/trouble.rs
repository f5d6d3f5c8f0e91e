//! Troubles of ovsgap's own: which of them every test has, and what the node writes down of each.
//!
//! Must not depend on: how a trouble is made, how a finding is counted.

use serde::{Deserialize, Serialize};

/// The guest's file of findings, in `/out`.
pub const FILE: &str = "faults.jsonl";

/// One trouble, and what went wrong in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which.
    pub name: String,
    /// What went wrong; `None`: it came through.
    pub problem: Option<String>,
    /// How long each end of a recorder took, from the trouble or the signal: to its report, to its own end; in ms.
    #[serde(default)]
    pub ends_ms: Vec<[u64; 2]>,
    /// How long the whole trial took, in ms.
    #[serde(default)]
    pub took_ms: u64,
}

/// Those of every run of all tests: one of each kind, in what the others of its kind go through, too.
pub const USUAL: [&str; 9] = [
    "a recorder that is killed in a window leaves a recording",
    "a full disk ends the recording, not the report",
    "a recording whose reader stands still ends, and so does ovsgap",
    "a report whose reader stands still is in the recording",
    "an OVSDB that sends garbage is told",
    "an OpenFlow that sends one byte at a time is understood",
    "little locked memory suffices, or is named",
    "flows go with their group and their meter",
    "a module that comes back is watched again",
];
