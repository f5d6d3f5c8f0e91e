//! The report: what the engine concludes, in the shape that is printed as JSON (`ovsgap.report/1`).
//!
//! May not know: events, formats, colours. A value that was not seen is `None` (null), never 0.
//! Field by field: docs/report.md.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::counterfactual::{Counterfactual, Remainder};
use crate::time::Timestamp;

mod capture;

pub use capture::{Capture, Command, Hook, Reconciliation, UpcallLatency};

/// The schema's name and version, first field of every report.
pub const SCHEMA: &str = "ovsgap.report/1";

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
    /// Every restart seen, oldest first.
    pub restarts: Vec<Restart>,
    /// Drops of traffic that was never forwarded (policy, router solicitations): no loss.
    pub steady_drops: Vec<SteadyDrop>,
    /// States of the node that lose packets without any restart.
    pub conditions: Vec<Condition>,
    /// Whatever could not be seen.
    pub coverage: Vec<Finding>,
    /// The worst verdict of all restarts, and `inconclusive` where nothing could be judged.
    pub verdict: Verdict,
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

/// One restart of OVS, of its agent or of the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restart {
    /// 1 for the first.
    pub id: u32,
    /// The datapath, where one is known.
    pub datapath: Option<String>,
    /// How it went.
    pub kind: Kind,
    /// When its first sign was seen.
    pub began_ns: Timestamp,
    /// Its milestones.
    pub milestones: Milestones,
    /// Each Pod, then each port that is no Pod.
    pub pods: Vec<Pod>,
    /// How long upcalls waited in it, where answers were seen.
    #[serde(default)]
    pub upcall_latency: Option<UpcallLatency>,
    /// Had flow-restore-wait gone only after the last Pod's flows; `None`: it did, or that is not the cause of a window.
    #[serde(default)]
    pub counterfactual: Option<Counterfactual>,
    /// All Pods together.
    pub summary: Summary,
    /// The worst verdict of its Pods.
    pub verdict: Verdict,
}

/// How a restart went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// ovs-vswitchd left by itself.
    Graceful,
    /// ovs-vswitchd was ended by a signal.
    Killed,
    /// ovs-vswitchd ended, how could not be seen; or it was not running before.
    Restarted,
    /// flow-restore-wait changed and ovs-vswitchd did not end.
    FlagOnly,
    /// The datapath's megaflows were flushed and nothing else happened.
    FlushOnly,
    /// The kernel module was unloaded and loaded again.
    ModuleReload,
}

/// When what happened (ns of `CLOCK_MONOTONIC`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Milestones {
    /// OVSDB: flow-restore-wait became true.
    pub flag_set_ns: Option<Timestamp>,
    /// Kernel: the ovs-vswitchd that served the datapath exited.
    pub vswitchd_exit_ns: Option<Timestamp>,
    /// Kernel: the exec (or the monitor's fork) of the one that served it next.
    pub vswitchd_start_ns: Option<Timestamp>,
    /// OVSDB: flow-restore-wait is no longer true (intent).
    pub flag_removed_ns: Option<Timestamp>,
    /// Kernel: upcall portids bound again.
    pub upcalls_bound_ns: Option<Timestamp>,
    /// Kernel: `ovs_flow_tbl_flush` (the flag took effect).
    pub flush_ns: Option<Timestamp>,
    /// OpenFlow: the last Pod's flows were there again.
    pub last_flows_installed_ns: Option<Timestamp>,
    /// Kernel: the last Pod converged that did.
    pub converged_ns: Option<Timestamp>,
}

/// One Pod (or port that is no Pod) in one restart.
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
    /// Its part of the restart's counterfactual.
    #[serde(default)]
    pub counterfactual: Option<Remainder>,
    /// Whether this is acceptable under the default budget (nothing lost, nothing exposed).
    pub verdict: Verdict,
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

