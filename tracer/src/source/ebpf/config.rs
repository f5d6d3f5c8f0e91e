//! How the kernel is watched: what the user may choose.
//!
//! Must not depend on: how it is done, aya.

use std::time::Duration;

use tokio::sync::watch;

use super::evidence::Evidence;

/// How many traffic keys are told apart where nobody asks for more.
pub const DEFAULT_KEYS: u32 = 16_384;

/// How the kernel is watched.
#[derive(Clone, Debug)]
pub struct Config {
    /// Size of the ring of records: a power of two, and at least a page.
    pub ring_bytes: u32,
    /// How many traffic keys are told apart, counting each once a CPU.
    pub max_runs: u32,
    /// How often counters are read.
    pub tick: Duration,
    /// Whether the programs shall say what they do, through `tracing`.
    pub verbose: bool,
    /// Whether single packets are followed.
    pub evidence: Evidence,
    /// How long packets are followed after the last sign of a restart.
    pub linger: Duration,
    /// A sign from outside (flow-restore-wait is set): packets are followed while it is `true`.
    pub arm: Option<watch::Receiver<bool>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            max_runs: DEFAULT_KEYS,
            tick: Duration::from_millis(100),
            verbose: false,
            evidence: Evidence::Auto,
            linger: Duration::from_secs(10),
            arm: None,
        }
    }
}
