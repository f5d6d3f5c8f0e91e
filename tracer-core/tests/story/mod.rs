//! Tells the events of a made-up restart, for tests: a node with Pods, traffic, and an order of things.
//!
//! Must not depend on: what the judge makes of it.

use std::net::IpAddr;

use tracer_core::event::{
    BridgeRow, Change, Event, EventKind, Hook, InterfaceRow, OpenFlowChange, OpenFlowMatch, PortRow, Portids,
    Process,
};
use tracer_core::flow::{Actions, FlowKey};
use tracer_core::id::{DpIfindex, Mac, OfPort, Pid, PortNo, Ufid};
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};
use tracer_core::time::{MILLISECOND, Timestamp};

pub const DP: DpIfindex = DpIfindex(5);
const BRIDGE: &str = "br-int";
const OLD: Pid = Pid(100);
const NEW: Pid = Pid(200);

/// What differs between stories. Times in ms; the flush is at 2000.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent choices, each read by its name"
)]
pub struct Plot {
    pub pods: u16,
    /// When each Pod's OpenFlow flows come back, after (or before) the flush; `None`: never.
    pub flows_after_flush: Option<i64>,
    /// How long drop megaflows outlive the flows.
    pub revalidation: u64,
    /// How much longer those of the last Pod do.
    pub straggling: u64,
    /// An OpenFlow monitor is on.
    pub monitored: bool,
    /// Packets are seen.
    pub traffic: bool,
    /// flow-restore-wait is used.
    pub flag: bool,
    /// Single packets are followed.
    pub followed: bool,
}

impl Default for Plot {
    fn default() -> Self {
        Self {
            pods: 3,
            flows_after_flush: Some(300),
            revalidation: 20,
            straggling: 0,
            monitored: true,
            traffic: true,
            flag: true,
            followed: true,
        }
    }
}

pub fn ms(at: u64) -> Timestamp {
    Timestamp(at * MILLISECOND)
}

#[derive(Default)]
pub struct Story {
    pub events: Vec<Event>,
}

/// What is hooked.
const HOOKS: [&str; 9] = [
    "ovs_flow_tbl_flush",
    "ovs_flow_tbl_insert",
    "ovs_flow_cmd_set",
    "ovs_dp_upcall",
    "ovs_packet_cmd_execute",
    "ovs_dp_change",
    "ovs_execute_actions",
    "ovs_vport_send",
    "sched_process_exit",
];

impl Story {
    pub fn tell(plot: &Plot) -> Vec<Event> {
        let mut story = Self::default();
        story.beginning(plot);
        story.restart(plot);
        for pod in 1..=plot.pods {
            story.pod(plot, pod);
        }
        for at in (0..=80).map(|tick| tick * 100) {
            story.at(at, EventKind::Tick);
        }
        story.signs_of_life(plot);
        story.at(8000, EventKind::CaptureEnded);
        story.events.sort_by_key(|event| event.at);
        story.events
    }

    fn at(&mut self, at: u64, kind: EventKind) {
        self.events.push(Event { at: ms(at), kind });
    }

    fn beginning(&mut self, plot: &Plot) {
        for name in HOOKS {
            self.at(
                1,
                EventKind::Hook(Hook {
                    name: name.into(),
                    attach: "kprobe".into(),
                    ok: true,
                    error: String::new(),
                    offsets: None,
                }),
            );
        }
        if plot.followed {
            self.at(1, EventKind::Evidence { armed: true });
        }
        self.at(1, EventKind::ProcessSeen(vswitchd(OLD)));
        self.at(2, EventKind::OvsdbUp);
        self.flag(2, None);
        let ports = (1..=plot.pods).map(|pod| format!("port{pod}")).collect();
        let bridge = BridgeRow {
            name: BRIDGE.into(),
            ports,
            ..BridgeRow::default()
        };
        self.at(
            2,
            EventKind::BridgeRow {
                uuid: "bridge".into(),
                row: Some(bridge),
            },
        );
        for pod in 1..=plot.pods {
            self.rows(pod);
        }
        self.at(2, EventKind::OvsdbSnapshot);
        self.at(
            3,
            EventKind::Datapath {
                dp: DP,
                name: "ovs-system".into(),
            },
        );
        if plot.monitored {
            self.monitor(plot, 4, 5, Some(5));
        }
    }

