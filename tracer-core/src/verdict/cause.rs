//! Why there was a window: one pure match over what is known of it.
//!
//! Must not depend on: state, packets' details.

use std::collections::BTreeMap;

use crate::memory::openflow::{SharedStanding, Standing};
use crate::report::Exposed;
use crate::vocabulary::count;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::{Cause, Kind, Milestones, Reason};

/// Flows still missing this long after the flush are named so while the capture runs. Antrea's asynchronous
/// installation took 300 ms in the reported case; OVN-Kubernetes re-installs within some seconds.
const NEVER: u64 = 5 * SECOND;

/// What is known of one endpoint's window.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, each read by its name in one match"
)]
pub struct Facts<'a> {
    /// How the disruption went.
    pub kind: Kind,
    /// When what happened.
    pub milestones: &'a Milestones,
    /// Where its OpenFlow flows stand.
    pub standing: Standing,
    /// Where the flows stand that all Pods of its bridge share.
    pub shared: SharedStanding,
    /// Its exposed window.
    pub exposed: Option<&'a Exposed>,
    /// Its lost packets, both directions.
    pub lost: &'a BTreeMap<Reason, u64>,
    /// A drop megaflow that had to heal, or a lost packet, was seen for it.
    pub dropped: bool,
    /// Its port is away although it should be there.
    pub missing: bool,
    /// Its flows were removed while ovs-vswitchd kept running.
    pub cut: bool,
    /// Its port was made after the flush: until its first flows came it had never had any.
    pub added: bool,
    /// Its port was made again or renumbered in this disruption.
    pub recreated: bool,
    /// ovs-vswitchd still waits for the flag to go, and nothing forwards.
    pub stuck: bool,
    /// flow-restore-wait is set at `now`.
    pub flag: bool,
    /// Portids were set and all are 0.
    pub bound_nobody: bool,
    /// The newest event.
    pub now: Timestamp,
}

/// Why; `None`: there is no window.
pub fn cause(facts: &Facts<'_>) -> Option<Cause> {
    let lost = count::total(facts.lost.values());
    let open = facts
        .exposed
        .is_some_and(|exposed| exposed.duration_ns != Some(0));
    if lost == 0 && !open {
        return None;
    }
    let Milestones {
        flush_ns,
        flag_removed_ns,
        flag_set_ns,
        ..
    } = facts.milestones;
    let flagged = flag_set_ns.or(*flag_removed_ns).is_some() || facts.flag;
    Some(match (facts.standing, flush_ns) {
        _ if facts.missing => Cause::PortMissing,
        _ if facts.stuck => Cause::FlagStuck,
        _ if facts.kind == Kind::ModuleReload => Cause::ModuleReload,
        _ if facts.kind == Kind::DatapathTakenOver => Cause::DatapathTakenOver,
        _ if facts.kind == Kind::FlowsRemoved && (facts.cut || facts.dropped) => Cause::AgentClearedFlows,
        _ if facts.recreated => Cause::PortRecreated,
        (_, None) if facts.flag && lost > 0 => Cause::FlagStuck,
        (Standing::Missing, Some(flush)) if facts.now.since(*flush) >= NEVER => Cause::FlowsNeverInstalled,
        (Standing::Installed(at), Some(flush)) if at > *flush && flagged => Cause::FlagBeforeFlows,
        (Standing::Installed(at), Some(flush)) if at > *flush => Cause::NoFlag,
        (Standing::Missing, Some(_)) if flagged => Cause::FlagBeforeFlows,
        (Standing::Missing, Some(_)) => Cause::NoFlag,
        (Standing::Installed(_) | Standing::Kept, Some(flush))
            if facts.dropped && shared_late(facts, *flush) =>
        {
            Cause::SharedFlowsLate
        }
        (Standing::Installed(_) | Standing::Kept, Some(_)) if facts.lost.contains_key(&Reason::DropFlow) => {
            Cause::RevalidationLag
        }
        // Without an OpenFlow monitor: a drop megaflow translated after the flag was removed says that
        // flows were missing then; that they came later is said by its becoming an output.
        (Standing::Unknown, Some(_)) if facts.added => by_reason(facts),
        (Standing::Unknown, Some(_)) if facts.dropped && flagged => Cause::FlagBeforeFlows,
        (Standing::Unknown, Some(_)) if facts.dropped => Cause::NoFlag,
        _ => by_reason(facts),
    })
}