/// What ended an exposed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// A megaflow of the Pod that outputs.
    Converged,
    /// A packet of traffic that had been lost was delivered: ovs-vswitchd executes a packet with its new actions
    /// before it replaces the megaflow, and sometimes long before.
    Delivered,
    /// Its OpenFlow flows came, and no drop megaflow stood in the way.
    FlowsInstalled,
    /// Its OpenFlow flows came, and its last drop megaflow was removed.
    DropFlowsRemoved,
    /// Its OpenFlow flows were there before the flush: the window is empty.
    FlowsBeforeFlush,
    /// Its port was deleted: nobody is left to lose anything.
    PortDeleted,
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
    /// Packets lost in this restart.
    pub lost_packets: u64,
    /// Their bytes, L2 header included.
    pub lost_bytes: u64,
    /// Last packet delivered before the longest hole.
    pub last_delivered_before_ns: Option<Timestamp>,
    /// First packet lost in the longest hole.
    pub first_lost_ns: Option<Timestamp>,
    /// Last packet lost in the longest hole.
    pub last_lost_ns: Option<Timestamp>,
    /// First packet delivered after the longest hole.
    pub first_delivered_after_ns: Option<Timestamp>,
    /// The hole was at least this long: `last_lost − first_lost`.
    pub min_ns: Option<u64>,
    /// The hole was at most this long: `first_delivered_after − last_delivered_before`.
    pub max_ns: Option<u64>,
    /// Lost packets by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// How many separate holes there were; the fields above describe the longest.
    pub holes: u32,
    /// The traffic that lost packets, most first; at most [`KEYS`].
    pub keys: Vec<KeyLoss>,
}

/// Traffic keys listed for a Pod and direction.
pub const KEYS: usize = 16;

/// What one traffic key lost in one restart. The times are those of its longest hole.
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
    /// How many separate holes there were.
    pub holes: u32,
    /// Last packet delivered before.
    pub last_delivered_before_ns: Option<Timestamp>,
    /// First packet lost.
    pub first_lost_ns: Timestamp,
    /// Last packet lost.
    pub last_lost_ns: Timestamp,
    /// First packet delivered after.
    pub first_delivered_after_ns: Option<Timestamp>,
}

/// Why a packet was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The upcall found no socket: ENOTCONN, ECONNREFUSED.
    NoHandler,
    /// The upcall found the socket full: EAGAIN.
    QueueFull,
    /// It hit a megaflow without output, or an explicit drop.
    DropFlow,
    /// The upcall was taken and nothing was executed.
    UserspaceDrop,
    /// The upcall failed in another way.
    UpcallError,
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

/// Why there was a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The flag was removed before the Pod's flows were installed.
    FlagBeforeFlows,
    /// The Pod's flows have not come back.
    FlowsNeverInstalled,
    /// The flows were there; drop megaflows outlived them until the revalidator came.
    RevalidationLag,
    /// A restart without flow-restore-wait.
    NoFlag,
    /// flow-restore-wait stays set.
    FlagStuck,
    /// Nobody listened for upcalls.
    HandlersDown,
    /// Upcalls found their socket full.
    QueueOverflow,
    /// The kernel module was reloaded.
    ModuleReload,
    /// The Pod's port was deleted and made again.
    PortRecreated,
    /// The evidence names none of the others.
    Unknown,
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

/// All Pods of a restart together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// How many Pods there were.
    pub pods: u32,
    /// How many of them lost packets or were exposed.
    pub affected: u32,
    /// Packets lost, each counted once, ports that are no Pod included.
    pub lost_packets: u64,
    /// The longest hole (upper bound).
    pub max_observed_ns: Option<u64>,
    /// The longest exposed window.
    pub max_exposed_ns: Option<u64>,
}

/// Drops of one traffic key that was never forwarded.
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
}

/// A state of the node that loses packets without any restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Condition {
    /// What it is.
    pub cause: Cause,
    /// Since when.
    pub since_ns: Timestamp,
    /// Until when; `None`: still so.
    pub until_ns: Option<Timestamp>,
    /// The evidence, and what to do.
    pub detail: String,
}

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// `hook_missing`, `records_lost`, `late_events`, `log_gap`, `log_truncated`, `source_down`,
    /// `monitor_paused`, `counters_differ`, `evidence_off`, `evidence_late`, `datapath_gone`, `port_gone`,
    /// `types_derived`, `hits_skipped`, `skips_untold`, `unanswered`.
    pub kind: String,
    /// From when; `None`: the whole capture.
    pub from_ns: Option<Timestamp>,
    /// Until when; `None`: to its end.
    pub to_ns: Option<Timestamp>,
    /// In words, with the remedy.
    pub detail: String,
    /// Whether a verdict over this time becomes `inconclusive`.
    pub weakens: bool,
}

/// Whether a window is acceptable. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Pass,
    /// What was seen is acceptable, but not enough was seen.
    Inconclusive,
    /// It is not.
    Fail,
}
