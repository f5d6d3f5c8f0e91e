//! Stories of restarts that were judged wrongly once: each with the verdict, counts and cause that it has to give.
//!
//! Must not depend on: how the judge weighs.

mod story;
mod told;

use story::{DP, Plot, Story, ms};
use told::{
    HOUR, NEW, STRANGER, again, causes, delayed, does_not_pass, endless, ev, fails, flows, has_finding,
    healthy, idle, lost, only, passes, pod, policy, port, run, told,
};
use tracer_core::event::{Change, Event, EventKind, Portids, Process, UpcallCommand, Upcalls};
use tracer_core::flow::{Actions, FlowKey};
use tracer_core::id::{Pid, Ufid};
use tracer_core::judge::Judge;
use tracer_core::log::{Entry, Header};
use tracer_core::packet::PacketFate;
use tracer_core::report::{Cause, Kind, Verdict};

const ELSEWHERE: [u8; 4] = [192, 0, 2, 1];

#[test]
fn t01_refused_upcalls_of_a_new_connection_are_lost() {
    let mut events = Story::tell(&healthy());
    events.push(run(
        1,
        ELSEWHERE.into(),
        PacketFate::UpcallFailed(-107),
        1200,
        1900,
    ));
    let report = told(events);
    fails(&report);
    let restart = only(&report);
    assert_eq!(restart.summary.lost_packets, 701);
    assert_eq!(lost(pod(restart, "web-1")), (0, 701));
    assert_eq!(pod(restart, "web-1").cause, Some(Cause::HandlersDown));
    for other in ["web-2", "web-3"] {
        assert_eq!(pod(restart, other).verdict, Verdict::Pass);
    }
}

#[test]
fn t02_a_flow_monitor_that_is_read_late_fails_nobody() {
    let mut events = Story::tell(&healthy());
    for event in &mut events {
        if matches!(event.kind, EventKind::OpenFlowFlows { .. }) && event.at > ms(1000) {
            event.at = ms(2001);
        }
    }
    let report = told(events);
    passes(&report);
    assert_eq!(causes(only(&report)), [None; 3]);
}

fn with_policies() -> Vec<Event> {
    let mut events = Story::tell(&healthy());
    events.push(flows(
        6,
        (1..=3).map(|pod| policy(Change::Added, 9, pod)).collect(),
    ));
    events
}

#[test]
fn t03_a_policy_that_is_not_installed_again_fails_nobody() {
    passes(&told(with_policies()));
}

#[test]
fn t04_nor_does_it_an_hour_later() {
    let mut events = endless(with_policies());
    events.extend(again(&healthy(), HOUR));
    let report = told(events);
    passes(&report);
    assert_eq!(report.disruptions.len(), 2);
}

#[test]
fn t05_a_monitor_that_never_comes_back_is_no_excuse() {
    for flag in [true, false] {
        let plot = idle(&Plot {
            flows_after_flush: Some(3000),
            flag,
            ..Plot::default()
        });
        let mut events = Story::tell(&plot);
        events.retain(|event| {
            let monitor = matches!(
                event.kind,
                EventKind::OpenFlowUp { .. }
                    | EventKind::OpenFlowFlows { .. }
                    | EventKind::OpenFlowSnapshot { .. }
                    | EventKind::OpenFlowAlive { .. }
            );
            !(monitor && event.at > ms(1000))
        });
        for event in &mut events {
            if let EventKind::ProcessExit { signal, .. } = &mut event.kind {
                *signal = Some(9);
            }
        }
        let report = told(events);
        does_not_pass(&report);
        assert_eq!(only(&report).kind, Kind::Killed);
        let cause = if flag {
            Cause::FlagBeforeFlows
        } else {
            Cause::NoFlag
        };
        assert_eq!(causes(only(&report)), [Some(cause); 3]);
    }
}

#[test]
fn t06_handlers_that_are_never_bound_do_not_pass() {
    let mut events = Story::tell(&idle(&healthy()));
    events.retain(|event| !matches!(event.kind, EventKind::FlowInsert { .. }));
    for event in &mut events {
        if let EventKind::DpChange { pids: Some(pids), .. } = &mut event.kind {
            *pids = Portids { given: 2, bound: 0 };
        }
    }
    let report = told(events);
    does_not_pass(&report);
    assert_eq!(only(&report).milestones.upcalls_bound_ns, None);
}

/// That the gate says the same is asked of every story.
#[test]
fn t07_packets_alone_prove_a_pass() {
    let plot = Plot {
        monitored: false,
        ..healthy()
    };
    passes(&told(Story::tell(&plot)));
    does_not_pass(&told(Story::tell(&idle(&plot))));
}

#[test]
fn t08_nothing_is_known_where_ovsdb_hangs() {
    let plot = idle(&Plot {
        flows_after_flush: None,
        monitored: false,
        ..Plot::default()
    });
    let mut events = Story::tell(&plot);
    events.retain(|event| {
        !matches!(
            event.kind,
            EventKind::OvsdbUp
                | EventKind::OvsdbSnapshot
                | EventKind::BridgeRow { .. }
                | EventKind::PortRow { .. }
                | EventKind::InterfaceRow { .. }
                | EventKind::OpenVswitchRow { .. }
        )
    });
    let error = "hangs".to_owned();
    events.push(ev(2, EventKind::OvsdbDown { error }));
    let report = told(events);
    does_not_pass(&report);
    assert!(has_finding(&report, "source_down"));
}

