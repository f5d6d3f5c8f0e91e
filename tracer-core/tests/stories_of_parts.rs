//! Stories of ports, flows, upcalls and gateways, of the same kinds as those that were judged wrongly once, told after the judge was built.
//!
//! Must not depend on: how the judge weighs.

mod story;
mod told;

use story::{DP, Story, device, ms};
use told::{
    NEW, OLD, alive, calm, changed, does_not_pass, endless, ev, fails, first_flows, flows, has_finding,
    healthy, idle, ip, lost, new_pod, only, pod, port, run, told, traffic, usual,
};
use tracer_core::event::{Change, Event, EventKind, InterfaceRow, PortRow, Portids};
use tracer_core::flow::Actions;
use tracer_core::id::{OfPort, PortNo, Ufid};
use tracer_core::packet::PacketFate;
use tracer_core::report::{Kind, Verdict};

const ELSEWHERE: [u8; 4] = [192, 0, 2, 1];

fn is_flow(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::FlowInsert { .. } | EventKind::FlowSet { .. }
    )
}

fn comes_from(event: &Event, pod: u16) -> bool {
    match &event.kind {
        EventKind::Packets(run) => run.key.in_port == port(pod),
        EventKind::FlowInsert { key, .. } => key.in_port == port(pod),
        _ => false,
    }
}

fn goes(at: u64, pod: u16) -> Event {
    let port_no = port(pod);
    ev(at, EventKind::VportGone { dp: DP, port_no })
}

fn comes(at: u64, pod: u16) -> Event {
    let there = EventKind::Vport {
        dp: DP,
        port_no: port(pod),
        name: device(pod),
        ifindex: None,
        kind: 1,
    };
    ev(at, there)
}

fn turns(at: u64, pod: u8, outputs: Vec<PortNo>) -> Event {
    let length = if outputs.is_empty() { 0 } else { 8 };
    let set = EventKind::FlowSet {
        dp: DP,
        tgid: NEW,
        ufid: Ufid([pod; 16]),
        entered: ms(at),
        actions: Actions {
            outputs,
            length,
            ..Actions::default()
        },
    };
    ev(at, set)
}

fn gateway() -> Vec<Event> {
    let row = PortRow {
        name: "gw0".to_owned(),
        interfaces: vec!["igw".to_owned()],
        ..PortRow::default()
    };
    let interface = InterfaceRow {
        name: "gw0".to_owned(),
        ofport: Some(OfPort(40)),
        ..InterfaceRow::default()
    };
    let vport = EventKind::Vport {
        dp: DP,
        port_no: PortNo(40),
        name: "gw0".to_owned(),
        ifindex: None,
        kind: 2,
    };
    let rows = [
        EventKind::PortRow {
            uuid: "pgw".to_owned(),
            row: Some(row),
        },
        EventKind::InterfaceRow {
            uuid: "igw".to_owned(),
            row: Some(interface),
        },
        vport,
    ];
    rows.map(|kind| ev(2, kind)).into()
}

#[test]
fn what_a_gateway_loses_is_lost() {
    let mut events = Story::tell(&healthy());
    events.extend(gateway());
    let own = |fate, first, last| traffic(PortNo(40), (ELSEWHERE.into(), 6, 179), fate, first, last);
    let out = PacketFate::Delivered(PortNo(41));
    events.extend([
        own(out, 1500, 1999),
        own(PacketFate::DropFlow, 2000, 2499),
        own(out, 2500, 4000),
    ]);
    let report = told(events);
    fails(&report);
    assert_eq!(only(&report).summary.lost_packets, 500);
    assert_eq!(lost(pod(only(&report), "gw0")).1, 500);
}

#[test]
fn packets_to_an_ipv6_address_are_its_pods() {
    let mut events = Story::tell(&healthy());
    events.extend(new_pod(2, ("default", "six"), "fd00::9", 30));
    let to: std::net::IpAddr = "fd00::9".parse().unwrap_or_else(|_| ip(0));
    let own = |fate, first, last| traffic(port(1), (to, 58, 0), fate, first, last);
    let out = PacketFate::Delivered(PortNo(30));
    events.extend([
        own(out, 1500, 1999),
        own(PacketFate::DropFlow, 2004, 2103),
        own(out, 2104, 4000),
    ]);
    let report = told(events);
    fails(&report);
    assert_eq!(lost(pod(only(&report), "six")).0, 100);
    assert_eq!(lost(pod(only(&report), "web-1")).1, 100);
}

