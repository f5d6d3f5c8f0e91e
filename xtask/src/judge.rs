//! What must be true of a scenario's report beside the prober's truth: one check after the other.
//!
//! May not know: files, virtual machines. Pure over an [`Outcome`].

use crate::guest::restart::Way;
use crate::guest::steps::Step;
use crate::outcome::Outcome;
use crate::report::{Condition, Reconciliation, Restart};
use crate::scenario::{BUSY, Notes};

pub mod bounds;
mod coverage;
mod golden;
mod losses;
mod milestones;
mod pods;
mod reload;

pub use coverage::{may_be_untold, weakening};
pub use pods::causes;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What must be true.
    pub name: String,
    /// Whether it is; else what is the case instead.
    pub result: Result<(), String>,
}

/// How much later than it was done OVSDB's or a flow monitor's word may be read where every process gets a processor at
/// once: what the daemon does in one round of its main loop before it tells others. Without KVM that is up to 15 ms on a
/// quiet machine, and has been 68 ms on one that was compiling, of which the prober's stalls show only a part.
const TOLD: u64 = 100_000_000;

/// How often a process must be given a processor until the word is read: the daemon's next round, ovsgap's thread that
/// reads, and a third where the word comes in two pieces. How long each waits is seen in the prober, which is ordinary, too.
const WAITS: u64 = 3;

/// How late a word about a step may be.
fn told(outcome: &Outcome, step: Option<&Step>, at: Option<u64>) -> u64 {
    let started = step.map_or(0, |step| step.started_ns);
    TOLD + WAITS * outcome.stall(started, at.unwrap_or(started))
}

/// All checks of one scenario.
pub fn judge(outcome: &Outcome) -> Vec<Check> {
    let mut checks = Checks {
        scenario: outcome.scenario.name,
        list: Vec::new(),
    };
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
    if outcome.report.restarts.len() != parts.len() {
        checks.that(
            "each restart is reported",
            Err(format!(
                "there were {} and {} are reported; ovsgap said:\n{}",
                parts.len(),
                outcome.report.restarts.len(),
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

fn judge_restart(checks: &mut Checks, outcome: &Outcome, restart: &Restart) {
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
    checks.equal("no restart is reported", &outcome.report.restarts.len(), &0);
    for name in outcome.pods() {
        let truth = outcome.of_pod(name);
        let about = format!("{name} lost nothing, says the prober");
        checks.equal(&about, &(truth.to.lost, truth.from.lost), &(0, 0));
    }
}

/// The checks made so far.
struct Checks {
    scenario: &'static str,
    list: Vec<Check>,
}

impl Checks {
    fn that(&mut self, name: &str, result: Result<(), String>) {
        self.list.push(Check {
            name: format!("{}: {name}", self.scenario),
            result,
        });
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, is: &T, should: &T) {
        let result = if is == should {
            Ok(())
        } else {
            Err(format!("it is {is:?} and should be {should:?}"))
        };
        self.that(name, result);
    }

    /// A time that the report gives must lie within a step that was done, or up to `late` after it.
    fn within(&mut self, name: &str, at: Option<u64>, step: Option<&Step>, late: u64) {
        let result = match (at, step) {
            (None, _) => Err("it is null".to_owned()),
            (_, None) => Err("the scenario did not do it".to_owned()),
            (Some(at), Some(step)) if at < step.started_ns => Err(format!(
                "it is {} ms before it was done",
                millis(step.started_ns - at)
            )),
            (Some(at), Some(step)) if at > step.ended_ns + late => Err(format!(
                "it is {} ms after it was done",
                millis(at - step.ended_ns)
            )),
            (Some(_), Some(_)) => Ok(()),
        };
        self.that(name, result);
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

/// One in how many upcalls the hooks may miss, if the report says so. The kernel runs no kprobe on a CPU that is
/// already inside one (`kprobe_running()`): an upcall of a softirq that interrupts the handler of a probe in
/// ovs-vswitchd's own calls is not seen, and under emulation those handlers take a hundred times longer.
pub const UNSEEN: u64 = 50;

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

/// Whether no more than one in so many is missing (one, where there are not so many).
pub fn is_few(missing: u64, of: u64, one_in: u64) -> bool {
    missing * one_in <= of.max(one_in)
}

/// Nanoseconds as milliseconds, for people.
pub fn millis(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000, nanos / 1000 % 1000)
}

#[cfg(test)]
mod tests;
