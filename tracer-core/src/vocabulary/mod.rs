//! Words and numbers that every part shares: what can be seen, how things are named, what can be concluded.
//!
//! Must not depend on: any other folder.

pub mod bounds;
pub mod capture;
pub mod class;
pub mod count;
pub mod event;
pub mod flow;
pub mod header;
pub mod hook;
pub mod id;
pub mod packet;
pub mod spans;
pub mod time;
pub mod upcall;
pub mod words;
