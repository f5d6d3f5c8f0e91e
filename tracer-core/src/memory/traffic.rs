//! Packet evidence per traffic key: runs of packets put in time order, and the gaps between deliveries.
//!
//! Must not depend on: Pods, disruptions, causes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::memory::story::Story;
use crate::memory::track::Track;
use crate::vocabulary::count;
use crate::vocabulary::packet::{PacketFate, Run, TrafficKey};
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::{SECOND, Timestamp};

/// Packets no farther apart than this are one stretch.
const STILL: u64 = SECOND / 2;

/// So many keys are remembered: four times as many as the kernel's table has.
const KEYS: usize = 1 << 16;

/// Packet evidence of all keys. Its size grows with keys and gaps, and not with time.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// A copy of all of this shares those that have not changed since.
    tracks: BTreeMap<TrafficKey, Arc<Track>>,
    /// When packets that met a megaflow were seen.
    seen: Spans<()>,
    surplus: u64,
}

impl Traffic {
    /// A run began, grew or ended.
    pub fn run(&mut self, run: &Run) {
        if !run.executed && matches!(run.fate, PacketFate::Delivered(_) | PacketFate::DropFlow) {
            self.seen.add(run.first, run.last, (), STILL, |(), ()| ());
        }
        let track = self.tracks.entry(run.key).or_default();
        Arc::make_mut(track).run(run);
    }

    /// Gaps that are no longer remembered: of one traffic only so many are.
    pub fn forgotten(&self) -> u64 {
        count::total(self.tracks.values().map(|track| track.forgotten))
    }

    /// Forgets traffic that was not seen since `before`, and since `idle` where it lost nothing; what became of the packets of the
    /// former, where any were lost.
    pub fn forget(&mut self, before: Timestamp, idle: Timestamp) -> Vec<Arc<Story>> {
        let over = |track: &Track| {
            let last = track.last();
            last < before || last < idle && track.story(before.max(idle).plus(SECOND)).gaps.is_empty()
        };
        let over = self.tracks.extract_if(.., |_, track| over(track));
        let stories = over.map(|(_, track)| track.story(before.plus(SECOND)));
        let lost = stories.filter(|story| !story.gaps.is_empty()).collect();
        self.seen.forget(before);
        self.shrink();
        lost
    }

    /// Forgets the oldest where there are too many.
    fn shrink(&mut self) {
        let surplus = self.tracks.len().saturating_sub(KEYS);
        if surplus == 0 {
            return;
        }
        let mut ages: Vec<Timestamp> = self.tracks.values().map(|track| track.last()).collect();
        let (_, oldest, _) = ages.select_nth_unstable(surplus);
        let (oldest, before) = (*oldest, self.tracks.len());
        self.tracks.retain(|_, track| track.last() >= oldest);
        let gone = before.saturating_sub(self.tracks.len());
        self.surplus = self.surplus.saturating_add(gone as u64);
    }

    /// Keys that were forgotten because there were too many.
    pub fn surplus(&self) -> u64 {
        self.surplus
    }

    /// When packets were seen that a megaflow forwarded or dropped: those that go through userspace are always seen.
    pub fn seen(&self) -> &Spans<()> {
        &self.seen
    }

