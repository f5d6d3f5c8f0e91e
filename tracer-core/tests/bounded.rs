//! Whatever a node does, a report stays as long as people can read.
//!
//! Must not depend on: what a single disruption costs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod story;
mod told;

use story::{DP, ms};
use told::{NEW, OLD, calm, does_not_pass, ev, healthy, idle, only, passes, told};
use tracer_core::event::{Event, EventKind, Process};
use tracer_core::id::{DpIfindex, Pid};
use tracer_core::report::{DISRUPTIONS, Kind, Report, Verdict};

/// So many flushes, twenty seconds apart, on a node without traffic.
fn flushed(times: u64) -> Report {
    let end = 30_000 + 20_000 * times;
    let mut events = calm(&idle(&healthy()), end);
    let flush = |turn: u64| ev(10_000 + 20_000 * turn, EventKind::FlowFlush { dp: DP, tgid: OLD });
    events.extend((0..times).map(flush));
    told(events)
}

#[test]
fn the_oldest_of_many_disruptions_are_counted_and_no_longer_listed() {
    let one = flushed(1);
    passes(&one);
    assert_eq!(only(&one).kind, Kind::FlushOnly);
    let many = flushed(100);
    let listed = many.disruptions.len();
    assert!(listed <= DISRUPTIONS + 1, "{listed}");
    assert_eq!(listed + usize::try_from(many.omitted).unwrap(), 100);
    assert_eq!(many.verdict, Verdict::Pass);
    let ids: Vec<u32> = many.disruptions.iter().map(|one| one.id).collect();
    assert_eq!(ids.last(), Some(&100));
    assert!(ids.is_sorted());
    // Of one long ago only Pods are kept that did not pass.
    assert!(many.disruptions[0].pods.is_empty());
    assert_eq!(many.disruptions[0].summary.pods, 3);
}

#[test]
fn a_thousand_datapaths_that_are_flushed_at_once_are_counted_and_not_all_listed() {
    let mut events: Vec<Event> = calm(&idle(&healthy()), 60_000);
    for number in 0..1000_u32 {
        let dp = DpIfindex(100 + number);
        let name = format!("dp{number}");
        events.push(ev(5_000, EventKind::Datapath { dp, name }));
        events.push(ev(
            6_000 + u64::from(number),
            EventKind::FlowFlush { dp, tgid: OLD },
        ));
    }
    let early: Vec<Event> = events
        .iter()
        .filter(|event| event.at < ms(9_000))
        .cloned()
        .collect();
    // Until they are settled it is not known of those that are not listed. None of them has a Pod.
    does_not_pass(&told(early.clone()));
    passes(&told(events.clone()));
    for events in [early, events] {
        let report = told(events);
        let listed = report.disruptions.len();
        assert!(listed <= DISRUPTIONS + 1, "{listed}");
        assert_eq!(listed + usize::try_from(report.omitted).unwrap(), 1000);
    }
}

fn process(pid: Pid) -> Process {
    Process {
        pid,
        parent: Pid(1),
        comm: "ovs-vswitchd".into(),
    }
}

#[test]
fn two_that_command_one_datapath_are_one_disruption() {
    let mut events: Vec<Event> = calm(&idle(&healthy()), 60_000);
    events.push(ev(5_000, EventKind::ProcessExec(process(NEW))));
    for turn in 0..400 {
        let tgid = if turn % 2 == 0 { OLD } else { NEW };
        let at = 6_000 + turn * 100;
        events.push(ev(
            at,
            EventKind::DpChange {
                dp: DP,
                tgid,
                pids: None,
            },
        ));
        events.push(ev(at + 1, EventKind::FlowFlush { dp: DP, tgid }));
    }
    let report = told(events);
    does_not_pass(&report);
    let contested: Vec<Kind> = report.disruptions.iter().map(|one| one.kind).collect();
    assert!(contested.len() <= 2, "{contested:?}");
    assert!(contested.contains(&Kind::DatapathTakenOver), "{contested:?}");
    assert!(serde_json::to_string(&report).unwrap().len() < 64 << 10);
}