    /// Counters are read every half second, the monitor answers as often.
    fn signs_of_life(&mut self, plot: &Plot) {
        let runs: Vec<(u64, u64)> = self
            .events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Packets(run) if !run.executed && run.fate != PacketFate::Queued => {
                    Some((run.first.0, run.last.0))
                }
                _ => None,
            })
            .collect();
        for at in (0..16).map(|half| half * 500 + 7) {
            let by_then = |(first, last): &(u64, u64)| {
                ms(at)
                    .0
                    .min(*last)
                    .checked_sub(*first)
                    .map_or(0, |span| span / MILLISECOND + 1)
            };
            let stats = EventKind::DatapathStats {
                dp: DP,
                hit: runs.iter().map(by_then).sum(),
                missed: 0,
                lost: 0,
                flows: 0,
                upcalls_before: None,
                upcalls_after: None,
            };
            self.at(at, stats);
            if plot.monitored && !(1000..1200).contains(&at) {
                let bridge = BRIDGE.into();
                self.at(at, EventKind::OpenFlowAlive { bridge });
            }
        }
    }

    fn rows(&mut self, pod: u16) {
        let ids = [
            ("pod-namespace", "default".to_owned()),
            ("pod-name", format!("web-{pod}")),
            ("ip-address", ip(pod).to_string()),
            ("attached-mac", mac(pod).to_string()),
        ];
        let external_ids = ids
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let (port, interface) = (format!("port{pod}"), format!("interface{pod}"));
        let row = PortRow {
            name: device(pod),
            interfaces: vec![interface.clone()],
            external_ids,
        };
        self.at(
            2,
            EventKind::PortRow {
                uuid: port,
                row: Some(row),
            },
        );
        let row = InterfaceRow {
            name: device(pod),
            ofport: Some(OfPort(pod.into())),
            ..InterfaceRow::default()
        };
        self.at(
            2,
            EventKind::InterfaceRow {
                uuid: interface,
                row: Some(row),
            },
        );
        self.at(
            3,
            EventKind::Vport {
                dp: DP,
                port_no: port_no(pod),
                name: device(pod),
                ifindex: None,
                kind: 1,
            },
        );
    }

    /// The monitor comes up at `up`; the Pods' flows are told at `flows`, if they are there.
    fn monitor(&mut self, plot: &Plot, up: u64, snapshot: u64, flows: Option<u64>) {
        self.at(
            up,
            EventKind::OpenFlowUp {
                bridge: BRIDGE.into(),
                version: 1,
            },
        );
        self.at(
            snapshot,
            EventKind::OpenFlowSnapshot {
                bridge: BRIDGE.into(),
            },
        );
        if let Some(at) = flows {
            let changes = (1..=plot.pods).flat_map(flows_of).collect();
            self.at(
                at,
                EventKind::OpenFlowFlows {
                    bridge: BRIDGE.into(),
                    changes,
                },
            );
        }
    }

    fn flag(&mut self, at: u64, value: Option<&str>) {
        let kind = EventKind::OpenVswitchRow {
            ovs_version: Some("3.5.0".into()),
            flow_restore_wait: value.map(str::to_owned),
        };
        self.at(at, kind);
    }

    fn restart(&mut self, plot: &Plot) {
        self.at(
            1000,
            EventKind::ProcessExit {
                process: vswitchd(OLD),
                code: Some(0),
                signal: Some(0),
            },
        );
        if plot.flag {
            self.flag(1050, Some("true"));
            self.flag(1998, None);
        }
        self.at(1100, EventKind::ProcessExec(vswitchd(NEW)));
        self.at(
            1110,
            EventKind::DpChange {
                dp: DP,
                tgid: NEW,
                pids: None,
            },
        );
        self.at(
            1999,
            EventKind::DpChange {
                dp: DP,
                tgid: NEW,
                pids: Some(Portids { given: 2, bound: 2 }),
            },
        );
        self.at(2000, EventKind::FlowFlush { dp: DP, tgid: NEW });
        if plot.monitored {
            self.at(
                1001,
                EventKind::OpenFlowDown {
                    bridge: BRIDGE.into(),
                    error: "connection closed".into(),
                },
            );
            self.monitor(plot, 1150, 1151, installed(plot));
        }
    }

    /// Megaflows and packets of one Pod: it sends to the next one at 1 kHz.
    fn pod(&mut self, plot: &Plot, pod: u16) {
        let lag = plot.revalidation + if pod == plot.pods { plot.straggling } else { 0 };
        let healed = installed(plot).map(|at| if at <= 2000 { 2005 } else { at + lag });
        let name = ufid(pod);
        let to = pod % plot.pods + 1;
        let key = FlowKey {
            in_port: port_no(pod),
            eth_type: 0x800,
            ip_dst: Some(ip(to)),
            proto: 17,
            ..FlowKey::default()
        };
        let output = Actions {
            outputs: vec![port_no(to)],
            length: 8,
            ..Actions::default()
        };
        let insert = |actions| EventKind::FlowInsert {
            dp: DP,
            tgid: NEW,
            ufid: name,
            key: key.clone(),
            actions,
        };
        match healed {
            Some(2005) => self.at(2005, insert(output)),
            Some(at) => {
                self.at(2004, insert(Actions::default()));
                self.at(
                    at,
                    EventKind::FlowSet {
                        dp: DP,
                        tgid: NEW,
                        ufid: name,
                        entered: ms(at),
                        actions: output,
                    },
                );
            }
            None => self.at(2004, insert(Actions::default())),
        }
        if plot.traffic {
            self.packets(pod, to, healed);
        }
    }

    fn packets(&mut self, pod: u16, to: u16, healed: Option<u64>) {
        let out = PacketFate::Delivered(port_no(to));
        self.run(pod, to, out, false, 1000, 1999);
        match healed {
            // What was queued at the flush is executed a little later.
            Some(2005) => {
                self.run(pod, to, PacketFate::Queued, false, 2000, 2004);
                self.run(pod, to, out, true, 2005, 2009);
                self.run(pod, to, out, false, 2010, 5000);
            }
            Some(at) => {
                self.run(pod, to, PacketFate::Queued, false, 2000, (at - 1).min(2003));
                if at > 2004 {
                    self.run(pod, to, PacketFate::DropFlow, false, 2004, at - 1);
                }
                self.run(pod, to, out, false, at, 5000);
            }
            None => {
                self.run(pod, to, PacketFate::Queued, false, 2000, 2003);
                self.run(pod, to, PacketFate::DropFlow, false, 2004, 5000);
            }
        }
    }

    /// One packet a millisecond, from the first to the last, both included.
    fn run(&mut self, pod: u16, to: u16, fate: PacketFate, executed: bool, first: u64, last: u64) {
        let key = TrafficKey {
            dp: DP,
            in_port: port_no(pod),
            eth_type: 0x800,
            dst: Destination::Ip(ip(to)),
            proto: 17,
            port: 7000,
        };
        let packets = last - first + 1;
        let (bytes, first, last_ns) = (packets * 100, ms(first), ms(last));
        let run = Run {
            key,
            fate,
            executed,
            cpu: 0,
            first,
            last: last_ns,
            packets,
            bytes,
            closed: true,
        };
        self.at(last + 1, EventKind::Packets(run));
    }
}

