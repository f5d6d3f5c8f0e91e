//! Stories of ports, owners, agents and strangers that were judged wrongly once: each with what it has to give.
//!
//! Must not depend on: how the judge weighs.

mod story;
mod told;

use story::{DP, Plot, Story, device, ms};
use told::{
    HOUR, OLD, STRANGER, alive, calm, causes, changed, delete_pod, does_not_pass, endless, ev, fails,
    first_flows, flows, has_finding, healthy, idle, ip, lost, new_pod, no_port, only, passes, pod, policy,
    port, told, traffic, usual,
};
use tracer_core::event::{Change, Event, EventKind};
use tracer_core::flow::{Actions, FlowKey};
use tracer_core::id::{PortNo, Ufid};
use tracer_core::packet::PacketFate;
use tracer_core::report::{Cause, Kind, Verdict};

/// ovs-vswitchd flushes its datapath and nothing else happens.
fn flushed(end: u64) -> Vec<Event> {
    let mut events = calm(&idle(&healthy()), end);
    events.push(ev(2000, EventKind::FlowFlush { dp: DP, tgid: OLD }));
    for (pod, to) in [(1_u8, 2), (2, 3), (3, 1)] {
        let key = FlowKey {
            in_port: port(pod.into()),
            eth_type: 0x0800,
            ip_dst: Some(ip(to)),
            proto: 17,
            ..FlowKey::default()
        };
        let actions = Actions {
            outputs: vec![port(to.into())],
            length: 8,
            ..Actions::default()
        };
        let inserted = EventKind::FlowInsert {
            dp: DP,
            tgid: OLD,
            ufid: Ufid([pod; 16]),
            key,
            actions,
        };
        events.push(ev(2005, inserted));
    }
    events.push(flows(6, vec![policy(Change::Added, 9, 1)]));
    events
}

#[test]
fn t11_a_flush_that_passed_stays_so_when_a_policy_is_deleted_an_hour_later() {
    let before = told(flushed(7000));
    passes(&before);
    assert_eq!(only(&before).kind, Kind::FlushOnly);
    let mut events = endless(flushed(30_000));
    events.push(flows(HOUR, vec![policy(Change::Removed, 9, 1)]));
    events.extend(alive(&healthy(), HOUR, HOUR + 1000));
    events.push(ev(HOUR + 1000, EventKind::CaptureEnded));
    let after = told(events);
    assert_eq!(after.disruptions.len(), 1);
    passes(&after);
}

#[test]
fn t15_a_flush_by_a_stranger_is_no_restart_and_no_pass() {
    let mut events = calm(&healthy(), 7000);
    events.push(ev(
        2000,
        EventKind::FlowFlush {
            dp: DP,
            tgid: STRANGER,
        },
    ));
    let report = told(events);
    assert_eq!(report.disruptions, []);
    does_not_pass(&report);
    assert!(has_finding(&report, "foreign_flush"));
}

#[test]
fn t22_a_loss_stays_with_its_pod_when_its_address_goes_to_another() {
    let mut events = Story::tell(&Plot::default());
    events.extend(delete_pod(7000, 1));
    events.extend(new_pod(7100, ("default", "newcomer"), "10.0.0.1", 30));
    events.push(flows(7200, vec![policy(Change::Added, 1, 2)]));
    let report = told(events);
    fails(&report);
    let restart = only(&report);
    assert_eq!(restart.summary.lost_packets, 3 * 320);
    for name in ["web-1", "web-2", "web-3"] {
        assert_eq!(lost(pod(restart, name)), (320, 320), "{name}");
        assert_eq!(pod(restart, name).cause, Some(Cause::FlagBeforeFlows), "{name}");
    }
    assert!(restart.pods.iter().all(|pod| pod.name != "newcomer"));
}

#[test]
fn t56_packets_to_an_address_of_two_pods_are_nobodys() {
    let mut events = Story::tell(&Plot::default());
    events.extend(new_pod(2, ("blue", "other-tenant"), "10.0.0.1", 30));
    let report = told(events);
    fails(&report);
    let restart = only(&report);
    assert_eq!(lost(pod(restart, "other-tenant")), (0, 0));
    assert_eq!(lost(pod(restart, "web-3")), (320, 320));
    assert_eq!(restart.summary.lost_packets, 3 * 320);
}

