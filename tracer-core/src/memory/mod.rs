//! Facts over time: one file for each thing that is remembered of the events.
//!
//! Must not depend on: verdicts, reports. What is remembered is what was seen, never what follows from it.

pub mod condition;
pub mod coverage;
pub mod daemon;
pub mod disruption;
pub mod engine;
pub mod identity;
pub mod latency;
pub mod megaflow;
pub mod openflow;
pub mod owners;
pub(crate) mod queue;
pub mod readings;
pub(crate) mod runs;
pub mod story;
pub mod topology;
pub(crate) mod track;
pub mod traffic;
