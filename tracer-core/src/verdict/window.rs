//! The exposed window of one endpoint: when traffic would have been lost.
//!
//! Must not depend on: packets. Its start is the flush. Its end is the earliest point at which the evidence
//! says that a packet would have been forwarded.

use crate::memory::megaflow::Convergence;
use crate::memory::openflow::Standing;
use crate::report::{Exposed, Phase};
use crate::verdict::forwarding::Forwarding;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::EndedBy;

/// OVS removes a megaflow that is idle for this long (`max-idle`, ofproto/ofproto-provider.h). A drop megaflow that
/// outlives its endpoint's OpenFlow flows for longer was translated with them and kept: a standing policy.
const MAX_IDLE: u64 = 10 * SECOND;

/// The exposed window after a flush.
pub fn exposed(
    flush: Timestamp,
    standing: Standing,
    state: Option<&Convergence>,
    forwarding: &Forwarding,
) -> Exposed {
    match end(flush, standing, state, forwarding) {
        None => Exposed {
            start_ns: flush,
            end_ns: None,
            duration_ns: None,
            ended_by: None,
        },
        Some((end, ended_by)) => Exposed {
            start_ns: flush,
            end_ns: Some(end),
            duration_ns: Some(end.since(flush)),
            ended_by: Some(ended_by),
        },
    }
}

/// The window that began before the flush: when the leaving ovs-vswitchd emptied the datapath (`exit --cleanup`), or when
/// the datapath went with its module.
pub fn since(emptied: Option<Timestamp>, exposed: &Exposed) -> Exposed {
    let start_ns = emptied.map_or(exposed.start_ns, |emptied| emptied.min(exposed.start_ns));
    Exposed {
        start_ns,
        duration_ns: exposed.end_ns.map(|end| end.since(start_ns)),
        ended_by: exposed.ended_by,
        end_ns: exposed.end_ns,
    }
}

/// A window and an absence of the port: one window from the first to the last of both. An empty one adds nothing.
pub fn joined(window: &Exposed, gone: Timestamp, back: Timestamp) -> Exposed {
    let empty = window.duration_ns == Some(0);
    let start = if empty { gone } else { window.start_ns.min(gone) };
    let end = match window.end_ns {
        Some(_) if empty => Some(back),
        Some(end) => Some(end.max(back)),
        None => None,
    };
    Exposed {
        start_ns: start,
        end_ns: end,
        duration_ns: end.map(|end| end.since(start)),
        ended_by: window.ended_by.filter(|_| !empty && window.end_ns == end),
    }
}

/// The part of a window in which its endpoint's port was there: from `since` on, and no longer than `until`.
pub fn of_port(exposed: &Exposed, since: Timestamp, until: Option<Timestamp>) -> Exposed {
    let start = exposed.start_ns.max(since);
    let ended = match (exposed.end_ns, until) {
        (Some(end), Some(until)) if until < end => Some((until, Some(EndedBy::PortDeleted))),
        (None, Some(until)) => Some((until, Some(EndedBy::PortDeleted))),
        (end, _) => end.map(|end| (end, exposed.ended_by)),
    };
    let end = ended.map(|(end, _)| end.max(start));
    Exposed {
        start_ns: start,
        end_ns: end,
        duration_ns: end.map(|end| end.since(start)),
        ended_by: ended.and_then(|(_, ended_by)| ended_by),
    }
}

fn end(
    flush: Timestamp,
    standing: Standing,
    state: Option<&Convergence>,
    forwarding: &Forwarding,
) -> Option<(Timestamp, EndedBy)> {
    match standing {
        Standing::Kept => Some((flush, EndedBy::FlowsBeforeFlush)),
        Standing::Installed(installed) if installed <= flush => Some((flush, EndedBy::FlowsBeforeFlush)),
        Standing::Installed(installed) => Some(with_flows(installed, forwarding, state)),
        // What the controller did not install again was perhaps not needed: all traffic that flows says so.
        Standing::Missing | Standing::Unknown => forwarding.whole(),
    }
}

