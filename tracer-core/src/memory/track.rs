//! All runs of one traffic key, and what is left of those that are long over.
//!
//! Must not depend on: other keys, Pods.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use crate::memory::queue::{Loss, again, delivered, dropped};
use crate::memory::runs::Runs;
use crate::memory::story::{Extent, Gap, PATIENCE, PORTS, RunId, Story, Wait};
use crate::vocabulary::count;
use crate::vocabulary::packet::{PacketFate, Run};
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::Reason;

/// Runs kept before those that are over are settled.
const SETTLE_ABOVE: usize = 64;

/// What is older than this is over: userspace has read every run by then (it reads the fuller tables more seldom: 16 384
/// runs every 6.5 s), and what was queued has been answered or dropped.
const OVER: u64 = 15 * SECOND;

/// Gaps of one traffic that are remembered: more than disruptions make, fewer than a link that flaps all day.
const GAPS: usize = 1024;

/// Waits of one traffic that are remembered one by one.
const WAITS: usize = 256;

/// All runs of one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    runs: Runs,
    /// What became of packets before `until`.
    settled: Story,
    /// Up to where runs are settled.
    until: Timestamp,
    /// How many runs there are when settling is worth another attempt.
    attempt: usize,
    /// Gaps that are no longer remembered.
    pub forgotten: u64,
    /// The story as it was told, and from when on time alone does not change it. Copies share it, also those that are to be
    /// told what was known earlier.
    told: OnceLock<(Timestamp, Arc<Story>)>,
}

fn is_forwarded((_, _, fate, executed): &RunId) -> bool {
    matches!(fate, PacketFate::Delivered(_)) && !executed
}

impl Track {
    /// A run began, grew or ended.
    pub fn run(&mut self, run: &Run) {
        let id = (run.first, run.cpu, run.fate, run.executed);
        // The kernel tells once more of a run when the next one begins, which may be long after.
        if run.first < self.until && !is_forwarded(&id) && !self.runs.has(&id) {
            return;
        }
        self.told.take();
        let new = Extent {
            last: run.last,
            packets: 0,
            bytes: 0,
        };
        let extent = self.runs.at(id, new);
        // Figures are cumulative: an older reading that comes later must not shrink the run.
        extent.last = extent.last.max(run.last);
        extent.packets = extent.packets.max(run.packets);
        extent.bytes = extent.bytes.max(run.bytes);
        if self.runs.len() > self.attempt.max(SETTLE_ABOVE) {
            self.settle(run.last);
            // Else a table in which nothing can be settled would be gone through for every run.
            self.attempt = 2 * self.runs.len();
        }
    }

    /// When its last packet was seen.
    pub fn last(&self) -> Timestamp {
        let last = self.runs.iter().map(|(_, extent)| extent.last).max();
        last.unwrap_or(self.until)
    }

    /// Replaces runs that are over by what became of their packets. They end at a packet that was forwarded: no gap goes
    /// on across it. The run of that packet stays, being the last delivery before what follows.
    fn settle(&mut self, now: Timestamp) {
        let over = Timestamp(now.0.saturating_sub(OVER));
        let ids = self.runs.iter().map(|(id, _)| id);
        let forwarded = ids.filter(|id| is_forwarded(id) && id.0 <= over);
        let Some(until) = forwarded.map(|id| id.0).max() else {
            return;
        };
        let straddles = |(id, extent): &(&RunId, &Extent)| id.0 < until && extent.last >= until;
        if self
            .runs
            .iter()
            .filter(straddles)
            .any(|(id, _)| !is_forwarded(id))
        {
            return;
        }
        let later = self.runs.split_off(&(
            until,
            0,
            PacketFate::Delivered(crate::vocabulary::id::PortNo(0)),
            false,
        ));
        let staying: Vec<(RunId, Extent)> = self
            .runs
            .iter()
            .filter(straddles)
            .map(|(id, extent)| (*id, *extent))
            .collect();
        let at_the_end = later.iter().filter(|(id, _)| is_forwarded(id)).take(1);
        self.runs.extend(at_the_end.map(|(id, extent)| (*id, *extent)));
        (self.settled, _) = self.tell(now);
        self.runs = later;
        self.runs.extend(staying);
        self.until = until;
        self.forget();
    }

    fn forget(&mut self) {
        let Story { gaps, waits, .. } = &mut self.settled;
        let surplus = gaps.len().saturating_sub(GAPS);
        gaps.drain(..surplus);
        self.forgotten = self.forgotten.saturating_add(surplus as u64);
        let surplus = waits.len().saturating_sub(WAITS);
        let oldest: Vec<Wait> = waits.drain(..surplus).collect();
        if let (Some(joined), Some(next)) = (oldest.into_iter().reduce(Wait::and), waits.first_mut()) {
            *next = joined.and(*next);
        }
    }

    /// What became of its packets, as far as can be told at `now`.
    pub fn story(&self, now: Timestamp) -> Arc<Story> {
        if let Some((since, told)) = self.told.get()
            && *since <= now
        {
            return Arc::clone(told);
        }
        let (story, since) = self.tell(now);
        let story = Arc::new(story);
        if since <= now {
            self.told.get_or_init(|| (since, Arc::clone(&story)));
        }
        story
    }

