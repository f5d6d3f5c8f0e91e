//! Stories of restarts, of the same kinds as those that were judged wrongly once, told after the judge was built.
//!
//! Must not depend on: how the judge weighs.

mod story;
mod told;

use story::{DP, Plot, Story, ms};
use told::{
    HOUR, STRANGER, again, alive, changed, delete_pod, does_not_pass, endless, ev, fails, first_flows, flows,
    healthy, idle, ip, later, lost, new_pod, only, passes, pod, port, run, told, usual,
};
use tracer_core::event::{BridgeRow, Change, Event, EventKind, Process};
use tracer_core::id::{OfPort, Pid, PortNo};
use tracer_core::packet::PacketFate;
use tracer_core::report::{Cause, Kind, Verdict};

const ELSEWHERE: [u8; 4] = [192, 0, 2, 1];

fn vswitchd(pid: u32) -> Process {
    Process {
        pid: Pid(pid),
        parent: Pid(1),
        comm: "ovs-vswitchd".to_owned(),
    }
}

fn exit(at: u64, pid: u32, signal: i32) -> Event {
    let process = vswitchd(pid);
    let (code, signal) = (Some(0), Some(signal));
    ev(
        at,
        EventKind::ProcessExit {
            process,
            code,
            signal,
        },
    )
}

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

#[test]
fn of_two_restarts_each_has_its_own_verdict() {
    for (first, second, verdicts) in [
        (Plot::default(), healthy(), [Verdict::Fail, Verdict::Pass]),
        (healthy(), Plot::default(), [Verdict::Pass, Verdict::Fail]),
    ] {
        for by in [10_000, HOUR] {
            let mut events = endless(Story::tell(&first));
            events.extend(again(&second, by));
            let report = told(events);
            fails(&report);
            let found: Vec<Verdict> = report.disruptions.iter().map(|one| one.verdict).collect();
            assert_eq!(found, verdicts, "{by} ms apart");
            let lost: u64 = report
                .disruptions
                .iter()
                .map(|one| one.summary.lost_packets)
                .sum();
            assert_eq!(lost, 3 * 320, "{by} ms apart");
        }
    }
}

#[test]
fn a_pod_that_is_deleted_in_the_window_leaves_the_others_theirs() {
    let mut events = Story::tell(&Plot::default());
    events.retain(|event| !(comes_from(event, 1) && event.at > ms(2400)));
    events.extend(delete_pod(2100, 1));
    let report = told(events);
    fails(&report);
    assert_eq!(lost(pod(only(&report), "web-2")).1, 320);
    assert_eq!(pod(only(&report), "web-2").cause, Some(Cause::FlagBeforeFlows));
}

#[test]
fn a_pod_that_is_made_during_a_healthy_restart_fails_nobody() {
    let mut events = Story::tell(&healthy());
    events.extend(new_pod(2100, ("default", "newcomer"), "10.0.0.9", 30));
    let mut its = changed(&first_flows(&events)[..2], Change::Added);
    its[0].matches.in_port = Some(OfPort(30));
    its[1].matches.ip_dst = Some(ip(9));
    its[0].matches.wire = "in30".to_owned();
    its[1].matches.wire = "to30".to_owned();
    events.push(flows(2150, its));
    let report = told(events);
    assert_ne!(
        report.verdict,
        Verdict::Fail,
        "{:?} {:#?}",
        report.why,
        report.disruptions
    );
    for name in ["web-1", "web-2", "web-3"] {
        assert_eq!(pod(only(&report), name).verdict, Verdict::Pass);
    }
}

#[test]
fn a_second_bridge_without_pods_and_without_a_monitor_changes_nothing() {
    let mut events = Story::tell(&healthy());
    let row = BridgeRow {
        name: "br-ex".to_owned(),
        ..BridgeRow::default()
    };
    let uuid = "other".to_owned();
    events.push(ev(2, EventKind::BridgeRow { uuid, row: Some(row) }));
    passes(&told(events));
}

/// It takes all megaflows while nobody answers: every packet from then on is lost until the handlers are bound.
#[test]
fn a_stranger_that_flushes_while_nobody_serves_begins_no_second_restart() {
    for flag in [true, false] {
        let plot = Plot { flag, ..healthy() };
        let mut events = Story::tell(&plot);
        events.retain(|event| !matches!(&event.kind, EventKind::Packets(run) if run.first < ms(2000)));
        for (from, to) in [(1_u16, 2_u8), (2, 3), (3, 1)] {
            events.push(usual(from, to, PacketFate::Delivered(port(to.into())), 500, 1049));
            events.push(usual(from, to, PacketFate::UpcallFailed(-107), 1050, 1998));
        }
        events.push(ev(
            1050,
            EventKind::FlowFlush {
                dp: DP,
                tgid: STRANGER,
            },
        ));
        let report = told(events);
        fails(&report);
        let restart = only(&report);
        assert_eq!(restart.summary.lost_packets, 3 * 949);
        assert_eq!(restart.milestones.flush_ns, Some(ms(2000)));
    }
}

