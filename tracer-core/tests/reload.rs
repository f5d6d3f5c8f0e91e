//! What the judge makes of a module that is unloaded and loaded again, whether its hooks are back in time or not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod story;

use story::{DP, Plot, Story, ms};
use tracer_core::event::{Event, EventKind, Reconfiguration};
use tracer_core::id::{DpIfindex, Pid, PortNo};
use tracer_core::judge::judge;
use tracer_core::log::Header;
use tracer_core::report::{Cause, EndedBy, Kind, Report, Verdict};
use tracer_core::time::{MILLISECOND, Timestamp};

const ANEW: DpIfindex = DpIfindex(9);
/// When the datapath is told to go, and when it is made anew.
const GONE: u64 = 1200;
const MADE: u64 = 1400;

/// A recorder is told by netlink that ports and datapath are gone before the command that took them returns.
#[test]
fn the_datapath_is_gone_since_its_end_was_asked_for_whoever_tells_first() {
    let netlink_first = |mut event: Event| {
        if matches!(event.kind, EventKind::DatapathGone { .. }) {
            event.at = ms(GONE + 20);
        }
        event
    };
    for change in [|event| event, netlink_first] {
        let report = reloaded_with(1500, change);
        let starts: Vec<Option<Timestamp>> = report.disruptions[0]
            .pods
            .iter()
            .filter(|pod| pod.namespace.is_some())
            .map(|pod| pod.exposed.as_ref().map(|exposed| exposed.start_ns))
            .collect();
        assert_eq!(starts, [Some(ms(GONE)); 3]);
    }
}

/// The hooks are back at `hooked`; the flush is at 2000, the Pods' flows are restored before it.
fn reloaded(hooked: u64) -> Report {
    reloaded_with(hooked, |event| event)
}

/// The same with other times.
fn reloaded_with(hooked: u64, change: impl Fn(Event) -> Event) -> Report {
    let plot = Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    };
    let mut events: Vec<Event> = Story::tell(&plot)
        .into_iter()
        .filter_map(|event| in_two_datapaths(event, ms(hooked)))
        .collect();
    events.extend(reload(hooked, plot.pods).into_iter().map(change));
    events.sort_by_key(|event| event.at);
    let header = Header {
        ovsgap_log: 1,
        ..Header::default()
    };
    judge(header, events)
}

fn reload(hooked: u64, pods: u16) -> Vec<Event> {
    let ebpf = |ok: bool| EventKind::Source {
        name: "ebpf".into(),
        ok,
        detail: "not loaded".into(),
    };
    let mut kinds = vec![
        (1, ebpf(true)),
        (
            GONE + 30,
            EventKind::Reconfigured {
                dp: DP,
                tgid: Pid(77),
                what: Reconfiguration::DatapathDel,
                name: None,
                port_no: None,
                entered: Some(ms(GONE)),
            },
        ),
        (GONE + 40, EventKind::DatapathGone { dp: DP }),
        (GONE + 100, ebpf(false)),
        (
            MADE,
            EventKind::Datapath {
                dp: ANEW,
                name: "ovs-system".into(),
            },
        ),
        (hooked, ebpf(true)),
    ];
    kinds.extend((1..=pods).map(|pod| {
        let vport = EventKind::Vport {
            dp: ANEW,
            port_no: PortNo(u32::from(pod) + 10),
            name: story::device(pod),
            ifindex: None,
            kind: 1,
        };
        (MADE, vport)
    }));
    let events = kinds.into_iter();
    events.map(|(at, kind)| Event { at: ms(at), kind }).collect()
}

/// Before the reload in the old datapath, after it in the new one, and only what hooks saw.
fn in_two_datapaths(mut event: Event, hooked: Timestamp) -> Option<Event> {
    let unseen = event.at >= ms(GONE) && event.at < hooked;
    match &mut event.kind {
        EventKind::Packets(run) if run.first < ms(GONE) => {
            (run.last, run.packets) = (ms(GONE - 1), 200);
            event.at = ms(GONE);
            return Some(event);
        }
        EventKind::Packets(run) => {
            run.key.dp = ANEW;
            if run.last < hooked {
                return None;
            }
            run.first = run.first.max(hooked);
            return Some(event);
        }
        EventKind::FlowFlush { dp, .. }
        | EventKind::DpChange { dp, .. }
        | EventKind::FlowInsert { dp, .. } => {
            if event.at >= ms(GONE) {
                *dp = ANEW;
            }
            if unseen {
                return None;
            }
        }
        _ => {}
    }
    Some(event)
}

#[track_caller]
fn check(report: &Report, duration: u64, ended_by: EndedBy) {
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(report.disruptions.len(), 1, "{report:#?}");
    let restart = &report.disruptions[0];
    assert_eq!(restart.kind, Kind::ModuleReload);
    assert_eq!(restart.began_ns, ms(1000));
    assert_eq!(restart.pods.len(), 3);
    for pod in &restart.pods {
        let exposed = pod.exposed.as_ref().unwrap();
        assert_eq!(pod.cause, Some(Cause::ModuleReload), "{}", pod.name);
        assert_eq!(exposed.start_ns, ms(GONE));
        assert_eq!(exposed.duration_ns, Some(duration * MILLISECOND));
        assert_eq!(exposed.ended_by, Some(ended_by));
    }
    let mut unseen = report.coverage.iter().filter(|one| one.kind == "datapath_gone");
    let unseen = unseen.next().unwrap();
    assert_eq!((unseen.from_ns, unseen.to_ns), (Some(ms(GONE)), Some(ms(MADE))));
    assert!(unseen.weakens);
}

#[test]
fn hooks_that_are_back_in_time_see_the_flush_that_ends_it() {
    let report = reloaded(1500);
    assert_eq!(report.disruptions[0].milestones.flush_ns, Some(ms(2000)));
    check(&report, 2000 - GONE, EndedBy::FlowsBeforeFlush);
}

#[test]
fn hooks_that_are_back_late_see_the_first_packet_that_is_forwarded() {
    let report = reloaded(3000);
    assert_eq!(report.disruptions[0].milestones.flush_ns, None);
    check(&report, 3000 - GONE, EndedBy::Delivered);
}

#[test]
fn hooks_that_do_not_come_back_leave_it_open() {
    let report = reloaded(100_000);
    assert_eq!(report.disruptions[0].kind, Kind::ModuleReload);
    for pod in &report.disruptions[0].pods {
        assert_eq!(pod.cause, Some(Cause::ModuleReload), "{}", pod.name);
        assert_eq!(pod.exposed.as_ref().unwrap().end_ns, None);
    }
    assert_ne!(report.verdict, Verdict::Pass);
}

#[test]
fn a_module_that_was_not_loaded_yet_is_no_reload() {
    let mut events = Story::tell(&Plot::default());
    let not_yet = EventKind::Source {
        name: "ebpf".into(),
        ok: false,
        detail: "not loaded".into(),
    };
    events.insert(
        0,
        Event {
            at: ms(0),
            kind: not_yet,
        },
    );
    let header = Header {
        ovsgap_log: 1,
        ..Header::default()
    };
    let report = judge(header, events);
    assert_eq!(report.disruptions.len(), 1);
    assert_eq!(report.disruptions[0].kind, Kind::Graceful);
}
