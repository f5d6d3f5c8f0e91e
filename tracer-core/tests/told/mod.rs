//! Short words for stories: events, ways to change what was told, and what the judge and the gate say of it.
//!
//! Must not depend on: what is expected of any story.

#![allow(dead_code, reason = "each file of stories needs some of the words")]

use std::net::IpAddr;

use tracer_core::budget::{self, Budget};
use tracer_core::event::{
    Change, Event, EventKind, InterfaceRow, Map, OpenFlowChange, OpenFlowMatch, PortRow,
};
use tracer_core::id::{OfPort, Pid, PortNo};
use tracer_core::judge::judge;
use tracer_core::log::Header;
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};
use tracer_core::report::{Cause, Disruption, Pod, Report, Verdict};
use tracer_core::time::Timestamp;

use crate::story::{DP, Plot, Story, device, ms};

/// The ovs-vswitchd of a story before its restart, and the one after it.
pub const OLD: Pid = Pid(100);
pub const NEW: Pid = Pid(200);
/// Neither.
pub const STRANGER: Pid = Pid(4242);
pub const HOUR: u64 = 3_600_000;

pub fn ev(at: u64, kind: EventKind) -> Event {
    Event { at: ms(at), kind }
}

/// A restart in the right order.
pub fn healthy() -> Plot {
    Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    }
}

pub fn idle(plot: &Plot) -> Plot {
    Plot {
        traffic: false,
        ..plot.clone()
    }
}

/// What the judge says; the gate that allows nothing has to say the same.
#[track_caller]
pub fn told(mut events: Vec<Event>) -> Report {
    events.sort_by_key(|event| event.at);
    let header = Header {
        ovsgap_log: 1,
        ..Header::default()
    };
    let report = judge(header, events);
    let gate = budget::judge(&report, &Budget::nothing()).verdict;
    assert_eq!(
        gate, report.verdict,
        "the gate and the report disagree: {report:#?}"
    );
    report
}

/// A node on which nothing happens until `end`, with all signs of life that a recorder leaves.
pub fn calm(plot: &Plot, end: u64) -> Vec<Event> {
    let mut events: Vec<Event> = Story::tell(plot)
        .into_iter()
        .filter(|event| event.at < ms(900) && !matches!(event.kind, EventKind::DatapathStats { .. }))
        .filter(|event| !matches!(event.kind, EventKind::OpenFlowAlive { .. } | EventKind::Tick))
        .collect();
    events.extend(alive(plot, 0, end));
    events.push(ev(end, EventKind::CaptureEnded));
    events
}

/// Signs of life from one time to another.
pub fn alive(plot: &Plot, from: u64, to: u64) -> Vec<Event> {
    let mut events: Vec<Event> = (from..=to)
        .step_by(100)
        .map(|at| ev(at, EventKind::Tick))
        .collect();
    for at in (from + 7..to).step_by(500) {
        events.push(ev(at, stats(0)));
        if plot.monitored {
            let bridge = "br-int".to_owned();
            events.push(ev(at, EventKind::OpenFlowAlive { bridge }));
        }
    }
    events
}

pub fn stats(hit: u64) -> EventKind {
    EventKind::DatapathStats {
        dp: DP,
        hit,
        missed: 0,
        lost: 0,
        flows: 0,
        upcalls_before: None,
        upcalls_after: None,
    }
}

/// Moves what was told `by` so many ms, its packets too; an ovs-vswitchd that is later has another id.
pub fn later(mut event: Event, by: u64) -> Event {
    let shift = |at: &mut Timestamp| *at = Timestamp(at.0 + ms(by).0);
    let anew = |pid: &mut Pid| pid.0 += 100;
    shift(&mut event.at);
    match &mut event.kind {
        EventKind::ProcessExit { process, .. } | EventKind::ProcessExec(process) => anew(&mut process.pid),
        EventKind::DpChange { tgid, .. }
        | EventKind::FlowFlush { tgid, .. }
        | EventKind::FlowSet { tgid, .. }
        | EventKind::FlowInsert { tgid, .. } => anew(tgid),
        EventKind::Packets(run) => {
            shift(&mut run.first);
            shift(&mut run.last);
        }
        _ => {}
    }
    event
}

