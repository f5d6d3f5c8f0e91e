//! Bytes to events in order: the recording's format, what is missing of it, and the order in time.
//!
//! Must not depend on: what events mean.

pub mod entry;
mod line;
pub mod log;
pub(crate) mod sequence;
pub mod sorter;
