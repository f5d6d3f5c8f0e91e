//! Disruptions under judgement, and those that are settled: a settled one is summarised once, frozen, and what it was drawn from is
//! forgotten.
//!
//! Must not depend on: recordings, budgets, screens.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::memory::coverage::Blemish;
use crate::memory::engine::Engine;
use crate::report::{DISRUPTIONS, Disruption, Loss, Pod};
use crate::verdict::missing::blemishes;
use crate::verdict::one::disruption;
use crate::verdict::outside::Outside;
use crate::verdict::pods::AFTERMATH;
use crate::vocabulary::event::Event;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::{Kind, Verdict};
use crate::witness::proof::Says;

/// A disruption that has been over for so long is settled: userspace has read every run of packets by then (it reads the fuller
/// tables every 6.5 s), and what was queued has been answered or dropped.
const SETTLED: u64 = 15 * SECOND;
/// How often it is looked whether one is.
const LOOK: u64 = 5 * SECOND;
/// What is forgotten is this much older than the oldest disruption that is open.
const MEMORY: u64 = 60 * SECOND;
/// Traffic that has lost nothing and was not seen for so long is forgotten, though a disruption may be open for weeks.
const IDLE: u64 = 600 * SECOND;
/// Settled disruptions of which every Pod is kept.
const WHOLE: usize = 8;
/// Pods that are kept of an older one.
const KEPT: usize = 16;

/// Everything that is known of a capture by now.
#[derive(Clone, Debug, Default)]
pub struct Docket {
    /// What is remembered.
    pub engine: Engine,
    settled: VecDeque<Arc<Disruption>>,
    omitted: u32,
    worst_omitted: Option<Verdict>,
    /// What was lost outside of every disruption.
    pub outside: Outside,
    next: Timestamp,
}

impl Docket {
    /// Takes one event in. `transport`: what is known to be missing of the recording.
    pub fn step(&mut self, event: &Event, transport: &dyn Fn() -> Vec<Blemish>) {
        if event.at >= self.next {
            self.settle(event.at, transport);
            self.next = event.at.plus(LOOK);
        }
        self.engine.step(event);
    }

    fn settle(&mut self, now: Timestamp, transport: &dyn Fn() -> Vec<Blemish>) {
        // Events come in order of time: there was none until now.
        self.engine.now = self.engine.now.max(now);
        while let Some(oldest) = self.engine.disruptions.list.first() {
            let next = self.engine.disruptions.list.get(1).map(|next| next.began);
            let quiet = next.map_or(now.since(oldest.began), |next| now.since(next));
            if quiet < SETTLED {
                break;
            }
            let blemishes = blemishes(&self.engine, transport());
            let (mut found, _) = disruption(&self.engine, &blemishes, 0, self.next_id());
            let over = over(&found).filter(|over| now.since(*over) >= SETTLED);
            if next.is_none() && over.is_none() {
                break;
            }
            found.ended_ns = next.or(over.map(|over| over.plus(AFTERMATH)));
            self.freeze(found);
            self.engine.disruptions.forget_oldest();
        }
        let open = self
            .engine
            .disruptions
            .list
            .first()
            .map_or(now, |open| open.began);
        let before = Timestamp(open.0.saturating_sub(MEMORY));
        let idle = Timestamp(now.0.saturating_sub(IDLE));
        for story in self.engine.forget(before, idle) {
            self.outside.forgotten(&story);
        }
    }

    fn freeze(&mut self, found: Disruption) {
        self.outside.settled(&found);
        self.settled.push_back(Arc::new(found));
        if let Some(place) = self.settled.len().checked_sub(WHOLE + 1)
            && let Some(old) = self.settled.get_mut(place)
        {
            thin(Arc::make_mut(old));
        }
        if self.settled.len() > DISRUPTIONS
            && let Some(oldest) = self.settled.pop_front()
        {
            self.omitted = self.omitted.saturating_add(1);
            self.worst_omitted = self.worst_omitted.max(Some(oldest.verdict));
        }
    }

    /// The number of the first disruption that is open.
    pub fn next_id(&self) -> u32 {
        let settled = u32::try_from(self.settled.len()).unwrap_or(u32::MAX);
        self.omitted.saturating_add(settled).saturating_add(1)
    }

    /// Those that are settled, oldest first.
    pub fn settled(&self) -> impl Iterator<Item = &Disruption> {
        self.settled.iter().map(AsRef::as_ref)
    }

    /// How many are no longer listed, and the worst verdict among them.
    pub fn omitted(&self) -> (u32, Option<Verdict>) {
        (self.omitted, self.worst_omitted)
    }
}

/// Of one long ago, the worst Pods are kept that did not pass.
fn thin(old: &mut Disruption) {
    old.pods.sort_by_key(|pod| std::cmp::Reverse(pod.verdict));
    old.pods.retain(|pod| pod.verdict != Verdict::Pass);
    old.pods.truncate(KEPT);
    for pod in &mut old.pods {
        pod.witnesses = Vec::new();
        for loss in [&mut pod.observed.to_pod, &mut pod.observed.from_pod]
            .into_iter()
            .flatten()
        {
            loss.keys = Vec::new();
        }
    }
    old.unattributed.truncate(KEPT);
}

/// When the last Pod's window closed; `None`: one is still open, or what it needs has not come yet.
pub fn over(disruption: &Disruption) -> Option<Timestamp> {
    let milestones = &disruption.milestones;
    let named = || disruption.pods.iter().filter(|pod| pod.namespace.is_some());
    // A flush in a datapath that was made anew may have come before its hooks: then the Pods' windows tell.
    let told_otherwise = match disruption.kind {
        Kind::ModuleReload => named().next().is_some(),
        Kind::FlowsRemoved | Kind::PortsRemoved | Kind::HandlersStuck | Kind::DatapathTakenOver => true,
        Kind::Graceful | Kind::Killed | Kind::Restarted | Kind::FlagOnly | Kind::FlushOnly => false,
    };
    let flush = milestones
        .flush_ns
        .or(told_otherwise.then_some(disruption.began_ns))?;
    let mut over = milestones
        .flag_removed_ns
        .map_or(flush, |removed| removed.max(flush));
    let clear = |pod: &&Pod| {
        pod.proof
            .as_ref()
            .is_some_and(|proof| proof.says() == Says::Clear)
    };
    for pod in named().filter(|pod| !clear(pod)) {
        let losses = || {
            [&pod.observed.to_pod, &pod.observed.from_pod]
                .into_iter()
                .flatten()
        };
        let open = |loss: &Loss| loss.last_lost_ns.is_some() && loss.first_delivered_after_ns.is_none();
        if losses().any(open) {
            return None;
        }
        if let Some(exposed) = &pod.exposed {
            over = over.max(exposed.end_ns?);
        }
        over = losses()
            .filter_map(|loss| loss.first_delivered_after_ns)
            .fold(over, Timestamp::max);
    }
    Some(over)
}
