//! Sources: async functions that own a sender of events; nothing is ever asked back of them.
//!
//! May not know: reports, sinks, restarts. Dropping the receiver ends a source.

use tokio::sync::mpsc;
use tracer_core::event::Event;

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

/// Where a source puts what it saw.
pub type EventSender = mpsc::Sender<Event>;
