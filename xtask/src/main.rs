//! Build, virtual nodes, demo and tests of ovsgap.
//!
//! Must not depend on: how any of it is done. It parses the command line and turns errors into exit codes.

mod accuracy;
mod apt;
mod bench;
mod boots;
mod bounds;
mod cargo;
mod cli;
mod compile;
mod demo;
mod dist;
mod faults;
mod fuzz;
mod host;
mod judge;
mod matrix;
mod millis;
mod outcome;
mod paths;
mod progress;
mod suite;
mod support;
mod table;
mod tidy;
mod toolchain;
mod vm;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
