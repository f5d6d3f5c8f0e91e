//! When a capture around a command may end: the disruption it caused is over.
//!
//! Must not depend on: events.

use tracer_core::report::{Disruption, Kind, Loss, Pod, Report};
use tracer_core::time::{MILLISECOND, Timestamp};
use tracer_core::witness::proof::Says;

/// What was handed to userspace is known to be lost or delivered after a second; the sorter holds events
/// back for half of one.
const AFTERMATH: u64 = 1_700 * MILLISECOND;

/// Whether the disruption is over for every Pod, and its packets are accounted for. Without any disruption: no.
pub fn settled(report: &Report) -> bool {
    report
        .disruptions
        .last()
        .and_then(over)
        .is_some_and(|over| report.capture.ended_ns.since(over) >= AFTERMATH)
}

/// When the last Pod's window closed; `None`: one is still open, or there was no flush yet.
fn over(disruption: &Disruption) -> Option<Timestamp> {
    let mut over = began(disruption)?;
    let named = disruption.pods.iter().filter(|pod| pod.namespace.is_some());
    for pod in named.filter(|pod| !is_clear(pod)) {
        if losses(pod).any(|loss| loss.last_lost_ns.is_some() && loss.first_delivered_after_ns.is_none()) {
            return None;
        }
        if let Some(exposed) = &pod.exposed {
            over = over.max(exposed.end_ns?);
        }
        over = losses(pod)
            .filter_map(|loss| loss.first_delivered_after_ns)
            .fold(over, Timestamp::max);
    }
    Some(over)
}

/// From when on Pods' windows can be over: the flush, where the disruption has one, and the flag's end.
fn began(disruption: &Disruption) -> Option<Timestamp> {
    let flush = disruption.milestones.flush_ns.or(match disruption.kind {
        // A flush in a datapath that was made anew may have come before its hooks: then the Pods' windows tell.
        Kind::ModuleReload => {
            let named = disruption.pods.iter().any(|pod| pod.namespace.is_some());
            named.then_some(disruption.began_ns)
        }
        Kind::FlowsRemoved | Kind::PortsRemoved | Kind::HandlersStuck | Kind::DatapathTakenOver => {
            Some(disruption.began_ns)
        }
        Kind::Graceful | Kind::Killed | Kind::Restarted | Kind::FlagOnly | Kind::FlushOnly => None,
    })?;
    let removed = disruption.milestones.flag_removed_ns;
    Some(removed.map_or(flush, |removed| removed.max(flush)))
}

fn is_clear(pod: &Pod) -> bool {
    pod.proof
        .as_ref()
        .is_some_and(|proof| proof.says() == Says::Clear)
}

fn losses(pod: &Pod) -> impl Iterator<Item = &Loss> {
    [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn shipped() -> Report {
        let bytes = &include_bytes!("../../demo/restart.jsonl")[..];
        crate::command::report::judge(bytes).unwrap().0
    }

    #[test]
    fn a_capture_waits_until_every_window_is_closed() {
        let mut report = shipped();
        assert!(settled(&report));
        let exposed = report.disruptions[0].pods[0].exposed.as_mut().unwrap();
        exposed.end_ns = None;
        assert!(!settled(&report), "one is open");
        report.disruptions.clear();
        assert!(!settled(&report), "nothing has begun");
    }

    #[test]
    fn a_gap_without_an_end_is_waited_for() {
        let mut report = shipped();
        let loss = report.disruptions[0].pods[0].observed.to_pod.as_mut().unwrap();
        loss.first_delivered_after_ns = None;
        assert!(!settled(&report));
    }

    #[test]
    fn without_a_restart_no_flush_is_waited_for() {
        let mut report = shipped();
        report.disruptions[0].milestones.flush_ns = None;
        assert!(!settled(&report), "a restart flushes");
        report.disruptions[0].kind = Kind::FlowsRemoved;
        assert!(settled(&report));
    }
}
