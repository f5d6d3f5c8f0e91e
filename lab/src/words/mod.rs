//! What the node and the host say to each other: scenarios, frames, and what is written in a node and read outside.
//!
//! Must not depend on: how anything is done, on either side.

pub mod few;
pub mod packets;
pub mod rates;
pub mod report;
pub mod sample;
pub mod scenario;
pub mod size;
pub mod step;
pub mod trouble;
pub mod truth;
pub mod way;
pub mod wire;
