//! What is asked of a bench inside the node.
//!
//! Must not depend on: how it is measured.

use clap::Args;

use crate::words::sample::{Part, Tracer};

/// What to measure, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// Which part
    #[arg(value_enum)]
    pub part: Part,
    /// Which tracers
    #[arg(long, value_enum, value_delimiter = ',')]
    pub tracers: Vec<Tracer>,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// Milliseconds of each measurement
    #[arg(long, default_value_t = 2000)]
    pub millis: u64,
    /// How many Pods, where that matters
    #[arg(long, default_value_t = 10)]
    pub pods: u16,
}
