//! Runs scenarios in nodes, some to a boot, and reads what they left.
//!
//! Must not depend on: what a report should say.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use lab::words::scenario::Scenario;
use lab::words::wire::{PROGRAM, Verdict};

use crate::outcome::Outcome;
use crate::paths::Paths;
use crate::vm::distro::Distro;
use crate::{compile, vm};

/// How long a boot with scenarios may take, per scenario (15 s without KVM on an idle machine), and beside them.
const PER_SCENARIO: u64 = 120;
const BESIDE: u64 = 240;

/// So many scenarios share a boot, which takes some seconds: a node that is lost takes no more of them along.
const SHARED: usize = 10;

/// What the scenarios of a run left, and what kept some from being run to their end.
#[derive(Debug, Default)]
pub struct Boots {
    /// One for each scenario that ran to its end.
    pub outcomes: Vec<Outcome>,
    /// One for each boot that did not.
    pub problems: Vec<String>,
}

/// Runs the scenarios and reads what they left in `target/NAME`; what others left there stays.
pub fn run(paths: &Paths, distro: Distro, scenarios: &[&'static Scenario], name: &str) -> Result<Boots> {
    let node = Node {
        paths,
        distro,
        guest: compile::guest(paths)?,
        ovsgap: compile::ovsgap(paths)?,
        out: paths.target.join(name),
    };
    let mut boots = Boots::default();
    for scenarios in scenarios.chunks(SHARED) {
        if let Err(error) = node.boot(scenarios) {
            boots.problems.push(format!("{error:#}"));
        }
        boots.outcomes.extend(read(&node.out, scenarios)?);
    }
    Ok(boots)
}

/// What the scenarios left in a folder: those that came to their end there.
pub fn read(folder: &Path, scenarios: &[&'static Scenario]) -> Result<Vec<Outcome>> {
    let there = scenarios
        .iter()
        .map(|scenario| (*scenario, folder.join(scenario.name)));
    there
        .filter(|(_, folder)| folder.join("notes.json").is_file())
        .map(|(scenario, folder)| Outcome::read(scenario, &folder))
        .collect()
}

/// The node that is booted again and again.
struct Node<'a> {
    paths: &'a Paths,
    distro: Distro,
    guest: PathBuf,
    ovsgap: PathBuf,
    out: PathBuf,
}

impl Node<'_> {
    fn boot(&self, scenarios: &[&'static Scenario]) -> Result<()> {
        let names = || scenarios.iter().map(|scenario| scenario.name);
        for folder in names().map(|name| self.out.join(name)).filter(|it| it.exists()) {
            fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        let command = [PROGRAM, "scenario"].into_iter().chain(names());
        let run = vm::Run {
            distro: self.distro,
            packages: Vec::new(),
            copy: vec![self.ovsgap.clone()],
            out: Some(self.out.clone()),
            timeout_s: BESIDE + PER_SCENARIO * scenarios.len() as u64,
            cpus: 2,
            memory: 2048,
            argv: command.map(str::to_owned).collect(),
            screen: None,
        };
        let about = || format!("running {}", names().collect::<Vec<_>>().join(", "));
        let verdict = vm::run(self.paths, &self.guest, &run).with_context(about)?;
        if verdict != Verdict::Code(0) {
            bail!(
                "{}: the scenarios did not run to their end ({verdict:?}); logs of OVS are in {}",
                about(),
                self.out.display()
            );
        }
        Ok(())
    }
}
