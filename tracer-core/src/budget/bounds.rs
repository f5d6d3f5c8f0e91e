//! What is known of one Pod's window, and of what it lost: at least, at most.
//!
//! Must not depend on: limits.

use super::Bounds;
use crate::report::{Loss, Pod};
use crate::vocabulary::count;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::{Cause, EndedBy, Finding, Verdict};

/// Findings that may hide a delivery in the middle of what then looks like one gap.
const HIDING: [&str; 4] = ["records_lost", "hits_skipped", "log_gap", "late_events"];

/// How much of what surrounds a Pod was seen.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Findings that touch its disruption and weaken what is said of it.
    pub unseen: &'a [&'a Finding],
    /// The disruption's end: the next one's beginning, else the capture's end.
    pub until: Timestamp,
}

impl Sight<'_> {
    fn is_clear(self) -> bool {
        self.unseen.is_empty()
    }

    fn hides_deliveries(self) -> bool {
        self.unseen
            .iter()
            .any(|finding| HIDING.contains(&finding.kind.as_str()))
    }
}

/// The longer of exposed window and longest gap.
pub fn window(pod: &Pod, sight: Sight<'_>) -> Bounds {
    let gap = gap(pod, sight);
    let exposed = exposed(pod, sight);
    Bounds {
        at_least: gap.at_least.max(exposed.at_least),
        at_most: gap
            .at_most
            .zip(exposed.at_most)
            .map(|(one, other)| one.max(other)),
    }
}

/// The longest gap of either direction; empty where nothing was lost.
fn gap(pod: &Pod, sight: Sight<'_>) -> Bounds {
    let lost = || losses(pod).filter(|loss| loss.lost_packets > 0);
    let proven = lost().filter_map(|loss| loss.min_ns).max().unwrap_or(0);
    let upper: Option<Vec<u64>> = lost().map(|loss| loss.max_ns).collect();
    Bounds {
        at_least: if sight.hides_deliveries() { 0 } else { proven },
        at_most: upper.map(|upper| upper.into_iter().max().unwrap_or(0)),
    }
}

/// The exposed window, where it says something about traffic that anybody wanted: of a Pod that was there to
/// the end of the disruption. Where it ended is known from what was seen alone, so that it proves nothing where
/// something was not.
pub fn exposed(pod: &Pod, sight: Sight<'_>) -> Bounds {
    let empty = Bounds {
        at_least: 0,
        at_most: Some(0),
    };
    let Some(exposed) = pod
        .exposed
        .as_ref()
        .filter(|_| pod.namespace.is_some() && pod.cause.is_some())
    else {
        return empty;
    };
    let lasting = exposed.duration_ns.or_else(|| {
        let open = pod.cause == Some(Cause::FlowsNeverInstalled) || proven_by_window(pod);
        open.then(|| sight.until.since(exposed.start_ns))
    });
    // The flow monitor tells late: the flows may have been there long before it said so.
    let exact = exposed.ended_by != Some(EndedBy::FlowsInstalled);
    Bounds {
        at_least: lasting.filter(|_| exact && sight.is_clear()).unwrap_or(0),
        at_most: exposed.duration_ns,
    }
}

/// Whether the report fails the Pod for its window and for nothing that it lost.
fn proven_by_window(pod: &Pod) -> bool {
    pod.verdict == Verdict::Fail && losses(pod).all(|loss| loss.lost_packets == 0)
}

/// Packets lost, to it and from it. What was counted was lost; more may have been where something was not seen.
pub fn lost(pod: &Pod, sight: Sight<'_>) -> Bounds {
    let counted = count::total(losses(pod).map(|loss| loss.lost_packets));
    Bounds {
        at_least: counted,
        at_most: sight.is_clear().then_some(counted),
    }
}

fn losses(pod: &Pod) -> impl Iterator<Item = &Loss> {
    [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten()
}
