//! Packet evidence per traffic key: runs of packets put in time order, and the holes between deliveries.
//!
//! May not know: Pods, restarts, causes.

use std::collections::{BTreeMap, VecDeque};

use crate::packet::{PacketFate, Run, TrafficKey};
use crate::queue::{Loss, delivered, dropped};
use crate::report::Reason;
use crate::time::{SECOND, Timestamp};

/// A packet that was handed to userspace and neither executed nor answered by a megaflow for this long
/// was dropped there: a handler batch takes milliseconds, a reconfiguration of ovs-vswitchd hundreds.
const PATIENCE: u64 = SECOND;

/// Runs kept for one key before old deliveries are folded together.
const FOLD_ABOVE: usize = 64;

/// Negative errnos that say that nobody listens: `ENOTCONN` (portid 0), `ECONNREFUSED` (no such socket).
pub const NOBODY: [i32; 2] = [-107, -111];

/// Which run: its first packet, its CPU and its fate.
pub(crate) type RunId = (Timestamp, u32, PacketFate, bool);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub last: Timestamp,
    pub packets: u64,
    pub bytes: u64,
}

/// All runs of one key.
#[derive(Clone, Debug, Default)]
struct Track {
    runs: BTreeMap<RunId, Extent>,
}

/// Packet evidence of all keys.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    tracks: BTreeMap<TrafficKey, Track>,
}

/// Lost packets of one key without a delivery between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hole {
    /// First packet lost.
    pub first_lost: Timestamp,
    /// Last packet known to be lost.
    pub last_lost: Timestamp,
    /// Last delivery before.
    pub before: Option<Timestamp>,
    /// First delivery after.
    pub after: Option<Timestamp>,
    /// How many, by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// Their bytes.
    pub bytes: u64,
}

impl Hole {
    /// Packets lost.
    pub fn packets(&self) -> u64 {
        self.by_reason.values().sum()
    }

    /// At most this long; `None`: one side is open.
    pub fn max_ns(&self) -> Option<u64> {
        Some(self.after?.since(self.before?))
    }
}

/// Packets that waited for userspace and were then executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The first was queued then.
    pub queued: Timestamp,
    /// The last was delivered then.
    pub executed: Timestamp,
    /// How many.
    pub packets: u64,
}

/// What became of one key's packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Whether any packet of it was ever delivered.
    pub forwarded: bool,
    /// Holes, in time order.
    pub holes: Vec<Hole>,
    /// Waits, in time order.
    pub waits: Vec<Wait>,
}

impl Traffic {
    /// A run began, grew or ended.
    pub fn run(&mut self, run: &Run) {
        let track = self.tracks.entry(run.key).or_default();
        let extent = track
            .runs
            .entry((run.first, run.cpu, run.fate, run.executed))
            .or_insert(Extent {
                last: run.last,
                packets: 0,
                bytes: 0,
            });
        // Figures are cumulative: an older reading that comes later must not shrink the run.
        extent.last = extent.last.max(run.last);
        extent.packets = extent.packets.max(run.packets);
        extent.bytes = extent.bytes.max(run.bytes);
        if track.runs.len() > FOLD_ABOVE {
            track.fold(run.last);
        }
    }

    /// All keys with what became of their packets, as far as can be told at `now`.
    pub fn stories(&self, now: Timestamp) -> impl Iterator<Item = (&TrafficKey, Story)> {
        self.tracks
            .iter()
            .map(move |(key, track)| (key, track.story(now)))
    }
}

impl Track {
    /// Folds neighbouring fast-path deliveries that no other fate separates. Only what is older than any
    /// run that can still come, and only deliveries: a hole needs the last one before it and the first one after.
    fn fold(&mut self, now: Timestamp) {
        let settled = Timestamp(now.0.saturating_sub(2 * SECOND));
        let mut folded: BTreeMap<RunId, Extent> = BTreeMap::new();
        for (id, extent) in std::mem::take(&mut self.runs) {
            if let (PacketFate::Delivered(_), false) = (id.2, id.3)
                && extent.last < settled
                && let Some(mut last) = folded.last_entry()
                && matches!(last.key().2, PacketFate::Delivered(_))
                && !last.key().3
            {
                let before = last.get_mut();
                before.last = before.last.max(extent.last);
                before.packets += extent.packets;
                before.bytes += extent.bytes;
            } else {
                folded.insert(id, extent);
            }
        }
        self.runs = folded;
    }