    /// The same, and from when on time alone does not change it.
    fn tell(&self, now: Timestamp) -> (Story, Timestamp) {
        let deliveries: Vec<(Timestamp, Timestamp)> = self
            .runs
            .iter()
            .filter(|((_, _, fate, _), _)| matches!(fate, PacketFate::Delivered(_)))
            .map(|((first, ..), extent)| (*first, extent.last))
            .collect();
        let (waits, dropped, waiting) = self.queue();
        let since = waiting.iter().map(known).max().unwrap_or_default();
        let (given_up, waiting): (Vec<Loss>, Vec<Loss>) =
            waiting.into_iter().partition(|loss| known(loss) <= now);
        let mut losses: Vec<Loss> = self
            .runs
            .iter()
            .filter(|(id, _)| !id.3)
            .filter_map(|(id, extent)| Loss::of(id, extent))
            .chain(dropped)
            .chain(given_up)
            .collect();
        losses.sort_by_key(|loss| (loss.first, loss.last));
        let mut story = self.settled.clone();
        story.forwarded |= !deliveries.is_empty();
        let last = deliveries.iter().map(|(_, last)| *last).max();
        story.last_delivered = story.last_delivered.max(last);
        let ports = self.runs.iter().filter_map(|((_, _, fate, _), _)| match fate {
            PacketFate::Delivered(port) => Some(*port),
            PacketFate::DropFlow | PacketFate::Queued | PacketFate::UpcallFailed(_) => None,
        });
        for port in ports {
            if story.ports.len() < PORTS {
                story.ports.insert(port);
            }
        }
        let first = deliveries.iter().map(|(first, _)| *first).min();
        story.first_delivered = story.first_delivered.into_iter().chain(first).min();
        story.gaps.extend(gaps(&losses, &deliveries));
        story.waits.extend(waits);
        story.waiting = waiting.iter().map(|loss| loss.first).collect();
        (story, since)
    }

    /// Pairs packets that came back from userspace with those that were handed to it. Those to be delivered are the
    /// newest: what was translated while flows were absent is older than what was translated with them. Those to be
    /// dropped, by an explicit action, are the oldest, and were lost from when they were queued. One that came back, was
    /// recirculated and missed again is waiting still, since it was queued first: when it met the datapath anew is not when it
    /// was sent. And those that have not come back.
    fn queue(&self) -> (Vec<Wait>, Vec<Loss>, VecDeque<Loss>) {
        let mut queued: VecDeque<Loss> = VecDeque::new();
        let mut waits = Vec::new();
        let mut losses = Vec::new();
        let mut returned: Vec<(&RunId, &Extent)> = self.runs.iter().filter(|(id, _)| id.3).collect();
        returned.sort_by_key(|(id, extent)| (extent.last, id.0));
        let mut waiting = self
            .runs
            .iter()
            .filter(|(id, _)| id.2 == PacketFate::Queued && !id.3)
            .peekable();
        for (id, extent) in returned {
            while let Some((id, extent)) = waiting.next_if(|(queued, _)| queued.0 <= extent.last) {
                queued.push_back(Loss::new(id, extent, Reason::UserspaceDrop));
            }
            if matches!(id.2, PacketFate::Delivered(_)) {
                waits.extend(delivered(&mut queued, extent));
            } else if id.2 == PacketFate::Queued {
                queued.extend(again(&queued, id, extent));
            } else {
                losses.extend(
                    Loss::of(id, extent)
                        .map(|loss| dropped(&mut queued, loss))
                        .into_iter()
                        .flatten(),
                );
            }
        }
        queued.extend(waiting.map(|(id, extent)| Loss::new(id, extent, Reason::UserspaceDrop)));
        (waits, losses, queued)
    }
}

/// From when on it is known of packets that have not come back that they were dropped.
fn known(loss: &Loss) -> Timestamp {
    loss.last.plus(PATIENCE)
}

/// Joins losses that no delivery separates, and brackets each gap by the deliveries around it.
fn gaps(losses: &[Loss], deliveries: &[(Timestamp, Timestamp)]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    for loss in losses {
        let joins = gaps
            .last()
            .is_some_and(|gap| !delivered_between(deliveries, gap.last_lost, loss.first));
        if !joins {
            gaps.push(Gap {
                first_lost: loss.first,
                last_lost: loss.last,
                ..Gap::default()
            });
        }
        let Some(gap) = gaps.last_mut() else { continue };
        gap.last_lost = gap.last_lost.max(loss.last);
        count::add(&mut gap.bytes, loss.bytes);
        count::add(gap.by_reason.entry(loss.reason).or_default(), loss.packets);
    }
    for gap in &mut gaps {
        gap.before = deliveries
            .iter()
            .filter_map(|run| latest_before(*run, gap.first_lost))
            .max();
        gap.after = deliveries
            .iter()
            .filter_map(|run| earliest_after(*run, gap.last_lost))
            .min();
    }
    gaps
}

/// Whether a packet is known to have been delivered strictly between two points. Of a run, its first and
/// its last packet are known; when others came is not.
fn delivered_between(deliveries: &[(Timestamp, Timestamp)], after: Timestamp, before: Timestamp) -> bool {
    deliveries
        .iter()
        .any(|(first, last)| [first, last].into_iter().any(|at| after < *at && *at < before))
}

fn latest_before((first, last): (Timestamp, Timestamp), point: Timestamp) -> Option<Timestamp> {
    [last, first].into_iter().find(|at| *at <= point)
}

fn earliest_after((first, last): (Timestamp, Timestamp), point: Timestamp) -> Option<Timestamp> {
    [first, last].into_iter().find(|at| *at >= point)
}
