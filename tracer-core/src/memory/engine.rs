//! Dispatches each event to the parts that remember it.
//!
//! Must not depend on: clocks, files, formats. `step` cannot fail: contradictions become findings.

use crate::memory::condition::Conditions;
use crate::memory::coverage::{Coverage, PACKET_EVIDENCE};
use crate::memory::daemon::VSWITCHD;
use crate::memory::disruption::Disruptions;
use crate::memory::latency::Latencies;
use crate::memory::megaflow::{FlowName, Megaflows, subjects};
use crate::memory::openflow::OpenFlow;
use crate::memory::readings::{Reading, Readings};
use crate::memory::topology::Topology;
use crate::memory::traffic::Traffic;
use crate::vocabulary::capture::Command;
use crate::vocabulary::capture::LatencyCount;
use crate::vocabulary::event::{Event, EventKind, Process, Reconfiguration};
use crate::vocabulary::flow::{Actions, Fate, FlowKey};
use crate::vocabulary::id::Pid;
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::{SECOND, Timestamp};

mod clock;
mod flows;

/// Everything that is remembered of the events so far.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    pub(crate) now: Timestamp,
    pub(crate) events: u64,
    pub(crate) ovs_version: Option<String>,
    pub(crate) command: Option<Command>,
    pub(crate) topology: Topology,
    pub(crate) megaflows: Megaflows,
    pub(crate) openflow: OpenFlow,
    pub(crate) traffic: Traffic,
    pub(crate) disruptions: Disruptions,
    pub(crate) coverage: Coverage,
    pub(crate) conditions: Conditions,
    pub(crate) readings: Readings,
    /// When the clock ticked last.
    ticked: Option<Timestamp>,
    /// Flushes by others than ovs-vswitchd.
    foreign: Spans<()>,
    pub(crate) latencies: Latencies,
    /// From when to when packets were seen.
    pub(crate) evidence: Vec<(Timestamp, Option<Timestamp>)>,
}

impl Engine {
    /// Takes one event in.
    pub fn step(&mut self, event: &Event) {
        let at = event.at;
        self.now = self.now.max(at);
        self.events += 1;
        let latest = self.disruptions.list.last().map(|now| now.began);
        let disruptions = self.disruptions.list.len();
        self.dispatch(at, &event.kind);
        let now = self.disruptions.list.last().map(|now| now.began);
        if self.disruptions.list.len() > disruptions || now > latest {
            self.begin(at);
        }
    }

    /// A disruption has begun: remember what there was before.
    fn begin(&mut self, at: Timestamp) {
        self.topology.settle();
        let last = self.disruptions.list.len().saturating_sub(1);
        let mut before = self.disruptions.list[..last].last_mut();
        if let Some(before) = &mut before {
            before.baseline.ends(at);
        }
        let earlier = before.map(|before| &before.baseline);
        let baseline = self.openflow.baseline(&self.topology, at, earlier);
        let Some(disruption) = self.disruptions.current() else {
            return;
        };
        disruption.baseline = baseline;
        if disruption.needs_flush() {
            return;
        }
        // No flush empties the table: what drops since just before is part of it.
        for (since, name, key) in self.megaflows.turned(at) {
            let subjects = subjects(&self.topology, since, name.0, key, &Actions::default());
            disruption
                .converging
                .flow(since, name, &subjects, key, Fate::Drop);
        }
    }

