//! Which events are worth a line of the event log.
//!
//! Must not depend on: how a line reads.

use std::collections::{BTreeMap, VecDeque};

use tracer_core::event::{Event, EventKind};
use tracer_core::id::DpIfindex;

/// Positions of events that are worth a line.
#[derive(Clone, Debug, Default)]
pub struct Worth {
    positions: VecDeque<u64>,
    /// Each datapath's counters as they were last read, without its hits.
    counters: BTreeMap<DpIfindex, [u64; 3]>,
}

impl Worth {
    /// An event is at a position. That time passed is no news, nor that a monitor answers; nor that packets go their way while the
    /// other counters stand still.
    pub fn see(&mut self, position: u64, event: &Event) {
        let news = match &event.kind {
            EventKind::Tick | EventKind::OpenFlowAlive { .. } => false,
            EventKind::DatapathStats {
                dp,
                missed,
                lost,
                flows,
                ..
            } => {
                let now = [*missed, *lost, *flows];
                self.counters.insert(*dp, now) != Some(now)
            }
            _ => true,
        };
        if news && self.positions.back().is_none_or(|last| *last < position) {
            self.positions.push_back(position);
        }
    }

    /// Forgets what came before a position.
    pub fn forget(&mut self, begin: u64) {
        while self
            .positions
            .pop_front_if(|position| *position < begin)
            .is_some()
        {}
    }

    /// The last `before` positions before one, and the first `after` from it on, in order.
    pub fn around(&self, position: u64, before: usize, after: usize) -> impl Iterator<Item = u64> {
        let place = self.positions.partition_point(|known| *known < position);
        let end = place.saturating_add(after).min(self.positions.len());
        self.positions.range(place.saturating_sub(before)..end).copied()
    }
}

#[cfg(test)]
mod tests {
    use tracer_core::time::Timestamp;

    use super::*;

    fn event(kind: EventKind) -> Event {
        let at = Timestamp(0);
        Event { at, kind }
    }

    fn counters(hit: u64, missed: u64) -> Event {
        event(EventKind::DatapathStats {
            dp: DpIfindex(1),
            hit,
            missed,
            lost: 0,
            flows: 3,
            upcalls_before: None,
            upcalls_after: None,
        })
    }

    #[test]
    fn what_says_nothing_new_gets_no_line() {
        let mut worth = Worth::default();
        let armed = || event(EventKind::Evidence { armed: true });
        let all = [
            counters(1, 1),
            event(EventKind::Tick),
            counters(2, 1),
            counters(3, 2),
            armed(),
            armed(),
        ];
        for (position, event) in (10..).zip(&all) {
            worth.see(position, event);
        }
        assert_eq!(worth.around(0, 9, 9).collect::<Vec<_>>(), [10, 13, 14, 15]);
        assert_eq!(worth.around(14, 1, 1).collect::<Vec<_>>(), [13, 14]);
        worth.forget(14);
        assert_eq!(worth.around(15, 9, 9).collect::<Vec<_>>(), [14, 15]);
    }
}
