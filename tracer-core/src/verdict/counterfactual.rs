//! What would have remained of a disruption's windows if flow-restore-wait had gone only after the last Pod's flows.
//!
//! Must not depend on: how windows are found. A flush after a Pod's flows leaves its window empty (`flows_before_flush`): its packets wait
//! in a socket for their megaflow, which is delay. So of a window that `flag_before_flows` explains, nothing from the
//! flush to the last Pod's flows would have been, and of what lies after them at most as much as was seen.

use crate::report::{Around, Counterfactual, Remainder};
use crate::report::{Exposed, Pod};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::{Cause, Milestones};

/// What holds for the whole disruption; `None`: no Pod's window has this cause, or no OpenFlow monitor tells of flows.
pub fn disruption(milestones: &Milestones, pods: &[Pod]) -> Option<Counterfactual> {
    let flush = milestones.flush_ns?;
    pods.iter().find(|pod| is_early(pod))?;
    // Where no Pod's flows were seen to come, there is no monitor to tell of them.
    let came = milestones.last_flows_installed_ns?;
    let absent = |pod: &Pod| match pod.cause {
        Some(Cause::FlagBeforeFlows) => pod.flows_installed_ns.is_none(),
        cause => cause == Some(Cause::FlowsNeverInstalled),
    };
    let mut named = pods.iter().filter(|pod| pod.namespace.is_some());
    let last = (!named.any(absent)).then_some(came);
    let remaining = |last: Timestamp| {
        let exposed = pods.iter().filter(|pod| is_early(pod));
        let all: Option<Vec<u64>> = exposed.map(|pod| after(pod.exposed.as_ref()?, last)).collect();
        all?.into_iter().max()
    };
    Some(Counterfactual {
        flush_ns: last,
        later_ns: last.map(|last| last.since(flush)),
        max_remaining_ns: last.and_then(remaining),
    })
}

/// Whether the flag's early removal explains a Pod's window.
pub fn is_early(pod: &Pod) -> bool {
    pod.namespace.is_some() && pod.cause == Some(Cause::FlagBeforeFlows)
}

/// What holds for one Pod, `came` being the point at which the last Pod's flows were there.
pub fn remainder(exposed: &Exposed, came: Timestamp, lost: Option<Around>) -> Remainder {
    let end = exposed.end_ns.map_or(came, |end| end.min(came));
    Remainder {
        avoided_ns: end.since(exposed.start_ns),
        max_remaining_ns: after(exposed, came),
        lost,
    }
}

fn after(exposed: &Exposed, last: Timestamp) -> Option<u64> {
    Some(exposed.end_ns?.since(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_cut_where_the_last_flows_came() {
        let exposed = |end: Option<u64>| Exposed {
            start_ns: Timestamp(100),
            end_ns: end.map(Timestamp),
            duration_ns: end.map(|end| end - 100),
            ended_by: None,
        };
        let cut = |end, last| {
            let Remainder {
                avoided_ns,
                max_remaining_ns,
                ..
            } = remainder(&exposed(end), Timestamp(last), None);
            (avoided_ns, max_remaining_ns)
        };
        assert_eq!(cut(Some(420), 400), (300, Some(20)));
        assert_eq!(cut(Some(390), 400), (290, Some(0)), "healed before the last Pod");
        assert_eq!(cut(None, 400), (300, None));
    }
}
