//! `cargo xtask demo`: a real restart with the bug's order, ovsgap's report of it, and the truth beside it.
//!
//! Must not depend on: how a node is made or what the report should say.

mod pump;
mod terminal;
pub mod tui;

use std::io::Write as _;

use anyhow::{Result, bail};
use lab::words::scenario;

use crate::paths::Paths;
use crate::vm::distro::Distro;
use crate::{boots, compile, table};

/// Builds all, restarts OVS in a node, shows what came of it.
pub fn run(paths: &Paths, distro: Distro) -> Result<()> {
    let scenario = scenario::DEMO;
    let mut boots = boots::run(paths, distro, &[scenario], "demo")?;
    let Some(outcome) = boots.outcomes.pop() else {
        bail!("{}", boots.problems.join("\n"))
    };
    let folder = paths.target.join("demo").join(scenario.name);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", outcome.live.trim_end())?;
    writeln!(
        out,
        "\nThe prober's truth beside the report (packets to and from each Pod; gaps in ms, at least–at most):\n"
    )?;
    writeln!(out, "{}", table::render(&outcome).trim_end())?;
    if outcome.notes.deaf_starts > 0 {
        writeln!(
            out,
            "\novs-vswitchd came up deaf {} time(s) before this run.",
            outcome.notes.deaf_starts
        )?;
    }
    writeln!(
        out,
        "\nRecording, truth and report are in {}. Look at the recording again with",
        folder.display()
    )?;
    writeln!(
        out,
        "  {} report {}/recording.jsonl",
        compile::ovsgap_path(paths).display(),
        folder.display()
    )?;
    Ok(())
}
