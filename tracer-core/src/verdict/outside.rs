//! Packets of forwarded traffic that were lost outside of every disruption: no verdict passes beside them, however long ago that was.
//!
//! Must not depend on: what a disruption is judged to be.

use std::collections::VecDeque;

use crate::memory::coverage::finding;
use crate::memory::engine::Engine;
use crate::memory::story::{Gap, Story};
use crate::report::Disruption;
use crate::verdict::evidence::{refused, within};
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::Finding;

/// Disruptions whose times are remembered: one every minute for three days.
const REMEMBERED: usize = 4096;
/// Losses no farther apart than this are one stretch.
const NEAR: u64 = SECOND;

/// What is remembered of it.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// Losses of traffic that is forgotten.
    lost: Spans<u64>,
    /// When there were disruptions that are settled.
    settled: VecDeque<(Timestamp, Timestamp)>,
    /// Of what was before, it is not known any more whether it was within one: it was judged then.
    known_since: Timestamp,
}

impl Outside {
    /// A disruption is settled.
    pub fn settled(&mut self, disruption: &Disruption) {
        let ended = disruption.ended_ns.unwrap_or(disruption.began_ns);
        self.settled.push_back((disruption.began_ns, ended));
        if self.settled.len() > REMEMBERED
            && let Some((_, ended)) = self.settled.pop_front()
        {
            self.known_since = ended;
        }
    }

    /// Traffic is forgotten.
    pub fn forgotten(&mut self, story: &Story) {
        let gaps: Vec<Gap> = gaps(story).filter(|gap| !self.is_settled(gap)).collect();
        for gap in gaps {
            self.lost.add(
                gap.first_lost,
                gap.last_lost,
                gap.packets(),
                NEAR,
                u64::saturating_add,
            );
        }
    }

    fn is_settled(&self, gap: &Gap) -> bool {
        let at = gap.last_lost;
        let mut settled = self.settled.iter().rev();
        at < self.known_since || settled.any(|(began, ended)| within(at, (*began, Some(*ended))))
    }

    /// All of it, as a finding; `open`: the disruptions that are not settled.
    pub fn finding(&self, engine: &Engine, open: &[Disruption]) -> Option<Finding> {
        let is_open = |gap: &Gap| {
            open.iter()
                .any(|one| within(gap.last_lost, (one.began_ns, one.ended_ns)))
        };
        let mut all = self.lost.clone();
        for (_, story) in engine.traffic.stories(engine.now) {
            for gap in gaps(&story).filter(|gap| !is_open(gap) && !self.is_settled(gap)) {
                all.add(
                    gap.first_lost,
                    gap.last_lost,
                    gap.packets(),
                    NEAR,
                    u64::saturating_add,
                );
            }
        }
        let lost = all
            .iter()
            .fold(0_u64, |sum, (.., lost)| sum.saturating_add(*lost));
        let from = all.iter().map(|(from, ..)| *from).min()?;
        let to = all.iter().map(|(_, to, _)| *to).max();
        let detail = format!(
            "{lost} packets of traffic that is forwarded at other times were lost outside of every disruption. What took them is not \
             known; no verdict passes beside them."
        );
        Some(finding("lost_outside", Some(from), to, detail).weakening())
    }
}

/// Gaps of traffic that should have been forwarded. No policy makes a socket refuse a message.
fn gaps(story: &Story) -> impl Iterator<Item = Gap> {
    let all = story.gaps.iter();
    all.filter_map(|gap| {
        if story.forwarded {
            Some(gap.clone())
        } else {
            refused(gap)
        }
    })
}
