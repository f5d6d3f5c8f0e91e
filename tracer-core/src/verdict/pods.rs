//! The row of each Pod in one disruption: its windows, its cause, what is proven.
//!
//! Must not depend on: events, other disruptions.

use std::collections::BTreeMap;

use crate::memory::disruption::Disruption;
use crate::memory::engine::Engine;
use crate::memory::megaflow::Convergence;
use crate::memory::openflow::{SharedStanding, Standing};
use crate::memory::topology::Endpoint;
use crate::report::{Exposed, Leak, Loss, Observed, Pod};
use crate::verdict::cause::{Facts, cause};
use crate::verdict::counterfactual::{is_early, remainder};
use crate::verdict::evidence::Span;
use crate::verdict::exposure::{exposed, shared, standing};
use crate::verdict::loss;
use crate::verdict::scene::{Found, View, losses};
use crate::verdict::weigh::{Weighed, is_dark, unanswered};
use crate::verdict::window;
use crate::vocabulary::bounds::Bounds;
use crate::vocabulary::class::Direction;
use crate::vocabulary::count;
use crate::vocabulary::time::{MILLISECOND, SECOND, Timestamp};
use crate::vocabulary::words::{Cause, Reason};
use crate::witness::gather::{Scene, witnesses};
use crate::witness::proof::Proof;

/// What was handed to userspace is known to be lost or delivered after a second; the sorter holds events back for half of one.
pub const AFTERMATH: u64 = 1_700 * MILLISECOND;

/// Endpoints that were at a datapath port in the disruption, by device.
pub fn there<'a>(
    engine: &'a Engine,
    disruption: &Disruption,
    (from, to): Span,
) -> Vec<(&'a str, &'a Endpoint)> {
    let at_risk = disruption.risk().unwrap_or(from);
    let endpoints = engine.topology.endpoints().iter();
    let there = endpoints.filter(|(_, endpoint)| {
        endpoint.vport.is_some()
            && to.is_none_or(|to| endpoint.since < to)
            && endpoint.until.is_none_or(|until| until >= at_risk)
    });
    there.map(|(name, endpoint)| (name.as_str(), endpoint)).collect()
}

/// The rows: Pods by namespace and name, then ports that are no Pod.
pub fn pods(view: &View<'_>) -> Vec<Pod> {
    let mut found: Vec<Found<'_>> = there(view.engine, view.disruption, view.span())
        .into_iter()
        .map(|(device, endpoint)| find(view, device, endpoint))
        .collect();
    // A port that was made once all others were forwarded again has no part in it.
    found.sort_by_key(|found| found.endpoint.since);
    let mut to = judged_until(view, &found);
    while found
        .last()
        .is_some_and(|last| last.endpoint.since > view.disruption.began)
    {
        let without = judged_until(view, &found[..found.len() - 1]);
        if found.last().is_none_or(|last| last.endpoint.since <= without) {
            break;
        }
        found.pop();
        to = without;
    }
    let mut pods: Vec<Pod> = found.into_iter().map(|found| pod(view, found, to)).collect();
    pods.sort_by(|one, other| order(one).cmp(&order(other)));
    pods
}

fn order(pod: &Pod) -> (bool, Option<&str>, &str, &str) {
    (
        pod.namespace.is_none(),
        pod.namespace.as_deref(),
        &pod.name,
        &pod.interface,
    )
}

fn find<'a>(view: &View<'_>, device: &'a str, endpoint: &'a Endpoint) -> Found<'a> {
    let loss = |direction| {
        let losing = view.evidence.losing(device, direction)?;
        Some(loss::loss(&losing))
    };
    let observed = Observed {
        to_pod: loss(Direction::ToPod),
        from_pod: loss(Direction::FromPod),
    };
    Found {
        device,
        endpoint,
        standing: standing(view, device, endpoint),
        shared: shared(view, endpoint),
        exposed: exposed(view, device, endpoint),
        lost: lost(&observed),
        observed,
    }
}

/// Until when the disruption is judged: a little after its last window closed. While one is open, to the end.
fn judged_until(view: &View<'_>, found: &[Found<'_>]) -> Timestamp {
    let end = view.until.unwrap_or(view.engine.now);
    let named = found.iter().filter(|found| found.endpoint.identity.pod.is_some());
    let milestones = &view.disruption.milestones;
    let mut over = milestones
        .flush_ns
        .max(milestones.flag_removed_ns)
        .max(Some(view.disruption.contested))
        .unwrap_or(view.disruption.began)
        .max(view.disruption.began);
    for found in named {
        let open = |loss: &&Loss| loss.last_lost_ns.is_some() && loss.first_delivered_after_ns.is_none();
        let closed = found
            .exposed
            .as_ref()
            .is_none_or(|exposed| exposed.end_ns.is_some());
        if !closed || losses(&found.observed).any(|loss| open(&loss)) {
            return end;
        }
        let ends = found.exposed.as_ref().and_then(|exposed| exposed.end_ns);
        let delivered = losses(&found.observed).filter_map(|loss| loss.first_delivered_after_ns);
        over = ends.into_iter().chain(delivered).fold(over, Timestamp::max);
    }
    if view.disruption.is_unfinished() {
        return end;
    }
    over.plus(AFTERMATH).min(end)
}

fn lost(observed: &Observed) -> BTreeMap<Reason, u64> {
    let mut lost = BTreeMap::new();
    for (reason, count) in losses(observed).flat_map(|loss| &loss.by_reason) {
        count::add(lost.entry(*reason).or_default(), *count);
    }
    lost
}

