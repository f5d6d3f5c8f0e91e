//! Outages from public reports, as recorded on a node with the real daemons: what was lost is known from the Pods' own pings.
//!
//! Must not depend on: how the judge weighs. The first Pod pings the second, and the second the third; where the hooks were attached late, or
//! the capture ended before the pings did, what was lost then is not in the recording.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod recorded;
mod told;

#[allow(dead_code, reason = "the words for stories build on it")]
mod story;

use recorded::{Recording, verdict};
use told::{causes, has_finding, lost, only, pod};
use tracer_core::report::{Cause, Disruption, Kind, Reason, Report, Verdict};
use tracer_core::time::MILLISECOND;

#[track_caller]
fn case(name: &str) -> Report {
    let recording = Recording::read(&format!("tests/recordings/{name}.jsonl"));
    let report = recording.report();
    verdict(&report).unwrap_or_else(|disagreement| panic!("{}: {disagreement}", recording.name));
    report
}

/// Packets lost to each Pod and from it, as far as the hooks saw them.
#[track_caller]
fn losses(disruption: &Disruption) -> Vec<(&str, (u64, u64))> {
    let pods = disruption.pods.iter().filter(|pod| pod.namespace.is_some());
    pods.map(|pod| (pod.name.as_str(), lost(pod))).collect()
}

/// From when to when a Pod was dark, in ms from the disruption's first sign; `None`: still is.
#[track_caller]
fn dark(disruption: &Disruption, name: &str) -> (u64, Option<u64>) {
    let exposed = pod(disruption, name)
        .exposed
        .as_ref()
        .unwrap_or_else(|| panic!("{name} is not exposed"));
    let start = exposed.start_ns.since(disruption.began_ns) / MILLISECOND;
    (start, exposed.duration_ns.map(|duration| duration / MILLISECOND))
}

fn conditions(report: &Report) -> Vec<Cause> {
    report
        .conditions
        .iter()
        .map(|condition| condition.cause)
        .collect()
}

/// An upgrade that lays its tables out anew, in the right order: nothing is lost.
#[test]
fn an_upgrade_in_the_right_order_only_delays() {
    let report = case("upa");
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.why);
    let upgrade = only(&report);
    assert_eq!(upgrade.summary.lost_packets, 0);
    assert_eq!(causes(upgrade), [None; 3]);
    assert!(upgrade.pods.iter().any(|pod| pod.delayed.is_some()));
}

/// The same 300 ms after the flag: 22 and 23 are lost.
#[test]
fn an_upgrade_in_the_wrong_order_loses_what_the_flag_did_not_wait_for() {
    let report = case("upb");
    assert_eq!(report.verdict, Verdict::Fail);
    let upgrade = only(&report);
    assert_eq!(
        losses(upgrade),
        [("pod-1", (0, 22)), ("pod-2", (22, 23)), ("pod-3", (23, 0))]
    );
    assert_eq!(causes(upgrade), [Some(Cause::FlagBeforeFlows); 3]);
    for name in ["pod-1", "pod-2", "pod-3"] {
        let (_, duration) = dark(upgrade, name);
        assert!(
            duration.is_some_and(|duration| (340..=410).contains(&duration)),
            "{duration:?}"
        );
    }
}

/// `exit --cleanup`, and the flag stays: 889 and 886 are lost in all, those before the hooks were armed and after the capture included.
#[test]
fn a_flag_that_stays_after_a_cleanup_leaves_all_dark() {
    let report = case("stuckempty");
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(conditions(&report), [Cause::FlagStuck]);
    let stuck = only(&report);
    assert_eq!(causes(stuck), [Some(Cause::FlagStuck); 3]);
    for name in ["pod-1", "pod-2", "pod-3"] {
        assert_eq!(
            dark(stuck, name),
            (0, None),
            "{name}: since the cleanup, and still"
        );
    }
    assert_eq!(
        losses(stuck),
        [("pod-1", (0, 774)), ("pod-2", (774, 773)), ("pod-3", (773, 0))]
    );
    let loss = pod(stuck, "pod-1").observed.from_pod.as_ref();
    assert!(loss.is_some_and(|loss| loss.by_reason == [(Reason::NoHandler, 774)].into()));
}

/// The flag is `True`, as Python writes it, and stays: nothing is lost yet.
#[test]
fn a_flag_that_stays_without_a_cleanup_is_a_condition() {
    let report = case("stucktrue");
    assert_ne!(report.verdict, Verdict::Pass);
    assert_eq!(conditions(&report), [Cause::FlagStuck]);
    let stuck = only(&report);
    assert!(stuck.milestones.flag_set_ns.is_some() && stuck.milestones.flag_removed_ns.is_none());
    assert_eq!(stuck.summary.lost_packets, 0);
    assert_ne!(stuck.verdict, Verdict::Pass);
    assert_eq!(
        Some(report.conditions[0].since_ns),
        stuck.milestones.vswitchd_start_ns
    );
    assert_eq!(report.conditions[0].until_ns, None);
}

