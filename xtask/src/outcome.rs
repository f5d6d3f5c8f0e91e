//! Everything a scenario left behind, and what the truth says about one Pod in it.
//!
//! May not know: what it should be (that is `judge`), how it is shown.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::guest::steps::Step;
use crate::judge::bounds::{self, Hole};
use crate::packets::Packets;
use crate::report::{Report, Restart};
use crate::scenario::{Notes, Scenario};
use crate::truth::{Stream, Truth};

/// What one scenario left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: &'static Scenario,
    /// What the prober saw.
    pub truth: Truth,
    /// What was done, and when.
    pub steps: Vec<Step>,
    /// What the guest noted.
    pub notes: Notes,
    /// Every packet of each of the truth's streams.
    pub packets: Vec<Packets>,
    /// The report over the recording.
    pub report: Report,
    /// The report over the recording up to where traffic flowed again: what was known while the capture ran.
    pub early: Option<Report>,
    /// The report that `ovsgap record` printed.
    pub live: String,
    /// The same report made from the recording.
    pub replayed: String,
    /// What `ovsgap record` said on stderr.
    pub log: String,
}

impl Outcome {
    /// Reads the folder of a scenario.
    pub fn read(scenario: &'static Scenario, folder: &Path) -> Result<Self> {
        let text = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let steps = text("steps.jsonl").unwrap_or_default();
        Ok(Self {
            scenario,
            truth: json(&text("truth.json")?, "truth.json")?,
            steps: steps
                .lines()
                .map(|line| json(line, "steps.jsonl"))
                .collect::<Result<_>>()?,
            notes: json(&text("notes.json")?, "notes.json")?,
            packets: json(&text("packets.json")?, "packets.json")?,
            early: text("early.json")
                .ok()
                .and_then(|text| json(&text, "early.json").ok()),
            // A report that is not there or cannot be read is for the judge to say.
            report: text("report.json")
                .ok()
                .and_then(|text| json(&text, "report.json").ok())
                .unwrap_or_default(),
            live: text("live")?,
            replayed: text("replayed").unwrap_or_default(),
            log: text("record.log").unwrap_or_default(),
        })
    }

    /// A step by its name and Pod.
    pub fn step(&self, name: &str, pod: Option<&str>) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.name == name && step.pod.as_deref() == pod)
    }

    /// The restart that the report is about: the one whose flush came last.
    pub fn restart(&self) -> Option<&Restart> {
        self.report
            .restarts
            .iter()
            .max_by_key(|restart| restart.milestone("flush_ns"))
    }

    /// Names of the Pods: those in the traffic and those that are idle.
    pub fn pods(&self) -> BTreeSet<&str> {
        let busy = self
            .truth
            .streams
            .iter()
            .flat_map(|stream| [stream.src.as_str(), stream.dst.as_str()]);
        busy.chain(self.scenario.idle.iter().copied()).collect()
    }

    /// Every stream with its packets.
    pub fn streams(&self) -> impl Iterator<Item = (&Stream, bounds::Stream<'_>)> {
        let began = self.steps.first().map_or(0, |step| step.started_ns);
        let streams = self.truth.streams.iter().zip(&self.packets);
        streams.map(move |(stream, packets)| {
            let of = bounds::Stream {
                packets,
                began,
                ended: self.report.capture.ended_ns,
                error: self.truth.clock_error_ns,
            };
            (stream, of)
        })
    }

    /// From the flush to the last Pod's flows.
    pub fn under_way(&self) -> std::ops::Range<u64> {
        let flush = self.restart().and_then(|restart| restart.milestone("flush_ns"));
        let last = self
            .steps
            .iter()
            .rev()
            .find(|step| step.name == "flows_installed");
        flush.unwrap_or(u64::MAX)..last.map_or(0, |step| step.started_ns)
    }

    /// What the prober saw of one Pod since the restart began.
    pub fn of_pod(&self, pod: &str) -> PodTruth {
        let flush = self
            .step("flag_removed", None)
            .or_else(|| self.step("vswitchd_start", None));
        let of = |is_of: fn(&Stream, &str) -> bool| {
            let streams = self
                .streams()
                .filter(move |(stream, _)| stream.flows && is_of(stream, pod));
            streams.collect::<Vec<_>>()
        };
        PodTruth::new(
            flush.map_or(0, |step| step.started_ns),
            &of(|stream, pod| stream.dst == pod),
            &of(|stream, pod| stream.src == pod),
        )
    }
}

fn json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text).with_context(|| format!("reading {what}"))
}

/// What the prober saw of one Pod since the restart began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodTruth {
    /// Packets to the Pod.
    pub to: Direction,
    /// Packets from the Pod.
    pub from: Direction,
    /// When the first packet after a loss arrived, over all streams of the Pod. `None`: nothing was lost, or
    /// nothing arrived again.
    pub first_again_ns: Option<u64>,
    /// Until when every one of its streams is known to have lost packets.
    pub last_loss_of_all_ns: Option<u64>,
    /// When the first packet after a loss arrived that did not wait for userspace: a megaflow forwarded it.
    pub first_prompt_ns: Option<u64>,
    /// When the last of its streams flowed again.
    pub all_again_ns: Option<u64>,
}

/// What was lost in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// Packets that were lost.
    pub lost: u64,
    /// The longest hole of one stream.
    pub longest: Option<Hole>,
}

impl PodTruth {
    fn new(flush: u64, to: &[(&Stream, bounds::Stream)], from: &[(&Stream, bounds::Stream)]) -> Self {
        // A single miss may be lost before the flush; it tells nothing of the window.
        let runs = || to.iter().chain(from).flat_map(|(stream, _)| &stream.lost);
        let all = || runs().filter(|run| run.last_lost_sent_ns >= flush);
        let again = || all().filter_map(|run| run.first_received_after);
        Self {
            to: Direction::new(to),
            from: Direction::new(from),
            first_again_ns: again().map(|one| one.received_ns).min(),
            last_loss_of_all_ns: all().map(|run| run.last_lost_sent_ns).min(),
            first_prompt_ns: all()
                .filter_map(|run| run.first_prompt_after)
                .map(|one| one.received_ns)
                .min(),
            all_again_ns: again().map(|one| one.received_ns).max(),
        }
    }
}

impl Direction {
    fn new(streams: &[(&Stream, bounds::Stream)]) -> Self {
        let longest = streams.iter().filter_map(|(_, packets)| packets.longest());
        Self {
            lost: streams
                .iter()
                .map(|(_, packets)| packets.lost().count() as u64)
                .sum(),
            longest: longest.max_by_key(Hole::at_least),
        }
    }
}
