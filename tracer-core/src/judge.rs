//! The way of an event through the judge: intake, engine, report.
//!
//! Must not depend on: where events come from. Live, replay and the CI gate all pass through here, so the same
//! events give the same report.

use crate::intake::Intake;
use crate::memory::coverage::Blemish;
use crate::recording::log::{Entry, Header};
use crate::report::Report;
use crate::verdict::conclude::{Provenance, conclude};
use crate::verdict::docket::Docket;
use crate::vocabulary::event::Event;

/// Judges entries as they come.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    header: Header,
    intake: Intake,
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
        self.intake.push(entry);
        while let Some(event) = self.intake.pop() {
            self.step(&event);
        }
    }

    fn step(&mut self, event: &Event) {
        self.docket.step(event, &|| self.intake.blemishes(None));
    }

    /// Whether the recording's own end has been taken in.
    pub fn has_ended(&self) -> bool {
        self.intake.has_ended()
    }

    /// The report over what has passed the sorter.
    pub fn report(&self) -> Report {
        conclude(&self.docket, &self.provenance(self.intake.blemishes(None)))
    }

    /// The last report: no entry follows. `cut`: why, where it is not the recording's own end.
    pub fn finish(mut self, cut: Option<&str>) -> Report {
        while let Some(event) = self.intake.take() {
            self.step(&event);
        }
        let cut = self.intake.cut(cut);
        conclude(&self.docket, &self.provenance(self.intake.blemishes(cut)))
    }

    fn provenance(&self, blemishes: Vec<Blemish>) -> Provenance {
        Provenance {
            header: self.header.clone(),
            blemishes,
            missing: self.intake.missing(),
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
    use crate::vocabulary::event::EventKind;
    use crate::vocabulary::time::Timestamp;

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
        assert_eq!(judge.intake.missing(), u64::MAX - 2);
    }
}
