//! The closed vocabulary of what was seen on a node: one [`Event`] per observation.
//!
//! Must not depend on: restarts, windows, causes. An event says what happened, never what it means; every
//! conclusion is drawn later, by the engine, so that an old recording can be judged again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use crate::vocabulary::capture::LatencyCount;
use crate::vocabulary::flow::{Actions, FlowKey};
pub use crate::vocabulary::hook::{Hook, Offsets, Unrecorded};
use crate::vocabulary::id::{DpIfindex, Ifindex, Mac, OfPort, Pid, PortNo, Ufid};
use crate::vocabulary::packet::{Run, TrafficKey};
use crate::vocabulary::time::Timestamp;
pub use crate::vocabulary::upcall::{UpcallCommand, UpcallTotals, Upcalls};

/// One observation. Events are totally ordered (time, then value), so ties never depend on arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// When it was so. For counters read on a tick: when they were read.
    pub at: Timestamp,
    /// What was seen.
    pub kind: EventKind,
}

/// `key → value` columns of OVSDB (`external_ids`, `other_config`).
pub type Map = BTreeMap<String, String>;

/// What was seen. Serialised externally tagged: `{"at":1,"kind":{"flow_flush":{…}}}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Time passed (from `source::clock`, every 100 ms). Lets an idle system advance.
    Tick,
    /// The capture ends; nothing that happened later is in the log.
    CaptureEnded,
    /// The command under observation was started.
    CommandStarted {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// The command under observation ended. Exactly one of the two is known.
    CommandExited {
        /// Its exit code.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },

    /// A hook was attached, could not be, or was let go.
    Hook(Hook),
    /// Records of a hook that could not be told since the last such event.
    RecordsLost {
        /// The hook, by its name in [`Hook`].
        hook: String,
        /// How many.
        count: u64,
        /// Why; `None`: not told by the ovsgap that recorded it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Unrecorded>,
    },
    /// The kernel passed over hits of a hook since the last such event: it runs no probe inside another.
    HitsSkipped {
        /// The hook, by its name in [`Hook`].
        hook: String,
        /// How many.
        count: u64,
    },
    /// The kernel does not tell whether it passed over hits of hooks.
    SkipsUntold,
    /// A source cannot see (part of) what it should; `ok` again when it can.
    Source {
        /// `ebpf`, `ovsdb`, `datapath`, `openflow br-int`, …
        name: String,
        /// Whether it sees now.
        ok: bool,
        /// What is wrong and what to do about it; empty when `ok`.
        detail: String,
    },

    /// A process of OVS that was running when the capture began (read from /proc).
    ProcessSeen(Process),
    /// `sched_process_exec`: a process became `ovs-vswitchd` or `ovsdb-server`.
    ProcessExec(Process),
    /// `sched_process_fork` of such a process: `process.parent` forked `process.pid`.
    ProcessFork(Process),
    /// `sched_process_exit` of such a process's main thread.
    ProcessExit {
        /// Which one.
        process: Process,
        /// Exit code, where the kernel's `task_struct.exit_code` could be read.
        code: Option<i32>,
        /// The signal that ended it, likewise; 0 when it left by itself.
        signal: Option<i32>,
    },

    /// The OVSDB connection is up; a whole snapshot of rows follows, then [`EventKind::OvsdbSnapshot`].
    OvsdbUp,
    /// The snapshot is whole: rows not seen since [`EventKind::OvsdbUp`] no longer exist.
    OvsdbSnapshot,
    /// The OVSDB connection is down.
    OvsdbDown {
        /// Why.
        error: String,
    },
    /// Row of table `Open_vSwitch`, as of now.
    OpenVswitchRow {
        /// `ovs_version`.
        ovs_version: Option<String>,
        /// `other_config:flow-restore-wait`; `None`: the key is absent.
        flow_restore_wait: Option<String>,
    },
    /// Row of table `Bridge`, as of now; `None`: deleted.
    BridgeRow {
        /// Row id.
        uuid: String,
        /// Columns.
        row: Option<BridgeRow>,
    },
    /// Row of table `Port`, as of now; `None`: deleted.
    PortRow {
        /// Row id.
        uuid: String,
        /// Columns.
        row: Option<PortRow>,
    },
    /// Row of table `Interface`, as of now; `None`: deleted.
    InterfaceRow {
        /// Row id.
        uuid: String,
        /// Columns.
        row: Option<InterfaceRow>,
    },

    /// A kernel datapath exists (netlink dump or notification).
    Datapath {
        /// Its id.
        dp: DpIfindex,
        /// Its name, `ovs-system`.
        name: String,
    },
    /// A kernel datapath was deleted.
    DatapathGone {
        /// Its id.
        dp: DpIfindex,
    },
    /// A vport exists (netlink dump or notification).
    Vport {
        /// Its datapath.
        dp: DpIfindex,
        /// Its number there.
        port_no: PortNo,
        /// Its device's name (the join key with OVSDB `Interface.name`).
        name: String,
        /// Its device, where it has one.
        ifindex: Option<Ifindex>,
        /// `OVS_VPORT_TYPE_*`: 1 netdev, 2 internal, 3 gre, 4 vxlan, 5 geneve.
        kind: u32,
    },
    /// A vport was deleted.
    VportGone {
        /// Its datapath.
        dp: DpIfindex,
        /// Its number there.
        port_no: PortNo,
    },
    /// The datapath's own counters (`OVS_DP_ATTR_STATS`), cumulative since it was created.
    DatapathStats {
        /// Which one.
        dp: DpIfindex,
        /// Packets that hit a megaflow.
        hit: u64,
        /// Packets that missed.
        missed: u64,
        /// Upcalls (miss and action) that failed.
        lost: u64,
        /// Megaflows now.
        flows: u64,
        /// Just before the kernel's counters were read: upcalls that the hooks have counted since they
        /// were attached (`None`: not counted).
        upcalls_before: Option<UpcallTotals>,
        /// The same, just after: the kernel's figures belong between the two.
        upcalls_after: Option<UpcallTotals>,
    },

    /// `ovs_dp_change` succeeded: `OVS_DP_CMD_SET`/`_NEW`.
    DpChange {
        /// Which datapath.
        dp: DpIfindex,
        /// Who asked.
        tgid: Pid,
        /// `OVS_DP_ATTR_PER_CPU_PIDS`, where it was given.
        pids: Option<Portids>,
    },
    /// `ovs_vport_set_upcall_portids`: per-vport upcall dispatch.
    VportPortids {
        /// Which datapath.
        dp: DpIfindex,
        /// Which vport.
        port_no: PortNo,
        /// Who asked.
        tgid: Pid,
        /// The netlink sockets that get its upcalls.
        pids: Portids,
    },
    /// `ovs_vport_cmd_new/_del` or `ovs_dp_cmd_new/_del` returned 0; what exists now follows by netlink.
    Reconfigured {
        /// Which datapath, where the message named one.
        dp: DpIfindex,
        /// Who asked.
        tgid: Pid,
        /// Which command.
        what: Reconfiguration,
        /// The port or datapath by name, where the message gave it.
        name: Option<String>,
        /// The port by number, where the message gave it.
        port_no: Option<PortNo>,
        /// When the command entered the kernel: it took effect between this and `at`. `None`: an older recording.
        #[serde(default)]
        entered: Option<Timestamp>,
    },
    /// `ovs_flow_tbl_flush` began (`at`): from here on no cached megaflow forwards.
    FlowFlush {
        /// Which datapath.
        dp: DpIfindex,
        /// Who asked.
        tgid: Pid,
    },
    /// A megaflow is in the table: `ovs_flow_tbl_insert` returned 0.
    FlowInsert {
        /// Which datapath.
        dp: DpIfindex,
        /// Who asked.
        tgid: Pid,
        /// Its id; all zero when it is identified by its key.
        ufid: Ufid,
        /// Its masked key: wildcarded fields are zero.
        key: FlowKey,
        /// What it does.
        actions: Actions,
    },
    /// A megaflow's actions were replaced in place: `ovs_flow_cmd_set` returned 0.
    FlowSet {
        /// Which datapath.
        dp: DpIfindex,
        /// Who asked.
        tgid: Pid,
        /// Its id; all zero when the command named it by its key.
        ufid: Ufid,
        /// When the command entered the kernel: the new actions took effect between this and `at`.
        entered: Timestamp,
        /// What it does now.
        actions: Actions,
    },
    /// A megaflow was taken out of the table: `ovs_flow_tbl_remove`.
    FlowRemove {
        /// Which datapath.
        dp: DpIfindex,
        /// Who asked.
        tgid: Pid,
        /// Its id.
        ufid: Ufid,
        /// Its masked key.
        key: FlowKey,
    },
    /// Upcalls of one kind since the last such event, counted in the kernel.
    Upcalls(Upcalls),
    /// How long the packets of miss upcalls waited that were answered since the last such event: from when a
    /// handler's socket had taken them (`ovs_dp_upcall` returned 0) until userspace had them executed
    /// (`ovs_packet_cmd_execute` was called).
    UpcallLatency {
        /// By length, shortest first.
        waits: Vec<LatencyCount>,
        /// Answered, but one of several that were just alike and waited at the same time: how long is not known.
        ambiguous: u64,
    },
    /// A run of packets of one traffic key that met the same fate.
    Packets(Run),
    /// Runs of traffic keys that did not fit into the kernel's map, or flapped and were not all sent.
    PacketsLost {
        /// How many runs.
        runs: u64,
        /// Whose, where it is known.
        key: Option<TrafficKey>,
        /// Why; `None`: not told by the ovsgap that recorded it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Unrecorded>,
    },
    /// Per-packet hooks were armed (`true`) or let go.
    Evidence {
        /// Whether packets are seen from here on.
        armed: bool,
    },

    /// The flow monitor of a bridge is on; its initial flows follow, then [`EventKind::OpenFlowSnapshot`].
    OpenFlowUp {
        /// Bridge name.
        bridge: String,
        /// OpenFlow wire version: 1 is 1.0, 5 is 1.4, 6 is 1.5.
        version: u8,
    },
    /// All flows the bridge had when the monitor was asked for have been reported.
    OpenFlowSnapshot {
        /// Bridge name.
        bridge: String,
    },
    /// The flow monitor of a bridge is on and Open vSwitch answers: what changed before has been told.
    OpenFlowAlive {
        /// Bridge name.
        bridge: String,
    },
    /// The flow monitor of a bridge is off.
    OpenFlowDown {
        /// Bridge name.
        bridge: String,
        /// Why.
        error: String,
    },
    /// Flows changed. One event per message; a bundle arrives in one message.
    OpenFlowFlows {
        /// Bridge name.
        bridge: String,
        /// What changed.
        changes: Vec<OpenFlowChange>,
    },
    /// The monitor was paused (its buffer was full) or resumed; times in between are upper bounds.
    OpenFlowPaused {
        /// Bridge name.
        bridge: String,
        /// Paused, else resumed.
        paused: bool,
    },
}

/// A process of OVS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: Pid,
    /// Its parent's id; 0: not known.
    pub parent: Pid,
    /// Its `comm`: `ovs-vswitchd` or `ovsdb-server`.
    pub comm: String,
}