    fn dispatch(&mut self, at: Timestamp, kind: &EventKind) {
        use EventKind as Kind;
        match kind {
            Kind::Tick => self.tick(at),
            Kind::CaptureEnded => self.end(at),
            Kind::CommandStarted { .. } | Kind::CommandExited { .. } => self.command(at, kind),
            Kind::Hook(_)
            | Kind::RecordsLost { .. }
            | Kind::HitsSkipped { .. }
            | Kind::SkipsUntold
            | Kind::Source { .. }
            | Kind::PacketsLost { .. }
            | Kind::Evidence { .. } => {
                self.capture(at, kind);
            }
            Kind::ProcessSeen(process) => self.disruptions.daemon.seen(process),
            Kind::ProcessExec(process) | Kind::ProcessFork(process) => {
                self.disruptions.daemon.born(at, process);
            }
            Kind::ProcessExit {
                process,
                code: _,
                signal,
            } => self.exited(at, process, *signal),
            Kind::OvsdbUp
            | Kind::OvsdbSnapshot
            | Kind::OvsdbDown { .. }
            | Kind::OpenVswitchRow { .. }
            | Kind::BridgeRow { .. }
            | Kind::PortRow { .. }
            | Kind::InterfaceRow { .. } => self.ovsdb(at, kind),
            Kind::Datapath { .. }
            | Kind::DatapathGone { .. }
            | Kind::Vport { .. }
            | Kind::VportGone { .. }
            | Kind::DatapathStats { .. } => self.datapath(at, kind),
            Kind::DpChange { .. }
            | Kind::VportPortids { .. }
            | Kind::Reconfigured { .. }
            | Kind::FlowFlush { .. }
            | Kind::FlowInsert { .. }
            | Kind::FlowSet { .. }
            | Kind::FlowRemove { .. } => self.kernel(at, kind),
            Kind::Upcalls(upcalls) => {
                self.readings.upcalls(upcalls);
                self.conditions.upcalls(upcalls, &self.disruptions);
            }
            Kind::UpcallLatency { waits, ambiguous } => self.waited(waits, *ambiguous),
            Kind::Packets(run) => self.traffic.run(run),
            Kind::OpenFlowUp { .. }
            | Kind::OpenFlowAlive { .. }
            | Kind::OpenFlowSnapshot { .. }
            | Kind::OpenFlowDown { .. }
            | Kind::OpenFlowFlows { .. }
            | Kind::OpenFlowPaused { .. } => self.openflow(at, kind),
        }
    }

    fn waited(&mut self, waits: &[LatencyCount], ambiguous: u64) {
        self.latencies.add(waits, ambiguous);
        if let Some(disruption) = self.disruptions.current() {
            disruption.latencies.add(waits, ambiguous);
        }
    }

    fn command(&mut self, at: Timestamp, kind: &EventKind) {
        if let EventKind::CommandStarted { argv } = kind {
            self.command = Some(Command {
                argv: argv.clone(),
                started_ns: at,
                ..Command::default()
            });
        }
        if let (EventKind::CommandExited { code, signal }, Some(command)) = (kind, &mut self.command) {
            command.ended_ns = Some(at);
            (command.exit_code, command.signal) = (*code, *signal);
        }
    }

