//! What one Pod's window is to be: its cause, its end.
//!
//! Must not depend on: milestones, other Pods. Pure.

use lab::words::report::Pod;
use lab::words::scenario::Scenario;
use lab::words::way::{Order, Way};

use super::checks::{Checks, told};
use super::{coverage, losses, reload};
use crate::millis::millis;
use crate::outcome::Outcome;

/// How much later than the first packet that a megaflow forwarded a window may end: a megaflow's change is stamped when the
/// call returns that made it, and packets may use it before that.
const END: u64 = 1_000_000;

/// All checks of one Pod.
pub fn check(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let name = pod.name.as_str();
    let Scenario {
        without, idle, order, ..
    } = outcome.scenario;
    if outcome.scenario.way.takes_ports_away() {
        without_datapath(checks, outcome, pod);
        return;
    }
    if coverage::says_unseen(&outcome.report) {
        losses::at_most(checks, outcome, pod);
    } else {
        losses::of_pod(checks, outcome, pod);
    }
    if without.contains(&name) {
        never_installed(checks, pod, "");
        let early = outcome.early.as_ref().and_then(|early| early.disruptions.first());
        match early.and_then(|early| early.real_pods().find(|pod| pod.name == name)) {
            Some(pod) => never_installed(checks, pod, " (known 6 s after the flag was removed)"),
            None => checks.that(
                &format!("{name} is known before the capture's end"),
                Err("it is not".into()),
            ),
        }
        let said = outcome
            .log
            .lines()
            .any(|line| line.contains("WARN") && line.contains(name));
        checks.equal(&format!("{name} is named while the capture runs"), &said, &true);
        return;
    }
    // A restart that was interrupted before the flag went felt like none.
    let interrupted =
        outcome.scenario.way == Way::Interrupted && outcome.step("flag_removed", None).is_none();
    if *order == Order::Fixed || interrupted {
        nothing_lost(checks, outcome, pod);
        return;
    }
    let cause = format!("the cause of {name}'s window is right");
    checks.equal(&cause, &pod.cause.as_deref(), &right(outcome.scenario, name));
    if outcome.scenario.deleted == Some(name) {
        deleted(checks, outcome, pod);
        return;
    }
    if outcome.scenario.added == Some(name) {
        added(checks, outcome, pod);
    } else {
        let installed = outcome.step("flows_installed", Some(name));
        let about = format!("{name}'s flows_installed is right");
        let late = told(outcome, installed, pod.flows_installed_ns);
        checks.within(&about, pod.flows_installed_ns, installed, late);
    }
    if idle.contains(&name) {
        let by = pod
            .exposed
            .as_ref()
            .and_then(|exposed| exposed.ended_by.as_deref());
        let about = format!("{name}'s window ends with its flows");
        // Its own kernel sends something now and then (router solicitations), which leaves a drop megaflow behind.
        let well = matches!(by, Some("flows_installed" | "drop_flows_removed"));
        checks.that(&about, if well { Ok(()) } else { Err(format!("by {by:?}")) });
    }
    traffic_again(checks, outcome, pod);
}

/// The datapath was deleted: not all that was lost can be known.
fn without_datapath(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    losses::at_most(checks, outcome, pod);
    let cause = format!("the cause of {}'s window is right", pod.name);
    checks.equal(&cause, &pod.cause.as_deref(), &outcome.scenario.cause);
    if outcome.scenario.way == Way::Module {
        reload::check(checks, outcome, pod);
    } else {
        reload::unseen(checks, outcome);
    }
    if let Some(away) = outcome.step("ports_gone", None) {
        losses::beside(checks, outcome, pod, away);
    }
}

/// The causes that the report must name, Pod by Pod.
pub fn causes(outcome: &Outcome) -> Vec<Option<&'static str>> {
    let Scenario { without, .. } = outcome.scenario;
    let of = |name| {
        if without.contains(&name) {
            Some("flows_never_installed")
        } else {
            right(outcome.scenario, name)
        }
    };
    outcome.pods().into_iter().map(of).collect()
}

/// The cause that a Pod's window has.
fn right(scenario: &Scenario, name: &str) -> Option<&'static str> {
    match scenario {
        // What a new Pod lacks it had never had: that is not the restart's doing.
        Scenario {
            added: Some(added), ..
        } if *added == name => Some("unknown"),
        Scenario { cause, .. } => *cause,
    }
}

/// A Pod that was made inside the window was not exposed before.
fn added(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let made = outcome
        .step("created", Some(&pod.name))
        .map(|step| step.started_ns);
    let start = pod.exposed.as_ref().map(|exposed| exposed.start_ns);
    let early = start
        .zip(made)
        .filter(|(start, made)| start < made)
        .map(|(start, made)| millis(made - start));
    checks.that(
        &format!("{} was not exposed before it was made", pod.name),
        early.map_or(Ok(()), |early| {
            Err(format!("its window starts {early} ms before"))
        }),
    );
}

/// The window of a Pod that is deleted ends with it.
fn deleted(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let gone = outcome.step("deleted", Some(&pod.name));
    let end = pod.exposed.as_ref().and_then(|exposed| exposed.end_ns);
    let late = told(outcome, gone, end);
    let about = format!("{}'s window ends when it is deleted", pod.name);
    checks.within(&about, end, gone, late);
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

/// A window ends no earlier than the Pod's flows come, and no later than a megaflow forwards each kind of its traffic that
/// was blocked; of a Pod without traffic, no later than its flows are told.
fn traffic_again(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let own = outcome.step("flows_installed", Some(&pod.name));
    let end = pod.exposed.as_ref().and_then(|exposed| exposed.end_ns);
    let result = match (end, own) {
        (None, _) => Err("it has no end".into()),
        (_, None) => Err("its flows were not installed".into()),
        (Some(end), Some(own)) if end < own.started_ns => Err(format!(
            "it ends {} ms before its flows came",
            millis(own.started_ns - end)
        )),
        (Some(end), Some(step)) => {
            let again = outcome.of_pod(&pod.name).again_ns.map(|again| again + END);
            let latest = again.unwrap_or_else(|| step.ended_ns + told(outcome, own, Some(end)));
            if end > latest {
                Err(format!("it ends {} ms late", millis(end - latest)))
            } else {
                Ok(())
            }
        }
    };
    checks.that(
        &format!("{}'s window ends when traffic flows again", pod.name),
        result,
    );
}