/// Killed again while it waits for the flag: the one that comes after it does the rest.
fn killed_twice(plot: &Plot) -> Vec<Event> {
    let mut events: Vec<Event> = Story::tell(plot)
        .into_iter()
        .map(|event| {
            if event.at > ms(1300) {
                later(event, 0)
            } else {
                event
            }
        })
        .collect();
    events.push(exit(1300, 200, 11));
    events.push(ev(1400, EventKind::ProcessExec(vswitchd(300))));
    let (tgid, pids) = (Pid(300), None);
    events.push(ev(1410, EventKind::DpChange { dp: DP, tgid, pids }));
    events
}

#[test]
fn one_that_is_killed_twice_loses_what_both_lose() {
    let report = told(killed_twice(&Plot::default()));
    fails(&report);
    let lost: u64 = report
        .disruptions
        .iter()
        .map(|one| one.summary.lost_packets)
        .sum();
    assert_eq!(lost, 3 * 320);
    assert_eq!(report.disruptions.last().map(|one| one.kind), Some(Kind::Killed));
}

/// Nobody took upcalls when the next disruption began.
#[test]
fn a_restart_that_the_next_one_cuts_off_does_not_pass_on_idle_pods() {
    let report = told(killed_twice(&idle(&healthy())));
    assert_eq!(report.disruptions.len(), 2);
    assert_ne!(report.disruptions[0].verdict, Verdict::Pass);
}

#[test]
fn packets_that_were_not_followed_for_a_while_prove_nothing() {
    let plot = Plot {
        monitored: false,
        ..healthy()
    };
    let mut events = Story::tell(&plot);
    events.push(ev(2300, EventKind::Evidence { armed: false }));
    events.push(ev(2900, EventKind::Evidence { armed: true }));
    does_not_pass(&told(events));
}

#[test]
fn traffic_that_is_never_forwarded_again_is_lost() {
    let mut events = Story::tell(&healthy());
    let out = PacketFate::Delivered(PortNo(41));
    events.push(run(1, ELSEWHERE.into(), out, 1000, 1999));
    events.push(run(1, ELSEWHERE.into(), PacketFate::DropFlow, 2005, 5000));
    let report = told(events);
    fails(&report);
    assert_eq!(lost(pod(only(&report), "web-1")).1, 2996);
}

#[test]
fn what_a_policy_drops_in_a_healthy_window_alone_is_no_loss() {
    let mut events = Story::tell(&healthy());
    events.push(run(1, ELSEWHERE.into(), PacketFate::DropFlow, 2010, 2060));
    passes(&told(events));
}

#[test]
fn a_monitor_that_is_paused_leaves_the_verdict_to_packets() {
    let mut events = Story::tell(&healthy());
    for (at, paused) in [(1500, true), (2500, false)] {
        let bridge = "br-int".to_owned();
        events.push(ev(at, EventKind::OpenFlowPaused { bridge, paused }));
    }
    passes(&told(events));
}

/// The kernel's tables are read late, or a run is told of when the next one begins.
#[test]
fn packets_that_are_told_of_long_after_are_lost_all_the_same() {
    for at in [5000, 12_000, 19_000] {
        let mut events = endless(Story::tell(&Plot::default()));
        events.retain(|event| !is_flow(event));
        events.extend(alive(&healthy(), 8100, at + 20_000));
        events.push(ev(at + 20_000, EventKind::CaptureEnded));
        for event in &mut events {
            if matches!(&event.kind, EventKind::Packets(run) if run.fate == PacketFate::DropFlow) {
                event.at = ms(at);
            }
        }
        let report = told(events);
        does_not_pass(&report);
        let lost: u64 = report
            .disruptions
            .iter()
            .map(|one| one.summary.lost_packets)
            .sum();
        assert_eq!(lost, 3 * 320, "told of at {at} ms");
    }
}

#[test]
fn ovsdb_that_is_asked_again_takes_nothing_away() {
    let mut events = Story::tell(&healthy());
    let rows: Vec<Event> = events
        .iter()
        .filter(|event| {
            event.at == ms(2)
                && matches!(
                    event.kind,
                    EventKind::BridgeRow { .. } | EventKind::PortRow { .. } | EventKind::InterfaceRow { .. }
                )
        })
        .map(|event| ev(1701, event.kind.clone()))
        .collect();
    let error = "closed".to_owned();
    events.push(ev(1500, EventKind::OvsdbDown { error }));
    events.push(ev(1700, EventKind::OvsdbUp));
    events.extend(rows);
    events.push(ev(1702, EventKind::OvsdbSnapshot));
    passes(&told(events));
}
