//! Everything a scenario left behind, and what the truth says about one Pod in it.
//!
//! May not know: what it should be (that is `judge`), how it is shown.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::guest::steps::Step;
use crate::report::{Report, Restart};
use crate::scenario::{Notes, Scenario};
use crate::truth::{LostRun, Stream, Truth};

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
    /// The report over the recording.
    pub report: Report,
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

    /// What the prober saw of one Pod since the restart began.
    pub fn of_pod(&self, pod: &str) -> PodTruth {
        let began = self.steps.first().map_or(0, |step| step.started_ns);
        let all = || self.truth.streams.iter().filter(|stream| stream.flows);
        let flush = self
            .step("flag_removed", None)
            .or_else(|| self.step("vswitchd_start", None));
        PodTruth::new(
            began,
            flush.map_or(began, |step| step.started_ns),
            &all().filter(|stream| stream.dst == pod).collect::<Vec<_>>(),
            &all().filter(|stream| stream.src == pod).collect::<Vec<_>>(),
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
    /// Whether every stream arrived again after its last loss.
    pub recovered: bool,
    /// From the first to the last packet of the longest run of lost ones of one stream.
    pub longest_ns: u64,
    /// From the last arrival before all losses to the first after all of them: no hole was longer.
    pub around_ns: Option<u64>,
}

impl PodTruth {
    fn new(began: u64, flush: u64, to: &[&Stream], from: &[&Stream]) -> Self {
        let runs = |streams: &[&Stream]| {
            let runs = streams.iter().flat_map(|stream| stream.lost.iter().cloned());
            runs.filter(|run| run.last_lost_sent_ns >= began)
                .collect::<Vec<_>>()
        };
        let (to, from) = (runs(to), runs(from));
        // A single miss may be lost before the flush; it tells nothing of the window.
        let all = || {
            to.iter()
                .chain(&from)
                .filter(|run| run.last_lost_sent_ns >= flush)
        };
        let again = || all().filter_map(|run| run.first_received_after);
        Self {
            to: Direction::new(&to),
            from: Direction::new(&from),
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
    fn new(runs: &[LostRun]) -> Self {
        let before = runs
            .iter()
            .filter_map(|run| run.last_received_before)
            .map(|one| one.sent_ns)
            .min();
        let after = runs
            .iter()
            .filter_map(|run| run.first_received_after)
            .map(|one| one.received_ns)
            .max();
        let length = |run: &LostRun| run.last_lost_sent_ns - run.first_lost_sent_ns;
        Self {
            lost: runs.iter().map(|run| run.count).sum(),
            recovered: runs.iter().all(|run| run.first_received_after.is_some()),
            longest_ns: runs.iter().map(length).max().unwrap_or_default(),
            around_ns: before
                .zip(after)
                .map(|(before, after)| after.saturating_sub(before)),
        }
    }
}