/// The end of a window whose OpenFlow flows came. A flow monitor tells late: what could not have been forwarded without
/// those flows says more exactly when they were there. Else it ends with the flows, or, where something dropped its
/// traffic then, with the first that is forwarded afterwards or the last drop megaflow's removal.
fn with_flows(
    installed: Timestamp,
    forwarding: &Forwarding,
    state: Option<&Convergence>,
) -> (Timestamp, EndedBy) {
    let earlier = forwarding.whole().into_iter().chain(forwarding.own());
    if let Some(end) = earlier
        .min_by_key(|(at, _)| *at)
        .filter(|(at, _)| *at <= installed)
    {
        return end;
    }
    let later = forwarding
        .first_after(installed)
        .into_iter()
        .chain(freed(installed, state));
    match later.min_by_key(|(at, _)| *at) {
        Some(end) if dropped_at(installed, state) && end.0 <= installed.plus(MAX_IDLE) => end,
        _ => (installed, EndedBy::FlowsInstalled),
    }
}

/// Whether a drop megaflow stood in the way of the endpoint's next packet when its OpenFlow flows came.
fn dropped_at(installed: Timestamp, state: Option<&Convergence>) -> bool {
    state.is_some_and(|state| {
        let before = state.first_drop.is_some_and(|first| first <= installed);
        before && (state.is_dropping() || state.drops_gone.is_some_and(|gone| gone > installed))
    })
}

/// When, after its OpenFlow flows came, the last drop megaflow was gone.
fn freed(installed: Timestamp, state: Option<&Convergence>) -> Option<(Timestamp, EndedBy)> {
    let gone = state
        .filter(|state| !state.is_dropping())
        .and_then(|state| state.drops_gone);
    gone.filter(|gone| *gone > installed)
        .map(|gone| (gone, EndedBy::DropFlowsRemoved))
}

/// How an exposed window and what follows it were spent.
pub fn waterfall(
    exposed: &Exposed,
    installed: Option<Timestamp>,
    delivered: Option<Timestamp>,
) -> Vec<Phase> {
    let mut phases = Vec::new();
    let (Some(end), Some(duration)) = (exposed.end_ns, exposed.duration_ns) else {
        return phases;
    };
    if duration == 0 {
        return phases;
    }
    let ended = exposed.ended_by.map_or("end", ending);
    match installed.filter(|at| exposed.start_ns < *at && *at < end) {
        Some(installed) => {
            phases.push(phase("flush→flows_installed", exposed.start_ns, installed));
            phases.push(phase(&format!("flows_installed→{ended}"), installed, end));
        }
        None => phases.push(phase(&format!("flush→{ended}"), exposed.start_ns, end)),
    }
    let by_packet = exposed.ended_by == Some(EndedBy::Delivered);
    if let Some(delivered) = delivered.filter(|at| *at >= end && !by_packet) {
        phases.push(phase(&format!("{ended}→first delivered"), end, delivered));
    }
    phases
}

fn ending(ended_by: EndedBy) -> &'static str {
    match ended_by {
        EndedBy::Converged => "converged",
        EndedBy::Delivered => "delivered",
        EndedBy::FlowsInstalled => "flows_installed",
        EndedBy::DropFlowsRemoved => "drop_flows_removed",
        EndedBy::FlowsBeforeFlush => "flush",
        EndedBy::PortDeleted => "port_deleted",
    }
}

