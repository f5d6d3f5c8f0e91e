//! When a capture around a command may end: the restart it caused is over.
//!
//! May not know: events.

use tracer_core::report::{Kind, Pod, Report, Restart, Verdict};
use tracer_core::time::{MILLISECOND, Timestamp};

/// What was handed to userspace is known to be lost or delivered after a second; the sorter holds events
/// back for half of one.
const AFTERMATH: u64 = 1_700 * MILLISECOND;

/// Whether the restart is over for every Pod, and its packets are accounted for. Without any restart: no.
pub fn settled(report: &Report) -> bool {
    report
        .restarts
        .last()
        .and_then(over)
        .is_some_and(|over| report.capture.ended_ns.since(over) >= AFTERMATH)
}

/// When the last Pod's window closed; `None`: one is still open, or there was no flush yet.
fn over(restart: &Restart) -> Option<Timestamp> {
    let named = |pod: &&Pod| pod.namespace.is_some();
    // A flush in a datapath that was made anew may have come before its hooks: then the Pods' windows tell.
    let reloaded = restart.kind == Kind::ModuleReload && restart.pods.iter().any(|pod| named(&pod));
    let flush = restart
        .milestones
        .flush_ns
        .or(reloaded.then_some(restart.began_ns))?;
    let mut over = restart
        .milestones
        .flag_removed_ns
        .map_or(flush, |removed| removed.max(flush));
    for pod in restart
        .pods
        .iter()
        .filter(named)
        .filter(|pod| pod.verdict != Verdict::Pass)
    {
        let losses = || {
            [&pod.observed.to_pod, &pod.observed.from_pod]
                .into_iter()
                .flatten()
        };
        if losses().any(|loss| loss.last_lost_ns.is_some() && loss.first_delivered_after_ns.is_none()) {
            return None;
        }
        over = over.max(pod.exposed.as_ref()?.end_ns?);
        over = losses()
            .filter_map(|loss| loss.first_delivered_after_ns)
            .fold(over, Timestamp::max);
    }
    Some(over)
}
