//! The words of every conclusion: kinds of disruption, milestones, reasons, causes, findings, verdicts.
//!
//! Must not depend on: how any of them is found, or printed.

use serde::{Deserialize, Serialize};

use crate::vocabulary::time::Timestamp;

/// What began a disruption, and how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// ovs-vswitchd left by itself and was started again.
    Graceful,
    /// A signal ended ovs-vswitchd.
    Killed,
    /// ovs-vswitchd ended and how could not be seen, or it was not running before.
    Restarted,
    /// flow-restore-wait changed and ovs-vswitchd did not end.
    FlagOnly,
    /// ovs-vswitchd flushed its datapath and nothing else happened.
    FlushOnly,
    /// The kernel module was unloaded and loaded again.
    ModuleReload,
    /// Endpoints' OpenFlow flows were removed while ovs-vswitchd kept running.
    FlowsRemoved,
    /// Datapath ports went away while ovs-vswitchd kept running.
    PortsRemoved,
    /// Upcalls were refused while ovs-vswitchd kept running.
    HandlersStuck,
    /// Two instances of ovs-vswitchd command the same datapath.
    DatapathTakenOver,
}

/// When what happened (ns of `CLOCK_MONOTONIC`). `None`: not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Milestones {
    /// OVSDB: flow-restore-wait became true.
    pub flag_set_ns: Option<Timestamp>,
    /// OpenFlow: flows of endpoints were removed (an upper bound).
    #[serde(default)]
    pub flows_removed_ns: Option<Timestamp>,
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
    /// OpenFlow: the last Pod's flows were there again (an upper bound).
    pub last_flows_installed_ns: Option<Timestamp>,
    /// Kernel: the last Pod converged that did.
    pub converged_ns: Option<Timestamp>,
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

/// Why there was a window. Each has a section in docs/runbook.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The flag was removed before the Pod's flows were installed.
    FlagBeforeFlows,
    /// The Pod's flows have not come back.
    FlowsNeverInstalled,
    /// The Pod's own flows were there; a flow that all Pods share was not.
    SharedFlowsLate,
    /// The flows were there; drop megaflows outlived them until the revalidator came.
    RevalidationLag,
    /// A restart without flow-restore-wait.
    NoFlag,
    /// flow-restore-wait stays set.
    FlagStuck,
    /// The agent removed the Pod's flows and brought them back later.
    AgentClearedFlows,
    /// Nobody listened for upcalls.
    HandlersDown,
    /// Upcalls found their socket full.
    QueueOverflow,
    /// The kernel module was reloaded.
    ModuleReload,
    /// The Pod's port was deleted and made again.
    PortRecreated,
    /// The Pod's port went away and is not back, though its device or its OVSDB row is there.
    PortMissing,
    /// Two instances of ovs-vswitchd command the same datapath.
    DatapathTakenOver,
    /// The evidence names none of the others.
    Unknown,
}

/// A state of the node that loses packets without any disruption.
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

/// Something that could not be seen, or that a reader should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// `hook_missing`, `records_lost`, `late_events`, `log_gap`, `log_truncated`, `source_down`,
    /// `monitor_paused`, `counters_differ`, `evidence_off`, `evidence_late`, `datapath_gone`, `port_gone`,
    /// `types_derived`, `hits_skipped`, `skips_untold`, `unanswered`, `foreign_flush`, `lost_outside`, `clock_silent`,
    /// `events_missing`, `gaps_forgotten`, `keys_forgotten`, `no_disruption`.
    pub kind: String,
    /// From when; `None`: the whole capture.
    pub from_ns: Option<Timestamp>,
    /// Until when; `None`: to its end.
    pub to_ns: Option<Timestamp>,
    /// What happened, what it means for the verdict, and what to do.
    pub detail: String,
    /// Whether a verdict over this time becomes `inconclusive`.
    pub weakens: bool,
}

impl Finding {
    /// The same, as one that weakens.
    #[must_use]
    pub fn weakening(mut self) -> Self {
        self.weakens = true;
        self
    }

    /// Whether it touches the span from `from` to `to` (`None`: open).
    pub fn touches(&self, from: Timestamp, to: Option<Timestamp>) -> bool {
        self.from_ns.is_none_or(|began| to.is_none_or(|to| began <= to))
            && self.to_ns.is_none_or(|ended| ended >= from)
    }
}

/// Whether a disruption is acceptable. Ordered: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is, and the evidence proves it.
    Pass,
    /// Not enough was seen to tell.
    Inconclusive,
    /// It is not.
    Fail,
}
