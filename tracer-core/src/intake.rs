//! The way of an entry to the judge: what is missing of the recording is noted, and events come out in order of time.
//!
//! Must not depend on: what events mean. Live, replay, the gate and the screen all take events in here, so the same events give the
//! same report.

use crate::memory::coverage::{Blemish, Of, blemish, finding};
use crate::recording::log::Entry;
use crate::recording::sequence::Sequence;
use crate::recording::sorter::{Sorter, WINDOW};
use crate::vocabulary::event::{Event, EventKind};
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::Timestamp;

/// Takes entries in as they come.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    sequence: Sequence,
    /// When numbers were left out.
    gaps: Spans<u64>,
    /// When events came more than once.
    repeated: Spans<u64>,
    newest: Timestamp,
    ended: bool,
    sorter: Sorter,
}

impl Intake {
    /// Takes one entry in.
    pub fn push(&mut self, entry: Entry) {
        let at = entry.event.at;
        let around = (Timestamp(at.0.saturating_sub(WINDOW)), at.plus(WINDOW));
        let before = self.sequence.missing();
        if !self.sequence.is_new(entry.seq) {
            self.repeated
                .add(around.0, around.1, 1, WINDOW, u64::saturating_add);
            return;
        }
        if self.sequence.missing() > before {
            // What is missing happened between what came before it and what comes after it.
            let from = Timestamp(self.newest.min(at).0.saturating_sub(WINDOW));
            let missing = self.sequence.missing() - before;
            self.gaps
                .add(from, around.1, missing, WINDOW, u64::saturating_add);
        }
        self.newest = self.newest.max(at);
        self.ended |= entry.event.kind == EventKind::CaptureEnded;
        self.sorter.push(entry.event);
    }

    /// The next event whose time has come.
    pub fn pop(&mut self) -> Option<Event> {
        self.sorter.pop()
    }

    /// The next event, whether or not its time has come: no entry follows.
    pub fn take(&mut self) -> Option<Event> {
        self.sorter.take()
    }

    /// Whether the recording's own end has been taken in.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Events known to be missing.
    pub fn missing(&self) -> u64 {
        self.sequence.missing()
    }

    /// Why the recording ends where it does: `cut`, or because it has no end mark.
    pub fn cut(&self, cut: Option<&str>) -> Option<String> {
        let unmarked =
            || "The recording has no end mark: the recorder was interrupted. What followed is not known.";
        cut.or_else(|| (!self.ended).then(unmarked)).map(str::to_owned)
    }

    /// What is known to be missing of the recording. `cut`: why it ends before its end.
    pub fn blemishes(&self, cut: Option<String>) -> Vec<Blemish> {
        let mut all: Vec<Blemish> = Vec::new();
        let mut tell = |kind: &str, spans: &Spans<u64>, tell: fn(u64) -> String| {
            for (from, to, count) in spans.iter() {
                all.push(blemish(
                    Of::All,
                    finding(kind, Some(*from), Some(*to), tell(*count)),
                ));
            }
        };
        if self.sequence.missing() > 0 {
            tell("log_gap", &self.gaps, |count| {
                format!("Up to {count} events are missing from the recording.")
            });
        }
        tell("log_gap", &self.repeated, |count| {
            format!("{count} events are in the recording more than once.")
        });
        tell("late_events", self.sorter.late(), |count| {
            format!("{count} events came too late to be put in order.")
        });
        if let Some(cut) = cut {
            all.push(blemish(
                Of::All,
                finding("log_truncated", Some(self.newest), None, cut),
            ));
        }
        all
    }
}
