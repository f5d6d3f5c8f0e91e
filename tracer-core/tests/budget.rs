//! What budgets make of whole stories: proven, exceeded, undecided; and what would have remained had the flag waited.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[allow(dead_code, reason = "not every test tells every story")]
mod story;

use story::{Plot, Story, ms};
use tracer_core::budget::{Budget, Judgement, Limit, Limits, Subject, judge};
use tracer_core::event::{Event, EventKind, Hook};
use tracer_core::id::PortNo;
use tracer_core::judge::judge as report;
use tracer_core::log::Header;
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};
use tracer_core::report::Counterfactual;
use tracer_core::report::{Report, Verdict};
use tracer_core::time::MILLISECOND;

fn header() -> Header {
    Header {
        ovsgap_log: 1,
        ..Header::default()
    }
}

fn told(plot: &Plot) -> Report {
    report(header(), Story::tell(plot))
}

/// The story with something added that a source said.
fn told_with(plot: &Plot, at: u64, kind: EventKind) -> Report {
    let mut events = Story::tell(plot);
    events.push(Event { at: ms(at), kind });
    events.sort_by_key(|event| event.at);
    report(header(), events)
}

fn fixed() -> Plot {
    Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    }
}

fn window(most: u64) -> Budget {
    Budget {
        every: Limits {
            window: Limit::AtMost(most * MILLISECOND),
            ..Limits::default()
        },
        ..Budget::default()
    }
}

fn starved() -> EventKind {
    EventKind::RecordsLost {
        hook: "ovs_flow_tbl_insert".into(),
        count: 3,
        why: None,
    }
}

fn unattached() -> EventKind {
    EventKind::Hook(Hook {
        name: "ovs_flow_tbl_insert".into(),
        attach: "kretprobe".into(),
        ok: false,
        error: "no such function".into(),
        offsets: None,
    })
}

#[track_caller]
fn all(judgement: &Judgement, verdict: Verdict) {
    assert_eq!(judgement.verdict, verdict, "{judgement:#?}");
    assert_eq!(judgement.cases.len(), 3);
    assert!(
        judgement.cases.iter().all(|case| case.verdict == verdict),
        "{judgement:#?}"
    );
}

#[test]
fn a_lower_bound_proves_and_an_upper_bound_excludes() {
    // 320 ms exposed; the gap of packets 1 ms apart is 319 ms at least and 321 ms at most.
    let bug = told(&Plot::default());
    all(&judge(&bug, &window(50)), Verdict::Fail);
    all(&judge(&bug, &window(319)), Verdict::Fail);
    all(&judge(&bug, &window(320)), Verdict::Inconclusive);
    all(&judge(&bug, &window(321)), Verdict::Pass);
    let judgement = judge(&bug, &window(50));
    let breach = &judgement.cases[0].breaches[0];
    assert_eq!(
        (breach.subject, breach.limit),
        (Subject::Window, 50 * MILLISECOND)
    );
    assert_eq!(
        (breach.bounds.at_least, breach.bounds.at_most),
        (320 * MILLISECOND, Some(321 * MILLISECOND))
    );
    all(&judge(&told(&fixed()), &window(50)), Verdict::Pass);
    all(&judge(&told(&fixed()), &Budget::nothing()), Verdict::Pass);
}

#[test]
fn what_was_not_seen_keeps_a_good_restart_from_passing() {
    for unseen in [starved(), unattached()] {
        // Where traffic went on without a loss, its packets prove it.
        all(
            &judge(&told_with(&fixed(), 2050, unseen.clone()), &window(50)),
            Verdict::Pass,
        );
        let idle = Plot {
            traffic: false,
            ..fixed()
        };
        let judgement = judge(&told_with(&idle, 2050, unseen), &window(50));
        all(&judgement, Verdict::Inconclusive);
        assert!(judgement.cases.iter().all(|case| !case.why.is_empty()));
    }
}

#[test]
fn what_the_evidence_proves_fails_whatever_was_not_seen() {
    // Without a hook on megaflows the packets still prove the gap.
    let bug = told_with(&Plot::default(), 2050, unattached());
    all(&judge(&bug, &window(50)), Verdict::Fail);
    // Between its bounds it is not decided.
    all(&judge(&bug, &window(320)), Verdict::Inconclusive);
    // A lost record may have been a delivery in the middle of a gap; but megaflows dropped all the time, and what was counted
    // as lost was lost.
    let starved = told_with(
        &Plot::default(),
        2050,
        EventKind::PacketsLost {
            runs: 1,
            key: None,
            why: None,
        },
    );
    all(&judge(&starved, &window(50)), Verdict::Fail);
    let lost = Budget {
        every: Limits {
            lost: Limit::AtMost(100),
            ..Limits::default()
        },
        ..Budget::default()
    };
    all(&judge(&starved, &lost), Verdict::Fail);
}