    fn story(&self, now: Timestamp) -> Story {
        let deliveries: Vec<(Timestamp, Timestamp)> = self
            .runs
            .iter()
            .filter(|((_, _, fate, _), _)| matches!(fate, PacketFate::Delivered(_)))
            .map(|((first, ..), extent)| (*first, extent.last))
            .collect();
        let (waits, dropped) = self.queue(now);
        let mut losses: Vec<Loss> = self
            .runs
            .iter()
            .filter(|(id, _)| !id.3)
            .filter_map(|(id, extent)| Loss::of(id, extent))
            .chain(dropped)
            .collect();
        losses.sort_by_key(|loss| (loss.first, loss.last));
        Story {
            forwarded: !deliveries.is_empty(),
            holes: holes(&losses, &deliveries),
            waits,
        }
    }

    /// Pairs packets that came back from userspace with those that were handed to it. Those to be delivered are the
    /// newest: what was translated while flows were absent is older than what was translated with them. Those to be
    /// dropped, by an explicit action, are the oldest, and were lost from when they were queued.
    fn queue(&self, now: Timestamp) -> (Vec<Wait>, Vec<Loss>) {
        let mut queued: VecDeque<Loss> = VecDeque::new();
        let mut waits = Vec::new();
        let mut losses = Vec::new();
        let mut returned: Vec<(&RunId, &Extent)> = self.runs.iter().filter(|(id, _)| id.3).collect();
        returned.sort_by_key(|(id, extent)| (extent.last, id.0));
        let mut waiting = self
            .runs
            .iter()
            .filter(|(id, _)| id.2 == PacketFate::Queued)
            .peekable();
        for (id, extent) in returned {
            while let Some((id, extent)) = waiting.next_if(|(queued, _)| queued.0 <= extent.last) {
                queued.push_back(Loss::new(id, extent, Reason::UserspaceDrop));
            }
            if matches!(id.2, PacketFate::Delivered(_)) {
                waits.extend(delivered(&mut queued, extent));
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
        queued.retain(|loss| loss.last.plus(PATIENCE) <= now);
        losses.extend(queued);
        (waits, losses)
    }
}

/// Joins losses that no delivery separates, and brackets each hole by the deliveries around it.
fn holes(losses: &[Loss], deliveries: &[(Timestamp, Timestamp)]) -> Vec<Hole> {
    let mut holes: Vec<Hole> = Vec::new();
    for loss in losses {
        let joins = holes
            .last()
            .is_some_and(|hole| !delivered_between(deliveries, hole.last_lost, loss.first));
        if !joins {
            holes.push(Hole {
                first_lost: loss.first,
                last_lost: loss.last,
                ..Hole::default()
            });
        }
        let Some(hole) = holes.last_mut() else { continue };
        hole.last_lost = hole.last_lost.max(loss.last);
        hole.bytes += loss.bytes;
        *hole.by_reason.entry(loss.reason).or_default() += loss.packets;
    }
    for hole in &mut holes {
        hole.before = deliveries
            .iter()
            .filter_map(|run| latest_before(*run, hole.first_lost))
            .max();
        hole.after = deliveries
            .iter()
            .filter_map(|run| earliest_after(*run, hole.last_lost))
            .min();
    }
    holes
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{DpIfindex, PortNo};
    use crate::packet::Destination;
    use PacketFate::{Delivered, DropFlow, Queued, UpcallFailed};

    const OUT: PacketFate = Delivered(PortNo(3));

    fn story(runs: &[(PacketFate, bool, u32, u64, u64, u64)], now: u64) -> Story {
        let key = TrafficKey {
            dp: DpIfindex(1),
            in_port: PortNo(2),
            eth_type: 0x800,
            dst: Destination::Ip([10, 0, 0, 2].into()),
            proto: 17,
            port: 7000,
        };
        let mut traffic = Traffic::default();
        for &(fate, executed, cpu, first, last, packets) in runs {
            let (first, last) = (Timestamp(first), Timestamp(last));
            traffic.run(&Run {
                key,
                fate,
                executed,
                cpu,
                first,
                last,
                packets,
                bytes: packets * 100,
                closed: true,
            });
        }
        let (_, story) = traffic.stories(Timestamp(now)).next().unwrap();
        story
    }

    fn window(hole: &Hole) -> (Option<u64>, u64, u64, Option<u64>) {
        (
            hole.before.map(|at| at.0),
            hole.first_lost.0,
            hole.last_lost.0,
            hole.after.map(|at| at.0),
        )
    }

    #[test]
    fn drops_between_deliveries_are_a_hole() {
        let story = story(
            &[
                (OUT, false, 0, 10, 99, 90),
                (DropFlow, false, 0, 100, 399, 300),
                (OUT, false, 0, 400, 900, 500),
            ],
            1000,
        );
        assert_eq!(story.holes.len(), 1);
        assert_eq!(window(&story.holes[0]), (Some(99), 100, 399, Some(400)));
        assert_eq!(story.holes[0].by_reason, [(Reason::DropFlow, 300)].into());
        assert_eq!(story.holes[0].bytes, 30_000);
    }

    #[test]
    fn runs_of_two_cpus_make_one_hole() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (OUT, false, 1, 20, 90, 7),
            (DropFlow, false, 1, 100, 250, 150),
            (DropFlow, false, 0, 251, 399, 150),
            (OUT, false, 1, 400, 500, 100),
            (OUT, false, 0, 501, 900, 100),
        ];
        let story = story(&runs, 1000);
        assert_eq!(story.holes.len(), 1);
        assert_eq!(window(&story.holes[0]), (Some(99), 100, 399, Some(400)));
    }