#[test]
fn flows_that_are_taken_and_given_in_one_message_are_no_gap() {
    let mut events = calm(&healthy(), 9000);
    let all = first_flows(&events);
    let mut bundle = changed(&all[..2], Change::Removed);
    bundle.extend(changed(&all[..2], Change::Added));
    events.push(flows(3000, bundle));
    let report = told(events);
    assert_eq!(report.disruptions, []);
}

#[test]
fn flows_of_one_pod_that_are_away_for_a_second_do_not_pass() {
    for traffic in [true, false] {
        let mut events = calm(&healthy(), 9000);
        let all = first_flows(&events);
        events.push(flows(3000, changed(&all[..2], Change::Removed)));
        events.push(flows(4000, changed(&all[..2], Change::Added)));
        if traffic {
            let out = PacketFate::Delivered(port(2));
            events.extend([
                usual(1, 2, out, 1000, 2999),
                usual(1, 2, PacketFate::DropFlow, 3000, 3999),
                usual(1, 2, out, 4000, 6000),
            ]);
        }
        let report = told(events);
        does_not_pass(&report);
        assert_eq!(only(&report).kind, Kind::FlowsRemoved);
        assert_eq!(only(&report).summary.lost_packets, if traffic { 1000 } else { 0 });
    }
}

#[test]
fn flows_that_go_again_soon_after_a_flush_do_not_pass() {
    let mut events = Story::tell(&idle(&healthy()));
    let all = first_flows(&events);
    events.push(flows(3000, changed(&all, Change::Removed)));
    events.push(flows(5000, changed(&all, Change::Added)));
    does_not_pass(&told(events.clone()));
    for (pod, to) in [(1_u8, 2), (2, 3), (3, 1)] {
        events.push(turns(3010, pod, Vec::new()));
        events.push(turns(5010, pod, vec![port(to)]));
    }
    does_not_pass(&told(events));
}

#[test]
fn upcalls_that_are_refused_outside_of_every_disruption_do_not_pass() {
    let mut events = endless(Story::tell(&healthy()));
    events.extend(alive(&healthy(), 8100, 40_000));
    events.push(ev(40_000, EventKind::CaptureEnded));
    events.push(run(
        1,
        ELSEWHERE.into(),
        PacketFate::UpcallFailed(-11),
        30_000,
        30_999,
    ));
    does_not_pass(&told(events));
}

#[test]
fn ports_that_are_away_for_a_time_do_not_pass() {
    for plot in [healthy(), idle(&healthy())] {
        let mut events = Story::tell(&plot);
        events.extend([goes(1010, 3), comes(1800, 3)]);
        let report = told(events);
        assert_ne!(pod(only(&report), "web-3").verdict, Verdict::Pass);
        assert_eq!(pod(only(&report), "web-1").verdict, Verdict::Pass);
        assert!(has_finding(&report, "port_gone"));
    }
}

#[test]
fn nor_does_a_port_that_is_away_long_after_a_restart() {
    for away in [500, 5000] {
        let mut events = endless(Story::tell(&healthy()));
        events.extend(alive(&healthy(), 8100, 60_000));
        events.push(ev(60_000, EventKind::CaptureEnded));
        events.extend([goes(40_000, 3), comes(40_000 + away, 3)]);
        does_not_pass(&told(events));
    }
}

#[test]
fn upcalls_that_the_datapath_itself_counts_as_lost_do_not_pass() {
    let mut events = Story::tell(&idle(&healthy()));
    for event in &mut events {
        if let EventKind::DatapathStats { lost, .. } = &mut event.kind
            && event.at > ms(2000)
        {
            *lost = 100;
        }
    }
    does_not_pass(&told(events));
}