fn installed(plot: &Plot) -> Option<u64> {
    plot.flows_after_flush
        .map(|after| 2000_u64.saturating_add_signed(after))
}

fn vswitchd(pid: Pid) -> Process {
    Process {
        pid,
        parent: Pid(1),
        comm: "ovs-vswitchd".into(),
    }
}

pub fn device(pod: u16) -> String {
    format!("veth{pod}")
}

fn ufid(pod: u16) -> Ufid {
    let [high, low] = pod.to_be_bytes();
    Ufid([
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low,
        low ^ high,
    ])
}

fn port_no(pod: u16) -> PortNo {
    PortNo(u32::from(pod) + 10)
}

fn ip(pod: u16) -> IpAddr {
    let [high, low] = pod.to_be_bytes();
    [10, 0, high, low].into()
}

fn mac(pod: u16) -> Mac {
    let [high, low] = pod.to_be_bytes();
    Mac([2, 0, 0, 0, high, low])
}

fn flows_of(pod: u16) -> [OpenFlowChange; 2] {
    let change = |table, matches| OpenFlowChange {
        change: Change::Added,
        table,
        priority: 200,
        cookie: 1 << 40,
        matches,
    };
    let classify = OpenFlowMatch {
        in_port: Some(OfPort(pod.into())),
        wire: format!("in{pod}"),
        ..OpenFlowMatch::default()
    };
    let forward = OpenFlowMatch {
        ip_dst: Some(ip(pod)),
        wire: format!("to{pod}"),
        ..OpenFlowMatch::default()
    };
    [change(0, classify), change(4, forward)]
}
