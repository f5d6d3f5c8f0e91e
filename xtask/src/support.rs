//! `docs/support.md`: what each distribution's kernel lets ovsgap see, from the recordings of a run, and how exact it was there.
//!
//! Must not depend on: what is right (that is `judge`), virtual machines. Nothing on the page is known beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};
use lab::words::report::Hook;

use crate::judge::judge;
use crate::matrix;
use crate::outcome::{Dispatch, Outcome};
use crate::paths::Paths;
use crate::table;
use crate::vm::distro::Distro;

/// What a run left, distribution by distribution.
type Run = [(Distro, Vec<Outcome>)];

/// Writes the page about what a run left.
pub fn write(paths: &Paths, run: &Run) -> Result<()> {
    let path = paths.root.join("docs/support.md");
    fs::write(&path, page(run)).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

const HEAD: &str = "# Support: what each kernel lets ovsgap see

Written by `cargo xtask test --distro all --all --write-support` from the recordings of its restarts (the last of each, where some were
run once more and all judged with `--again`): hooks as `ovsgap record` attached them in a node
of that distribution, and the report beside the prober's truth (`docs/accuracy.md` says how that is known).
";

const OFFSETS: &str = "
Offsets say how the places of openvswitch's own members were found: by the module's own types (`module_btf`), by the kernel's where openvswitch is built in
(`vmlinux_btf`), or from the source of that version, with the sizes that the kernel tells (`derived`; the report then says so as `types_derived`).
";

fn page(run: &Run) -> String {
    let columns = run.iter().map(|(distro, _)| format!("Debian {}", distro.suite()));
    let head = [vec![String::new()], columns.collect()].concat();
    let mut text = HEAD.to_owned() + "\n" + &markdown(&[vec![head.clone()], facts(run)].concat()) + OFFSETS;
    text += "\n## Hooks\n\n";
    text += &markdown(&[vec![head], hooks(run)].concat());
    text += "\n## Missing\n\n";
    text += &missing(run);
    text += "\n## Each restart on each distribution\n\n";
    text + matrix::LEGEND + "\n\n" + &markdown(&matrix::rows(run))
}

/// A table whose first row is its head.
fn markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if at == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text
}

/// One row a fact, one column a distribution.
fn facts(run: &Run) -> Vec<Vec<String>> {
    let row = |name: &str, of: fn(&[Outcome]) -> String| {
        let cells = run.iter().map(|(_, outcomes)| of(outcomes));
        std::iter::once(name.to_owned()).chain(cells).collect()
    };
    vec![
        row("Linux", |outcomes| {
            told(outcomes, |outcome| Some(outcome.report.node.kernel.clone()))
        }),
        row("Open vSwitch", |outcomes| {
            told(outcomes, |outcome| outcome.report.node.ovs.clone())
        }),
        row("upcalls go to", |outcomes| told(outcomes, dispatch)),
        row("hooks attached", |outcomes| {
            let hooks = by_program(outcomes);
            let attached = hooks.values().filter(|hook| hook.ok).count();
            format!("{attached} of {}", hooks.len())
        }),
        row("offsets", |outcomes| {
            let hooks = by_program(outcomes);
            let found = hooks.values().filter_map(|hook| hook.offsets.clone());
            list(found.filter(|offsets| offsets != "vmlinux_btf"), "vmlinux_btf")
        }),
        row("checks that hold", |outcomes| {
            let checks: Vec<_> = outcomes.iter().flat_map(judge).collect();
            let held = checks.iter().filter(|check| check.result.is_ok()).count();
            format!("{held} of {} in {} restarts", checks.len(), outcomes.len())
        }),
    ]
}

/// What all recordings say; more than one where they differ.
fn told(outcomes: &[Outcome], of: impl Fn(&Outcome) -> Option<String>) -> String {
    list(outcomes.iter().filter_map(of), "not seen")
}