fn phase(name: &str, from: Timestamp, to: Timestamp) -> Phase {
    Phase {
        phase: name.to_owned(),
        ns: to.since(from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::megaflow::{Converging, FlowName, Subjects};
    use crate::vocabulary::class::{Class, Direction};
    use crate::vocabulary::flow::{Fate, FlowKey};
    use crate::vocabulary::id::{DpIfindex, Ufid};

    const FLOW: FlowName = (DpIfindex(1), Ufid([1; 16]));

    fn states(steps: &[(u64, Fate)]) -> Converging {
        let subjects = Subjects {
            from: Some("veth1".to_owned()),
            to: None,
        };
        let mut converging = Converging::default();
        for (at, fate) in steps {
            converging.flow(Timestamp(*at), FLOW, &subjects, &FlowKey::default(), *fate);
        }
        converging
    }

    #[track_caller]
    fn check(standing: Standing, converging: &Converging, expected: Option<(u64, EndedBy)>) {
        let state = converging.endpoint("veth1");
        let found = exposed(Timestamp(100), standing, state, &Forwarding::by_megaflows(state));
        assert_eq!(
            found.end_ns.zip(found.ended_by),
            expected.map(|(at, by)| (Timestamp(at), by))
        );
    }

    #[test]
    fn a_drop_that_becomes_an_output_ends_it() {
        let steps = states(&[(110, Fate::Drop), (420, Fate::Output)]);
        check(
            Standing::Installed(Timestamp(400)),
            &steps,
            Some((420, EndedBy::Converged)),
        );
        check(Standing::Unknown, &steps, Some((420, EndedBy::Converged)));
    }

    #[test]
    fn a_packet_that_comes_through_before_its_megaflow_ends_it() {
        let steps = states(&[(110, Fate::Drop), (420, Fate::Output)]);
        let standing = Standing::Installed(Timestamp(400));
        let state = steps.endpoint("veth1");
        let mut forwarding = Forwarding::by_megaflows(state);
        forwarding.lost(Class::of(Direction::FromPod, 0x0800, 17), Some(Timestamp(405)));
        let found = exposed(Timestamp(100), standing, state, &forwarding);
        assert_eq!(
            found.end_ns.zip(found.ended_by),
            Some((Timestamp(405), EndedBy::Delivered))
        );
    }

    #[test]
    fn without_traffic_the_flows_end_it() {
        check(
            Standing::Installed(Timestamp(400)),
            &states(&[]),
            Some((400, EndedBy::FlowsInstalled)),
        );
        check(Standing::Missing, &states(&[]), None);
        check(Standing::Unknown, &states(&[]), None);
    }

    #[test]
    fn traffic_that_comes_later_does_not_lengthen_it() {
        let steps = states(&[(20_000, Fate::Output)]);
        check(
            Standing::Installed(Timestamp(400)),
            &steps,
            Some((400, EndedBy::FlowsInstalled)),
        );
    }

    #[test]
    fn a_drop_that_is_removed_ends_it() {
        let mut steps = states(&[(110, Fate::Drop)]);
        steps.drop_gone(Timestamp(430), FLOW);
        check(
            Standing::Installed(Timestamp(400)),
            &steps,
            Some((430, EndedBy::DropFlowsRemoved)),
        );
    }

    #[test]
    fn a_standing_policy_drop_does_not_lengthen_it() {
        check(
            Standing::Installed(Timestamp(400)),
            &states(&[(110, Fate::Drop)]),
            Some((400, EndedBy::FlowsInstalled)),
        );
    }

    #[test]
    fn one_drop_that_stays_does_not_hide_another_that_heals() {
        let mut steps = states(&[(110, Fate::Drop)]);
        let other = (DpIfindex(1), Ufid([2; 16]));
        let subjects = Subjects {
            from: Some("veth1".to_owned()),
            to: None,
        };
        steps.flow(Timestamp(115), other, &subjects, &FlowKey::default(), Fate::Drop);
        steps.flow(Timestamp(440), FLOW, &subjects, &FlowKey::default(), Fate::Output);
        check(
            Standing::Installed(Timestamp(400)),
            &steps,
            Some((440, EndedBy::Converged)),
        );
        steps = states(&[(110, Fate::Drop)]);
        steps.flow(
            Timestamp(20 * SECOND),
            other,
            &subjects,
            &FlowKey::default(),
            Fate::Output,
        );
        check(
            Standing::Installed(Timestamp(400)),
            &steps,
            Some((400, EndedBy::FlowsInstalled)),
        );
    }

    #[test]
    fn a_port_that_comes_or_goes_has_a_part_of_it() {
        let window = |end: Option<u64>| {
            let end = end.map(Timestamp);
            Exposed {
                start_ns: Timestamp(100),
                end_ns: end,
                duration_ns: end.map(|end| end.since(Timestamp(100))),
                ended_by: end.map(|_| EndedBy::Converged),
            }
        };
        let part = |end, since, until: Option<u64>| {
            let found = of_port(&window(end), Timestamp(since), until.map(Timestamp));
            (found.start_ns.0, found.duration_ns, found.ended_by)
        };
        let (converged, deleted) = (Some(EndedBy::Converged), Some(EndedBy::PortDeleted));
        assert_eq!(part(Some(400), 50, None), (100, Some(300), converged));
        assert_eq!(part(Some(400), 150, Some(500)), (150, Some(250), converged));
        assert_eq!(part(Some(400), 450, None), (450, Some(0), converged));
        assert_eq!(part(Some(400), 50, Some(300)), (100, Some(200), deleted));
        assert_eq!(part(None, 50, Some(300)), (100, Some(200), deleted));
        assert_eq!(part(None, 150, None), (150, None, None));
    }

    #[test]
    fn flows_before_the_flush_leave_it_empty() {
        let steps = states(&[(130, Fate::Output)]);
        check(
            Standing::Installed(Timestamp(90)),
            &steps,
            Some((100, EndedBy::FlowsBeforeFlush)),
        );
        check(Standing::Kept, &steps, Some((100, EndedBy::FlowsBeforeFlush)));
    }
}
