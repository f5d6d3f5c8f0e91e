//! The judge of ovsgap: events in, report out.
//!
//! `Event*  →  Sorter  →  Engine  →  Report`. An [`event::Event`] says what was seen on a node and when; the
//! [`judge::Judge`] checks that none is missing, the [`sorter::Sorter`] puts them in order, the
//! [`engine::Engine`] hands each to the part that remembers it, and [`conclude::conclude`] draws the
//! [`report::Report`] from all of them:
//!
//! * [`topology`]: who sits behind a datapath port (with [`identity`]);
//! * [`restart`]: the milestones of each restart (with [`daemon`]: which process serves);
//! * [`megaflow`]: when each endpoint's traffic was forwarded again;
//! * [`openflow`]: when each endpoint's OpenFlow flows were there again;
//! * [`traffic`]: what became of single packets (with [`evidence`]: whose they were);
//! * [`window`], [`cause`], [`pods`]: what follows from it for each Pod;
//! * [`counterfactual`]: what would have remained if the flag had waited for the flows;
//! * [`coverage`], [`condition`]: what could not be seen, and what is wrong without any restart;
//! * [`budget`]: what a restart may cost, and whether a report keeps within it;
//! * [`history`], [`detail`], [`meter`]: the same at any point of a capture, in the detail that a screen shows.
//!
//! Pure and deterministic: no clock, no I/O, no randomness; nothing here can fail. The same events give
//! the same report, byte for byte, on every machine.
#![forbid(unsafe_code)]

pub mod absence;
pub mod budget;
pub mod cause;
pub mod class;
pub mod conclude;
pub mod condition;
pub mod count;
pub mod counterfactual;
pub mod coverage;
pub mod daemon;
pub mod detail;
pub mod engine;
pub mod event;
pub mod evidence;
pub mod flow;
pub mod forwarding;
pub mod history;
mod hook;
pub mod id;
pub mod identity;
pub mod judge;
pub mod latency;
mod line;
pub mod log;
pub mod megaflow;
pub mod meter;
pub mod openflow;
pub mod packet;
pub mod pods;
pub mod queue;
pub mod report;
pub mod restart;
mod sequence;
pub mod sorter;
pub mod time;
pub mod timeline;
pub mod topology;
pub mod track;
pub mod traffic;
pub mod window;
