//! `cargo xtask test`: everything that must hold, one step after the other, and one last line with the counts.
//!
//! Must not depend on: how a step does its work. A step that fails does not keep the next from running.

use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use lab::words::scenario::{self, Scenario};

use crate::boots::{self, Boots};
use crate::cargo::cargo;
use crate::judge::{Check, judge};
use crate::outcome::Outcome;
use crate::paths::Paths;
use crate::vm::distro::Distro;
use crate::{bench, compile, host, progress, table, tidy};

/// How many checks there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// That hold.
    pub passed: u64,
    /// That do not.
    pub failed: u64,
}

impl Count {
    /// Counts one, and says what is wrong with it.
    pub fn take(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(reason) => {
                self.failed += 1;
                eprintln!("FAILED {name}\n{}", indented(&reason));
            }
        }
    }
}

/// Format, lint, unit tests, tidiness.
pub fn sources(paths: &Paths, count: &mut Count) -> Result<()> {
    host::require(paths, host::TERMINAL)?;
    let of_cargo = |arguments: &[&str]| bounded(cargo(&paths.root).args(arguments));
    step(
        paths,
        count,
        "format",
        &mut of_cargo(&["fmt", "--all", "--check"]),
    );
    let lint = ["clippy", "--all-targets", "--", "-Dwarnings"];
    step(paths, count, "lint", &mut of_cargo(&lint));
    host::require(paths, host::CPLUSPLUS)?;
    let fuzzer = [
        "clippy",
        "--package=tracer",
        "--features=fuzzing",
        "--bin=ovsgap-fuzz",
        "--",
        "-Dwarnings",
    ];
    step(paths, count, "lint-fuzz", &mut of_cargo(&fuzzer));
    match compile::ebpf_cargo(paths, "clippy") {
        Ok(mut command) => step(
            paths,
            count,
            "lint-ebpf",
            command.args(["--release", "--", "-Dwarnings"]),
        ),
        Err(error) => count.take("lint-ebpf", Err(format!("{error:#}"))),
    }
    unit_tests(paths, count, &mut of_cargo(&["test", "--no-fail-fast"]))?;
    let breaches = tidy::check(&paths.root)?;
    count.take(
        "tidy",
        if breaches.is_empty() {
            Ok(())
        } else {
            Err(breaches.join("\n"))
        },
    );
    Ok(())
}

