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
        PodTruth::new(
            began,
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
    /// Packets to the Pod that were lost.
    pub lost_to: u64,
    /// Packets from the Pod that were lost.
    pub lost_from: u64,
    /// When the first packet after a loss arrived, over all streams of the Pod. `None`: nothing was lost, or
    /// nothing arrived again.
    pub first_again_ns: Option<u64>,
    /// When the last of its streams flowed again. `None` likewise.
    pub all_again_ns: Option<u64>,
}

impl PodTruth {
    fn new(began: u64, to: &[&Stream], from: &[&Stream]) -> Self {
        let runs = |streams: &[&Stream]| {
            let runs = streams.iter().flat_map(|stream| stream.lost.iter().cloned());
            runs.filter(|run| run.last_lost_sent_ns >= began)
                .collect::<Vec<_>>()
        };
        let (to, from) = (runs(to), runs(from));
        let count = |runs: &[crate::truth::LostRun]| runs.iter().map(|run| run.count).sum();
        let again = || {
            let after = to.iter().chain(&from).filter_map(|run| run.first_received_after);
            after.map(|one| one.received_ns)
        };
        Self {
            lost_to: count(&to),
            lost_from: count(&from),
            first_again_ns: again().min(),
            all_again_ns: again().max(),
        }
    }
}
