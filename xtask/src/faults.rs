//! What `cargo xtask test --faults` brings back from a node: which of ovsgap's own troubles it came through.
//!
//! Must not depend on: how a trouble is made (that is the node's), what a report should say.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lab::words::trouble::{FILE, Found, USUAL};
use lab::words::wire::{PROGRAM, Verdict};

use crate::paths::Paths;
use crate::vm::distro::Distro;
use crate::{compile, suite, vm};

/// How long a boot with all of them may take without KVM: each is a restart or two.
const LONGEST_S: u64 = 2400;

/// How long a trouble's recorders took to end, for people.
fn ends(found: &Found) -> String {
    let one = |[report, end]: &[u64; 2]| format!("report after {report} ms, end after {end} ms");
    let ends: Vec<String> = found.ends_ms.iter().map(one).collect();
    format!(
        "{} ({}.{} s)",
        ends.join("; "),
        found.took_ms / 1000,
        found.took_ms % 1000 / 100
    )
}

/// Where they are made if nobody says otherwise: what lies between the oldest and the newest kernel treats them no worse.
const ENDS: &[Distro] = &[Distro::Bullseye, Distro::Forky];

/// Runs a few of the troubles, as every run of all tests does.
pub fn usual(paths: &Paths, count: &mut suite::Count) {
    run(paths, count, &[], &USUAL.map(str::to_owned));
}

/// Runs the troubles whose names hold one of `words` (none: all) in a node of each of the `distros`.
pub fn run(paths: &Paths, count: &mut suite::Count, distros: &[Distro], words: &[String]) {
    let distros = if distros.is_empty() { ENDS } else { distros };
    for distro in distros {
        let out = paths.target.join("faults").join(distro.suite());
        let ended = in_node(paths, *distro, words, &out).and_then(|()| read(&out));
        // Of a node that was lost, those that were over before.
        let found = ended.or_else(|error| {
            count.take(&format!("{}: faults", distro.suite()), Err(format!("{error:#}")));
            read(&out)
        });
        for found in found.unwrap_or_default() {
            let name = format!("{}: faults: {}", distro.suite(), found.name);
            let well = if found.problem.is_none() {
                "ok    "
            } else {
                "FAILED"
            };
            eprintln!("{well}  {name}: {}", ends(&found));
            count.take(&name, found.problem.map_or(Ok(()), Err));
        }
    }
}

fn in_node(paths: &Paths, distro: Distro, words: &[String], out: &Path) -> Result<()> {
    let ovsgap = compile::ovsgap(paths)?;
    let guest = compile::guest(paths)?;
    if out.exists() {
        std::fs::remove_dir_all(out).with_context(|| format!("removing {}", out.display()))?;
    }
    let command = [PROGRAM, "faults"].map(str::to_owned).into_iter();
    let run = vm::Run {
        distro,
        packages: Vec::new(),
        copy: vec![ovsgap],
        out: Some(out.to_owned()),
        timeout_s: LONGEST_S,
        cpus: 2,
        memory: 2048,
        argv: command.chain(words.iter().cloned()).collect(),
        screen: None,
    };
    let verdict = vm::run(paths, &guest, &run)?;
    if verdict != Verdict::Code(0) {
        bail!(
            "the faults did not run to their end ({verdict:?}); what there is is in {}",
            out.display()
        );
    }
    Ok(())
}

fn read(out: &Path) -> Result<Vec<Found>> {
    let path = out.join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).context("reading a finding"))
        .collect()
}