/// The restart of a plot once more, so much later.
pub fn again(plot: &Plot, by: u64) -> impl Iterator<Item = Event> {
    let restart = Story::tell(plot).into_iter().filter(|event| event.at >= ms(1000));
    restart.map(move |event| later(event, by))
}

/// Without its end mark.
pub fn endless(events: Vec<Event>) -> Vec<Event> {
    let goes_on = |event: &Event| event.kind != EventKind::CaptureEnded;
    events.into_iter().filter(goes_on).collect()
}

/// Everything from 900 ms on so much later.
pub fn delayed(plot: &Plot, by: u64) -> Vec<Event> {
    let shift = |mut event: Event| {
        if event.at < ms(900) {
            return event;
        }
        event.at = Timestamp(event.at.0 + ms(by).0);
        if let EventKind::Packets(run) = &mut event.kind {
            (run.first, run.last) = (
                Timestamp(run.first.0 + ms(by).0),
                Timestamp(run.last.0 + ms(by).0),
            );
        }
        event
    };
    Story::tell(plot).into_iter().map(shift).collect()
}

pub fn port(pod: u16) -> PortNo {
    PortNo(u32::from(pod) + 10)
}

pub fn ip(pod: u8) -> IpAddr {
    [10, 0, 0, pod].into()
}

/// One packet a millisecond of TCP port 443.
pub fn run(pod: u16, dst: IpAddr, fate: PacketFate, first: u64, last: u64) -> Event {
    traffic(port(pod), (dst, 6, 443), fate, first, last)
}

/// One packet a millisecond of the traffic that a story's Pods send.
pub fn usual(pod: u16, to: u8, fate: PacketFate, first: u64, last: u64) -> Event {
    traffic(port(pod), (ip(to), 17, 7000), fate, first, last)
}

pub fn traffic(
    in_port: PortNo,
    (dst, proto, port): (IpAddr, u8, u16),
    fate: PacketFate,
    first: u64,
    last: u64,
) -> Event {
    let key = TrafficKey {
        dp: DP,
        in_port,
        eth_type: if dst.is_ipv4() { 0x0800 } else { 0x86dd },
        dst: Destination::Ip(dst),
        proto,
        port,
    };
    let packets = last - first + 1;
    let run = Run {
        key,
        fate,
        executed: false,
        cpu: 0,
        first: ms(first),
        last: ms(last),
        packets,
        bytes: 60 * packets,
        closed: true,
    };
    ev(last + 1, EventKind::Packets(run))
}

/// A policy's flow of one Pod.
pub fn policy(change: Change, table: u8, pod: u8) -> OpenFlowChange {
    OpenFlowChange {
        change,
        table,
        priority: 100,
        cookie: 0,
        matches: OpenFlowMatch {
            ip_src: Some(ip(pod)),
            wire: format!("policy{table}-{pod}"),
            ..OpenFlowMatch::default()
        },
    }
}

pub fn flows(at: u64, changes: Vec<OpenFlowChange>) -> Event {
    let bridge = "br-int".to_owned();
    ev(at, EventKind::OpenFlowFlows { bridge, changes })
}

/// The flows of all Pods, as they were told first.
pub fn first_flows(events: &[Event]) -> Vec<OpenFlowChange> {
    let told = events.iter().find_map(|event| match &event.kind {
        EventKind::OpenFlowFlows { changes, .. } => Some(changes.clone()),
        _ => None,
    });
    told.unwrap_or_default()
}

pub fn changed(flows: &[OpenFlowChange], change: Change) -> Vec<OpenFlowChange> {
    let one = |flow: &OpenFlowChange| OpenFlowChange {
        change,
        ..flow.clone()
    };
    flows.iter().map(one).collect()
}