/// Whether flows that all Pods share came after the flush.
fn shared_late(facts: &Facts<'_>, flush: Timestamp) -> bool {
    match facts.shared {
        SharedStanding::Kept => false,
        SharedStanding::Installed(at) => at > flush,
        SharedStanding::Missing(came) => came.is_none_or(|came| came > flush),
    }
}

/// The most frequent reason of loss names the cause where the milestones do not.
fn by_reason(facts: &Facts<'_>) -> Cause {
    let most = facts
        .lost
        .iter()
        .max_by_key(|(_, count)| **count)
        .map(|(reason, _)| reason);
    match most {
        Some(Reason::NoHandler) => Cause::HandlersDown,
        Some(Reason::QueueFull) => Cause::QueueOverflow,
        None if facts.bound_nobody => Cause::HandlersDown,
        Some(Reason::DropFlow | Reason::UserspaceDrop | Reason::UpcallError) | None => Cause::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::words::EndedBy;

    const FLUSH: Timestamp = Timestamp(100 * SECOND);

    fn exposed(duration: u64) -> Exposed {
        Exposed {
            start_ns: FLUSH,
            end_ns: Some(FLUSH.plus(duration)),
            duration_ns: Some(duration),
            ended_by: Some(EndedBy::Converged),
        }
    }

    #[track_caller]
    fn check(flag: bool, standing: Standing, duration: u64, lost: &[(Reason, u64)], expected: Option<Cause>) {
        let removed = flag.then_some(Timestamp(FLUSH.0 - 1000));
        let milestones = Milestones {
            flush_ns: Some(FLUSH),
            flag_removed_ns: removed,
            ..Milestones::default()
        };
        let facts = Facts {
            kind: Kind::Graceful,
            milestones: &milestones,
            standing,
            shared: SharedStanding::Kept,
            missing: false,
            stuck: false,
            cut: false,
            exposed: Some(&exposed(duration)),
            lost: &lost.iter().copied().collect(),
            dropped: true,
            added: false,
            recreated: false,
            flag: false,
            bound_nobody: false,
            now: FLUSH.plus(6 * SECOND),
        };
        assert_eq!(cause(&facts), expected);
    }

    #[test]
    fn causes_follow_the_evidence() {
        let later = Standing::Installed(FLUSH.plus(300));
        let before = Standing::Installed(Timestamp(FLUSH.0 - 5));
        check(
            true,
            later,
            310,
            &[(Reason::DropFlow, 3)],
            Some(Cause::FlagBeforeFlows),
        );
        check(false, later, 310, &[], Some(Cause::NoFlag));
        check(true, before, 0, &[], None);
        check(
            true,
            before,
            0,
            &[(Reason::DropFlow, 3)],
            Some(Cause::RevalidationLag),
        );
        check(
            true,
            before,
            0,
            &[(Reason::NoHandler, 3)],
            Some(Cause::HandlersDown),
        );
        check(
            true,
            before,
            0,
            &[(Reason::QueueFull, 3)],
            Some(Cause::QueueOverflow),
        );
        check(
            true,
            Standing::Missing,
            310,
            &[],
            Some(Cause::FlowsNeverInstalled),
        );
        check(true, Standing::Unknown, 310, &[], Some(Cause::FlagBeforeFlows));
        check(false, Standing::Unknown, 310, &[], Some(Cause::NoFlag));
    }
}
