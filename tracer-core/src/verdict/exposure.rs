//! When one endpoint's traffic would have been lost, from everything that is known of it.
//!
//! Must not depend on: what was lost, causes, verdicts.

use crate::memory::megaflow::Convergence;
use crate::memory::openflow::{SharedStanding, Standing};
use crate::memory::topology::Endpoint;
use crate::report::Exposed;
use crate::verdict::forwarding::Forwarding;
use crate::verdict::scene::View;
use crate::verdict::window;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::Kind;

/// When an endpoint's traffic was forwarded again, for all that a policy does not drop.
pub fn again(view: &View<'_>, device: &str) -> Option<Timestamp> {
    if view.disruption.risk().is_none() {
        // Nothing was taken from the megaflows: what they drop they dropped before.
        return Some(view.disruption.began);
    }
    let endpoint = view.engine.topology.endpoints().get(device)?;
    exposed(view, device, endpoint)?.end_ns
}

/// Where its own flows stand. What an ovs-vswitchd that is gone told says nothing of the next one.
pub fn standing(view: &View<'_>, device: &str, endpoint: &Endpoint) -> Standing {
    let milestones = &view.disruption.milestones;
    let monitor = endpoint.bridge.as_deref();
    let up = monitor.and_then(|bridge| view.engine.openflow.monitor(bridge)?.up);
    let anew = milestones.vswitchd_exit_ns.or(milestones.vswitchd_start_ns);
    match view.disruption.baseline.standing(device) {
        Standing::Kept if view.until.is_none() && anew.is_some_and(|anew| up < Some(anew)) => {
            Standing::Unknown
        }
        other => other,
    }
}

/// Where the flows stand that all Pods of its bridge share.
pub fn shared(view: &View<'_>, endpoint: &Endpoint) -> SharedStanding {
    let bridge = endpoint.bridge.as_deref();
    bridge.map_or(SharedStanding::Kept, |bridge| {
        view.disruption.baseline.shared(bridge)
    })
}

/// From when traffic would have been lost until it would not.
pub fn exposed(view: &View<'_>, device: &str, endpoint: &Endpoint) -> Option<Exposed> {
    if let Some(since) = endpoint
        .missing
        .filter(|since| view.until.is_none_or(|until| *since < until))
    {
        return Some(open(since.max(view.disruption.dark().unwrap_or(since))));
    }
    let standing = effective(view, device, endpoint);
    let state = view.disruption.converging.endpoint(device);
    let whole = whole(view, device, standing, state)
        .map(|whole| window::of_port(&whole, endpoint.since, endpoint.until));
    with_absences(view, endpoint, whole)
}

fn open(start: Timestamp) -> Exposed {
    Exposed {
        start_ns: start,
        end_ns: None,
        duration_ns: None,
        ended_by: None,
    }
}

/// From the flush on. Where the datapath went before that, from then on; and where no hook was back in time to see a flush
/// in the one that was made anew, until the first forwarding that was seen there.
fn whole(view: &View<'_>, device: &str, standing: Standing, state: Option<&Convergence>) -> Option<Exposed> {
    let disruption = view.disruption;
    let mut forwarding = Forwarding::by_megaflows(state);
    let dark = disruption.dark();
    match disruption.kind() {
        Kind::FlowsRemoved => return cut(view, device, standing, state),
        Kind::PortsRemoved => return unplugged(view, device),
        Kind::DatapathTakenOver | Kind::HandlersStuck => {
            let start = disruption.risk()?;
            view.evidence.again(device, start, view.until, &mut forwarding);
            return forwarding
                .is_lossy()
                .then(|| window::exposed(start, Standing::Unknown, state, &forwarding));
        }
        Kind::Graceful
        | Kind::Killed
        | Kind::Restarted
        | Kind::FlagOnly
        | Kind::FlushOnly
        | Kind::ModuleReload => {}
    }
    if let Some(dark) =
        dark.filter(|_| disruption.emptied.is_some() && disruption.is_unfinished() && view.until.is_none())
    {
        // It was emptied, and what would fill it again has not begun.
        return Some(open(dark));
    }
    if let Some(flush) = disruption.milestones.flush_ns {
        view.evidence.again(device, flush, view.until, &mut forwarding);
        let exposed = window::exposed(flush, standing, state, &forwarding);
        return Some(window::since(dark, &exposed));
    }
    let dark = dark?;
    view.evidence.again(device, dark, view.until, &mut forwarding);
    view.evidence.anew(device, dark, view.until, &mut forwarding);
    Some(window::exposed(dark, Standing::Unknown, state, &forwarding))
}

/// Its flows were removed: from the first sign that its traffic was dropped, and at the latest from when the monitor told.
fn cut(view: &View<'_>, device: &str, standing: Standing, state: Option<&Convergence>) -> Option<Exposed> {
    let told = view.disruption.milestones.flows_removed_ns?;
    let mut forwarding = Forwarding::by_megaflows(state);
    view.evidence.again(
        device,
        Timestamp(told.0.saturating_sub(SECOND)),
        view.until,
        &mut forwarding,
    );
    let dropped = state.and_then(|state| state.first_drop);
    if !view.disruption.cut.contains(device) && !forwarding.is_lossy() && dropped.is_none() {
        return None;
    }
    let start = dropped.into_iter().chain([told]).min()?;
    Some(window::exposed(start, standing, state, &forwarding))
}

/// A Pod's port that was away for a time took its traffic away, too, whatever else did.
fn with_absences(view: &View<'_>, endpoint: &Endpoint, whole: Option<Exposed>) -> Option<Exposed> {
    let (from, to) = view.span();
    let in_span = |gone: Timestamp| gone >= from && to.is_none_or(|to| gone < to);
    let away = endpoint.away.iter().filter(|(gone, _)| in_span(*gone));
    let away = away.filter(|_| endpoint.identity.pod.is_some() && endpoint.until.is_none());
    away.fold(whole, |whole, (gone, back)| {
        let absence = Exposed {
            start_ns: *gone,
            end_ns: Some(*back),
            duration_ns: Some(back.since(*gone)),
            ended_by: None,
        };
        Some(whole.map_or(absence, |whole| window::joined(&whole, *gone, *back)))
    })
}

/// Its port went: until it is there again.
fn unplugged(view: &View<'_>, device: &str) -> Option<Exposed> {
    let endpoint = view.engine.topology.endpoints().get(device)?;
    let (from, to) = view.span();
    let mut away = endpoint
        .away
        .iter()
        .filter(|(gone, _)| *gone >= from && to.is_none_or(|to| *gone < to));
    let (gone, back) = away.next()?;
    Some(Exposed {
        start_ns: *gone,
        end_ns: Some(*back),
        duration_ns: Some(back.since(*gone)),
        ended_by: None,
    })
}

/// Where its flows stand, those that all Pods share included: without them its own are of no use.
pub fn effective(view: &View<'_>, device: &str, endpoint: &Endpoint) -> Standing {
    let own = standing(view, device, endpoint);
    match (own, shared(view, endpoint)) {
        (Standing::Installed(own), SharedStanding::Installed(shared)) => Standing::Installed(own.max(shared)),
        (Standing::Kept, SharedStanding::Installed(shared)) => Standing::Installed(shared),
        (own, SharedStanding::Kept | SharedStanding::Missing(_) | SharedStanding::Installed(_)) => own,
    }
}
