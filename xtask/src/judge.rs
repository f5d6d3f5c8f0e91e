//! What must be true of a scenario's report beside the prober's truth: one check after the other.
//!
//! May not know: files, virtual machines. Pure over an [`Outcome`].

use crate::guest::restart::{Order, Way};
use crate::guest::steps::Step;
use crate::outcome::Outcome;
use crate::report::{Pod, Reconciliation, Restart};
use crate::scenario::Scenario;

pub mod bounds;
mod losses;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What must be true.
    pub name: String,
    /// Whether it is; else what is the case instead.
    pub result: Result<(), String>,
}

/// How far the end of an exposed window may be outside of what the prober knows of it: after the last loss of a
/// stream, before the first packet that a megaflow forwarded. (A packet that waited in a socket may arrive before
/// there is a megaflow, and the megaflow may be there before a packet comes: neither ends the window.)
const END: u64 = 1_000_000;

/// How much later than it was done OVSDB's or a flow monitor's word may be read: ovsgap must be given a processor
/// first, and a node without KVM has little to give (measured: up to 40 ms).
const TOLD: u64 = 100_000_000;

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
    let Some(restart) = outcome.restart() else {
        checks.that(
            "a restart is reported",
            Err(format!("none; ovsgap said:\n{}", outcome.log)),
        );
        return checks.list;
    };
    checks.equal("one restart is reported", &outcome.report.restarts.len(), &1);
    milestones(&mut checks, outcome, restart);
    reconciliation(&mut checks, outcome);
    losses::steady(&mut checks, outcome);
    let named: Vec<&str> = restart.real_pods().map(|pod| pod.name.as_str()).collect();
    for name in outcome.pods() {
        match restart.real_pods().find(|pod| pod.name == name) {
            Some(pod) => judge_pod(&mut checks, outcome, pod),
            None => checks.that(
                &format!("{name} is in the report"),
                Err(format!("Pods there: {named:?}")),
            ),
        }
    }
    checks.list
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

fn milestones(checks: &mut Checks, outcome: &Outcome, restart: &Restart) {
    let way = outcome.scenario.way;
    let (kind, exit) = match way {
        Way::Kill => ("killed", "vswitchd_killed"),
        Way::Flag | Way::Noflag => ("graceful", "vswitchd_exit"),
    };
    checks.equal("the kind of restart is right", &restart.kind.as_str(), &kind);
    checks.within(
        "vswitchd_exit is right",
        restart.milestone("vswitchd_exit_ns"),
        outcome.step(exit, None),
        0,
    );
    let start = outcome.step("vswitchd_start", None);
    checks.within(
        "vswitchd_start is right",
        restart.milestone("vswitchd_start_ns"),
        start,
        0,
    );
    if way == Way::Noflag {
        checks.equal(
            "flag_removed is null",
            &restart.milestone("flag_removed_ns"),
            &None,
        );
        checks.within(
            "the flush came with the start",
            restart.milestone("flush_ns"),
            start,
            0,
        );
        return;
    }
    let removed = outcome.step("flag_removed", None);
    checks.within(
        "flag_removed is right",
        restart.milestone("flag_removed_ns"),
        removed,
        TOLD,
    );
    let flush = restart.milestone("flush_ns");
    let after = flush
        .zip(removed)
        .is_some_and(|(flush, removed)| flush >= removed.started_ns);
    checks.that(
        "the flush followed the flag's removal",
        if after {
            Ok(())
        } else {
            Err(format!("flush {flush:?}, removed {removed:?}"))
        },
    );
}

/// One in how many upcalls the hooks may miss, if the report says so. The kernel runs no kprobe on a CPU that is
/// already inside one (`kprobe_running()`): an upcall of a softirq that interrupts the handler of a probe in
/// ovs-vswitchd's own calls is not seen, and under emulation those handlers take a hundred times longer.
const UNSEEN: u64 = 50;

