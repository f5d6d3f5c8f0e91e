//! The way of an event through the judge: sequence check, sorter, engine, report.
//!
//! Must not depend on: where events come from. Live, replay and the CI gate all pass through here, so the same
//! events give the same report.

use crate::memory::coverage::finding;
use crate::memory::engine::Engine;
use crate::recording::log::{Entry, Header};
use crate::recording::sequence::Sequence;
use crate::recording::sorter::Sorter;
use crate::report::Report;
use crate::verdict::conclude::{Provenance, conclude};
use crate::vocabulary::event::{Event, EventKind};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Finding;

/// Judges entries as they come.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    header: Header,
    sequence: Sequence,
    repeated: u64,
    newest: Timestamp,
    ended: bool,
    sorter: Sorter,
    engine: Engine,
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
        if !self.sequence.is_new(entry.seq) {
            self.repeated += 1;
            return;
        }
        self.newest = self.newest.max(entry.event.at);
        self.ended |= entry.event.kind == EventKind::CaptureEnded;
        self.sorter.push(entry.event);
        while let Some(event) = self.sorter.pop() {
            self.engine.step(&event);
        }
    }

    /// Whether the recording's own end has been taken in.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The report over what has passed the sorter.
    pub fn report(&self) -> Report {
        conclude(&self.engine, &self.provenance(None))
    }

    /// The last report: no entry follows. `cut`: why, where it is not the recording's own end.
    pub fn finish(mut self, cut: Option<&str>) -> Report {
        while let Some(event) = self.sorter.take() {
            self.engine.step(&event);
        }
        let cut = cut.map(str::to_owned).or_else(|| {
            (!self.ended).then(|| "the recording has no end mark: the recorder was interrupted".to_owned())
        });
        conclude(&self.engine, &self.provenance(cut))
    }

    fn provenance(&self, cut: Option<String>) -> Provenance {
        let missing = self.sequence.missing();
        let mut findings: Vec<Finding> = Vec::new();
        let mut whole = |kind: &str, detail: String| findings.push(finding(kind, None, None, detail, true));
        if missing > 0 {
            whole(
                "log_gap",
                format!("{missing} events are missing from the recording"),
            );
        }
        if self.repeated > 0 {
            whole(
                "log_gap",
                format!("{} events stand in the recording more than once", self.repeated),
            );
        }
        if self.sorter.late() > 0 {
            whole(
                "late_events",
                format!("{} events came too late to be put in order", self.sorter.late()),
            );
        }
        if let Some(cut) = cut {
            findings.push(finding("log_truncated", Some(self.newest), None, cut, true));
        }
        Provenance {
            header: self.header.clone(),
            findings,
            missing,
        }
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
