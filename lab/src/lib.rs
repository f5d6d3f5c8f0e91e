//! What runs inside the lab's node: init, the node, its restarts, the prober, the troubles, the bench; and the words that it
//! shares with the host.
//!
//! Must not depend on: the host side (images, QEMU), what is right, the crates of ovsgap: it looks at ovsgap from outside.

pub mod cli;
pub mod init;
pub mod words;

mod bench;
mod change;
mod clock;
mod command;
mod faults;
mod job;
mod mounts;
mod node;
mod ovs;
mod ovsdb;
mod pipeline;
mod pods;
mod restart;
mod run;
mod screen;
mod steps;
mod traffic;
