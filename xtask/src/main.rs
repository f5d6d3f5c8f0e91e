//! Build, lab, demo and tests of ovsgap; in the lab's node the same binary is init and runs the scenario.
//!
//! May not know: how any of it is done. It parses the command line and turns errors into exit codes.

mod accuracy;
mod apt;
mod bench;
mod boots;
mod cargo;
mod cli;
mod compile;
mod demo;
mod dist;
mod faults;
mod fuzz;
mod guest;
mod host;
mod judge;
mod lab;
mod matrix;
mod outcome;
mod packets;
mod paths;
mod progress;
mod report;
mod scenario;
mod suite;
mod support;
mod table;
mod tidy;
mod toolchain;
mod truth;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // The kernel hands its unknown parameters to init as arguments; they are not ours.
    if std::process::id() == 1 {
        return guest::init::run();
    }
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
