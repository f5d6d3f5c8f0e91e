//! What the screen shows: everything that is known at one point of a capture, ready to be drawn.
//!
//! Must not depend on: terminals, keys, how it was found out.

use std::sync::Arc;

use tracer_core::detail::Traffic;
use tracer_core::meter::Slot;
use tracer_core::report::{Disruption, Pod, Report};
use tracer_core::time::Timestamp;
use tracer_core::timeline::milestones;

/// Where the events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This node, now.
    Live,
    /// A recording, by its file's name.
    Recording(String),
}

/// A line of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// How many events have been seen with it.
    pub position: u64,
    /// What kind of event, in a word.
    pub what: &'static str,
    /// The event in words.
    pub text: String,
    /// How it bears on forwarding.
    pub weight: Weight,
}

/// How an event bears on forwarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It is part of a disruption.
    Disruption,
    /// Something was lost, or cannot be seen.
    Bad,
    /// Forwarding came (closer) back.
    Good,
    /// Everything else.
    Plain,
}

/// What can be told of the selected Pod beyond the report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closeup {
    /// Its device.
    pub interface: String,
    /// Its traffic.
    pub traffic: Vec<Traffic>,
}

/// Upcalls that were made for the same reason and had the same result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpcallCount {
    /// Why they were sent up, in a word.
    pub why: String,
    /// What came of it, in a word.
    pub result: String,
    /// What `ovs_dp_upcall` returned: 0 or a negative errno.
    pub returned: i32,
    /// How many.
    pub count: u64,
}

/// Upcalls up to the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpcallFigures {
    /// How many, by why they were sent up and what the kernel returned.
    pub totals: Vec<UpcallCount>,
    /// The last slots, oldest first.
    pub recent: Vec<Slot>,
}

/// One point of a capture.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Where it comes from.
    pub origin: Origin,
    /// How many times the historian had been told to go somewhere.
    pub gone: u64,
    /// It is the newest point, and moves with it.
    pub following: bool,
    /// Every source has told what there was at the beginning (always so in a recording).
    pub ready: bool,
    /// When.
    pub at: Timestamp,
    /// How many events have been seen by then.
    pub position: u64,
    /// From how many on one can go back.
    pub begin: u64,
    /// How many there are.
    pub end: u64,
    /// The first point to which one can go back, and the newest point.
    pub reach: (Timestamp, Timestamp),
    /// What follows from the events up to here.
    pub report: Arc<Report>,
    /// What follows from all events.
    pub whole: Arc<Report>,
    /// Who is there, while no disruption has been seen.
    pub roster: Vec<Pod>,
    /// Ports that nobody is known to own, of the shown disruption.
    pub strangers: Vec<Pod>,
    /// The selected Pod.
    pub closeup: Option<Closeup>,
    /// Upcalls.
    pub upcalls: UpcallFigures,
    /// Events around this point.
    pub log: Vec<LogLine>,
    /// The file that is being written.
    pub recording: Option<String>,
}

/// A point worth jumping to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landmark {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub name: &'static str,
}

impl Moment {
    /// The disruption that is shown: the latest one by then.
    pub fn disruption(&self) -> Option<&Disruption> {
        self.report.disruptions.last()
    }

    /// The same disruption with everything that is known of it by now; the first to come, where none has begun.
    pub fn whole_disruption(&self) -> Option<&Disruption> {
        let Some(shown) = self.disruption() else {
            return self.whole.disruptions.first();
        };
        // Of those long ago, the whole report lists none; what was known then still is.
        let same = |disruption: &&Disruption| disruption.id == shown.id;
        self.whole.disruptions.iter().find(same).or(Some(shown))
    }

    /// Everybody who is there.
    pub fn pods(&self) -> &[Pod] {
        self.disruption()
            .map_or(&self.roster, |disruption| &disruption.pods)
    }

    /// Whether nothing can come any more: the shown point is the end of a recording.
    pub fn is_final(&self) -> bool {
        self.following && self.origin != Origin::Live
    }

    /// All milestones of all disruptions, in time order.
    pub fn landmarks(&self) -> Vec<Landmark> {
        let mut landmarks: Vec<Landmark> = self
            .whole
            .disruptions
            .iter()
            .flat_map(milestones)
            .map(|(name, at)| Landmark { at, name })
            .collect();
        landmarks.sort_by_key(|landmark| landmark.at);
        landmarks.dedup_by_key(|landmark| landmark.at);
        landmarks
    }

    /// The points at which everything of one disruption is known: just before the next begins, or the newest.
    pub fn conclusions(&self) -> Vec<Timestamp> {
        let next = self.whole.disruptions.iter().skip(1);
        let mut ends: Vec<Timestamp> = next
            .map(|disruption| Timestamp(disruption.began_ns.0.saturating_sub(1)))
            .collect();
        ends.push(self.reach.1);
        ends
    }

    /// The point from which times are counted: the shown disruption's first sign, else the capture's beginning.
    pub fn zero(&self) -> Timestamp {
        self.disruption()
            .or(self.whole_disruption())
            .map_or(self.whole.capture.started_ns, |disruption| disruption.began_ns)
    }
}
