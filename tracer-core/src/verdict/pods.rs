//! The row of each Pod in one disruption: its windows, its cause, what is proven.
//!
//! Must not depend on: events, other disruptions.

use std::collections::BTreeMap;

use crate::memory::coverage::{Blemish, RECORDS_LOST};
use crate::memory::disruption::Disruption;
use crate::memory::engine::Engine;
use crate::memory::megaflow::Convergence;
use crate::memory::openflow::{SharedStanding, Standing};
use crate::memory::story::PATIENCE;
use crate::memory::topology::Endpoint;
use crate::report::{Exposed, Leak, Loss, Observed, Pod};
use crate::verdict::cause::{Facts, cause};
use crate::verdict::counterfactual::{is_early, remainder};
use crate::verdict::evidence::{Evidence, Span};
use crate::verdict::forwarding::Forwarding;
use crate::verdict::loss::{self, longest};
use crate::verdict::window;
use crate::vocabulary::bounds::Bounds;
use crate::vocabulary::class::Direction;
use crate::vocabulary::count;
use crate::vocabulary::time::{MILLISECOND, SECOND, Timestamp};
use crate::vocabulary::words::{Cause, EndedBy, Kind, Reason};
use crate::witness::gather::{Scene, witnesses};
use crate::witness::proof::{Claim, Proof};
use crate::witness::source::{Source, State, Witness};

/// Everything one disruption's rows are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is remembered.
    pub engine: &'a Engine,
    /// Packets.
    pub evidence: &'a Evidence<'a>,
    /// What is known to be missing.
    pub blemishes: &'a [Blemish],
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

/// What was handed to userspace is known to be lost or delivered after a second; the sorter holds events back for half of one.
pub const AFTERMATH: u64 = 1_700 * MILLISECOND;

/// What is found of one endpoint, before it is weighed.
struct Found<'a> {
    device: &'a str,
    endpoint: &'a Endpoint,
    standing: Standing,
    shared: SharedStanding,
    exposed: Option<Exposed>,
    observed: Observed,
    lost: BTreeMap<Reason, u64>,
}

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

