//! `cargo xtask demo`: a real restart with the bug's order, ovsgap's report of it, and the truth beside it.
//!
//! May not know: how a node is made or what the report should say.

mod pump;
mod terminal;
pub mod tui;

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};

use crate::lab::distro::Distro;
use crate::outcome::Outcome;
use crate::paths::Paths;
use crate::scenario::{self, Scenario};
use crate::{compile, lab, table};

/// How long a boot with scenarios may take, per scenario (15 s without KVM on an idle machine), and beside them.
const PER_SCENARIO: u64 = 120;
const BESIDE: u64 = 240;

/// Builds all, restarts OVS in a node, shows what came of it.
pub fn run(paths: &Paths, distro: Distro) -> Result<()> {
    let scenario = scenario::DEMO;
    let Some(outcome) = outcomes(paths, distro, &[scenario], "demo")?.pop() else {
        bail!("no outcome")
    };
    let folder = paths.target.join("demo").join(scenario.name);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", outcome.live.trim_end())?;
    writeln!(
        out,
        "\nThe prober's truth beside the report (packets to and from each Pod; holes in ms, at least–at most):\n"
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

/// Runs scenarios in one boot of a node and reads what they left in `target/NAME`.
pub fn outcomes(
    paths: &Paths,
    distro: Distro,
    scenarios: &[&'static Scenario],
    name: &str,
) -> Result<Vec<Outcome>> {
    let ovsgap = compile::ovsgap(paths)?;
    let guest = compile::guest(paths)?;
    let out = paths.target.join(name);
    if out.exists() {
        std::fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    let command = ["xtask", "guest", "scenario"]
        .into_iter()
        .chain(scenarios.iter().map(|scenario| scenario.name));
    let run = lab::Run {
        distro,
        packages: Vec::new(),
        copy: vec![ovsgap],
        out: Some(out.clone()),
        timeout_s: BESIDE + PER_SCENARIO * scenarios.len() as u64,
        cpus: 2,
        memory: 2048,
        argv: command.map(str::to_owned).collect(),
        screen: None,
    };
    let verdict = lab::run(paths, &guest, &run)?;
    if verdict != lab::wire::Verdict::Code(0) {
        bail!(
            "the scenarios did not run to their end ({verdict:?}); logs of OVS are in {}",
            out.display()
        );
    }
    scenarios
        .iter()
        .map(|scenario| Outcome::read(scenario, &out.join(scenario.name)))
        .collect()
}
