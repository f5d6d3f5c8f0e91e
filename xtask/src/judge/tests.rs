//! One good outcome passes; each fault in it fails the check that is about it.
//!
//! May not know: nodes.

use super::*;
use crate::report::{Exposed, Loss, Observed, Reconciliation, Report};
use crate::scenario::{DEMO, Notes};
use crate::truth::{Arrival, LostRun, Stream, Truth};

/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;

fn step(name: &str, pod: Option<&str>, started_ns: u64, ended_ns: u64) -> Step {
    Step {
        name: name.into(),
        pod: pod.map(str::to_owned),
        started_ns,
        ended_ns,
    }
}

fn stream(lost: Vec<LostRun>) -> Stream {
    let (src, dst) = ("pod-1".to_owned(), "pod-1".to_owned());
    let (protocol, family) = ("udp".to_owned(), "ipv4".to_owned());
    let (sent, received) = (10, 8);
    Stream {
        src,
        dst,
        protocol,
        family,
        port: 7000,
        rate_hz: 1,
        flows: true,
        sent,
        received,
        max_latency_ns: 1,
        lost,
    }
}

/// 300 ms to 410 ms: what the prober saw of one Pod.
fn lost() -> LostRun {
    let arrival = |at| {
        Some(Arrival {
            sent_ns: at - 1,
            received_ns: at,
        })
    };
    LostRun {
        first: 3,
        count: 2,
        first_lost_sent_ns: 310 * MS,
        last_lost_sent_ns: 405 * MS,
        last_received_before: arrival(300 * MS),
        first_received_after: arrival(410 * MS),
        first_prompt_after: arrival(410 * MS),
    }
}

/// What the report says of both directions: the prober's one stream is from the Pod to itself.
fn seen() -> Loss {
    Loss {
        lost_packets: 2,
        min_ns: Some(95 * MS),
        max_ns: Some(110 * MS),
        ..Loss::default()
    }
}

/// The report of a restart whose window ends at `end_ns`.
fn report(end_ns: u64) -> Report {
    let milestones = [
        ("vswitchd_exit_ns", 101),
        ("vswitchd_start_ns", 151),
        ("flag_removed_ns", 300),
        ("flush_ns", 305),
    ];
    let pod = Pod {
        namespace: Some("default".into()),
        name: "pod-1".into(),
        flows_installed_ns: Some(400 * MS),
        exposed: Some(Exposed {
            start_ns: 305 * MS,
            end_ns: Some(end_ns),
            ended_by: Some("converged".into()),
        }),
        cause: Some("flag_before_flows".into()),
        observed: Observed {
            to_pod: Some(seen()),
            from_pod: Some(seen()),
        },
        ..Pod::default()
    };
    let restart = Restart {
        kind: "graceful".into(),
        milestones: milestones
            .map(|(name, at)| (name.to_owned(), Some(at * MS)))
            .into(),
        pods: vec![pod],
    };
    let mut report = Report {
        restarts: vec![restart],
        ..Report::default()
    };
    report.capture.reconciliation = vec![Reconciliation {
        agrees: true,
        ..Reconciliation::default()
    }];
    report
}

/// One Pod whose flows came at 400 ms and whose traffic flowed again at 410 ms.
fn outcome(end_ns: u64) -> Outcome {
    Outcome {
        scenario: DEMO,
        truth: Truth {
            streams: vec![stream(vec![lost()])],
            ..Truth::default()
        },
        steps: vec![
            step("vswitchd_exit", None, 100 * MS, 110 * MS),
            step("vswitchd_start", None, 150 * MS, 160 * MS),
            step("flag_removed", None, 299 * MS, 301 * MS),
            step("flows_installed", Some("pod-1"), 398 * MS, 401 * MS),
        ],
        notes: Notes {
            deaf_starts: 0,
            record: Some(0),
        },
        report: report(end_ns),
        live: "the report".into(),
        replayed: "the report".into(),
        log: String::new(),
    }
}

fn failures(outcome: &Outcome) -> Vec<String> {
    judge(outcome)
        .into_iter()
        .filter(|check| check.result.is_err())
        .map(|check| check.name)
        .collect()
}

#[test]
fn a_good_report_passes_every_check() {
    let outcome = outcome(409_000_000);
    assert_eq!(failures(&outcome), Vec::<String>::new());
    assert!(judge(&outcome).len() >= 10);
}

#[test]
fn each_fault_fails_its_own_check() {
    assert_eq!(
        failures(&outcome(430_000_000)),
        ["bug-300: pod-1's window ends when traffic flows again"]
    );
    let mut early = outcome(409_000_000);
    early.report.restarts[0]
        .milestones
        .insert("vswitchd_exit_ns".into(), Some(1));
    assert_eq!(failures(&early), ["bug-300: vswitchd_exit is right"]);
    let mut blind = outcome(409_000_000);
    blind.report.restarts[0].pods.clear();
    assert_eq!(failures(&blind), ["bug-300: pod-1 is in the report"]);
    let mut few = outcome(409_000_000);
    few.report.restarts[0].pods[0].observed.to_pod = Some(Loss {
        lost_packets: 1,
        ..seen()
    });
    assert_eq!(failures(&few), ["bug-300: all lost packets are counted to pod-1"]);
    let mut wide = outcome(409_000_000);
    wide.report.restarts[0].pods[0].observed.from_pod = Some(Loss {
        max_ns: Some(80 * MS),
        ..seen()
    });
    assert_eq!(
        failures(&wide),
        ["bug-300: the bounds hold the longest hole from pod-1"]
    );
    let mut other = outcome(409_000_000);
    other.replayed = "another".into();
    other.report.capture.reconciliation.clear();
    assert_eq!(failures(&other).len(), 2);
    let mut nothing = outcome(409_000_000);
    nothing.report.restarts.clear();
    assert_eq!(failures(&nothing), ["bug-300: a restart is reported"]);
}