    fn capture(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::Hook(hook) => self.coverage.hook(at, hook),
            EventKind::RecordsLost { hook, count, why } => self.coverage.lost(at, hook, *why, *count),
            EventKind::HitsSkipped { hook, count } => self.coverage.skipped(at, hook, *count),
            EventKind::SkipsUntold => self.coverage.skips_untold(),
            EventKind::PacketsLost { runs, why, .. } => self.coverage.lost(at, PACKET_EVIDENCE, *why, *runs),
            EventKind::Source { name, ok, detail } => {
                // Not loaded since before the capture is not unloaded.
                let was_there = self.coverage.sees(name);
                self.coverage.source(at, name, *ok, detail);
                match (name.as_str(), ok) {
                    ("ebpf", true) => self.disruptions.daemon.watched(at),
                    ("ebpf", false) if was_there => drop(self.disruptions.module_gone(at)),
                    _ => {}
                }
            }
            EventKind::Evidence { armed: true }
                if self.evidence.last().is_none_or(|(_, let_go)| let_go.is_some()) =>
            {
                self.evidence.push((at, None));
            }
            EventKind::Evidence { armed: false } => {
                if let Some((_, until)) = self.evidence.last_mut() {
                    until.get_or_insert(at);
                }
            }
            _ => {}
        }
    }

    fn exited(&mut self, at: Timestamp, process: &Process, signal: Option<i32>) {
        let served = self.disruptions.daemon.serving() == Some(process.pid);
        self.disruptions.exited(at, process, signal);
        if served || self.disruptions.daemon.serving().is_none() && process.comm == VSWITCHD {
            self.openflow.orphaned(at);
        }
    }

    fn ovsdb(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::OvsdbUp => {
                self.coverage.source(at, "ovsdb", true, "");
                self.topology.snapshot_begins();
            }
            EventKind::OvsdbSnapshot => self.topology.snapshot_ends(at),
            EventKind::OvsdbDown { error } => self.coverage.source(at, "ovsdb", false, error),
            EventKind::OpenVswitchRow {
                ovs_version,
                flow_restore_wait,
            } => {
                self.ovs_version = ovs_version.clone().or(self.ovs_version.take());
                self.disruptions
                    .flag_is(at, is_true(flow_restore_wait.as_deref()));
            }
            EventKind::BridgeRow { uuid, row } => self.topology.bridge(at, uuid, row.clone()),
            EventKind::PortRow { uuid, row } => self.topology.port(at, uuid, row.clone()),
            EventKind::InterfaceRow { uuid, row } => {
                self.topology.interface(at, uuid, row.clone());
                self.deleted();
            }
            _ => {}
        }
    }

    /// What was taken from endpoints that have been deleted since is no disruption.
    fn deleted(&mut self) {
        let Some(now) = self.disruptions.list.last() else {
            return;
        };
        let gone: Vec<String> = now
            .cut
            .iter()
            .chain(&now.unplugged)
            .filter(|device| {
                let endpoint = self.topology.endpoints().get(*device);
                endpoint.is_some_and(|endpoint| endpoint.until.is_some())
            })
            .cloned()
            .collect();
        for device in gone {
            self.disruptions.deleted(&device);
        }
    }

    fn datapath(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::Datapath { dp, name } => {
                self.topology.datapath(*dp, name);
                self.disruptions.datapath(at, *dp);
            }
            EventKind::DatapathGone { dp } => {
                self.topology.datapath_gone(at, *dp);
                self.disruptions.datapath_gone(at, *dp);
            }
            EventKind::Vport {
                dp, port_no, name, ..
            } => {
                let missing = self
                    .topology
                    .endpoints()
                    .get(name)
                    .and_then(|endpoint| endpoint.missing.filter(|_| endpoint.identity.pod.is_some()));
                self.topology.vport(at, *dp, *port_no, name);
                if let Some(since) = missing {
                    self.disruptions.unplugged(since, *dp, name);
                }
            }
            EventKind::VportGone { dp, port_no } => {
                self.topology.vport_gone(at, *dp, *port_no);
                self.deleted();
            }
            EventKind::DatapathStats {
                dp,
                hit,
                missed,
                lost,
                flows: _,
                upcalls_before,
                upcalls_after,
            } => {
                let reading = Reading {
                    at,
                    hit: *hit,
                    missed: *missed,
                    lost: *lost,
                    before: *upcalls_before,
                    after: *upcalls_after,
                };
                self.readings.read(*dp, reading);
            }
            _ => {}
        }
    }

    fn kernel(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::DpChange { dp, tgid, pids } => {
                self.disruptions.commands(at, *dp, *tgid);
                if let Some(pids) = pids {
                    self.disruptions.portids(at, *dp, *tgid, pids);
                }
            }
            EventKind::VportPortids { dp, tgid, pids, .. } => {
                self.disruptions.commands(at, *dp, *tgid);
                self.disruptions.portids(at, *dp, *tgid, pids);
            }
            EventKind::Reconfigured {
                dp,
                tgid,
                what,
                name,
                port_no,
                entered,
            } => {
                self.disruptions.commands(at, *dp, *tgid);
                let entered = entered.unwrap_or(at);
                match (what, name, port_no) {
                    (Reconfiguration::DatapathDel, ..) => self.disruptions.datapath_gone(entered, *dp),
                    (Reconfiguration::VportNew, Some(name), _) => {
                        self.topology.vport_asked(entered, *dp, name);
                    }
                    (Reconfiguration::VportDel, _, Some(port_no)) => {
                        self.topology.vport_gone(entered, *dp, *port_no);
                    }
                    _ => {}
                }
            }
            EventKind::FlowFlush { dp, tgid } => {
                self.disruptions.adopts(at, *tgid);
                self.disruptions.commands(at, *dp, *tgid);
                self.megaflows.flush(*dp);
                if self.disruptions.is_stranger(*tgid) {
                    self.foreign.add(at, at, (), NEAR, |(), ()| ());
                } else {
                    self.disruptions.flushed(at, *dp, *tgid);
                }
            }
            EventKind::FlowInsert {
                dp,
                tgid,
                ufid,
                key,
                actions,
            } => self.inserted(at, (*dp, *ufid), *tgid, key, actions),
            EventKind::FlowSet {
                dp,
                tgid: _,
                ufid,
                entered: _,
                actions,
            } => self.replaced(at, (*dp, *ufid), actions),
            EventKind::FlowRemove { dp, ufid, .. } => self.removed(at, (*dp, *ufid)),
            _ => {}
        }
    }

    fn inserted(&mut self, at: Timestamp, name: FlowName, tgid: Pid, key: &FlowKey, actions: &Actions) {
        self.disruptions.commands(at, name.0, tgid);
        self.megaflows.insert(name, key.clone(), actions.clone());
        self.carries(at, name, key, actions);
    }

    fn replaced(&mut self, at: Timestamp, name: FlowName, actions: &Actions) {
        // A megaflow whose insertion was not seen has no key: its outputs alone say whom it serves.
        let key = self
            .megaflows
            .replace(at, name, actions)
            .map_or_else(unknown_key, |(key, _)| key);
        self.carries(at, name, &key, actions);
    }

    fn carries(&mut self, at: Timestamp, name: FlowName, key: &FlowKey, actions: &Actions) {
        self.topology.settle();
        let Some(disruption) = self
            .disruptions
            .list
            .last_mut()
            .filter(|disruption| disruption.dp == Some(name.0))
        else {
            return;
        };
        let subjects = subjects(&self.topology, at, name.0, key, actions);
        disruption
            .converging
            .flow(at, name, &subjects, key, actions.fate());
    }

    fn removed(&mut self, at: Timestamp, name: FlowName) {
        self.megaflows.remove(name);
        if let Some(disruption) = self.disruptions.current() {
            disruption.converging.drop_gone(at, name);
        }
    }

    fn openflow(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::OpenFlowUp { bridge, .. } => {
                self.topology.settle();
                self.coverage.source(at, &monitor(bridge), true, "");
                self.coverage.resumed(at, bridge);
                self.openflow.up(at, bridge);
                if let Some(disruption) = self.disruptions.current() {
                    disruption.baseline.up(at, bridge);
                }
            }
            EventKind::OpenFlowSnapshot { bridge } => self.openflow.snapshot(at, bridge),
            EventKind::OpenFlowAlive { bridge } => {
                let since = self.openflow.monitor(bridge).and_then(|monitor| monitor.answered);
                if let (Some(since), Some(disruption)) = (since, self.disruptions.current()) {
                    disruption.baseline.heard(since, bridge);
                }
                self.openflow.alive(at, bridge);
            }
            EventKind::OpenFlowDown { bridge, error } => {
                self.coverage.source(at, &monitor(bridge), false, error);
                self.openflow.down(bridge);
            }
            EventKind::OpenFlowFlows { bridge, changes } => self.flows(at, bridge, changes),
            EventKind::OpenFlowPaused { bridge, paused: true } => self.coverage.paused(at, bridge),
            EventKind::OpenFlowPaused {
                bridge,
                paused: false,
            } => self.coverage.resumed(at, bridge),
            _ => {}
        }
    }
}

/// Flushes no farther apart than this are told together.
const NEAR: u64 = SECOND;

/// As Open vSwitch reads it (`smap_get_bool`, lib/smap.c): in any case.
fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn monitor(bridge: &str) -> String {
    format!("openflow {bridge}")
}

/// Port 65535 (`DP_MAX_PORTS`) is nobody's.
fn unknown_key() -> FlowKey {
    FlowKey {
        in_port: crate::vocabulary::id::PortNo(65535),
        ..FlowKey::default()
    }
}