/// Columns of OVSDB table `Bridge`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BridgeRow {
    /// `name`.
    pub name: String,
    /// `datapath_type`: empty or `system` for the kernel, `netdev` for userspace.
    pub datapath_type: String,
    /// `fail_mode`.
    pub fail_mode: Option<String>,
    /// `protocols`.
    pub protocols: Vec<String>,
    /// `ports`, as row ids.
    pub ports: Vec<String>,
    /// `external_ids`.
    pub external_ids: Map,
}

/// Columns of OVSDB table `Port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortRow {
    /// `name`.
    pub name: String,
    /// `interfaces`, as row ids.
    pub interfaces: Vec<String>,
    /// `external_ids`.
    pub external_ids: Map,
}

/// Columns of OVSDB table `Interface`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InterfaceRow {
    /// `name`: the device's name.
    pub name: String,
    /// `type`: empty, `internal`, `patch`, `geneve`, …
    pub kind: String,
    /// `ofport`; `None` while it is not assigned or when it failed (-1).
    pub ofport: Option<OfPort>,
    /// `mac_in_use`.
    pub mac_in_use: Option<Mac>,
    /// `options` (`peer` of a patch port).
    pub options: Map,
    /// `external_ids`.
    pub external_ids: Map,
    /// `error`.
    pub error: Option<String>,
}