#[test]
fn packets_that_go_to_another_port_do_not_pass() {
    let mut events = Story::tell(&healthy());
    for event in &mut events {
        if let EventKind::Packets(run) = &mut event.kind
            && run.key.in_port == port(1)
            && run.first >= ms(2000)
            && matches!(run.fate, PacketFate::Delivered(_))
        {
            run.fate = PacketFate::Delivered(port(3));
        }
    }
    does_not_pass(&told(events));
}

/// Its own packets go out; that it could not be reached for 3 s nobody tried.
#[test]
fn a_pod_that_only_sends_is_not_proven_to_be_reachable() {
    let mut events = Story::tell(&healthy());
    events.retain(|event| !comes_from(event, 3));
    let mut late = Vec::new();
    for event in &mut events {
        if let EventKind::OpenFlowFlows { changes, .. } = &mut event.kind
            && event.at > ms(1000)
        {
            let (now, later): (Vec<_>, Vec<_>) =
                changes.drain(..).partition(|flow| flow.matches.wire != "to1");
            *changes = now;
            late.extend(later);
        }
    }
    events.push(flows(5000, late));
    let report = told(events);
    assert_ne!(pod(only(&report), "web-1").verdict, Verdict::Pass);
}

#[test]
fn a_pod_whose_handlers_refuse_the_first_packet_alone_fails() {
    let mut events = Story::tell(&idle(&healthy()));
    events.push(run(1, ip(2), PacketFate::UpcallFailed(-11), 2001, 2001));
    let report = told(events);
    fails(&report);
    assert_eq!(only(&report).summary.lost_packets, 1);
}

#[test]
fn a_leaving_ovs_vswitchd_that_empties_the_datapath_leaves_it_dark() {
    let mut events = Story::tell(&idle(&healthy()));
    events.push(ev(990, EventKind::FlowFlush { dp: DP, tgid: OLD }));
    let report = told(events);
    does_not_pass(&report);
    assert_eq!(report.disruptions.len(), 1);
}

#[test]
fn handlers_that_are_bound_long_after_the_flush_do_not_pass() {
    let mut events = Story::tell(&idle(&healthy()));
    events.retain(|event| !is_flow(event));
    for event in &mut events {
        if matches!(
            event.kind,
            EventKind::DpChange {
                pids: Some(Portids { .. }),
                ..
            }
        ) {
            event.at = ms(5000);
        }
    }
    does_not_pass(&told(events));
}

/// Its end mark says that the recorder was there then, not that it was there before.
#[test]
fn a_recording_whose_end_mark_comes_long_after_its_last_tick_does_not_pass() {
    for (until, verdict) in [(8000, Verdict::Pass), (2900, Verdict::Inconclusive)] {
        let mut events = Story::tell(&healthy());
        events.retain(|event| event.at <= ms(until) || event.kind == EventKind::CaptureEnded);
        let report = told(events);
        assert_eq!(report.verdict, verdict, "{:#?}", report.why);
        assert_eq!(has_finding(&report, "clock_silent"), verdict != Verdict::Pass);
    }
}

/// Whatever changed while it was paused is reported when it resumes, at a time that says nothing.
#[test]
fn flows_whose_monitor_was_paused_across_the_flush_prove_nothing() {
    let paused = |at: u64, paused: bool| {
        let bridge = "br-int".to_owned();
        ev(at, EventKind::OpenFlowPaused { bridge, paused })
    };
    for (from, to, verdict) in [
        (100, 200, Verdict::Pass),
        (1500, 2600, Verdict::Inconclusive),
        (100, 2600, Verdict::Inconclusive),
        (2200, 2300, Verdict::Inconclusive),
    ] {
        let mut events = Story::tell(&idle(&healthy()));
        // Some packets were not seen: flows decide.
        let hook = "ovs_vport_send".to_owned();
        events.push(ev(2100, EventKind::HitsSkipped { hook, count: 1 }));
        events.extend([paused(from, true), paused(to, false)]);
        let report = told(events);
        let pods: Vec<Verdict> = only(&report).pods.iter().map(|pod| pod.verdict).collect();
        assert!(
            pods.iter().all(|pod| *pod == verdict),
            "{from} to {to}: {pods:?} {:?}",
            report.why
        );
    }
}
