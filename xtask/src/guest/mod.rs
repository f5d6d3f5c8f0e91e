//! What runs inside the node: init and (as its commands) the scenario.
//!
//! May not know: the host side, images, QEMU.

pub mod bench;
pub mod cli;
pub mod faults;
pub mod init;
pub mod restart;
pub mod steps;
pub mod traffic;

mod change;
mod clock;
mod command;
mod job;
mod mounts;
mod node;
mod ovs;
mod ovsdb;
mod pipeline;
mod pods;
mod run;
mod screen;
