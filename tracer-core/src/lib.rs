//! The judge of ovsgap: events in, report out.
//!
//! `Event*  →  Sorter  →  Engine  →  Report`. An [`event::Event`] says what was seen on a node and when; the
//! [`judge::Judge`] checks that none is missing and puts them in order, the [`engine::Engine`] hands each to the part that
//! remembers it, and [`verdict`] draws the [`report::Report`] from all of them.
//!
//! | folder | what is in it |
//! |---|---|
//! | [`vocabulary`] | words and numbers that every part shares |
//! | [`recording`] | bytes to events in order |
//! | [`memory`] | facts over time |
//! | [`witness`] | which evidence was there when, and what it proves |
//! | [`verdict`] | windows, losses, causes, verdicts |
//! | [`budget`] | what a disruption may cost |
//! | [`report`] | the report's shape |
//! | [`view`] | the same at any point of a capture, for screens |
//!
//! Each folder depends on those above it, never on those below.
//!
//! Pure and deterministic: no clock, no I/O, no randomness; nothing here can fail. The same events give
//! the same report, byte for byte, on every machine.
#![forbid(unsafe_code)]

pub mod budget;
pub mod intake;
pub mod judge;
pub mod memory;
pub mod recording;
pub mod report;
pub mod verdict;
pub mod view;
pub mod vocabulary;
pub mod witness;

pub use memory::{engine, latency, traffic};
pub use recording::{log, sorter};
pub use verdict::{counterfactual, evidence};
pub use view::{detail, history, meter, timeline};
pub use vocabulary::{class, count, event, flow, id, packet, time};
