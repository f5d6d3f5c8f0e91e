//! Sources: async functions that own a sender of events; nothing is ever asked back of them.
//!
//! Must not depend on: reports, sinks, restarts. Dropping the receiver ends a source.

mod channel;
pub mod clock;
pub mod datapath;
mod dial;
pub mod ebpf;
pub mod openflow;
mod outbox;
pub mod ovsdb;
pub mod process;
mod readiness;
pub mod replay;
pub mod rundir;

pub use channel::{EventReceiver, EventSender, Gone, channel};