/// The rows and the port of a new Pod: `(namespace, name)`, its address, its datapath port.
pub fn new_pod(at: u64, (namespace, name): (&str, &str), address: &str, number: u32) -> Vec<Event> {
    let ids: Map = [
        ("pod-namespace", namespace),
        ("pod-name", name),
        ("ip-address", address),
        ("attached-mac", "02:00:00:00:00:99"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let device = format!("veth{number}");
    let (port, interface) = (format!("port{number}"), format!("interface{number}"));
    let row = PortRow {
        name: device.clone(),
        interfaces: vec![interface.clone()],
        external_ids: ids,
    };
    let port = EventKind::PortRow {
        uuid: port,
        row: Some(row),
    };
    let row = InterfaceRow {
        name: device.clone(),
        ofport: Some(OfPort(number)),
        ..InterfaceRow::default()
    };
    let interface = EventKind::InterfaceRow {
        uuid: interface,
        row: Some(row),
    };
    let vport = EventKind::Vport {
        dp: DP,
        port_no: PortNo(number),
        name: device,
        ifindex: None,
        kind: 1,
    };
    [port, interface, vport].map(|kind| ev(at, kind)).into()
}

/// A Pod is deleted: its rows and its port go.
pub fn delete_pod(at: u64, pod: u16) -> Vec<Event> {
    let interface = EventKind::InterfaceRow {
        uuid: format!("interface{pod}"),
        row: None,
    };
    let row = EventKind::PortRow {
        uuid: format!("port{pod}"),
        row: None,
    };
    let port_no = port(pod);
    let gone = EventKind::VportGone { dp: DP, port_no };
    [interface, row, gone].map(|kind| ev(at, kind)).into()
}

/// A row that says why there is no port.
pub fn no_port(at: u64, pod: u16) -> Event {
    let error = format!(
        "could not add network device {} to ofproto (No such device)",
        device(pod)
    );
    let row = InterfaceRow {
        name: device(pod),
        ofport: None,
        error: Some(error),
        ..InterfaceRow::default()
    };
    let uuid = format!("interface{pod}");
    ev(at, EventKind::InterfaceRow { uuid, row: Some(row) })
}

#[track_caller]
pub fn only(report: &Report) -> &Disruption {
    assert_eq!(report.disruptions.len(), 1, "{:#?}", report.disruptions);
    &report.disruptions[0]
}

#[track_caller]
pub fn pod<'a>(disruption: &'a Disruption, name: &str) -> &'a Pod {
    let found = disruption.pods.iter().find(|pod| pod.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:#?}", disruption.pods))
}

/// Packets lost to a Pod and from it.
pub fn lost(pod: &Pod) -> (u64, u64) {
    let count = |loss: &Option<tracer_core::report::Loss>| loss.as_ref().map_or(0, |loss| loss.lost_packets);
    (count(&pod.observed.to_pod), count(&pod.observed.from_pod))
}

pub fn causes(disruption: &Disruption) -> Vec<Option<Cause>> {
    let named = disruption.pods.iter().filter(|pod| pod.namespace.is_some());
    named.map(|pod| pod.cause).collect()
}

pub fn has_finding(report: &Report, kind: &str) -> bool {
    report.coverage.iter().any(|finding| finding.kind == kind)
}

#[track_caller]
pub fn passes(report: &Report) {
    assert_eq!(
        report.verdict,
        Verdict::Pass,
        "{:?} {:#?}",
        report.why,
        report.disruptions
    );
}

#[track_caller]
pub fn fails(report: &Report) {
    assert_eq!(
        report.verdict,
        Verdict::Fail,
        "{:?} {:#?}",
        report.why,
        report.disruptions
    );
}

#[track_caller]
pub fn does_not_pass(report: &Report) {
    assert_ne!(report.verdict, Verdict::Pass, "{:#?}", report.disruptions);
}
