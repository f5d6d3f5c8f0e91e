//! A module that is reloaded: the Pod's window covers the time without a datapath, and the report says what it did not see.
//!
//! Must not depend on: other restarts, milestones. Pure.

use lab::words::report::Pod;

use super::checks::Checks;
use crate::bounds::Hole;
use crate::millis::millis;
use crate::outcome::Outcome;

/// How long after the call that sent it a lost packet may meet the datapath: see `bounds`.
const MEET: u64 = 1_000_000;

/// One Pod's window beside its longest holes.
pub fn check(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let name = &pod.name;
    checks.equal(
        &format!("{name}'s verdict is fail"),
        &pod.verdict.as_str(),
        &"fail",
    );
    unseen(checks, outcome);
    let truth = outcome.of_pod(name);
    let holes: Vec<Hole> = [truth.to.longest, truth.from.longest]
        .into_iter()
        .flatten()
        .collect();
    checks.that(
        &format!("{name}'s window covers the reload"),
        covers(outcome, pod, &holes),
    );
}

/// That packets met no datapath, or no port, for a time is said.
pub fn unseen(checks: &mut Checks, outcome: &Outcome) {
    let mut findings = outcome.report.coverage.iter().filter(|finding| finding.weakens);
    let said = findings.any(|finding| matches!(finding.kind.as_str(), "datapath_gone" | "port_gone"));
    checks.equal("the time without a datapath or a port is told", &said, &true);
}

fn covers(outcome: &Outcome, pod: &Pod, holes: &[Hole]) -> Result<(), String> {
    let script = outcome.step("script", None).ok_or("there was no script")?;
    let exposed = pod.exposed.as_ref().ok_or("there is no window")?;
    let end = exposed.end_ns.ok_or("it has no end")?;
    if exposed.start_ns < script.started_ns {
        return Err("it starts before the script".to_owned());
    }
    for hole in holes {
        if exposed.start_ns > hole.first.done + MEET {
            let late = millis(exposed.start_ns - hole.first.done);
            return Err(format!("it starts {late} ms after the first packet was lost"));
        }
        // After the flush a packet waits or is lost in a socket: that is told by the packets themselves.
        if end + MEET < hole.last.sent && !told(pod, hole) {
            let early = millis(hole.last.sent - end);
            return Err(format!("it ends {early} ms before the last packet was lost"));
        }
    }
    Ok(())
}

/// Whether the report knows of packets that were lost up to the end of a hole.
fn told(pod: &Pod, hole: &Hole) -> bool {
    let losses = [&pod.observed.to_pod, &pod.observed.from_pod];
    let mut last = losses.into_iter().flatten().filter_map(|loss| loss.last_lost_ns);
    last.any(|last| last + MEET >= hole.last.sent)
}
