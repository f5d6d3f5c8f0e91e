//! Runs: what each capture of a repeated disruption comes down to, and all of them together.
//!
//! Must not depend on: how a run was made, how it is printed. `ovsgap.runs/2`, field by field: docs/report.md.

mod merged;
pub mod spread;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracer_core::budget::{Bounds, Case, Judgement};
use tracer_core::count::total;
use tracer_core::report::{Cause, Command, Disruption, Pod, Report, Verdict};
use tracer_core::time::Timestamp;

pub use merged::{Judged, merged};

/// The schema's name and version.
pub const SCHEMA: &str = "ovsgap.runs/2";

/// All runs of one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// In the order in which they ran.
    pub runs: Vec<Run>,
}

impl Runs {
    /// Under this version's name.
    pub fn new(runs: Vec<Run>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            runs,
        }
    }
}

/// One run: one capture, most often around one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its recording, as it was called then.
    pub recording: Option<String>,
    /// The command, where there was one.
    pub command: Option<Command>,
    /// What the budget says of it.
    pub verdict: Verdict,
    /// How many disruptions were seen in it.
    pub disruptions: u64,
    /// The longest window of any Pod (ns).
    pub window: Bounds,
    /// Lost packets, each counted once.
    pub lost: u64,
    /// The Pod whose window was the longest; `None`: there was no window.
    pub worst: Option<String>,
    /// Why it was so long.
    pub cause: Option<Cause>,
    /// How the worst Pod's exposed window was spent (ns).
    pub phases: BTreeMap<String, u64>,
    /// Why this run's figures can be compared with no other's.
    pub unusable: Option<String>,
    /// Every Pod.
    pub pods: Vec<PodRun>,
}

/// One Pod in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRun {
    /// `namespace/name`, or the interface.
    pub pod: String,
    /// How long its window was (ns).
    pub window: Bounds,
    /// Packets that it lost, to it and from it.
    pub lost: u64,
    /// Why.
    pub cause: Option<Cause>,
}

/// From the flush until the Pod's OpenFlow flows were there.
pub const FLOWS: &str = "flush→flows_installed";
/// From there until its window closed.
pub const REVALIDATION: &str = "flows_installed→window's end";
/// From there until a packet of traffic that had been lost was delivered.
pub const DELIVERY: &str = "window's end→first delivered";

/// The phases that runs are compared by, in their order.
pub const PHASES: [&str; 3] = [FLOWS, REVALIDATION, DELIVERY];

impl Run {
    /// What a report comes down to.
    pub fn of(recording: Option<String>, report: &Report, judgement: &Judgement) -> Self {
        // Of several whose upper bounds are the same gap's, the one of which the most is proven.
        let worst = judgement
            .cases
            .iter()
            .min_by_key(|case| Reverse((length(case.window), case.window.at_least)));
        let worst = worst.filter(|case| case.window.at_most != Some(0));
        let window = worst.map_or(
            Bounds {
                at_least: 0,
                at_most: Some(0),
            },
            |case| case.window,
        );
        Self {
            recording,
            command: report.command.clone(),
            verdict: judgement.verdict,
            disruptions: report.disruptions.len() as u64 + u64::from(report.omitted),
            window,
            lost: total(
                report
                    .disruptions
                    .iter()
                    .map(|disruption| disruption.summary.lost_packets),
            ),
            worst: worst.map(Case::label),
            cause: worst.and_then(|case| case.cause),
            phases: phases(worst.and_then(|case| row(report, case))),
            unusable: unusable(report, judgement),
            pods: judgement.cases.iter().map(pod).collect(),
        }
    }

    /// The window's upper bound; an open window is longer than any other.
    pub fn length(&self) -> u64 {
        length(self.window)
    }
}

fn length(window: Bounds) -> u64 {
    window.at_most.unwrap_or(u64::MAX)
}

fn pod(case: &Case) -> PodRun {
    PodRun {
        pod: case.label(),
        window: case.window,
        lost: case.lost.at_least,
        cause: case.cause,
    }
}

fn row<'a>(report: &'a Report, case: &Case) -> Option<&'a Pod> {
    let of_case = |disruption: &&Disruption| disruption.id == case.disruption;
    let disruption = report.disruptions.iter().find(of_case)?;
    let same = |pod: &&Pod| pod.namespace == case.namespace && pod.name == case.name;
    disruption.pods.iter().find(same)
}

/// The phases of a Pod's window; all are empty where there was none.
fn phases(pod: Option<&Pod>) -> BTreeMap<String, u64> {
    let mut phases: BTreeMap<String, u64> = PHASES.map(|name| (name.to_owned(), 0)).into();
    let exposed = pod.and_then(|pod| pod.exposed.as_ref());
    let (Some(pod), Some(exposed)) = (pod, exposed) else {
        return phases;
    };
    let Some(end) = exposed.end_ns.filter(|end| *end > exposed.start_ns) else {
        return phases;
    };
    let losses = [&pod.observed.to_pod, &pod.observed.from_pod];
    let delivered = losses
        .into_iter()
        .flatten()
        .filter_map(|loss| loss.first_delivered_after_ns);
    let came = pod
        .flows_installed_ns
        .map_or(end, |came| came.clamp(exposed.start_ns, end));
    let mut set = |name: &str, from: Timestamp, to: Timestamp| phases.insert(name.to_owned(), to.since(from));
    set(FLOWS, exposed.start_ns, came);
    set(REVALIDATION, came, end);
    if let Some(delivered) = delivered.min() {
        set(DELIVERY, end, delivered);
    }
    phases
}

/// Only a run whose disruption was seen, and seen whole, has figures to compare.
fn unusable(report: &Report, judgement: &Judgement) -> Option<String> {
    if report.disruptions.is_empty() {
        return Some("no disruption of Open vSwitch was seen".to_owned());
    }
    let unknown = judgement.cases.iter().filter_map(|case| unknown(report, case));
    let blind = judgement
        .obstacles
        .iter()
        .filter(|obstacle| obstacle.verdict == Verdict::Inconclusive);
    unknown
        .chain(blind.map(|obstacle| obstacle.detail.clone()))
        .next()
}

/// Why a window's length is not known. Without an upper bound it is open where every witness was whole, and unknown where
/// one was not.
fn unknown(report: &Report, case: &Case) -> Option<String> {
    if case.window.at_most.is_some() {
        return None;
    }
    let witnesses = row(report, case).map_or(&[][..], |pod| &pod.witnesses);
    let missing = witnesses.iter().find_map(|witness| witness.why.clone());
    let nothing = || case.why.first().filter(|_| case.window.at_least == 0).cloned();
    missing.or_else(nothing)
}