fn list(values: impl Iterator<Item = String>, none: &str) -> String {
    let values: BTreeSet<String> = values.filter(|value| !value.is_empty()).collect();
    if values.is_empty() {
        return none.to_owned();
    }
    values.into_iter().collect::<Vec<_>>().join(", ")
}

fn dispatch(outcome: &Outcome) -> Option<String> {
    let Dispatch { per_cpu, per_vport } = outcome.dispatch;
    let of = [
        (per_cpu, "a socket of each CPU"),
        (per_vport, "a socket of each vport"),
    ];
    let told: Vec<&str> = of.into_iter().filter(|(is, _)| *is).map(|(_, of)| of).collect();
    (!told.is_empty()).then(|| told.join(" and "))
}

/// Each program of all recordings: attached only where it was in all.
fn by_program(outcomes: &[Outcome]) -> BTreeMap<(String, String), Hook> {
    let mut all: BTreeMap<(String, String), Hook> = BTreeMap::new();
    for hook in outcomes.iter().flat_map(|outcome| &outcome.report.capture.hooks) {
        let known = all
            .entry((hook.name.clone(), hook.attach.clone()))
            .or_insert_with(|| hook.clone());
        if !hook.ok {
            known.clone_from(hook);
        }
    }
    all
}

/// One row a hook: how it is attached, and by which offsets it reads.
fn hooks(run: &Run) -> Vec<Vec<String>> {
    let programs: Vec<_> = run.iter().map(|(_, outcomes)| by_program(outcomes)).collect();
    let names: BTreeSet<&str> = programs
        .iter()
        .flat_map(|programs| programs.keys().map(|(name, _)| name.as_str()))
        .collect();
    let cell = |programs: &BTreeMap<(String, String), Hook>, name: &str| {
        let of_hook: Vec<&Hook> = programs.values().filter(|hook| hook.name == name).collect();
        let attached = of_hook
            .iter()
            .filter(|hook| hook.ok)
            .map(|hook| hook.attach.clone());
        let offsets = of_hook.iter().filter_map(|hook| hook.offsets.clone());
        let offsets = list(offsets, "reads no members");
        format!("{}; {offsets}", list(attached, "not attached"))
    };
    let row = |name: &str| {
        let cells = programs.iter().map(|programs| cell(programs, name));
        std::iter::once(format!("`{name}`")).chain(cells).collect()
    };
    names.into_iter().map(row).collect()
}

/// What each distribution's kernel did not let be seen, in the report's own words.
fn missing(run: &Run) -> String {
    let mut text = String::new();
    for (distro, outcomes) in run {
        let findings = outcomes.iter().flat_map(|outcome| &outcome.report.coverage);
        let of_kernel = findings.filter(|finding| OF_KERNEL.contains(&finding.kind.as_str()));
        let told: BTreeSet<String> = of_kernel
            .map(|finding| format!("`{}`: {}", finding.kind, finding.detail))
            .collect();
        let about = list(told.into_iter(), "nothing");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "* Debian {}: {about}", distro.suite());
    }
    text
}

/// Findings that are the kernel's doing and not that of a restart.
const OF_KERNEL: [&str; 3] = ["hook_missing", "types_derived", "skips_untold"];

/// The matrix of a run, for people who look at a terminal.
pub fn summary(run: &Run) -> String {
    format!("{}\n{}\n", table::align(&matrix::rows(run)), matrix::LEGEND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_run_says_so_nowhere_and_holds_no_figure() {
        let page = page(&[(Distro::Forky, Vec::new())]);
        assert!(page.contains("| Linux | not seen |") && page.contains("| hooks attached | 0 of 0 |"));
        assert!(page.contains("* Debian forky: nothing"));
    }

    #[test]
    fn a_cell_of_markdown_cannot_end_its_row() {
        let rows = [vec!["a|b".to_owned()], vec!["c".to_owned()]];
        assert_eq!(markdown(&rows), "| a\\|b |\n|---|\n| c |\n");
    }
}
