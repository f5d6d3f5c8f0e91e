//! The fields of ovsgap's report that the lab judges (`docs/report.md`).
//!
//! Must not depend on: the crates of ovsgap. The lab reads the report as any other program would.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::truth::Key;

/// `ovsgap.report/2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Schema and version.
    pub schema: String,
    /// Where.
    pub node: Node,
    /// What was captured.
    pub capture: Capture,
    /// Disruptions, oldest first.
    pub disruptions: Vec<Disruption>,
    /// Drops of traffic that was never forwarded.
    pub steady_drops: Vec<SteadyDrop>,
    /// What loses packets without any disruption.
    pub conditions: Vec<Condition>,
    /// What could not be seen.
    pub coverage: Vec<Finding>,
    /// The worst verdict.
    pub verdict: String,
}

/// Where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its kernel.
    pub kernel: String,
    /// Its Open vSwitch.
    pub ovs: Option<String>,
}

/// What was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// When it began.
    pub started_ns: u64,
    /// When it ended.
    pub ended_ns: u64,
    /// Events of the recording.
    pub events: u64,
    /// Hooks on the kernel.
    pub hooks: Vec<Hook>,
    /// Upcalls seen beside the datapath's own counters.
    pub reconciliation: Vec<Reconciliation>,
}

/// A hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Hook {
    /// Kernel function or tracepoint.
    pub name: String,
    /// `kprobe`, `kretprobe`, `raw_tracepoint`.
    pub attach: String,
    /// Whether it is attached.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
    /// How the places of what it reads in the kernel's structures were found; null: it reads nothing there.
    pub offsets: Option<String>,
}

/// Upcalls that the hooks counted beside the datapath's own counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Reconciliation {
    /// The datapath.
    pub datapath: String,
    /// Growth of `n_missed`.
    pub datapath_missed: u64,
    /// The same by the hooks, at least and at most.
    pub seen_missed: [u64; 2],
    /// Growth of `n_lost`.
    pub datapath_lost: u64,
    /// The same by the hooks, at least and at most.
    pub seen_lost: [u64; 2],
    /// Whether they agree.
    pub agrees: bool,
}

/// A state that loses packets without any disruption.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// What it is.
    pub cause: String,
}

/// A disruption.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Disruption {
    /// How it went.
    pub kind: String,
    /// Milestones by name, in ns; those that were not seen are null.
    pub milestones: BTreeMap<String, Option<u64>>,
    /// Pods and other ports.
    pub pods: Vec<Pod>,
    /// Packets lost on ports that nobody is known to own.
    pub unattributed: Vec<Unattributed>,
}

/// A port that nobody is known to own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Unattributed {
    /// Its device or number.
    pub interface: String,
    /// What was lost.
    pub loss: Loss,
}

/// A Pod or another port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Null: no Pod.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When its flows were there again.
    pub flows_installed_ns: Option<u64>,
    /// The window in which traffic would have been lost.
    pub exposed: Option<Exposed>,
    /// What was lost.
    pub observed: Observed,
    /// Why.
    pub cause: Option<String>,
    /// What the evidence proves.
    pub proof: Option<Proof>,
    /// Whether that is acceptable.
    pub verdict: String,
}

/// What the evidence proves of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Proof {
    /// `lost`, `dark`, `clear` or `cannot_tell`.
    pub says: String,
    /// The sources that exclude more.
    pub rests_on: Vec<String>,
}

/// An exposed window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Exposed {
    /// Its start: the flush.
    pub start_ns: u64,
    /// Its end.
    pub end_ns: Option<u64>,
    /// What ended it.
    pub ended_by: Option<String>,
}

/// Evidence of single packets, by direction; null: no packet was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// Packets addressed to the Pod.
    pub to_pod: Option<Loss>,
    /// Packets that came in at its port.
    pub from_pod: Option<Loss>,
}

/// What was lost in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Loss {
    /// How many packets.
    pub lost_packets: u64,
    /// Last delivery before the longest gap.
    pub last_delivered_before_ns: Option<u64>,
    /// First loss of the longest gap.
    pub first_lost_ns: Option<u64>,
    /// Last loss of the longest gap.
    pub last_lost_ns: Option<u64>,
    /// First delivery after the longest gap.
    pub first_delivered_after_ns: Option<u64>,
    /// The longest gap was at least this long.
    pub min_ns: Option<u64>,
    /// And at most this long.
    pub max_ns: Option<u64>,
    /// Each traffic key that lost packets (the report lists some at most).
    pub keys: Vec<KeyLoss>,
}

/// What one traffic key lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeyLoss {
    /// Which.
    #[serde(flatten)]
    pub key: Key,
    /// How many packets.
    pub lost_packets: u64,
    /// Last delivery before its longest gap.
    pub last_delivered_before_ns: Option<u64>,
    /// First loss of its longest gap.
    pub first_lost_ns: u64,
    /// Last loss of its longest gap.
    pub last_lost_ns: u64,
    /// First delivery after its longest gap.
    pub first_delivered_after_ns: Option<u64>,
}

/// Traffic that was dropped and never forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SteadyDrop {
    /// Which.
    #[serde(flatten)]
    pub key: Key,
    /// How many packets.
    pub packets: u64,
}

/// Something that could not be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// What kind.
    pub kind: String,
    /// In words.
    pub detail: String,
    /// Whether it makes verdicts inconclusive.
    pub weakens: bool,
}

impl Disruption {
    /// A milestone that was seen.
    pub fn milestone(&self, name: &str) -> Option<u64> {
        self.milestones.get(name).copied().flatten()
    }

    /// The Pods, without other ports.
    pub fn real_pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.namespace.is_some())
    }
}