#[test]
fn nothing_that_restarted_is_nothing_that_passed() {
    let quiet: Vec<Event> = Story::tell(&fixed())
        .into_iter()
        .filter(|event| event.at < ms(500) || event.kind == EventKind::CaptureEnded)
        .collect();
    let judgement = judge(&report(header(), quiet), &window(50));
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert!(
        judgement.obstacles[0].detail.contains("No disruption was seen"),
        "{judgement:#?}"
    );
}

#[test]
fn packets_that_nobody_followed_are_not_counted_as_none() {
    let plot = Plot {
        traffic: false,
        monitored: false,
        followed: false,
        ..fixed()
    };
    // What goes through userspace is seen all the same.
    let queued = EventKind::Packets(Run {
        key: TrafficKey {
            dp: story::DP,
            in_port: PortNo(11),
            eth_type: 0x800,
            dst: Destination::Ip([10, 0, 0, 2].into()),
            proto: 17,
            port: 7000,
        },
        fate: PacketFate::Queued,
        executed: false,
        cpu: 0,
        first: ms(1500),
        last: ms(1500),
        packets: 1,
        bytes: 64,
        closed: true,
    });
    let judgement = judge(&told_with(&plot, 1500, queued), &Budget::nothing());
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert!(
        judgement.cases[0].why[0].contains("not followed"),
        "{judgement:#?}"
    );
    let monitored = Plot {
        monitored: true,
        followed: true,
        ..plot
    };
    all(&judge(&told(&monitored), &Budget::nothing()), Verdict::Pass);
}

#[test]
fn a_window_that_never_ends_is_over_any_budget() {
    let never = Plot {
        flows_after_flush: None,
        ..Plot::default()
    };
    all(&judge(&told(&never), &window(50)), Verdict::Fail);
    let silent = Plot {
        traffic: false,
        ..never
    };
    let report = told_with(&silent, 1000, EventKind::Evidence { armed: true });
    let judgement = judge(&report, &window(50));
    all(&judgement, Verdict::Fail);
    // From the flush at 2 s to the last but one sign of life of the monitor, before the capture's end at 8 s.
    assert_eq!(judgement.cases[0].window.at_least, 4_507 * MILLISECOND);
    assert_eq!(judgement.cases[0].window.at_most, None);
}

#[test]
fn scopes_and_counts_of_pods() {
    let bug = told(&Plot::default());
    let mut budget = window(50);
    let loose = Limits {
        window: Limit::Unlimited,
        ..Limits::default()
    };
    budget.pods.insert("default/web-2".into(), loose);
    let judgement = judge(&bug, &budget);
    let verdicts: Vec<Verdict> = judgement.cases.iter().map(|case| case.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fail, Verdict::Pass, Verdict::Fail]);
    budget.namespaces.insert("default".into(), loose);
    all(&judge(&bug, &budget), Verdict::Pass);
    budget.affected = Limit::AtMost(2);
    let judgement = judge(&bug, &budget);
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert_eq!(
        judgement.obstacles[0].detail,
        "3 of 3 Pods affected, at most 2 may be"
    );
    budget.affected = Limit::AtMost(3);
    assert_eq!(judge(&bug, &budget).verdict, Verdict::Pass);
}

#[test]
fn had_the_flag_waited_only_what_lies_after_the_last_flows_could_remain() {
    let restart = &told(&Plot::default()).disruptions[0];
    assert_eq!(
        restart.counterfactual,
        Some(Counterfactual {
            flush_ns: Some(ms(2300)),
            later_ns: Some(300 * MILLISECOND),
            max_remaining_ns: Some(20 * MILLISECOND),
        })
    );
    for pod in &restart.pods {
        let remainder = pod.counterfactual.as_ref().unwrap();
        assert_eq!(remainder.avoided_ns, 300 * MILLISECOND);
        assert_eq!(remainder.max_remaining_ns, Some(20 * MILLISECOND));
        let lost = remainder.lost.as_ref().unwrap();
        // One hole in each direction, and both go on until the drop megaflow becomes an output.
        assert_eq!((lost.before, lost.across, lost.after), (0, 640, 0));
        assert!(lost.until_after_ns.is_some_and(|after| after < 20 * MILLISECOND));
    }
    assert_eq!(told(&fixed()).disruptions[0].counterfactual, None);
    let unmonitored = Plot {
        monitored: false,
        ..Plot::default()
    };
    assert_eq!(
        told(&unmonitored).disruptions[0].counterfactual,
        None,
        "no evidence of flows"
    );
}
