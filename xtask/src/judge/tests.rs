//! One good outcome passes; each fault in it fails the check that is about it.
//!
//! Must not depend on: nodes.

use lab::words::packets::Packets;
use lab::words::report::{Exposed, KeyLoss, Loss, Observed, Pod, Reconciliation, Report};
use lab::words::scenario::{DEMO, Notes, Scenario};
use lab::words::step::Step;
use lab::words::truth::{Key, POLICY_DROPS, Stream, Truth, lost_runs};

use super::*;

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

/// A packet each 5 ms from 290 ms to 500 ms, of which those from 310 ms to 405 ms were lost.
fn packets() -> Packets {
    let sent: Vec<u64> = (58..100).map(|at| at * 5 * MS).collect();
    let lost = |at: &u64| (310 * MS..=405 * MS).contains(at);
    Packets {
        received: sent.iter().map(|at| (!lost(at)).then_some(at + 20_000)).collect(),
        done: sent.iter().map(|at| at + 10_000).collect(),
        sent,
    }
}

fn key() -> Key {
    Key {
        interface: "veth1".into(),
        eth_type: 0x800,
        dst: "10.0.0.2".into(),
        proto: 17,
        port: 7000,
    }
}

/// The prober's one stream is from the Pod to itself.
fn stream() -> Stream {
    let packets = packets();
    Stream {
        src: "pod-1".into(),
        dst: "pod-1".into(),
        protocol: "udp".into(),
        family: "ipv4".into(),
        port: 7000,
        key: key(),
        rate_hz: 200,
        flows: true,
        sent: packets.sent.len() as u64,
        received: packets.count(),
        max_latency_ns: packets.max_latency(),
        lost: lost_runs(&packets),
    }
}

/// What the report says of each direction.
fn seen() -> Loss {
    let at = |at: u64| at * MS + 5000;
    Loss {
        lost_packets: 20,
        min_ns: Some(95 * MS),
        max_ns: Some(105 * MS),
        keys: vec![KeyLoss {
            key: key(),
            lost_packets: 20,
            last_delivered_before_ns: Some(at(305)),
            first_lost_ns: at(310),
            last_lost_ns: at(405),
            first_delivered_after_ns: Some(at(410)),
        }],
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
        proof: None,
        namespace: Some("default".into()),
        name: "pod-1".into(),
        flows_installed_ns: Some(400 * MS),
        exposed: Some(Exposed {
            start_ns: 305 * MS,
            end_ns: Some(end_ns),
            ended_by: Some("converged".into()),
        }),
        cause: Some("flag_before_flows".into()),
        verdict: "fail".into(),
        observed: Observed {
            to_pod: Some(seen()),
            from_pod: Some(seen()),
        },
    };
    let restart = Disruption {
        unattributed: Vec::new(),
        kind: "graceful".into(),
        milestones: milestones
            .map(|(name, at)| (name.to_owned(), Some(at * MS)))
            .into(),
        pods: vec![pod],
    };
    let mut report = Report {
        disruptions: vec![restart],
        verdict: "fail".into(),
        ..Report::default()
    };
    report.capture.ended_ns = 5000 * MS;
    report.capture.reconciliation = vec![Reconciliation {
        agrees: true,
        ..Reconciliation::default()
    }];
    report
}

/// The demo's restart of a node with one Pod.
const ALONE: Scenario = Scenario {
    golden: "verdict: fail\nrestart: graceful\n  pod-1: fail, window, flag_before_flows\n",
    ..*DEMO
};

/// One Pod whose flows came at 400 ms and whose traffic flowed again at 410 ms.
fn outcome(end_ns: u64) -> Outcome {
    Outcome {
        scenario: &ALONE,
        truth: Truth {
            streams: vec![stream()],
            ..Truth::default()
        },
        packets: vec![packets()],
        steps: vec![
            step("vswitchd_exit", None, 100 * MS, 110 * MS),
            step("vswitchd_start", None, 150 * MS, 160 * MS),
            step("flag_removed", None, 299 * MS, 301 * MS),
            step("flows_installed", Some("pod-1"), 398 * MS, 401 * MS),
        ],
        notes: Notes {
            deaf_starts: 0,
            record: Some(0),
            ..Notes::default()
        },
        report: report(end_ns),
        early: None,
        until: 5000 * MS,
        sent: Vec::new(),
        live: "the report".into(),
        replayed: "the report".into(),
        log: String::new(),
        dispatch: crate::outcome::Dispatch::default(),
    }
}

fn failures(outcome: &Outcome) -> Vec<String> {
    judge(outcome)
        .into_iter()
        .filter(|check| check.result.is_err())
        .map(|check| check.name)
        .collect()
}

fn weakened_by(kind: &str) -> Outcome {
    let mut outcome = outcome(409_000_000);
    outcome.report.coverage.push(lab::words::report::Finding {
        kind: kind.into(),
        weakens: true,
        ..lab::words::report::Finding::default()
    });
    outcome
}