/// What is run in a node of which distribution.
pub type Plan = Vec<(Distro, Vec<&'static Scenario>)>;

/// The scenarios named (else every one with `all`, else the core ones) on each of the `distros`. Where none is named: on the
/// oldest and the newest, with `all` on every one; and a few of the core ones on those between.
pub fn plan(distros: &[Distro], names: &[String], all: bool) -> Result<Plan> {
    let chosen = scenario::choose(names, all)?;
    let few: Vec<String> = scenario::FEW.map(str::to_owned).to_vec();
    let (first, last) = (Distro::value_variants().first(), Distro::value_variants().last());
    let of = |distro: &Distro| {
        let scenarios = if all || !distros.is_empty() || [first, last].contains(&Some(distro)) {
            chosen.clone()
        } else if names.is_empty() {
            scenario::choose(&few, false)?
        } else {
            Vec::new()
        };
        Ok((*distro, scenarios))
    };
    let asked = if distros.is_empty() {
        Distro::value_variants()
    } else {
        distros
    };
    let plan: Result<Plan> = asked.iter().map(of).collect();
    plan.map(|plan| {
        plan.into_iter()
            .filter(|(_, scenarios)| !scenarios.is_empty())
            .collect()
    })
}

/// Runs the plan; with `again` what its scenarios left the last time is judged anew.
pub fn nodes(paths: &Paths, count: &mut Count, plan: &Plan, again: bool) -> Vec<(Distro, Vec<Outcome>)> {
    let mut all = Vec::new();
    for (distro, scenarios) in plan {
        let name = format!("test/{}", distro.suite());
        let boots = if again {
            let outcomes = boots::read(&paths.target.join(&name), scenarios);
            outcomes.map(|outcomes| Boots {
                outcomes,
                ..Boots::default()
            })
        } else {
            boots::run(paths, *distro, scenarios, &name)
        };
        let node = format!("{} node", distro.suite());
        match boots {
            Err(error) => count.take(&node, Err(format!("{error:#}"))),
            Ok(Boots { outcomes, problems }) => {
                for problem in problems {
                    count.take(&node, Err(problem));
                }
                if outcomes.is_empty() {
                    continue;
                }
                judge_all(count, *distro, &outcomes);
                let sizes = bench::sizes::check(paths, *distro, &paths.target.join(&name));
                count.take(&format!("{}: sizes of the eBPF programs", distro.suite()), sizes);
                all.push((*distro, outcomes));
            }
        }
    }
    all
}

fn judge_all(count: &mut Count, distro: Distro, outcomes: &[Outcome]) {
    for outcome in outcomes {
        eprintln!(
            "{}: {}\n{}",
            distro.suite(),
            outcome.scenario.name,
            table::render(outcome)
        );
        for Check { name, result } in judge(outcome) {
            count.take(&format!("{}: {name}", distro.suite()), result);
        }
    }
}

/// How long one step may take: a test that hangs must fail the suite, not hold it up.
const LONGEST: &str = "900";

/// The command, ended by `timeout` when it takes too long (its status is 124 then).
fn bounded(command: &Command) -> Command {
    let mut bounded = Command::new("timeout");
    bounded
        .args(["--kill-after=5", LONGEST])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    bounded
}

fn step(paths: &Paths, count: &mut Count, name: &str, command: &mut Command) {
    let log = progress::log_path(&paths.cache, name);
    let result = progress::run(name, command, &log);
    count.take(name, result.map_err(|error| format!("{error:#}")));
}

/// Runs the workspace's tests and counts each of them.
fn unit_tests(paths: &Paths, count: &mut Count, command: &mut Command) -> Result<()> {
    let log = progress::log_path(&paths.cache, "cargo-test");
    let result = progress::run("unit tests", command, &log);
    let text = std::fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))?;
    let tests = tests(&text);
    count.passed += tests.passed;
    count.failed += tests.failed;
    if let Err(error) = result {
        eprintln!("FAILED cargo test\n{}", indented(&format!("{error:#}")));
        // Tests that did not compile are not in any count.
        count.failed += u64::from(tests.failed == 0);
    }
    Ok(())
}

/// The sums of cargo's `test result:` lines.
fn tests(log: &str) -> Count {
    let mut count = Count::default();
    for line in log.lines().filter(|line| line.starts_with("test result:")) {
        let number = |word: &str| {
            let before = line.split(word).next()?;
            before.split_whitespace().last()?.parse::<u64>().ok()
        };
        count.passed += number(" passed;").unwrap_or_default();
        count.failed += number(" failed;").unwrap_or_default();
    }
    count
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_and_the_newest_get_most() {
        let counts = |distros: &[Distro], names: &[&str], all| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let plan = plan(distros, &names, all).unwrap();
            plan.into_iter()
                .map(|(distro, scenarios)| (distro, scenarios.len()))
                .collect::<Vec<_>>()
        };
        let core = scenario::choose(&[], false).unwrap().len();
        let few = scenario::FEW.len();
        let expected = [
            (Distro::Bullseye, core),
            (Distro::Bookworm, few),
            (Distro::Trixie, few),
            (Distro::Forky, core),
        ];
        assert_eq!(counts(&[], &[], false), expected);
        assert!(
            counts(&[], &[], true)
                .iter()
                .all(|(_, count)| *count == scenario::ALL.len())
        );
        assert_eq!(
            counts(&[], &["idle"], false),
            [(Distro::Bullseye, 1), (Distro::Forky, 1)]
        );
        assert_eq!(counts(&[Distro::Trixie], &["idle"], false), [(Distro::Trixie, 1)]);
        assert_eq!(counts(&[Distro::Trixie], &[], false), [(Distro::Trixie, core)]);
    }

    #[test]
    fn cargos_results_are_summed() {
        let log = "running 2 tests\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 11 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(
            tests(log),
            Count {
                passed: 13,
                failed: 3
            }
        );
        assert_eq!(tests("error: could not compile"), Count::default());
    }
}
