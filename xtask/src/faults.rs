//! What `cargo xtask test --faults` brings back from a node: which of ovsgap's own troubles it came through.
//!
//! May not know: how a trouble is made (that is the guest's), what a report should say.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::lab::distro::Distro;
use crate::lab::wire::Verdict;
use crate::lab::{self};
use crate::paths::Paths;
use crate::{compile, suite};

/// The guest's file of findings, in `/out`.
pub const FILE: &str = "faults.jsonl";

/// How long a boot with all of them may take without KVM: each is a restart or two.
const LONGEST_S: u64 = 2400;

/// One trouble, and what went wrong in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which.
    pub name: String,
    /// What went wrong; `None`: it came through.
    pub problem: Option<String>,
    /// How long each end of a recorder took, from the trouble or the signal: to its report, to its own end; in ms.
    #[serde(default)]
    pub ends_ms: Vec<[u64; 2]>,
    /// How long the whole trial took, in ms.
    #[serde(default)]
    pub took_ms: u64,
}

impl Found {
    /// How long its recorders took to end, for people.
    fn ends(&self) -> String {
        let one = |[report, end]: &[u64; 2]| format!("report after {report} ms, end after {end} ms");
        let ends: Vec<String> = self.ends_ms.iter().map(one).collect();
        format!(
            "{} ({}.{} s)",
            ends.join("; "),
            self.took_ms / 1000,
            self.took_ms % 1000 / 100
        )
    }
}

/// Where they are made if nobody says otherwise: what lies between the oldest and the newest kernel treats them no worse.
const ENDS: &[Distro] = &[Distro::Bullseye, Distro::Forky];

/// Those of every run of all tests: one of each kind, in what the others of its kind go through, too.
pub const USUAL: [&str; 8] = [
    "a recorder that is killed in a window leaves a recording",
    "a full disk ends the recording, not the report",
    "a recording whose reader stands still ends, and so does ovsgap",
    "a report whose reader stands still is in the recording",
    "an OVSDB that sends garbage is told",
    "an OpenFlow that sends one byte at a time is understood",
    "little locked memory suffices, or is named",
    "a module that comes back is watched again",
];

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
            eprintln!("{well}  {name}: {}", found.ends());
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
    let command = ["xtask", "guest", "faults"].map(str::to_owned).into_iter();
    let run = lab::Run {
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
    let verdict = lab::run(paths, &guest, &run)?;
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