    /// All keys with what became of their packets, as far as can be told at `now`.
    pub fn stories(&self, now: Timestamp) -> impl Iterator<Item = (&TrafficKey, Arc<Story>)> {
        self.tracks
            .iter()
            .map(move |(key, track)| (key, track.story(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::story::{Gap, PATIENCE, Wait};
    use crate::vocabulary::id::{DpIfindex, PortNo};
    use crate::vocabulary::packet::Destination;
    use crate::vocabulary::time::MILLISECOND;
    use crate::vocabulary::words::Reason;
    use PacketFate::{Delivered, DropFlow, Queued, UpcallFailed};

    const OUT: PacketFate = Delivered(PortNo(3));

    fn run(fate: PacketFate, executed: bool, cpu: u32, first: u64, last: u64, packets: u64) -> Run {
        let key = TrafficKey {
            dp: DpIfindex(1),
            in_port: PortNo(2),
            eth_type: 0x800,
            dst: Destination::Ip([10, 0, 0, 2].into()),
            proto: 17,
            port: 7000,
        };
        Run {
            key,
            fate,
            executed,
            cpu,
            first: Timestamp(first),
            last: Timestamp(last),
            packets,
            bytes: packets * 100,
            closed: true,
        }
    }

    fn story(runs: &[(PacketFate, bool, u32, u64, u64, u64)], now: u64) -> Story {
        let mut traffic = Traffic::default();
        for &(fate, executed, cpu, first, last, packets) in runs {
            traffic.run(&run(fate, executed, cpu, first, last, packets));
        }
        let (_, story) = traffic.stories(Timestamp(now)).next().unwrap();
        Story::clone(&story)
    }

    fn window(gap: &Gap) -> (Option<u64>, u64, u64, Option<u64>) {
        (
            gap.before.map(|at| at.0),
            gap.first_lost.0,
            gap.last_lost.0,
            gap.after.map(|at| at.0),
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
        assert_eq!(story.gaps.len(), 1);
        assert_eq!(window(&story.gaps[0]), (Some(99), 100, 399, Some(400)));
        assert_eq!(story.gaps[0].by_reason, [(Reason::DropFlow, 300)].into());
        assert_eq!(story.gaps[0].bytes, 30_000);
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
        assert_eq!(story.gaps.len(), 1);
        assert_eq!(window(&story.gaps[0]), (Some(99), 100, 399, Some(400)));
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
        assert_eq!(window(&story.gaps[0]), (Some(99), 100, 399, Some(405)));
        assert_eq!(
            story.gaps[0].by_reason,
            [(Reason::DropFlow, 297), (Reason::UserspaceDrop, 3)].into()
        );
        assert_eq!(
            story.waits,
            [Wait {
                queued: Timestamp(400),
                executed: Timestamp(405),
                packets: 1,
                longest: 5,
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
        assert_eq!(story.gaps.len(), 1);
        assert_eq!(window(&story.gaps[0]), (Some(99), 100, 399, Some(400)));
        assert_eq!(story.gaps[0].by_reason, [(Reason::DropFlow, 246)].into());
        assert_eq!(story.gaps[0].bytes, 24_600);
        assert_eq!(story.waits, []);
    }

    #[test]
    fn what_is_queued_again_after_recirculation_waits_once() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (Queued, false, 0, 100, 110, 32),
            (Queued, true, 1, 120, 125, 5),
            (OUT, true, 1, 130, 135, 5),
            (OUT, true, 1, 140, 150, 27),
            (OUT, false, 0, 160, 900, 500),
        ];
        let story = story(&runs, 2 * SECOND);
        assert_eq!(story.gaps, []);
        assert_eq!(story.waits.iter().map(|wait| wait.packets).sum::<u64>(), 32);
    }

    /// From a disruption of Open vSwitch 4.0 with conntrack, in microseconds after 33 s: the prober's last packet lost was sent
    /// at 48 695, not when others of them were recirculated.
    #[test]
    fn what_was_recirculated_was_lost_when_it_was_queued_first() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (DropFlow, false, 1, 1_000, 22_964, 50),
            (Queued, false, 1, 24_790, 29_623, 4),
            (Queued, true, 0, 34_483, 83_863, 4),
            (Queued, false, 1, 34_611, 83_913, 45),
            (DropFlow, true, 0, 84_927, 85_680, 13),
            (OUT, true, 0, 85_765, 87_795, 36),
        ];
        let story = story(&runs, 2 * SECOND);
        assert_eq!(story.gaps.len(), 1);
        assert_eq!(window(&story.gaps[0]), (Some(99), 1_000, 34_611, Some(85_765)));
        assert_eq!(story.gaps[0].packets(), 63);
    }

    #[test]
    fn a_drop_whose_queueing_was_not_seen_is_lost_when_it_came_back() {
        let runs = [
            (OUT, false, 0, 10, 99, 90),
            (DropFlow, true, 1, 151, 153, 3),
            (OUT, false, 0, 400, 900, 500),
        ];
        let story = story(&runs, 2 * SECOND);
        assert_eq!(window(&story.gaps[0]), (Some(99), 151, 153, Some(400)));
        assert_eq!(story.gaps[0].packets(), 3);
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
        assert_eq!(story.gaps, []);
        assert_eq!(
            story.waits,
            [Wait {
                queued: Timestamp(100),
                executed: Timestamp(160),
                packets: 40,
                longest: 60,
            }]
        );
    }

    #[test]
    fn what_is_still_in_the_queue_is_not_yet_lost() {
        let runs = [(OUT, false, 0, 10, 99, 90), (Queued, false, 0, 100, 140, 40)];
        assert_eq!(story(&runs, 150).gaps, []);
        assert_eq!(story(&runs, 140 + PATIENCE).gaps.len(), 1);
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
            story.gaps[0].by_reason,
            [(Reason::NoHandler, 5), (Reason::DropFlow, 5)].into()
        );
    }

    #[test]
    fn what_is_over_is_remembered_in_short() {
        let mut runs = Vec::new();
        let step = 100 * MILLISECOND;
        for turn in 0..600 {
            let at = turn * step;
            runs.push((OUT, false, 0, at, at + 5, 5));
            runs.push((Queued, false, 0, at + 10, at + 12, 2));
            runs.push((DropFlow, true, 1, at + 20, at + 20, 1));
            runs.push((OUT, true, 1, at + 21, at + 21, 1));
            if turn % 10 == 0 {
                runs.push((DropFlow, false, 0, at + 30, at + 35, 5));
            }
        }
        runs.push((OUT, false, 0, 600 * step, 600 * step, 1));
        let now = 600 * step + 5 * SECOND;
        let all = story(&runs, now);
        assert_eq!(all.gaps.len(), 600 + 60);
        let lost = all.gaps.iter().map(Gap::packets).sum::<u64>();
        assert_eq!(lost, 600 + 300);
        assert_eq!(all.waits.iter().map(|wait| wait.packets).sum::<u64>(), 600);
        assert_eq!(all.waits.iter().map(|wait| wait.longest).max(), Some(11));
        // The same runs told once more change nothing.
        let again: Vec<_> = runs.iter().chain(&runs[..1500]).copied().collect();
        assert!(story(&again, now).gaps == all.gaps, "told twice, counted twice");
    }

    #[test]
    fn its_size_is_bounded() {
        let mut traffic = Traffic::default();
        for turn in 0..20_000 {
            let at = turn * SECOND;
            for (fate, at) in [(OUT, at), (DropFlow, at + 10), (Queued, at + 20)] {
                traffic.run(&run(fate, false, 0, at, at, 1));
            }
        }
        let track = traffic.tracks.values().next().unwrap();
        assert!(track.story(Timestamp(20_000 * SECOND)).gaps.len() < 2048);
        assert!(traffic.forgotten() > 10_000);
    }
}
