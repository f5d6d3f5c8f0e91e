//! The row of each Pod in one disruption: its windows, its cause, its verdict.
//!
//! Must not depend on: events, other disruptions.

use std::collections::BTreeMap;

use crate::memory::coverage::{RECORDS_LOST, finding, touches, weakened};
use crate::memory::disruption::Disruption;
use crate::memory::engine::Engine;
use crate::memory::megaflow::Convergence;
use crate::memory::openflow::Standing;
use crate::memory::topology::Endpoint;
use crate::memory::traffic::PATIENCE;
use crate::report::{Exposed, Leak, Loss, Observed, Pod};
use crate::verdict::cause::{Facts, cause};
use crate::verdict::counterfactual::{is_early, remainder};
use crate::verdict::evidence::{Evidence, Span};
use crate::verdict::forwarding::Forwarding;
use crate::verdict::window;
use crate::vocabulary::class::Direction;
use crate::vocabulary::count;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::{Cause, Finding, Reason, Verdict};

/// Everything one disruption's rows are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is remembered.
    pub engine: &'a Engine,
    /// Packets.
    pub evidence: &'a Evidence<'a>,
    /// What could not be seen.
    pub coverage: &'a [Finding],
    /// The disruption.
    pub disruption: &'a Disruption,
    /// When the next one began.
    pub until: Option<Timestamp>,
}

impl View<'_> {
    /// From this disruption's first sign to the next one's.
    pub fn span(&self) -> Span {
        (self.disruption.began, self.until)
    }

    fn flag(&self) -> bool {
        self.until.is_none() && self.engine.disruptions.flag() == Some(true)
    }
}

