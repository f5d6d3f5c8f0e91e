//! The report: what the engine concludes, in the shape that is printed as JSON (`ovsgap.report/2`).
//!
//! Must not depend on: events, formats, colours. It composes and decides nothing. A value that was not seen is `None` (null),
//! never 0. Field by field: docs/report.md.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::vocabulary::time::Timestamp;
use crate::witness::proof::Proof;
use crate::witness::source::Witness;

mod capture;
mod counterfactual;

pub use crate::vocabulary::capture::{Command, UpcallLatency};
pub use crate::vocabulary::words::{Cause, Condition, EndedBy, Finding, Kind, Milestones, Reason, Verdict};
pub use capture::{Capture, Hook, Reconciliation};
pub use counterfactual::{Around, Counterfactual, Remainder};

/// The schema's name and version, first field of every report.
pub const SCHEMA: &str = "ovsgap.report/2";

/// Disruptions listed at most.
pub const DISRUPTIONS: usize = 64;

/// Everything that can be said about one capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Always [`SCHEMA`].
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA)))]
    pub schema: String,
    /// The node that was observed.
    pub node: Node,
    /// What was captured.
    pub capture: Capture,
    /// The command under observation, where there was one.
    pub command: Option<Command>,
    /// The disruptions, oldest first; the latest [`DISRUPTIONS`] of them.
    pub disruptions: Vec<Disruption>,
    /// Disruptions that are no longer listed. Their verdicts are part of `verdict`.
    pub omitted: u32,
    /// Drops of traffic that a policy drops: they were there outside of every disruption, too. No loss.
    pub steady_drops: Vec<SteadyDrop>,
    /// States of the node that lose packets without any disruption.
    pub conditions: Vec<Condition>,
    /// Whatever could not be seen.
    pub coverage: Vec<Finding>,
    /// The worst verdict of all disruptions and conditions, and `inconclusive` where nothing could be judged.
    pub verdict: Verdict,
    /// What keeps the verdict from being `pass`, as sentences, worst first. Empty where it is.
    pub why: Vec<String>,
}

/// The node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Node {
    /// Its host name.
    pub hostname: Option<String>,
    /// Its kernel's release.
    pub kernel: Option<String>,
    /// `Open_vSwitch.ovs_version`.
    pub ovs: Option<String>,
}

/// A span in which the forwarding of at least one endpoint was taken away or put at risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Disruption {
    /// 1 for the first.
    pub id: u32,
    /// The datapath, where one is known.
    pub datapath: Option<String>,
    /// What began it, and how it went.
    pub kind: Kind,
    /// The signal that ended ovs-vswitchd (0: it left by itself); `None`: it did not end, or how was not seen.
    #[serde(default)]
    pub signal: Option<i32>,
    /// When its first sign was seen.
    pub began_ns: Timestamp,
    /// When it had settled, or the next one began; `None`: it was still under way when the capture ended.
    pub ended_ns: Option<Timestamp>,
    /// Its milestones.
    pub milestones: Milestones,
    /// Each Pod, then each port that is no Pod. Of a disruption long ago, only those that did not pass.
    pub pods: Vec<Pod>,
    /// Packets that were lost and that belong to no known port.
    #[serde(default)]
    pub unattributed: Vec<Unattributed>,
    /// How long upcalls waited in it, where answers were seen.
    #[serde(default)]
    pub upcall_latency: Option<UpcallLatency>,
    /// Had flow-restore-wait gone only after the last Pod's flows; `None`: it did, or that is not the cause of a window.
    #[serde(default)]
    pub counterfactual: Option<Counterfactual>,
    /// All Pods together.
    pub summary: Summary,
    /// The worst verdict of its Pods, of what was lost without an owner, and of the disruption as a whole.
    pub verdict: Verdict,
    /// What keeps the verdict from being `pass`, as sentences. Empty where it is.
    #[serde(default)]
    pub why: Vec<String>,
}

/// Packets lost on a port that nobody is known to own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unattributed {
    /// The port at which they came in: its device, or `port 9`.
    pub interface: String,
    /// What was lost.
    pub loss: Loss,
}

/// One Pod (or port that is no Pod) in one disruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pod {
    /// `None`: no Pod (gateway, tunnel, uplink) or not known.
    pub namespace: Option<String>,
    /// The Pod's name, else the interface's.
    pub name: String,
    /// Its bridge.
    pub bridge: Option<String>,
    /// Its interface on the node.
    pub interface: String,
    /// OpenFlow port number.
    pub ofport: Option<u32>,
    /// Datapath port number.
    pub port_no: Option<u32>,
    /// The Pod's own address, not the interface's.
    pub mac: Option<String>,
    /// The Pod's addresses.
    pub ips: Vec<String>,
    /// The logical network of its interface, where the platform names one that is not the default.
    #[serde(default)]
    pub network: Option<String>,
    /// OpenFlow and kernel: it could be reached again (an upper bound).
    #[serde(default)]
    pub reachable_ns: Option<Timestamp>,
    /// OpenFlow: all of its flows were there again (an upper bound).
    pub flows_installed_ns: Option<Timestamp>,
    /// Kernel: first megaflow for it that outputs, after the flush.
    pub converged_ns: Option<Timestamp>,
    /// When traffic would have been lost.
    pub exposed: Option<Exposed>,
    /// What was lost.
    pub observed: Observed,
    /// What waited in a socket and was delivered.
    pub delayed: Option<Delayed>,
    /// What was forwarded while its flows were absent.
    pub leak: Option<Leak>,
    /// Why; `None`: there is no window to explain.
    pub cause: Option<Cause>,
    /// How the exposed window was spent.
    pub waterfall: Vec<Phase>,
    /// Its part of the disruption's counterfactual.
    #[serde(default)]
    pub counterfactual: Option<Remainder>,
    /// The evidence that was there, source by source.
    #[serde(default)]
    pub witnesses: Vec<Witness>,
    /// What the evidence proves. `None`: no disruption has touched it.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// Whether this is acceptable where nothing may be lost and nothing exposed.
    pub verdict: Verdict,
}

