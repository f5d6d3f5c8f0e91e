//! `ovsgap-lab`: init and every command of a node.
//!
//! Must not depend on: how any of it is done. It parses the command line and turns errors into exit codes.

use std::process::ExitCode;

use clap::Parser as _;
use lab::{cli, init};

fn main() -> ExitCode {
    // The kernel hands its unknown parameters to init as arguments; they are not ours.
    if std::process::id() == 1 {
        return init::run();
    }
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