/// The Pods' own flows are there in time, those that all share are not: 36 and 36 are lost within some 570 ms.
#[test]
fn shared_flows_that_come_late_are_named() {
    let report = case("shared");
    assert_eq!(report.verdict, Verdict::Fail);
    let restart = only(&report);
    assert_eq!(
        losses(restart),
        [("pod-1", (0, 36)), ("pod-2", (36, 36)), ("pod-3", (36, 0))]
    );
    assert_eq!(causes(restart), [Some(Cause::SharedFlowsLate); 3]);
    let flush = restart.milestones.flush_ns;
    for name in ["pod-1", "pod-2", "pod-3"] {
        assert_eq!(
            pod(restart, name)
                .exposed
                .as_ref()
                .map(|exposed| exposed.start_ns),
            flush
        );
        let (_, duration) = dark(restart, name);
        assert!(
            duration.is_some_and(|duration| (540..=600).contains(&duration)),
            "{duration:?}"
        );
    }
}

/// Two Pods call one that nobody had called yet while ovs-vswitchd is away: 20 and 5 to it are lost, beside 9 and 9 in the window.
#[test]
fn first_packets_while_nobody_listens_are_lost() {
    let report = case("first");
    assert_eq!(report.verdict, Verdict::Fail);
    let restart = only(&report);
    assert_eq!(
        losses(restart),
        [
            ("pod-1", (0, 29)),
            ("pod-2", (9, 14)),
            ("pod-3", (9, 0)),
            ("pod-4", (25, 0))
        ]
    );
    let called = pod(restart, "pod-4").observed.to_pod.as_ref();
    assert!(called.is_some_and(|loss| loss.by_reason == [(Reason::NoHandler, 25)].into()));
    for caller in ["pod-1", "pod-2"] {
        let from = pod(restart, caller).observed.from_pod.as_ref();
        assert!(
            from.is_some_and(|loss| loss.by_reason.contains_key(&Reason::NoHandler)),
            "{caller}"
        );
    }
}

/// SIGSEGV twice under `--monitor`: 21 and 22, then 29 and 28 are lost. The hooks were armed 46 ms late the first time.
#[test]
fn two_crashes_under_a_monitor_are_two_restarts() {
    let report = case("crash");
    assert_eq!(report.verdict, Verdict::Fail);
    let [first, second] = report.disruptions.as_slice() else {
        panic!("{} disruptions", report.disruptions.len());
    };
    for crash in [first, second] {
        assert_eq!(crash.kind, Kind::Killed);
        let milestones = &crash.milestones;
        assert!(milestones.vswitchd_exit_ns < milestones.vswitchd_start_ns);
        assert!(milestones.vswitchd_start_ns < milestones.upcalls_bound_ns);
    }
    assert_eq!(
        losses(first),
        [("pod-1", (0, 20)), ("pod-2", (20, 19)), ("pod-3", (19, 0))]
    );
    for pod in &first.pods[..3] {
        let most = pod.proof.as_ref().map(|proof| proof.lost_packets().at_most);
        assert_eq!(
            most,
            Some(None),
            "{}: more may be lost than the hooks saw",
            pod.name
        );
    }
    let (to_second, to_third) = (lost(pod(second, "pod-2")).0, lost(pod(second, "pod-3")).0);
    assert_eq!((to_second, to_third), (29, 28));
}

/// OVSDB knows no addresses: they are learned from what was delivered. 23 and 22 are lost.
#[test]
fn ports_without_addresses_are_known_by_what_they_receive() {
    let report = case("nova");
    assert_eq!(report.verdict, Verdict::Fail);
    let restart = only(&report);
    assert_eq!(
        losses(restart),
        [("vm-1", (0, 23)), ("vm-2", (23, 22)), ("vm-3", (22, 0))]
    );
}

/// A bridge is deleted and made again, and nobody puts the ports back.
#[test]
fn ports_that_nobody_puts_back_are_missing() {
    let report = case("ports");
    assert_eq!(report.verdict, Verdict::Fail);
    let deleted = only(&report);
    assert_eq!(causes(deleted), [Some(Cause::PortMissing); 3]);
    for name in ["pod-1", "pod-2", "pod-3"] {
        let (start, duration) = dark(deleted, name);
        assert!(
            start < 150 && duration.is_none(),
            "{name}: from {start} ms, {duration:?}"
        );
    }
}

/// An agent clears all flows and brings them back 0.5 s later: 34 and 35 are lost, which no hook on packets saw.
#[test]
fn flows_that_an_agent_clears_are_a_disruption() {
    let report = case("delclear");
    assert_ne!(report.verdict, Verdict::Pass);
    let cleared = only(&report);
    assert_eq!(cleared.kind, Kind::FlowsRemoved);
    assert_eq!(causes(cleared), [Some(Cause::AgentClearedFlows); 3]);
}

/// Somebody types `ovs-dpctl del-flows`: nothing is lost, nothing was restarted.
#[test]
fn a_flush_by_a_stranger_is_a_finding() {
    let report = case("dpctl");
    assert_eq!(report.disruptions, []);
    assert!(has_finding(&report, "foreign_flush"));
    assert_ne!(report.verdict, Verdict::Pass);
}

/// A SPAN port, megaflows in tc, sFlow: recordings in which the hooks did not see all that was lost.
#[test]
fn what_the_hooks_cannot_see_does_not_pass() {
    for name in ["mirror", "tc", "sflow"] {
        let report = case(name);
        assert_ne!(report.verdict, Verdict::Pass, "{name}");
        assert_eq!(only(&report).kind, Kind::Graceful, "{name}");
    }
}