/// When an endpoint's traffic was forwarded again, for all that a policy does not drop.
pub fn again(view: &View<'_>, device: &str) -> Option<Timestamp> {
    if view.disruption.risk().is_none() {
        // Nothing was taken from the megaflows: what they drop they dropped before.
        return Some(view.disruption.began);
    }
    let endpoint = view.engine.topology.endpoints().get(device)?;
    exposed(view, device, endpoint)?.end_ns
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

/// Where its own flows stand. What an ovs-vswitchd that is gone told says nothing of the next one.
fn standing(view: &View<'_>, device: &str, endpoint: &Endpoint) -> Standing {
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

fn shared(view: &View<'_>, endpoint: &Endpoint) -> SharedStanding {
    let bridge = endpoint.bridge.as_deref();
    bridge.map_or(SharedStanding::Kept, |bridge| {
        view.disruption.baseline.shared(bridge)
    })
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

/// From when traffic would have been lost until it would not.
fn exposed(view: &View<'_>, device: &str, endpoint: &Endpoint) -> Option<Exposed> {
    if let Some(since) = endpoint
        .missing
        .filter(|since| view.until.is_none_or(|until| *since < until))
    {
        return Some(open(since.max(view.disruption.dark().unwrap_or(since))));
    }
    let standing = effective(view, device, endpoint);
    let state = view.disruption.converging.endpoint(device);
    let whole = whole(view, device, standing, state)?;
    Some(window::of_port(&whole, endpoint.since, endpoint.until))
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
    if let Some(dark) = dark.filter(|_| disruption.is_unfinished() && view.until.is_none()) {
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
fn effective(view: &View<'_>, device: &str, endpoint: &Endpoint) -> Standing {
    let own = standing(view, device, endpoint);
    match (own, shared(view, endpoint)) {
        (Standing::Installed(own), SharedStanding::Installed(shared)) => Standing::Installed(own.max(shared)),
        (Standing::Kept, SharedStanding::Installed(shared)) => Standing::Installed(shared),
        (own, SharedStanding::Kept | SharedStanding::Missing(_) | SharedStanding::Installed(_)) => own,
    }
}

fn losses(observed: &Observed) -> impl Iterator<Item = &Loss> + Clone {
    [&observed.to_pod, &observed.from_pod].into_iter().flatten()
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

/// What was found of one endpoint, as a claim.
struct Weighed {
    lost: u64,
    gap: Bounds,
    exposed: Bounds,
    carried: bool,
    reachable: bool,
    doubts: Vec<String>,
}

impl Weighed {
    fn of(view: &View<'_>, found: &Found<'_>, witnesses: &[Witness], to: Timestamp) -> Self {
        let incomplete = view
            .blemishes
            .iter()
            .any(|one| one.finding.kind == RECORDS_LOST && one.finding.touches(view.span().0, Some(to)));
        // That nothing was executed is what is not in the records.
        let by_absence = |reason: Reason| incomplete && reason == Reason::UserspaceDrop;
        let counted = found.lost.iter().filter(|(reason, _)| !by_absence(**reason));
        let lost = count::total(counted.map(|(_, count)| *count));
        let (at_least, at_most, last) = longest(losses(&found.observed));
        let packets = is_whole(witnesses, Source::Packets) && is_whole(witnesses, Source::Upcalls);
        let start = found
            .exposed
            .as_ref()
            .map_or(view.span().0, |exposed| exposed.start_ns);
        let is_pod = found.endpoint.identity.pod.is_some();
        let elsewhere = view.evidence.elsewhere(view.engine, found.device);
        Self {
            lost,
            // What was not recorded may have been a delivery in the middle of it.
            gap: Bounds {
                at_least: if packets { at_least } else { 0 },
                at_most,
            },
            exposed: dark(view, found, witnesses, to, last),
            carried: !is_pod || view.evidence.carried(found.device, start),
            reachable: reachable(view, found, start),
            doubts: doubts(view, found, to, elsewhere.map(|(_, port)| port.0)),
        }
    }

    fn proof(&self, witnesses: &[Witness]) -> Proof {
        Proof::of(&Claim {
            lost: self.lost,
            gap: self.gap,
            exposed: self.exposed,
            carried: self.carried,
            reachable: self.reachable,
            doubts: &self.doubts,
            witnesses,
        })
    }
}

fn is_whole(witnesses: &[Witness], source: Source) -> bool {
    witnesses
        .iter()
        .any(|witness| witness.source == source && witness.state == State::Whole)
}

/// The revalidator makes outputs of drop megaflows, or takes them away, so shortly after flows came.
const REVALIDATED: u64 = 2 * SECOND;

/// Whether a drop megaflow, a lost packet or a missing port says that it was dark.
fn is_dark(view: &View<'_>, found: &Found<'_>) -> bool {
    let state = view.disruption.converging.endpoint(found.device);
    let healed = state.is_some_and(|state| state.healed.is_some());
    let revalidated = state.and_then(|state| state.drops_gone).is_some_and(|gone| {
        matches!(effective(view, found.device, found.endpoint),
            Standing::Installed(at) if gone <= at.plus(REVALIDATED))
    });
    let unplugged = view.disruption.unplugged.contains(found.device);
    !found.lost.is_empty() || healed || revalidated || unplugged || found.endpoint.missing.is_some()
}

/// How long it was dark: what is proven, and what the evidence allows.
fn dark(
    view: &View<'_>,
    found: &Found<'_>,
    witnesses: &[Witness],
    to: Timestamp,
    last_lost: Option<Timestamp>,
) -> Bounds {
    // The window of a port that is no Pod, or of one that was deleted, says nothing about traffic that anybody wanted.
    let deleted = found
        .endpoint
        .until
        .is_some_and(|until| view.until.is_none_or(|next| until <= next));
    let Some(exposed) = found
        .exposed
        .as_ref()
        .filter(|_| found.endpoint.identity.pod.is_some() && !deleted)
    else {
        return Bounds::exactly(0);
    };
    let missing = found.endpoint.missing.is_some();
    let seen = missing || is_whole(witnesses, Source::Megaflows);
    let proven = if !is_dark(view, found) || !seen {
        0
    } else {
        match (exposed.end_ns, exposed.ended_by) {
            (None, _) => to.since(exposed.start_ns),
            // The flow monitor tells late: the flows may have been there long before it said so.
            (Some(_), Some(EndedBy::FlowsInstalled)) => {
                last_lost.map_or(0, |last| last.since(exposed.start_ns))
            }
            (Some(end), _) => end.since(exposed.start_ns),
        }
    };
    Bounds {
        at_least: proven,
        at_most: exposed.duration_ns,
    }
}

/// Whether all that was needed to reach it was there before anything was taken away, and nothing dropped its traffic since.
fn reachable(view: &View<'_>, found: &Found<'_>, start: Timestamp) -> bool {
    let state = view.disruption.converging.endpoint(found.device);
    let dropped = state.is_some_and(|state| state.first_drop.is_some() || state.unclear);
    let own = match found.standing {
        Standing::Kept => true,
        Standing::Installed(at) => at <= start,
        Standing::Unknown | Standing::Missing => false,
    };
    let shared = match found.shared {
        SharedStanding::Kept => true,
        SharedStanding::Installed(at) => at <= start,
        SharedStanding::Missing(_) => false,
    };
    let taken = view.disruption.cut.contains(found.device) || found.endpoint.missing.is_some();
    own && shared && !dropped && !taken
}

/// What contradicts a pass, whatever the witnesses say.
fn doubts(view: &View<'_>, found: &Found<'_>, to: Timestamp, elsewhere: Option<u32>) -> Vec<String> {
    let disruption = view.disruption;
    let mut doubts = Vec::new();
    if disruption.is_unfinished() && view.until.is_none() {
        doubts.push(
            "The end of the disruption was not seen: the datapath was not flushed before the capture ended. Capture for longer \
             (`--settle`)."
                .to_owned(),
        );
    }
    if disruption.taken_over {
        doubts.push("Two instances of ovs-vswitchd command the datapath: stop one of them.".to_owned());
    }
    if is_unbound(view) {
        doubts.push(
            "ovs-vswitchd started and bound no upcall handler: new traffic is lost. Look for `n-handler-threads` in its log and \
             restart it."
                .to_owned(),
        );
    }
    if unanswered(view, found).is_some() {
        doubts.push(
            "Packets that were handed to userspace had not come back when the capture ended: whether they were lost is not known. \
             Capture for a second longer."
                .to_owned(),
        );
    }
    if let Some(port) = elsewhere {
        doubts.push(format!(
            "Packets addressed to it were sent to datapath port {port}, which is not its own: they may be copies (a mirror), \
             which are no deliveries."
        ));
    }
    let early = disruption.risk().is_some_and(|risk| to.since(risk) < PATIENCE);
    if early && view.until.is_none() && found.endpoint.until.is_none() {
        doubts.push(
            "The capture ended less than a second after traffic was put at risk. Capture for longer."
                .to_owned(),
        );
    }
    doubts
}

/// A new ovs-vswitchd serves, and neither a binding nor an upcall that was taken says that it takes upcalls.
fn is_unbound(view: &View<'_>) -> bool {
    let disruption = view.disruption;
    let milestones = &disruption.milestones;
    let anew = milestones
        .vswitchd_exit_ns
        .or(milestones.vswitchd_start_ns)
        .is_some();
    let bound = milestones.upcalls_bound_ns.is_some()
        || milestones
            .flush_ns
            .is_some_and(|flush| view.engine.conditions.taken() >= Some(flush));
    anew && !disruption.is_unfinished() && (disruption.bound_nobody || !bound)
}

/// When the first of an endpoint's packets was handed to userspace that had not come back by the end, a second at most after the
/// window closed: whether they are lost is not known yet.
fn unanswered(view: &View<'_>, found: &Found<'_>) -> Option<Timestamp> {
    let Exposed { start_ns, end_ns, .. } = found.exposed.as_ref()?;
    let until = end_ns.map(|end| end.plus(PATIENCE));
    view.evidence.waiting(found.device, (*start_ns, until))
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
