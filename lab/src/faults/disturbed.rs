//! The restart in which troubles are made.
//!
//! Must not depend on: which trouble, ovsgap.

use std::path::PathBuf;

use anyhow::Result;

use crate::restart::{self, Restart};
use crate::words::way::{Order, Way};

/// What the restart writes.
pub const STEPS: &str = "/out/faults-steps.jsonl";

/// Until then it is not known of what was handed to userspace whether it was lost (a second without an answer), and events are sorted
/// for half a second: recorders that are stopped earlier tell what they know by then, which is not the same of two.
const ACCOUNTED_FOR: u64 = 1_700;

/// The bug's order, 300 ms.
pub fn restart() -> Result<()> {
    restart_in(Order::Bug)
}

/// The same in this order.
pub fn restart_in(order: Order) -> Result<()> {
    restart::run(&Restart {
        way: Way::Flag,
        order,
        hole_ms: 300,
        without: Vec::new(),
        added: None,
        deleted: None,
        round: 2,
        settle_s: 20,
        linger_ms: ACCOUNTED_FOR,
        steps: PathBuf::from(STEPS),
    })
}