fn reconciliation(checks: &mut Checks, outcome: &Outcome) {
    let list = &outcome.report.capture.reconciliation;
    let told = outcome
        .report
        .coverage
        .iter()
        .any(|finding| finding.kind == "counters_differ");
    let fits = |one: &Reconciliation| {
        let near = |kernel: u64, [least, most]: [u64; 2]| {
            let unseen = kernel.saturating_sub(most);
            least <= kernel && unseen * UNSEEN <= kernel.max(UNSEEN)
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

fn judge_pod(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let name = pod.name.as_str();
    let Scenario {
        without, idle, order, ..
    } = outcome.scenario;
    losses::of_pod(checks, outcome, pod);
    if without.contains(&name) {
        never_installed(checks, pod, "");
        let early = outcome.early.as_ref().and_then(|early| early.restarts.first());
        match early.and_then(|early| early.real_pods().find(|pod| pod.name == name)) {
            Some(pod) => never_installed(checks, pod, " (known before the capture's end)"),
            None => checks.that(
                &format!("{name} is known before the capture's end"),
                Err("it is not".into()),
            ),
        }
    } else if *order == Order::Fixed {
        nothing_lost(checks, outcome, pod);
    } else {
        let cause = format!("the cause of {name}'s window is right");
        checks.equal(&cause, &pod.cause.as_deref(), &outcome.scenario.cause);
        let installed = outcome.step("flows_installed", Some(name));
        checks.within(
            &format!("{name}'s flows_installed is right"),
            pod.flows_installed_ns,
            installed,
            TOLD,
        );
        if idle.contains(&name) {
            let by = pod
                .exposed
                .as_ref()
                .and_then(|exposed| exposed.ended_by.as_deref());
            checks.equal(
                &format!("{name}'s window ends with its flows"),
                &by,
                &Some("flows_installed"),
            );
        } else {
            traffic_again(checks, outcome, pod);
        }
    }
}

fn never_installed(checks: &mut Checks, pod: &Pod, when: &str) {
    let Pod {
        name,
        cause,
        flows_installed_ns,
        exposed,
        ..
    } = pod;
    let end = exposed.as_ref().and_then(|exposed| exposed.end_ns);
    checks.equal(
        &format!("{name}'s flows did not come back{when}"),
        flows_installed_ns,
        &None,
    );
    checks.equal(&format!("{name}'s window has no end{when}"), &end, &None);
    checks.equal(
        &format!("the cause of {name}'s window is right{when}"),
        &cause.as_deref(),
        &Some("flows_never_installed"),
    );
}

fn nothing_lost(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let name = &pod.name;
    let truth = outcome.of_pod(name);
    checks.equal(
        &format!("{name} lost nothing, says the prober"),
        &(truth.to.lost, truth.from.lost),
        &(0, 0),
    );
    let exposed = pod.exposed.as_ref();
    let length = exposed.map(|exposed| exposed.end_ns.map(|end| end.saturating_sub(exposed.start_ns)));
    let empty = matches!(length, None | Some(Some(0)));
    checks.that(
        &format!("{name} was not exposed"),
        if empty {
            Ok(())
        } else {
            Err(format!("{exposed:?}"))
        },
    );
    checks.equal(&format!("{name} has no window to explain"), &pod.cause, &None);
}

fn traffic_again(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let truth = outcome.of_pod(&pod.name);
    let end = pod.exposed.as_ref().and_then(|exposed| exposed.end_ns);
    let result = match (end, truth.last_loss_of_all_ns, truth.first_prompt_ns) {
        (Some(end), Some(lost), _) if end + END < lost => {
            Err(format!("it ends {} ms before the last loss", millis(lost - end)))
        }
        (Some(end), _, Some(prompt)) if end > prompt + END => Err(format!(
            "it ends {} ms after a megaflow forwarded the first packet",
            millis(end - prompt)
        )),
        (Some(_), Some(_), Some(_)) => Ok(()),
        (None, _, _) => Err("it has no end".into()),
        (Some(_), _, _) => Err("no packet was lost, or none arrived again: nothing to compare with".into()),
    };
    checks.that(
        &format!("{}'s window ends when traffic flows again", pod.name),
        result,
    );
}

/// Nanoseconds as milliseconds, for people.
pub fn millis(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000, nanos / 1000 % 1000)
}

#[cfg(test)]
mod tests;
