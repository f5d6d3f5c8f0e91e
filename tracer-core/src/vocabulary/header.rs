//! Where and when a recording was made.
//!
//! Must not depend on: how it is written.

use serde::{Deserialize, Serialize};

use crate::vocabulary::time::Timestamp;

/// First line of a recording: where and when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format's version; also what tells our files from others.
    pub ovsgap_log: u32,
    /// The program that wrote it.
    pub tool: String,
    /// The node's host name.
    pub hostname: Option<String>,
    /// The node's kernel release.
    pub kernel: Option<String>,
    /// `CLOCK_MONOTONIC` when the capture began.
    pub started_ns: Timestamp,
    /// Wall time minus `CLOCK_MONOTONIC`, then.
    pub wall_offset_ns: i64,
}
