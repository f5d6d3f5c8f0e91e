//! The Pods in the order and selection in which they are shown, and what is said of each in a few words.
//!
//! Must not depend on: colours, columns.

use std::cmp::{Ordering, Reverse};

use tracer_core::count;
use tracer_core::report::{Loss, Pod, Reason};
use tracer_core::time::Timestamp;
use tracer_core::timeline::{State, Stretch, lane};

use super::screen::{Screen, Sort};
use crate::historian::moment::Moment;
pub use crate::sink::words::label;

/// A Pod whose last loss is this long ago is no longer losing: its traffic has ended or changed.
const LOSING: u64 = 1_500 * 1_000_000;

/// The Pods to show, in order.
pub fn rows<'a>(moment: &'a Moment, screen: &Screen) -> Vec<&'a Pod> {
    let needle = screen.filter.to_lowercase();
    let mut rows: Vec<&Pod> = all(moment)
        .filter(|pod| !screen.affected_only || is_affected(pod))
        .filter(|pod| needle.is_empty() || label(pod).to_lowercase().contains(&needle))
        .collect();
    rows.sort_by(|one, other| {
        let order = compare(screen.sort, one, other);
        if screen.reverse { order.reverse() } else { order }
    });
    rows
}

/// Everybody worth a row: Pods, and other ports that were affected. Without a disruption, everybody.
pub fn all(moment: &Moment) -> impl Iterator<Item = &Pod> {
    let calm = moment.disruption().is_none();
    let pods = moment.pods().iter().chain(&moment.strangers);
    pods.filter(move |pod| pod.namespace.is_some() || is_affected(pod) || calm)
}

/// Which row is selected: the first where none is, or the selected one is not shown.
pub fn picked(screen: &Screen, rows: &[&Pod]) -> usize {
    let place = rows
        .iter()
        .position(|pod| Some(&pod.interface) == screen.selected.as_ref());
    place.unwrap_or(0)
}

fn compare(sort: Sort, one: &Pod, other: &Pod) -> Ordering {
    let rank = |pod: &Pod| Reverse((lost(pod), exposed_rank(pod)));
    let order = match sort {
        Sort::Lost => rank(one).cmp(&rank(other)),
        Sort::Exposed => Reverse(exposed_rank(one)).cmp(&Reverse(exposed_rank(other))),
        Sort::Gap => Reverse(gap_rank(one)).cmp(&Reverse(gap_rank(other))),
        Sort::Name => Ordering::Equal,
        Sort::Cause => (one.cause.is_none(), one.cause).cmp(&(other.cause.is_none(), other.cause)),
    };
    order.then_with(|| name(one).cmp(&name(other)))
}

fn name(pod: &Pod) -> (bool, Option<&str>, &str) {
    (pod.namespace.is_none(), pod.namespace.as_deref(), &pod.name)
}

/// An open window is longer than any that has ended.
fn exposed_rank(pod: &Pod) -> Option<u64> {
    pod.exposed
        .as_ref()
        .map(|exposed| exposed.duration_ns.unwrap_or(u64::MAX))
}

fn gap_rank(pod: &Pod) -> Option<u64> {
    longest(pod).map(|loss| loss.max_ns.unwrap_or(u64::MAX))
}

/// Whether a Pod had a window or lost something.
pub fn is_affected(pod: &Pod) -> bool {
    pod.cause.is_some() || lost(pod) > 0
}

/// Both directions of which packets were seen.
pub fn losses(pod: &Pod) -> impl Iterator<Item = &Loss> {
    [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten()
}

/// Packets lost, both directions.
pub fn lost(pod: &Pod) -> u64 {
    count::total(losses(pod).map(|loss| loss.lost_packets))
}

/// The longer of the two directions' longest gaps.
pub fn longest(pod: &Pod) -> Option<&Loss> {
    losses(pod)
        .filter(|loss| loss.lost_packets > 0)
        .max_by_key(|loss| (loss.max_ns.unwrap_or(u64::MAX), loss.min_ns))
}

/// The most frequent reason of loss, and how many others there are.
pub fn reason(pod: &Pod) -> Option<(Reason, usize)> {
    let mut sums: Vec<(Reason, u64)> = Vec::new();
    for (reason, count) in losses(pod).flat_map(|loss| &loss.by_reason) {
        match sums.iter_mut().find(|(known, _)| known == reason) {
            Some((_, sum)) => count::add(sum, *count),
            None => sums.push((*reason, *count)),
        }
    }
    let (reason, _) = sums
        .iter()
        .max_by_key(|(reason, count)| (*count, Reverse(*reason)))?;
    Some((*reason, sums.len() - 1))
}

/// A Pod's lane at a moment. A window that has no end yet is exposed so far; at the end of a recording its end is
/// not known.
pub fn stretches(pod: &Pod, moment: &Moment) -> Vec<Stretch> {
    let mut stretches = lane(pod);
    for stretch in &mut stretches {
        if stretch.state == State::Unknown && !moment.is_final() {
            stretch.state = State::Exposed;
        }
    }
    stretches
}

/// What a Pod goes through at a moment, and since when.
pub fn standing(pod: &Pod, moment: &Moment) -> (State, Option<Timestamp>) {
    let losing = losses(pod)
        .filter(|loss| loss.lost_packets > 0 && loss.first_delivered_after_ns.is_none())
        .filter(|loss| {
            loss.last_lost_ns
                .is_some_and(|last| moment.at.since(last) < LOSING)
        })
        .filter_map(|loss| loss.first_lost_ns)
        .min();
    if let Some(since) = losing {
        return (State::Losing, Some(since));
    }
    let now = |stretch: &&Stretch| {
        stretch.from <= moment.at
            && stretch.to.is_none_or(|to| to > moment.at)
            && stretch.state != State::Losing
    };
    stretches(pod, moment)
        .iter()
        .filter(now)
        .max_by_key(|stretch| stretch.state)
        .map_or((State::Forwarding, None), |stretch| {
            (stretch.state, Some(stretch.from))
        })
}
