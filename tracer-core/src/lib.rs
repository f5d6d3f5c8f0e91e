//! The judge of ovsgap: events in, report out.
#![forbid(unsafe_code)]

pub mod event;
pub mod flow;
pub mod id;
pub mod packet;
pub mod time;