#[test]
fn t09_the_flag_may_be_written_in_capitals() {
    let plain = told(Story::tell(&Plot::default()));
    for word in ["True", "TRUE"] {
        let mut events = Story::tell(&Plot::default());
        for event in &mut events {
            if let EventKind::OpenVswitchRow {
                flow_restore_wait: Some(value),
                ..
            } = &mut event.kind
            {
                *value = word.to_owned();
            }
        }
        assert_eq!(told(events), plain);
    }
    assert_eq!(causes(only(&plain)), [Some(Cause::FlagBeforeFlows); 3]);
}

#[test]
fn t10_hits_that_were_skipped_hours_away_weaken_nothing() {
    let mut events = endless(delayed(&healthy(), 10 * HOUR));
    for at in [HOUR, 20 * HOUR] {
        let hook = "ovs_execute_actions".to_owned();
        events.push(ev(at, EventKind::HitsSkipped { hook, count: 1 }));
    }
    events.push(ev(21 * HOUR, EventKind::CaptureEnded));
    passes(&told(events));
}

#[test]
fn t17_nor_does_an_event_that_came_late() {
    let events = delayed(&healthy(), 10 * HOUR);
    let (before, after): (Vec<Event>, Vec<Event>) = events.into_iter().partition(|event| event.at < ms(HOUR));
    let late = [HOUR, HOUR + 700, HOUR + 1400, HOUR + 100].map(|at| ev(at, EventKind::Tick));
    let mut judge = Judge::new(Header {
        ovsgap_log: 1,
        ..Header::default()
    });
    for (seq, event) in (0..).zip(before.into_iter().chain(late).chain(after)) {
        judge.push(Entry { seq, event });
    }
    let report = judge.finish(None);
    passes(&report);
    assert!(has_finding(&report, "late_events"));
}

#[test]
fn t12_a_restart_whose_packets_were_not_followed_does_not_pass() {
    let mut events = endless(Story::tell(&healthy()));
    events.push(ev(7000, EventKind::Evidence { armed: false }));
    let unseen = |event: &Event| !matches!(event.kind, EventKind::Packets(_));
    events.extend(again(&healthy(), HOUR).filter(unseen));
    let report = told(events);
    assert_eq!(report.disruptions.len(), 2);
    assert_eq!(report.disruptions[0].verdict, Verdict::Pass);
    assert!(has_finding(&report, "evidence_off"));
    does_not_pass(&report);
}

#[test]
fn t16_a_stranger_that_flushes_while_the_flag_is_set_begins_no_restart() {
    let mut events = Story::tell(&Plot::default());
    events.push(ev(
        1500,
        EventKind::FlowFlush {
            dp: DP,
            tgid: STRANGER,
        },
    ));
    let report = told(events);
    fails(&report);
    let restart = only(&report);
    assert_eq!(restart.milestones.flush_ns, Some(ms(2000)));
    assert_eq!(causes(restart), [Some(Cause::FlagBeforeFlows); 3]);
    assert_eq!(restart.summary.lost_packets, 3 * 320);
    assert!(has_finding(&report, "foreign_flush"));
}

#[test]
fn t19_handlers_that_are_down_after_a_restart_do_not_pass() {
    let mut events = Story::tell(&idle(&healthy()));
    for (first, last) in [(3000, 3100), (3200, 4600), (4700, 6000)] {
        let upcalls = Upcalls {
            dp: DP,
            port_no: port(1),
            command: UpcallCommand::Miss,
            result: -107,
            count: 100,
            first: ms(first),
            last: ms(last),
        };
        events.push(ev(last + 1, EventKind::Upcalls(upcalls)));
    }
    let report = told(events);
    does_not_pass(&report);
    let conditions: Vec<Cause> = report
        .conditions
        .iter()
        .map(|condition| condition.cause)
        .collect();
    assert_eq!(conditions, [Cause::HandlersDown]);
}

#[test]
fn t20_what_a_policy_drops_is_no_loss_even_without_a_monitor() {
    let plot = Plot {
        monitored: false,
        ..healthy()
    };
    let mut events = Story::tell(&plot);
    for pod in 1..=3_u16 {
        let key = FlowKey {
            in_port: port(pod),
            eth_type: 0x0800,
            ip_dst: Some(ELSEWHERE.into()),
            proto: 6,
            ..FlowKey::default()
        };
        let drop = EventKind::FlowInsert {
            dp: DP,
            tgid: NEW,
            ufid: Ufid([100 + u8::try_from(pod).unwrap_or(0); 16]),
            key,
            actions: Actions::default(),
        };
        events.push(ev(2300, drop));
        events.push(run(pod, ELSEWHERE.into(), PacketFate::DropFlow, 2301, 2310));
    }
    let report = told(events);
    passes(&report);
    assert_eq!(report.steady_drops.len(), 3);
}

#[test]
fn t25_another_ovs_vswitchd_on_the_same_kernel_changes_nothing() {
    let alone = told(Story::tell(&Plot::default()));
    let mut events = Story::tell(&Plot::default());
    let other = Process {
        pid: Pid(900),
        parent: Pid(1),
        comm: "ovs-vswitchd".to_owned(),
    };
    events.push(ev(1, EventKind::ProcessSeen(other)));
    let both = told(events);
    assert_eq!(both.disruptions, alone.disruptions);
    assert_eq!(only(&both).milestones.vswitchd_exit_ns, Some(ms(1000)));
}