    #[test]
    fn an_upcall_that_userspace_dropped_opens_the_hole() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (Queued, false, 0, 100, 102, 3),
            (DropFlow, false, 0, 103, 399, 297),
            (Queued, false, 0, 400, 400, 1),
            (OUT, true, 1, 405, 405, 1),
            (OUT, false, 0, 406, 900, 500),
        ];
        let story = story(&runs, 2 * SECOND);
        assert_eq!(window(&story.holes[0]), (Some(99), 100, 399, Some(405)));
        assert_eq!(
            story.holes[0].by_reason,
            [(Reason::DropFlow, 297), (Reason::UserspaceDrop, 3)].into()
        );
        assert_eq!(
            story.waits,
            [Wait {
                queued: Timestamp(400),
                executed: Timestamp(405),
                packets: 1
            }]
        );
    }

    #[test]
    fn what_was_executed_to_be_dropped_was_lost_when_it_was_queued() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (Queued, false, 0, 100, 150, 46),
            (DropFlow, true, 1, 151, 151, 2),
            (DropFlow, true, 1, 153, 153, 44),
            (DropFlow, false, 0, 154, 399, 200),
            (OUT, false, 0, 400, 900, 500),
        ];
        let story = story(&runs, 2 * SECOND);
        assert_eq!(story.holes.len(), 1);
        assert_eq!(window(&story.holes[0]), (Some(99), 100, 399, Some(400)));
        assert_eq!(story.holes[0].by_reason, [(Reason::DropFlow, 246)].into());
        assert_eq!(story.holes[0].bytes, 24_600);
        assert_eq!(story.waits, []);
    }

    #[test]
    fn a_drop_whose_queueing_was_not_seen_is_lost_when_it_came_back() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (DropFlow, true, 1, 151, 153, 3),
            (OUT, false, 0, 400, 900, 500),
        ];
        let story = story(&runs, 2 * SECOND);
        assert_eq!(window(&story.holes[0]), (Some(99), 151, 153, Some(400)));
        assert_eq!(story.holes[0].packets(), 3);
    }

    #[test]
    fn what_waited_and_was_executed_is_delay_not_loss() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (Queued, false, 0, 100, 140, 40),
            (OUT, true, 1, 150, 160, 40),
            (OUT, false, 0, 161, 900, 9),
        ];
        let story = story(&runs, 5 * SECOND);
        assert_eq!(story.holes, []);
        assert_eq!(
            story.waits,
            [Wait {
                queued: Timestamp(100),
                executed: Timestamp(160),
                packets: 40
            }]
        );
    }

    #[test]
    fn what_is_still_in_the_queue_is_not_yet_lost() {
        let runs = [(OUT, false, 0, 10, 99, 90), (Queued, false, 0, 100, 140, 40)];
        assert_eq!(story(&runs, 150).holes, []);
        assert_eq!(story(&runs, 140 + PATIENCE).holes.len(), 1);
    }

    #[test]
    fn what_was_never_forwarded_is_said_to_be_so() {
        let story = story(
            &[
                (UpcallFailed(-107), false, 0, 10, 20, 5),
                (DropFlow, false, 0, 30, 40, 5),
            ],
            1000,
        );
        assert!(!story.forwarded);
        assert_eq!(
            story.holes[0].by_reason,
            [(Reason::NoHandler, 5), (Reason::DropFlow, 5)].into()
        );
    }

    #[test]
    fn folding_keeps_the_deliveries_around_a_hole() {
        let mut runs = Vec::new();
        for at in 0..200 {
            runs.push((OUT, false, 0, at * 10, at * 10 + 5, 5));
        }
        runs.push((DropFlow, false, 0, 2000, 2999, 10));
        for at in 300..500 {
            runs.push((OUT, false, 0, at * 10, at * 10 + 5, 5));
        }
        runs.push((OUT, false, 0, 9 * SECOND, 9 * SECOND, 1));
        let story = story(&runs, 10 * SECOND);
        assert_eq!(window(&story.holes[0]), (Some(1995), 2000, 2999, Some(3000)));
    }
}