/// Netlink portids that get upcalls; 0 is "nobody".
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Portids {
    /// How many were given.
    pub given: u32,
    /// How many of those looked at are not 0.
    pub bound: u32,
}

/// A command that changed which ports or datapaths exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reconfiguration {
    /// `OVS_VPORT_CMD_NEW`.
    VportNew,
    /// `OVS_VPORT_CMD_DEL`.
    VportDel,
    /// `OVS_DP_CMD_NEW`.
    DatapathNew,
    /// `OVS_DP_CMD_DEL`.
    DatapathDel,
}

/// One flow of an OpenFlow table that came, went or changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenFlowChange {
    /// What happened to it.
    pub change: Change,
    /// Table.
    pub table: u8,
    /// Priority.
    pub priority: u16,
    /// Cookie.
    pub cookie: u64,
    /// What it matches on.
    #[serde(rename = "match")]
    pub matches: OpenFlowMatch,
}

/// What happened to an OpenFlow flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was there when the monitor was asked for.
    Initial,
    /// Added (or replaced by an identical one).
    Added,
    /// Removed.
    Removed,
    /// Its actions or cookie changed.
    Modified,
}

/// The fields of an OpenFlow match that can name a Pod, and the whole match to tell flows apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenFlowMatch {
    /// `in_port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_port: Option<OfPort>,
    /// `dl_src`, unmasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eth_src: Option<Mac>,
    /// `dl_dst`, unmasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eth_dst: Option<Mac>,
    /// `nw_src`, `ipv6_src` or `arp_spa`, unmasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_src: Option<IpAddr>,
    /// `nw_dst`, `ipv6_dst` or `arp_tpa`, unmasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_dst: Option<IpAddr>,
    /// The whole match as it came over the wire (NXM or OXM), in hexadecimal: the flow's identity
    /// together with table and priority.
    pub wire: String,
}
