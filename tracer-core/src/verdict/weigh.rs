//! What was found of one endpoint, weighed: what is proven, what the evidence allows, what contradicts a pass.
//!
//! Must not depend on: causes, other endpoints.

use crate::memory::coverage::RECORDS_LOST;
use crate::memory::openflow::{SharedStanding, Standing};
use crate::memory::story::PATIENCE;
use crate::report::Exposed;
use crate::verdict::exposure::effective;
use crate::verdict::loss::longest;
use crate::verdict::scene::{Found, View, losses};
use crate::vocabulary::bounds::Bounds;
use crate::vocabulary::count;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::{EndedBy, Reason};
use crate::witness::proof::{Claim, Proof};
use crate::witness::source::{Source, State, Witness};

/// What was found of one endpoint, as a claim.
#[derive(Debug)]
pub struct Weighed {
    lost: u64,
    gap: Bounds,
    /// How long it was dark.
    pub exposed: Bounds,
    carried: bool,
    /// All that was needed to reach it was there before anything was taken away.
    pub reachable: bool,
    doubts: Vec<String>,
}

impl Weighed {
    /// Weighs it.
    pub fn of(view: &View<'_>, found: &Found<'_>, witnesses: &[Witness], to: Timestamp) -> Self {
        let incomplete = view
            .blemishes
            .iter()
            .any(|one| one.finding.kind == RECORDS_LOST && one.finding.touches(view.span().0, Some(to)));
        // That nothing was executed is what is not in the records.
        let by_absence = |reason: Reason| incomplete && reason == Reason::UserspaceDrop;
        let counted = found.lost.iter().filter(|(reason, _)| !by_absence(**reason));
        let lost = count::total(counted.map(|(_, count)| *count));
        let absent = count::total(found.lost.values()).saturating_sub(lost);
        let discounted = (absent > 0).then(|| {
            format!(
                "{absent} of its packets were handed to userspace and no answer was seen, while records did not fit: whether they were \
                 lost is not known."
            )
        });
        let (at_least, at_most, last_lost) = longest(losses(&found.observed));
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
            exposed: dark(view, found, witnesses, to, last_lost),
            carried: !is_pod || view.evidence.carried(found.device, start),
            reachable: reachable(view, found, start),
            doubts: doubts(view, found, to, elsewhere.map(|(_, port)| port.0))
                .into_iter()
                .chain(discounted)
                .collect(),
        }
    }

    /// What is proven.
    pub fn proof(&self, witnesses: &[Witness]) -> Proof {
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

/// The revalidator makes outputs of drop megaflows, or takes them away, so shortly after flows came.
const REVALIDATED: u64 = 2 * SECOND;

fn is_whole(witnesses: &[Witness], source: Source) -> bool {
    witnesses
        .iter()
        .any(|witness| witness.source == source && witness.state == State::Whole)
}

/// Whether a drop megaflow, a lost packet or a missing port says that it was dark.
pub fn is_dark(view: &View<'_>, found: &Found<'_>) -> bool {
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
    let absent = view.disruption.baseline.absent(found.device).filter(|_| !missing);
    let until = exposed.end_ns.unwrap_or(to).min(to);
    let known = absent.map_or(0, |absent| absent.min(until).since(exposed.start_ns));
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
        at_least: proven.max(known).max(away(found, exposed)),
        at_most: exposed.duration_ns,
    }
}

/// How long its port was away within the window.
fn away(found: &Found<'_>, exposed: &Exposed) -> u64 {
    let end = |back: Timestamp| exposed.end_ns.map_or(back, |end| end.min(back));
    let spans = found.endpoint.away.iter();
    let within = spans.map(|(gone, back)| end(*back).since(exposed.start_ns.max(*gone)));
    within.max().unwrap_or(0)
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
    let away = found
        .endpoint
        .away
        .iter()
        .any(|(_, back)| *back >= view.disruption.began);
    let taken = view.disruption.cut.contains(found.device) || found.endpoint.missing.is_some() || away;
    // Until upcalls are bound, new traffic is lost.
    let bound = view.disruption.milestones.upcalls_bound_ns;
    own && shared && !dropped && !taken && bound.is_none_or(|bound| bound <= start)
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
    if found.endpoint.missing.is_some() {
        doubts.push(missing(view, found));
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

/// That its port is away, and what OVSDB says of it.
fn missing(view: &View<'_>, found: &Found<'_>) -> String {
    let row = view.engine.topology.row(found.device);
    let why = match row.map(|row| row.error.as_deref()) {
        Some(Some(error)) => format!("Open vSwitch says: {error}."),
        Some(None) => "Its row is still in OVSDB.".to_owned(),
        None => "Its bridge was deleted, and nobody has put the port back.".to_owned(),
    };
    format!(
        "Its port {} is not in the datapath any more. {why} Add the port again (`ovs-vsctl add-port`).",
        found.device
    )
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
pub fn unanswered(view: &View<'_>, found: &Found<'_>) -> Option<Timestamp> {
    let Exposed { start_ns, end_ns, .. } = found.exposed.as_ref()?;
    let until = end_ns.map(|end| end.plus(PATIENCE));
    view.evidence.waiting(found.device, (*start_ns, until))
}
