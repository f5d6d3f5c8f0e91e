//! What would have remained of a disruption's windows if flow-restore-wait had gone only after the last Pod's flows.
//!
//! Must not depend on: how it is found.

use serde::{Deserialize, Serialize};

use crate::vocabulary::time::Timestamp;

/// The restart, had the flag waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counterfactual {
    /// When the last Pod's flows were there, so that the flag could have gone and the datapath been flushed (an upper
    /// bound: the flow monitor tells late). `None`: a Pod's flows never came while the capture ran.
    pub flush_ns: Option<Timestamp>,
    /// How much later than the flush that was. For so much longer, traffic without a megaflow would have had to wait
    /// for ovs-vswitchd to take upcalls.
    pub later_ns: Option<u64>,
    /// The longest that could have remained of any Pod's exposed window.
    pub max_remaining_ns: Option<u64>,
}

/// One Pod, had the flag waited for the last Pod's flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Remainder {
    /// How much of its exposed window lies before the last Pod's flows and would not have been.
    pub avoided_ns: u64,
    /// How much lies after them: at most so much would have remained, and nothing if the flush had left it
    /// `flows_before_flush`. `None`: its window did not end.
    pub max_remaining_ns: Option<u64>,
    /// What it lost, told apart by that point; `None`: no packet was seen.
    pub lost: Option<Around>,
}

/// Lost packets told apart by a point in time. Of a hole that spans it, the first packet is known to be before
/// and the last one after; how many others are on each side is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Around {
    /// In gaps that ended before it.
    pub before: u64,
    /// In gaps that span it.
    pub across: u64,
    /// In gaps that began after it.
    pub after: u64,
    /// For how long after it packets were still lost; `None`: none was.
    pub until_after_ns: Option<u64>,
}