#[test]
fn t41_a_port_that_is_not_made_again_is_missing() {
    let mut events = Story::tell(&idle(&healthy()));
    let gone = |pod| {
        let port_no = port(pod);
        ev(1010, EventKind::VportGone { dp: DP, port_no })
    };
    events.extend((1..=3).map(gone));
    for pod in 1..=2 {
        let back = EventKind::Vport {
            dp: DP,
            port_no: port(pod),
            name: device(pod),
            ifindex: None,
            kind: 1,
        };
        events.push(ev(1200, back));
    }
    events.push(no_port(1201, 3));
    let report = told(events);
    fails(&report);
    assert_eq!(pod(only(&report), "web-3").cause, Some(Cause::PortMissing));
}

#[test]
fn t41b_a_port_that_alone_is_not_made_again_is_missing() {
    let mut events = Story::tell(&idle(&healthy()));
    let port_no = port(3);
    events.push(ev(1010, EventKind::VportGone { dp: DP, port_no }));
    events.push(no_port(1201, 3));
    let report = told(events);
    fails(&report);
    let missing = pod(only(&report), "web-3");
    assert_eq!(
        (missing.verdict, missing.cause),
        (Verdict::Fail, Some(Cause::PortMissing))
    );
    let exposed = missing
        .exposed
        .as_ref()
        .map(|exposed| (exposed.start_ns, exposed.end_ns));
    assert_eq!(
        exposed,
        Some((ms(1010), None)),
        "it is away since then, and still is"
    );
    let why = missing.proof.as_ref().map(|proof| proof.why().join(" "));
    assert!(
        why.is_some_and(|why| why.contains("No such device")),
        "OVSDB says why"
    );
    for other in ["web-1", "web-2"] {
        assert_eq!(pod(only(&report), other).verdict, Verdict::Pass);
    }
}

#[test]
fn t47_an_agent_that_clears_all_flows_for_two_seconds_loses_every_packet() {
    let mut events = calm(&healthy(), 7000);
    let all = first_flows(&events);
    for (from, to) in [(1_u16, 2_u8), (2, 3), (3, 1)] {
        let out = PacketFate::Delivered(port(to.into()));
        events.push(usual(from, to, out, 500, 999));
        events.push(usual(from, to, PacketFate::DropFlow, 1000, 2999));
        events.push(usual(from, to, out, 3000, 5000));
        let set = EventKind::FlowSet {
            dp: DP,
            tgid: OLD,
            ufid: Ufid([u8::try_from(from).unwrap_or(0); 16]),
            entered: ms(1000),
            actions: Actions::default(),
        };
        events.push(ev(1000, set));
    }
    events.push(flows(1000, changed(&all, Change::Removed)));
    events.push(flows(3000, all));
    let report = told(events);
    fails(&report);
    let cleared = only(&report);
    assert_eq!(cleared.kind, Kind::FlowsRemoved);
    assert_eq!(cleared.summary.lost_packets, 6000);
    assert_eq!(causes(cleared), [Some(Cause::AgentClearedFlows); 3]);
    for name in ["web-1", "web-2", "web-3"] {
        assert_eq!(lost(pod(cleared, name)), (2000, 2000), "{name}");
    }
}

#[test]
fn t55_what_is_lost_on_a_port_that_nobody_knows_is_lost() {
    let mut events = Story::tell(&healthy());
    let nobodys = |fate, first, last| traffic(PortNo(99), ([192, 0, 2, 7].into(), 17, 53), fate, first, last);
    let out = PacketFate::Delivered(port(1));
    events.push(nobodys(out, 1500, 1999));
    events.push(nobodys(PacketFate::DropFlow, 2000, 2999));
    events.push(nobodys(out, 3000, 4000));
    let report = told(events);
    does_not_pass(&report);
    let restart = only(&report);
    assert_eq!(restart.summary.lost_packets, 1000);
    let rows: Vec<(&str, u64)> = restart
        .unattributed
        .iter()
        .map(|row| (row.interface.as_str(), row.loss.lost_packets))
        .collect();
    // It may be known whom the packets were sent to, if not from whom.
    let to = restart.pods.iter().map(|pod| lost(pod).0).sum::<u64>();
    assert!(rows == [("port 99", 1000)] || to == 1000, "{rows:?} {to}");
}