#[test]
fn a_finding_that_nothing_explains_fails_and_one_by_load_is_in_the_matrix() {
    let told = "bug-300: what could not be seen is told, and nothing else";
    assert_eq!(failures(&weakened_by("hook_missing")), [told]);
    let mut skipped = weakened_by("hits_skipped");
    assert_eq!(failures(&skipped), Vec::<String>::new());
    let few = |outcome: &mut Outcome, lost: u64| {
        let observed = &mut outcome.report.disruptions[0].pods[0].observed;
        observed.to_pod.as_mut().unwrap().lost_packets = lost;
    };
    // Fewer may be told than were lost, and never more.
    few(&mut skipped, 19);
    assert_eq!(failures(&skipped), Vec::<String>::new());
    few(&mut skipped, 21);
    assert_eq!(failures(&skipped).len(), 1);
    few(&mut skipped, 20);
    skipped.report.disruptions[0].pods[0].verdict = "pass".into();
    let unproven = "bug-300: each Pod that passes names the evidence that it rests on";
    assert!(failures(&skipped).contains(&unproven.to_owned()));
    let rows = crate::matrix::rows(&[(
        crate::vm::distro::Distro::Forky,
        vec![weakened_by("hits_skipped")],
    )]);
    assert_eq!(rows[1], ["bug-300", "flag_before_flows 20 hits_skipped"]);
}

#[test]
fn a_packet_that_a_kernel_may_have_passed_over_without_telling_is_named_in_the_matrix() {
    let untold = |lost: u64| {
        let mut outcome = outcome(409_000_000);
        outcome.report.coverage.push(lab::words::report::Finding {
            kind: "skips_untold".into(),
            ..lab::words::report::Finding::default()
        });
        let observed = &mut outcome.report.disruptions[0].pods[0].observed;
        observed.to_pod.as_mut().unwrap().lost_packets = lost;
        outcome
    };
    let counted = "bug-300: all packets lost to pod-1 are counted".to_owned();
    assert!(!failures(&untold(19)).contains(&counted));
    assert!(failures(&untold(18)).contains(&counted));
    assert!(failures(&untold(21)).contains(&counted));
    // Where a kernel tells what it passed over, nothing is missing without a word.
    let mut told = untold(19);
    told.report.coverage.clear();
    assert!(failures(&told).contains(&counted));
    let rows = crate::matrix::rows(&[(crate::vm::distro::Distro::Bullseye, vec![untold(19)])]);
    assert_eq!(rows[1], ["bug-300", "flag_before_flows 20→19 skips_untold"]);
}

#[test]
fn what_was_forwarded_before_the_first_loss_is_not_forwarded_again() {
    let mut outcome = outcome(409_000_000);
    // The flows' installation began before the flush, and a packet of then arrived.
    let installed = outcome
        .steps
        .iter_mut()
        .find(|step| step.name == "flows_installed");
    installed.unwrap().started_ns = 302 * MS;
    assert_eq!(failures(&outcome), Vec::<String>::new());
}

#[test]
fn a_good_report_passes_every_check() {
    let outcome = outcome(409_000_000);
    assert_eq!(failures(&outcome), Vec::<String>::new());
    assert!(judge(&outcome).len() >= 10);
}

#[test]
fn on_a_node_of_many_pods_memory_is_bounded() {
    const MANY: Scenario = Scenario { pods: 500, ..ALONE };
    let held = |record_kib| {
        let mut outcome = outcome(409_000_000);
        outcome.scenario = &MANY;
        outcome.notes.record_kib = record_kib;
        failures(&outcome)
    };
    assert_eq!(held(32_767), Vec::<String>::new());
    let unbounded = ["bug-300: ovsgap record holds less than 32 MiB"];
    assert_eq!(held(32_768), unbounded);
    assert_eq!(held(0), unbounded);
}

#[test]
fn each_fault_fails_its_own_check() {
    for end in [300, 390, 600] {
        assert_eq!(
            failures(&outcome(end * MS)),
            ["bug-300: pod-1's window ends when traffic flows again"]
        );
    }
    let mut early = outcome(409_000_000);
    early.report.disruptions[0]
        .milestones
        .insert("vswitchd_exit_ns".into(), Some(1));
    assert_eq!(failures(&early), ["bug-300: vswitchd_exit is right"]);
    let mut blind = outcome(409_000_000);
    blind.report.disruptions[0].pods.clear();
    assert_eq!(
        failures(&blind),
        [
            "bug-300: the report says what it always says (lab/goldens)",
            "bug-300: pod-1 is in the report"
        ]
    );
    let mut few = outcome(409_000_000);
    few.report.disruptions[0].pods[0].observed.to_pod = Some(Loss {
        lost_packets: 19,
        ..seen()
    });
    assert_eq!(failures(&few), ["bug-300: all packets lost to pod-1 are counted"]);
    let mut late = outcome(409_000_000);
    let from = late.report.disruptions[0].pods[0]
        .observed
        .from_pod
        .as_mut()
        .unwrap();
    from.keys[0].first_lost_ns += 5 * MS;
    assert_eq!(
        failures(&late),
        ["bug-300: each traffic lost from pod-1 is told to the packet"]
    );
    let mut policy = outcome(409_000_000);
    policy.truth.streams[0].port = POLICY_DROPS;
    assert_eq!(
        failures(&policy),
        ["bug-300: what a policy drops is a steady drop and no loss"]
    );
    let mut other = outcome(409_000_000);
    other.replayed = "another".into();
    other.report.capture.reconciliation.clear();
    assert_eq!(failures(&other).len(), 2);
    let mut nothing = outcome(409_000_000);
    nothing.report.disruptions.clear();
    assert_eq!(
        failures(&nothing),
        [
            "bug-300: the report says what it always says (lab/goldens)",
            "bug-300: each restart is reported"
        ]
    );
}