fn pod(view: &View<'_>, found: Found<'_>, to: Timestamp) -> Pod {
    let endpoint = found.endpoint;
    let to = endpoint.until.map_or(to, |until| until.min(to));
    let scene = Scene {
        engine: view.engine,
        blemishes: view.blemishes,
        disruption: view.disruption,
        endpoint,
        to,
    };
    let witnesses = witnesses(&scene);
    let weighed = Weighed::of(view, &found, &witnesses, to);
    let proof = weighed.proof(&witnesses);
    let installed = match found.standing {
        Standing::Installed(at) => Some(at),
        Standing::Unknown | Standing::Kept | Standing::Missing => None,
    };
    let delivered = losses(&found.observed)
        .filter_map(|loss| loss.first_delivered_after_ns)
        .min();
    let state = view.disruption.converging.endpoint(found.device);
    let converged = state.and_then(Convergence::converged);
    let waterfall = |exposed: &Exposed| window::waterfall(exposed, installed, delivered);
    let (namespace, name) = match &endpoint.identity.pod {
        Some((namespace, name)) => (Some(namespace.clone()), name.clone()),
        None => (None, found.device.to_owned()),
    };
    Pod {
        namespace,
        name,
        bridge: endpoint.bridge.clone(),
        interface: found.device.to_owned(),
        ofport: endpoint.ofport.map(|ofport| ofport.0),
        port_no: endpoint.vport.map(|(_, port_no)| port_no.0),
        mac: endpoint.identity.mac.map(|mac| mac.to_string()),
        ips: endpoint.identity.ips.iter().map(ToString::to_string).collect(),
        network: endpoint.identity.network.clone(),
        reachable_ns: installed.filter(|_| weighed.reachable || found.shared == SharedStanding::Kept),
        flows_installed_ns: installed,
        converged_ns: converged,
        waterfall: found.exposed.as_ref().map(waterfall).unwrap_or_default(),
        delayed: view.evidence.delayed(found.device),
        leak: leak(view, endpoint, found.standing, converged),
        cause: why(view, &found, &weighed, &proof),
        // Where the other Pods stand is not known here.
        counterfactual: None,
        exposed: found.exposed,
        observed: found.observed,
        verdict: proof.verdict(),
        proof: Some(proof),
        witnesses,
    }
}

/// The same for a whole disruption: how many Pods, and since when.
pub fn too_early(view: &View<'_>) -> Option<(usize, Timestamp)> {
    let there = there(view.engine, view.disruption, view.span());
    let pods = there
        .into_iter()
        .filter(|(_, endpoint)| endpoint.identity.pod.is_some());
    let queued: Vec<Timestamp> = pods
        .map(|(device, endpoint)| find(view, device, endpoint))
        .filter_map(|found| unanswered(view, &found))
        .collect();
    Some((queued.len(), queued.iter().min().copied()?))
}

/// Says of each Pod what would have remained of its window if the flag had waited until all flows `came`.
pub fn had_it_waited(view: &View<'_>, pods: &mut [Pod], came: Timestamp) {
    for pod in pods.iter_mut().filter(|pod| is_early(pod)) {
        let lost = view.evidence.around(&pod.interface, came);
        let exposed = pod.exposed.as_ref();
        pod.counterfactual = exposed.map(|exposed| remainder(exposed, came, lost));
    }
}

fn why(view: &View<'_>, found: &Found<'_>, weighed: &Weighed, proof: &Proof) -> Option<Cause> {
    let endpoint = found.endpoint;
    let milestones = &view.disruption.milestones;
    let judged = endpoint.identity.pod.is_some() && endpoint.until.is_none();
    cause(&Facts {
        kind: view.disruption.kind(),
        milestones,
        standing: found.standing,
        shared: found.shared,
        exposed: found
            .exposed
            .as_ref()
            .filter(|_| judged && proof.window_ns() != Bounds::exactly(0)),
        lost: &found.lost,
        dropped: weighed.exposed.at_least > 0 || is_dark(view, found),
        missing: endpoint.missing.is_some(),
        cut: view.disruption.cut.contains(found.device),
        added: milestones.flush_ns.is_some_and(|flush| endpoint.since > flush),
        recreated: [endpoint.recreated, endpoint.renumbered]
            .into_iter()
            .flatten()
            .any(|at| at >= view.span().0),
        stuck: view.flag() && view.disruption.is_unfinished() && view.disruption.dark().is_some(),
        flag: view.flag(),
        bound_nobody: view.disruption.bound_nobody,
        // A Pod that was deleted waits for its flows no longer.
        now: endpoint
            .until
            .map_or(view.engine.now, |until| until.min(view.engine.now)),
    })
}

/// Traffic was forwarded although the endpoint's flows were absent: a megaflow that outputs came first. Only a
/// bridge that is not `secure` forwards by itself (`connmgr_flushed`, ofproto/connmgr.c).
fn leak(
    view: &View<'_>,
    endpoint: &Endpoint,
    standing: Standing,
    converged: Option<Timestamp>,
) -> Option<Leak> {
    let start = converged.filter(|_| !is_secure(view, endpoint))?;
    match standing {
        Standing::Missing => Some(Leak {
            start_ns: start,
            end_ns: None,
        }),
        Standing::Installed(end) if end.since(start) > MONITOR_DELAY => Some(Leak {
            start_ns: start,
            end_ns: Some(end),
        }),
        Standing::Installed(_) | Standing::Kept | Standing::Unknown => None,
    }
}

fn is_secure(view: &View<'_>, endpoint: &Endpoint) -> bool {
    let row = view.engine.topology.bridge_of(endpoint);
    row.is_none_or(|row| row.fail_mode.as_deref() == Some("secure"))
}

/// The flow monitor tells of a flow after it has taken effect: ovs-vswitchd sends at the end of its main
/// loop's pass, and we must be scheduled, which on a busy emulated node took 240 ms. A megaflow that is no
/// earlier than this is no leak.
const MONITOR_DELAY: u64 = SECOND;
