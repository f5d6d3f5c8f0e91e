//! What must be true of a scenario's report beside the prober's truth: one check after the other.
//!
//! Must not depend on: files, virtual machines. Pure over an [`Outcome`].

use lab::words::few::{UNSEEN, is_few};
use lab::words::report::{Condition, Disruption, Reconciliation};
use lab::words::scenario::{BUSY, Notes};
use lab::words::way::Way;

use crate::outcome::Outcome;

mod checks;
mod coverage;
mod golden;
mod losses;
mod milestones;
mod pods;
mod reload;

pub use checks::Check;
use checks::Checks;
pub use coverage::{may_be_untold, weakening};
pub use pods::causes;

/// All checks of one scenario.
pub fn judge(outcome: &Outcome) -> Vec<Check> {
    let mut checks = Checks::of(outcome.scenario.name);
    checks.equal("ovsgap record ends well", &outcome.notes.record, &Some(0));
    checks.that(
        "the report of the recording is the live one",
        same(&outcome.live, &outcome.replayed),
    );
    golden::check(&mut checks, outcome);
    reconciliation(&mut checks, outcome);
    losses::steady(&mut checks, outcome);
    coverage::check(&mut checks, outcome);
    if outcome.scenario.pods > BUSY {
        checks.that("ovsgap record holds less than 32 MiB", frugal(&outcome.notes));
    }
    if outcome.scenario.way == Way::Database {
        untouched(&mut checks, outcome);
        return checks.list;
    }
    let parts = outcome.restarts();
    if outcome.report.disruptions.len() != parts.len() {
        checks.that(
            "each restart is reported",
            Err(format!(
                "there were {} and {} are reported; ovsgap said:\n{}",
                parts.len(),
                outcome.report.disruptions.len(),
                outcome.log
            )),
        );
    }
    for part in &parts {
        if let Some(restart) = part.restart() {
            judge_restart(&mut checks, part, restart);
        }
    }
    if outcome.scenario.way == Way::Stuck {
        let told = |condition: &Condition| condition.cause == "flag_stuck";
        let told = outcome.report.conditions.iter().any(told);
        checks.equal("the flag that stays is told", &told, &true);
    }
    checks.list
}

/// The most memory that `ovsgap record` may hold on a node of 500 Pods, in KiB: what docs/performance.md promises.
const MOST_KIB: u64 = 32 << 10;

fn frugal(notes: &Notes) -> Result<(), String> {
    match notes.record_kib {
        0 => Err("it was not measured".into()),
        held if held >= MOST_KIB => Err(format!("it held {held} KiB")),
        _ => Ok(()),
    }
}

fn judge_restart(checks: &mut Checks, outcome: &Outcome, restart: &Disruption) {
    milestones::check(checks, outcome, restart);
    let named: Vec<&str> = restart.real_pods().map(|pod| pod.name.as_str()).collect();
    for name in outcome.pods() {
        match restart.real_pods().find(|pod| pod.name == name) {
            Some(pod) => pods::check(checks, outcome, pod),
            None => checks.that(
                &format!("{name} is in the report"),
                Err(format!("Pods there: {named:?}")),
            ),
        }
    }
}

/// Nothing was restarted that a Pod would feel.
fn untouched(checks: &mut Checks, outcome: &Outcome) {
    checks.equal("no restart is reported", &outcome.report.disruptions.len(), &0);
    for name in outcome.pods() {
        let truth = outcome.of_pod(name);
        let about = format!("{name} lost nothing, says the prober");
        checks.equal(&about, &(truth.to.lost, truth.from.lost), &(0, 0));
    }
}

fn same(live: &str, replayed: &str) -> Result<(), String> {
    if live.is_empty() {
        return Err("there is no live report".into());
    }
    let differs = || {
        live.lines()
            .zip(replayed.lines())
            .find(|(live, replayed)| live != replayed)
    };
    match differs() {
        _ if live == replayed => Ok(()),
        Some((live, replayed)) => Err(format!("live:     {live}\nreplayed: {replayed}")),
        None => Err("one ends before the other".into()),
    }
}

fn reconciliation(checks: &mut Checks, outcome: &Outcome) {
    let list = &outcome.report.capture.reconciliation;
    let told = outcome
        .report
        .coverage
        .iter()
        .any(|finding| finding.kind == "counters_differ");
    let fits = |one: &Reconciliation| {
        let near = |kernel: u64, [least, most]: [u64; 2]| {
            least <= kernel && is_few(kernel.saturating_sub(most), kernel, UNSEEN)
        };
        let explained = near(one.datapath_missed, one.seen_missed) && near(one.datapath_lost, one.seen_lost);
        one.agrees || told && explained
    };
    checks.that(
        "the kernel's upcall counters agree with the hooks, or the report says that they do not",
        if list.is_empty() {
            Err("nothing was compared".into())
        } else if list.iter().all(fits) {
            Ok(())
        } else {
            Err(format!("{list:?}"))
        },
    );
}

#[cfg(test)]
mod tests;
