//! ovsgap: sources, pipeline and sinks around the pure judge of `tracer-core`.

pub mod budget;
pub mod capture;
pub mod cli;
pub mod command;
pub mod comparison;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod historian;
pub mod memory;
pub mod outfile;
pub mod outlet;
pub mod pipeline;
pub mod ready;
pub mod rights;
pub mod runs;
pub mod settled;
pub mod sink;
pub mod source;
pub mod spoken;
pub mod statistics;
pub mod tui;
pub mod words;
pub mod writing;
