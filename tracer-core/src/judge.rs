//! The way of an event through the judge: sequence check, sorter, engine, report.
//!
//! Must not depend on: where events come from. Live, replay and the CI gate all pass through here, so the same
//! events give the same report.

use crate::memory::coverage::{Blemish, Of, blemish, finding};
use crate::recording::log::{Entry, Header};
use crate::recording::sequence::Sequence;
use crate::recording::sorter::{Sorter, WINDOW};
use crate::report::Report;
use crate::verdict::conclude::{Provenance, conclude};
use crate::verdict::docket::Docket;
use crate::vocabulary::event::{Event, EventKind};
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::Timestamp;

/// Judges entries as they come.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    header: Header,
    sequence: Sequence,
    /// When numbers were left out.
    gaps: Spans<u64>,
    /// When events came more than once.
    repeated: Spans<u64>,
    newest: Timestamp,
    ended: bool,
    sorter: Sorter,
    docket: Docket,
}

impl Judge {
    /// Begins with a recording's header.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            ..Self::default()
        }
    }

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
        while let Some(event) = self.sorter.pop() {
            self.step(&event);
        }
    }

    fn step(&mut self, event: &Event) {
        let mut docket = std::mem::take(&mut self.docket);
        docket.step(event, &|| self.blemishes(None));
        self.docket = docket;
    }

    /// Whether the recording's own end has been taken in.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The report over what has passed the sorter.
    pub fn report(&self) -> Report {
        conclude(&self.docket, &self.provenance(None))
    }

    /// The last report: no entry follows. `cut`: why, where it is not the recording's own end.
    pub fn finish(mut self, cut: Option<&str>) -> Report {
        while let Some(event) = self.sorter.take() {
            self.step(&event);
        }
        let cut = cut.map(str::to_owned).or_else(|| {
            (!self.ended).then(|| {
                "The recording has no end mark: the recorder was interrupted. What followed is not known."
                    .to_owned()
            })
        });
        conclude(&self.docket, &self.provenance(cut))
    }

    fn provenance(&self, cut: Option<String>) -> Provenance {
        Provenance {
            header: self.header.clone(),
            blemishes: self.blemishes(cut),
            missing: self.sequence.missing(),
        }
    }

    /// What is known to be missing of the recording.
    fn blemishes(&self, cut: Option<String>) -> Vec<Blemish> {
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

/// Judges a whole list of events.
pub fn judge(header: Header, events: impl IntoIterator<Item = Event>) -> Report {
    let mut judge = Judge::new(header);
    for (seq, event) in (0..).zip(events) {
        judge.push(Entry { seq, event });
    }
    judge.finish(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_there_is_ends_no_judge() {
        let entry = |seq| Entry {
            seq,
            event: Event {
                at: Timestamp(u64::MAX),
                kind: EventKind::Tick,
            },
        };
        let mut judge = Judge::default();
        for seq in [u64::MAX - 1, u64::MAX, 0] {
            judge.push(entry(seq));
        }
        assert_eq!(judge.provenance(None).missing, u64::MAX - 2);
    }
}
