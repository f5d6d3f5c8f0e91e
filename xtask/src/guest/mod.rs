//! What runs inside the node: init and (as its commands) the scenario.
//!
//! May not know: the host side, images, QEMU.

pub mod init;

mod job;
mod mounts;
