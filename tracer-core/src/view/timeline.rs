//! A disruption as lanes: what state each Pod was in from when to when.
//!
//! Must not depend on: characters, colours. Drawn by the text sink, the TUI and the HTML page alike.

use crate::report::{Disruption, Loss, Pod};
use crate::vocabulary::time::{MILLISECOND, Timestamp};

/// What can be said of a Pod at a point in time. Ordered: where two hold at once, the greater is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing speaks against its traffic being forwarded.
    Forwarding,
    /// Packets waited in a socket and were then delivered.
    Delayed,
    /// Traffic was forwarded although its flows were absent.
    Leak,
    /// Traffic would have been lost.
    Exposed,
    /// Its window has no end that could be seen.
    Unknown,
    /// Packets were lost.
    Losing,
}

/// A state from when to when; `None`: to the end of the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What it is.
    pub state: State,
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Option<Timestamp>,
}

/// Everything but forwarding that a Pod went through.
pub fn lane(pod: &Pod) -> Vec<Stretch> {
    let exposed = pod
        .exposed
        .as_ref()
        .filter(|exposed| exposed.duration_ns != Some(0))
        .map(|exposed| Stretch {
            state: if exposed.end_ns.is_some() {
                State::Exposed
            } else {
                State::Unknown
            },
            from: exposed.start_ns,
            to: exposed.end_ns,
        });
    let delayed = pod.delayed.as_ref().map(|delayed| Stretch {
        state: State::Delayed,
        from: delayed.first_queued_ns,
        to: Some(delayed.last_executed_ns),
    });
    let leak = pod.leak.as_ref().map(|leak| Stretch {
        state: State::Leak,
        from: leak.start_ns,
        to: leak.end_ns,
    });
    let losing = [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten()
        .filter_map(losing);
    exposed
        .into_iter()
        .chain(delayed)
        .chain(leak)
        .chain(losing)
        .collect()
}

fn losing(loss: &Loss) -> Option<Stretch> {
    Some(Stretch {
        state: State::Losing,
        from: loss.first_lost_ns?,
        to: loss.last_lost_ns,
    })
}

const FLOWS_REMOVED: &str = "flows removed";

fn named(disruption: &Disruption) -> [(&'static str, Option<Timestamp>); 9] {
    let seen = &disruption.milestones;
    [
        ("flag set", seen.flag_set_ns),
        (FLOWS_REMOVED, seen.flows_removed_ns),
        ("vswitchd exit", seen.vswitchd_exit_ns),
        ("vswitchd start", seen.vswitchd_start_ns),
        ("flag removed", seen.flag_removed_ns),
        ("upcalls bound", seen.upcalls_bound_ns),
        ("flush", seen.flush_ns),
        ("last flows installed", seen.last_flows_installed_ns),
        ("converged", seen.converged_ns),
    ]
}

/// The milestones of a disruption that were seen, in time order, with their names.
pub fn milestones(disruption: &Disruption) -> Vec<(&'static str, Timestamp)> {
    let mut milestones: Vec<_> = named(disruption)
        .into_iter()
        .filter_map(|(name, at)| Some((name, at?)))
        .collect();
    milestones.sort_by_key(|(_, at)| *at);
    milestones
}

/// The names of the milestones of a disruption that were not seen.
pub fn unseen_milestones(disruption: &Disruption) -> Vec<&'static str> {
    let missing = named(disruption).into_iter().filter(|(_, at)| at.is_none());
    // Of that flows were removed only a disruption that began with it could tell.
    missing
        .map(|(name, _)| name)
        .filter(|name| *name != FLOWS_REMOVED)
        .collect()
}

/// The span worth showing: everything that is not forwarding, and the flush, with a margin. Of a disruption
/// without either, its milestones.
pub fn span(disruption: &Disruption, ended: Timestamp) -> (Timestamp, Timestamp) {
    let stretches = disruption
        .pods
        .iter()
        .filter(|pod| pod.namespace.is_some() || pod.cause.is_some())
        .flat_map(lane);
    let mut points: Vec<Timestamp> = stretches
        .flat_map(|stretch| [stretch.from, stretch.to.unwrap_or(ended)])
        .collect();
    points.extend(disruption.milestones.flush_ns);
    points.extend(disruption.milestones.flag_removed_ns);
    if points.is_empty() {
        points.extend(milestones(disruption).iter().map(|(_, at)| *at));
        points.push(disruption.began_ns);
    }
    let first = points.iter().min().copied().unwrap_or(disruption.began_ns);
    let last = points.iter().max().copied().unwrap_or(ended);
    let margin = (last.since(first) / 12).max(MILLISECOND);
    (Timestamp(first.0.saturating_sub(margin)), last.plus(margin))
}

/// A lane as `columns` cells over a span: in each cell the greatest state that touches it.
pub fn paint(stretches: &[Stretch], (from, to): (Timestamp, Timestamp), columns: u32) -> Vec<State> {
    let length = to.since(from).max(1);
    let edge = |column: u32| from.plus(scale(length, column, columns));
    let cells = (0..columns).map(|column| {
        let (begin, end) = (edge(column), edge(column + 1));
        let touching = stretches
            .iter()
            .filter(|stretch| stretch.from < end && stretch.to.is_none_or(|to| to >= begin));
        touching
            .map(|stretch| stretch.state)
            .max()
            .unwrap_or(State::Forwarding)
    });
    cells.collect()
}

/// The column in which a point lies, if it lies in the span.
pub fn column(at: Timestamp, (from, to): (Timestamp, Timestamp), columns: u32) -> Option<u32> {
    if at < from || at > to || columns == 0 {
        return None;
    }
    let place = u128::from(at.since(from)) * u128::from(columns) / u128::from(to.since(from).max(1));
    u32::try_from(place).ok().map(|column| column.min(columns - 1))
}

fn scale(length: u64, column: u32, columns: u32) -> u64 {
    let place = u128::from(length) * u128::from(column) / u128::from(columns.max(1));
    u64::try_from(place).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::State::{Exposed, Forwarding, Losing, Unknown};
    use super::*;

    #[test]
    fn a_cell_shows_the_greatest_state_that_touches_it() {
        let stretches = [
            Stretch {
                state: Exposed,
                from: Timestamp(20),
                to: Some(Timestamp(60)),
            },
            Stretch {
                state: Losing,
                from: Timestamp(30),
                to: Some(Timestamp(45)),
            },
            Stretch {
                state: Unknown,
                from: Timestamp(90),
                to: None,
            },
        ];
        let cells = paint(&stretches, (Timestamp(0), Timestamp(100)), 10);
        assert_eq!(
            cells,
            [
                Forwarding, Forwarding, Exposed, Losing, Losing, Exposed, Exposed, Forwarding, Forwarding,
                Unknown
            ]
        );
    }

    #[test]
    fn points_fall_into_columns() {
        let span = (Timestamp(100), Timestamp(200));
        assert_eq!(column(Timestamp(100), span, 10), Some(0));
        assert_eq!(column(Timestamp(155), span, 10), Some(5));
        assert_eq!(column(Timestamp(200), span, 10), Some(9));
        assert_eq!(column(Timestamp(201), span, 10), None);
    }

    #[test]
    fn at_the_end_of_time_there_are_cells_too() {
        let end = Timestamp(u64::MAX);
        assert_eq!(paint(&[], (end, end), 3), [Forwarding; 3]);
    }
}