impl Pod {
    /// Whether it is judged: Pods are, and of other ports those that lost packets.
    pub fn is_judged(&self) -> bool {
        let losses = [&self.observed.to_pod, &self.observed.from_pod];
        self.namespace.is_some() || losses.into_iter().flatten().any(|loss| loss.lost_packets > 0)
    }
}

/// `[flush, end]`: traffic would have been lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exposed {
    /// The flush.
    pub start_ns: Timestamp,
    /// Its end; `None`: not ended, or its end could not be seen.
    pub end_ns: Option<Timestamp>,
    /// From start to end.
    pub duration_ns: Option<u64>,
    /// What ended it.
    pub ended_by: Option<EndedBy>,
}

/// What was lost, apart for each direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Observed {
    /// Packets addressed to the Pod.
    pub to_pod: Option<Loss>,
    /// Packets that came in at the Pod's port.
    pub from_pod: Option<Loss>,
}

/// Evidence of single packets in one direction. `None` in [`Observed`]: no packet was seen at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Loss {
    /// Packets lost in this disruption.
    pub lost_packets: u64,
    /// Their bytes, L2 header included.
    pub lost_bytes: u64,
    /// Last packet delivered before the longest gap.
    pub last_delivered_before_ns: Option<Timestamp>,
    /// First packet lost in the longest gap.
    pub first_lost_ns: Option<Timestamp>,
    /// Last packet lost in the longest gap.
    pub last_lost_ns: Option<Timestamp>,
    /// First packet delivered after the longest gap.
    pub first_delivered_after_ns: Option<Timestamp>,
    /// The gap was at least this long: `last_lost − first_lost`.
    pub min_ns: Option<u64>,
    /// The gap was at most this long: `first_delivered_after − last_delivered_before`.
    pub max_ns: Option<u64>,
    /// Lost packets by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// How many separate gaps there were; the fields above describe the longest.
    pub gaps: u32,
    /// The traffic that lost packets, most first; at most [`KEYS`].
    pub keys: Vec<KeyLoss>,
}

/// Traffic keys listed for a Pod and direction.
pub const KEYS: usize = 16;

/// What one traffic key lost in one disruption. The times are those of its longest gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyLoss {
    /// The interface at which it came in.
    pub interface: String,
    /// Ethernet type.
    pub eth_type: u16,
    /// Destination address (target address of ARP and ND).
    pub dst: String,
    /// IP protocol or ARP opcode.
    pub proto: u8,
    /// The lower of the two L4 ports; 0 where there are none.
    pub port: u16,
    /// Packets lost.
    pub lost_packets: u64,
    /// How many separate gaps there were.
    pub gaps: u32,
    /// Last packet delivered before.
    pub last_delivered_before_ns: Option<Timestamp>,
    /// First packet lost.
    pub first_lost_ns: Timestamp,
    /// Last packet lost.
    pub last_lost_ns: Timestamp,
    /// First packet delivered after.
    pub first_delivered_after_ns: Option<Timestamp>,
}

/// Packets that waited for userspace and then were delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delayed {
    /// How many.
    pub packets: u64,
    /// When the first of them was queued.
    pub first_queued_ns: Timestamp,
    /// When the last of them was executed.
    pub last_executed_ns: Timestamp,
    /// The longest that one can have waited.
    pub max_ns: u64,
}

/// Traffic forwarded while the Pod's flows were absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Leak {
    /// The first megaflow that outputs in spite of it.
    pub start_ns: Timestamp,
    /// When the Pod's flows were there again; `None`: not yet.
    pub end_ns: Option<Timestamp>,
}

/// One phase of an exposed window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Phase {
    /// `flush→flows_installed`, …
    pub phase: String,
    /// How long it took.
    pub ns: u64,
}

/// All Pods of a disruption together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// How many Pods there were.
    pub pods: u32,
    /// How many of them lost packets or were exposed.
    pub affected: u32,
    /// Packets lost, each counted once, ports that are no Pod included.
    pub lost_packets: u64,
    /// The longest gap (upper bound).
    pub max_observed_ns: Option<u64>,
    /// The longest exposed window.
    pub max_exposed_ns: Option<u64>,
}

/// Drops of one traffic key that a policy drops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SteadyDrop {
    /// The interface at which it came in.
    pub interface: String,
    /// Ethernet type.
    pub eth_type: u16,
    /// Destination address.
    pub dst: String,
    /// IP protocol or ARP opcode.
    pub proto: u8,
    /// The lower of the two L4 ports.
    pub port: u16,
    /// How many packets.
    pub packets: u64,
    /// They were dropped for these reasons.
    #[serde(default)]
    pub by_reason: BTreeMap<Reason, u64>,
}