/// The rows: Pods by namespace and name, then ports that are no Pod.
pub fn pods(view: &View<'_>) -> Vec<Pod> {
    let (from, to) = view.span();
    let there = |endpoint: &&Endpoint| {
        endpoint.vport.is_some()
            && to.is_none_or(|to| endpoint.since < to)
            && endpoint.until.is_none_or(|until| until >= from)
    };
    let endpoints = view
        .engine
        .topology
        .endpoints()
        .iter()
        .filter(|(_, endpoint)| there(endpoint));
    let mut pods: Vec<Pod> = endpoints
        .map(|(name, endpoint)| pod(view, name, endpoint))
        .collect();
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

/// What the disruption's parts say of one endpoint, before it is put into words.
struct Findings {
    standing: Standing,
    exposed: Option<Exposed>,
    converged: Option<Timestamp>,
    dropped: bool,
    observed: Observed,
    lost: BTreeMap<Reason, u64>,
    judged: bool,
    unanswered: bool,
}

fn findings(view: &View<'_>, interface: &str, endpoint: &Endpoint) -> Findings {
    let standing = view.disruption.baseline.standing(interface);
    let state = view.disruption.converging.endpoint(interface);
    let observed = Observed {
        to_pod: view.evidence.loss(interface, Direction::ToPod, view.span()),
        from_pod: view.evidence.loss(interface, Direction::FromPod, view.span()),
    };
    let exposed = exposed(view, interface, standing, state)
        .map(|exposed| window::of_port(&exposed, endpoint.since, endpoint.until));
    Findings {
        standing,
        unanswered: unanswered(view, interface, exposed.as_ref()).is_some(),
        exposed,
        converged: state.and_then(Convergence::converged),
        dropped: state.is_some_and(|state| state.first_drop.is_some()),
        lost: lost(&observed),
        observed,
        judged: judged(endpoint, view),
    }
}

/// From the flush on. Where the datapath went before that, from then on; and where no hook was back in time to see a flush
/// in the one that was made anew, until the first forwarding that was seen there.
fn exposed(
    view: &View<'_>,
    interface: &str,
    standing: Standing,
    state: Option<&Convergence>,
) -> Option<Exposed> {
    let mut forwarding = Forwarding::by_megaflows(state);
    let dark = view.disruption.dark();
    if let Some(flush) = view.disruption.milestones.flush_ns {
        view.evidence.again(interface, flush, view.until, &mut forwarding);
        let exposed = window::exposed(flush, standing, state, &forwarding);
        return Some(window::since(dark, &exposed));
    }
    let dark = dark.filter(|_| view.disruption.module_gone.is_some())?;
    view.evidence.again(interface, dark, view.until, &mut forwarding);
    view.evidence.anew(interface, dark, view.until, &mut forwarding);
    Some(window::exposed(dark, Standing::Unknown, state, &forwarding))
}

fn pod(view: &View<'_>, interface: &str, endpoint: &Endpoint) -> Pod {
    let found = findings(view, interface, endpoint);
    let (why, verdict) = (why(view, endpoint, &found), verdict(view, &found));
    let installed = if let Standing::Installed(at) = found.standing {
        Some(at)
    } else {
        None
    };
    let delivered = losses(&found.observed)
        .filter_map(|loss| loss.first_delivered_after_ns)
        .min();
    let leak = leak(view, endpoint, &found);
    let waterfall = |exposed: &Exposed| window::waterfall(exposed, installed, delivered);
    let (namespace, name) = match &endpoint.identity.pod {
        Some((namespace, name)) => (Some(namespace.clone()), name.clone()),
        None => (None, interface.to_owned()),
    };
    Pod {
        namespace,
        name,
        bridge: endpoint.bridge.clone(),
        interface: interface.to_owned(),
        ofport: endpoint.ofport.map(|ofport| ofport.0),
        port_no: endpoint.vport.map(|(_, port_no)| port_no.0),
        mac: endpoint.identity.mac.map(|mac| mac.to_string()),
        ips: endpoint.identity.ips.iter().map(ToString::to_string).collect(),
        network: None,
        reachable_ns: None,
        witnesses: Vec::new(),
        proof: None,
        flows_installed_ns: installed,
        converged_ns: found.converged,
        waterfall: found.exposed.as_ref().map(waterfall).unwrap_or_default(),
        exposed: found.exposed,
        observed: found.observed,
        delayed: view.evidence.delayed(interface, view.span()),
        leak,
        cause: why,
        // Where the other Pods stand is not known here.
        counterfactual: None,
        verdict,
    }
}

/// Says of each Pod what would have remained of its window if the flag had waited until all flows `came`.
pub fn had_it_waited(view: &View<'_>, pods: &mut [Pod], came: Timestamp) {
    for pod in pods.iter_mut().filter(|pod| is_early(pod)) {
        let lost = view.evidence.around(&pod.interface, view.span(), came);
        let exposed = pod.exposed.as_ref();
        pod.counterfactual = exposed.map(|exposed| remainder(exposed, came, lost));
    }
}

fn why(view: &View<'_>, endpoint: &Endpoint, found: &Findings) -> Option<Cause> {
    cause(&Facts {
        kind: view.disruption.kind(),
        milestones: &view.disruption.milestones,
        standing: found.standing,
        exposed: found.exposed.as_ref().filter(|_| found.judged),
        lost: &found.lost,
        dropped: found.dropped,
        added: view
            .disruption
            .milestones
            .flush_ns
            .is_some_and(|flush| endpoint.since > flush),
        recreated: [endpoint.recreated, endpoint.renumbered]
            .into_iter()
            .flatten()
            .any(|at| at >= view.span().0),
        flag: view.flag(),
        bound_nobody: view.disruption.bound_nobody,
        // A Pod that was deleted waits for its flows no longer.
        now: endpoint
            .until
            .map_or(view.engine.now, |until| until.min(view.engine.now)),
    })
}

fn losses(observed: &Observed) -> impl Iterator<Item = &Loss> {
    [&observed.to_pod, &observed.from_pod].into_iter().flatten()
}

/// Only a Pod that is there to the end of the disruption is judged by its exposed window: the window of a
/// port that is no Pod, or of one that was deleted, says nothing about traffic that anybody wanted.
fn judged(endpoint: &Endpoint, view: &View<'_>) -> bool {
    endpoint.identity.pod.is_some()
        && endpoint
            .until
            .is_none_or(|until| view.until.is_some_and(|to| until > to))
}

fn lost(observed: &Observed) -> BTreeMap<Reason, u64> {
    let mut lost = BTreeMap::new();
    for (reason, count) in losses(observed).flat_map(|loss| &loss.by_reason) {
        count::add(lost.entry(*reason).or_default(), *count);
    }
    lost
}

/// When the first of an endpoint's packets was handed to userspace that had not come back by the end, a second at most after the
/// window closed: whether they are lost is not known yet.
fn unanswered(view: &View<'_>, interface: &str, exposed: Option<&Exposed>) -> Option<Timestamp> {
    let Exposed { start_ns, end_ns, .. } = exposed?;
    let until = end_ns.map(|end| end.plus(PATIENCE));
    view.evidence.waiting(interface, (*start_ns, until))
}

/// That it is too early to say of packets of some Pods what became of them.
pub fn too_early(view: &View<'_>, pods: &[Pod]) -> Option<Finding> {
    let named = pods.iter().filter(|pod| pod.namespace.is_some());
    let queued: Vec<Timestamp> = named
        .filter_map(|pod| unanswered(view, &pod.interface, pod.exposed.as_ref()))
        .collect();
    let from = queued.iter().min().copied()?;
    let detail = format!(
        "packets of {} Pods that had been handed to userspace less than a second before had not come back yet, and are in no figure: \
         a capture that goes on for a second more knows whether they were lost",
        queued.len()
    );
    Some(finding(
        "unanswered",
        Some(from),
        Some(view.engine.now),
        detail,
        true,
    ))
}

/// Traffic was forwarded although the endpoint's flows were absent: a megaflow that outputs came first. Only a
/// bridge that is not `secure` forwards by itself (`connmgr_flushed`, ofproto/connmgr.c).
fn leak(view: &View<'_>, endpoint: &Endpoint, found: &Findings) -> Option<Leak> {
    let start = found.converged.filter(|_| !is_secure(view, endpoint))?;
    match found.standing {
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
    let mut bridges = view.engine.topology.bridges();
    let row = bridges.find(|row| Some(&row.name) == endpoint.bridge.as_ref());
    row.is_none_or(|row| row.fail_mode.as_deref() == Some("secure"))
}

/// The flow monitor tells of a flow after it has taken effect: ovs-vswitchd sends at the end of its main
/// loop's pass, and we must be scheduled, which on a busy emulated node took 240 ms. A megaflow that is no
/// earlier than this is no leak.
const MONITOR_DELAY: u64 = crate::vocabulary::time::SECOND;

fn verdict(view: &View<'_>, found: &Findings) -> Verdict {
    let (from, to) = view.span();
    let incomplete = view
        .coverage
        .iter()
        .any(|finding| finding.kind == RECORDS_LOST && touches(finding, from, to));
    // That nothing was executed, and that no megaflow came, is what is not in the records.
    let by_absence = |reason: &Reason| incomplete && *reason == Reason::UserspaceDrop;
    if !found.lost.keys().all(by_absence) {
        return Verdict::Fail;
    }
    let exposed = found.exposed.as_ref().filter(|_| found.judged);
    let by_window = match exposed.map(|exposed| (exposed.duration_ns, found.standing)) {
        None | Some((Some(0), _)) if found.lost.is_empty() => Verdict::Pass,
        // Without an OpenFlow monitor and without a drop megaflow, packets may just have waited.
        Some((_, Standing::Unknown)) if !found.dropped => Verdict::Inconclusive,
        _ => Verdict::Fail,
    };
    match by_window {
        Verdict::Pass if found.unanswered || weakened(view.coverage, from, to) => Verdict::Inconclusive,
        Verdict::Fail if incomplete => Verdict::Inconclusive,
        other => other,
    }
}

/// The worst of the Pods; a disruption that was not seen to its end cannot pass.
pub fn disruption_verdict(view: &View<'_>, pods: &[Pod]) -> Verdict {
    let worst = pods
        .iter()
        .map(|pod| pod.verdict)
        .max()
        .unwrap_or(Verdict::Inconclusive);
    let unfinished = view.disruption.is_waiting() && view.until.is_none();
    let (from, to) = view.span();
    if unfinished || weakened(view.coverage, from, to) {
        worst.max(Verdict::Inconclusive)
    } else {
        worst
    }
}
