//! What a report tells of a trouble, and whether two reports tell the same.
//!
//! Must not depend on: how a report was made, which trouble.

use anyhow::{Result, ensure};

use crate::words::few::{UNSEEN, is_few};
use crate::words::report::{Disruption, Pod, Report};

/// The bug is told of every Pod, with its losses.
pub fn tells_the_bug(report: &Report) -> Result<()> {
    ensure!(report.verdict == "fail", "the verdict is {}", report.verdict);
    ensure!(
        report.disruptions.len() == 1,
        "{} restarts are told",
        report.disruptions.len()
    );
    for pod in report.disruptions.iter().flat_map(Disruption::real_pods) {
        let cause = pod.cause.as_deref();
        ensure!(cause == Some("flag_before_flows"), "{}: {cause:?}", pod.name);
        ensure!(lost(pod) > [0, 0], "{} lost nothing", pod.name);
    }
    Ok(())
}

/// Packets to it and from it.
pub fn lost(pod: &Pod) -> [u64; 2] {
    [&pod.observed.to_pod, &pod.observed.from_pod]
        .map(|loss| loss.as_ref().map_or(0, |loss| loss.lost_packets))
}

/// Whether two recorders count the same, but for what the kernel passed over for one of them: each hit of a probe that
/// comes while its CPU is inside another one, which a second recorder doubles.
pub fn near(one: u64, other: u64) -> bool {
    is_few(one.abs_diff(other), one.max(other), UNSEEN)
}

/// Whether two recorders tell the same losses.
pub fn agree(one: &Report, other: &Report) -> Result<()> {
    let beside = [detail(one), detail(other)].join("\n");
    let (one, other) = (losses(one), losses(other));
    let names = |all: &[(String, [u64; 2])]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let pairs = one
        .iter()
        .zip(&other)
        .flat_map(|(one, other)| one.1.into_iter().zip(other.1));
    ensure!(
        names(&one) == names(&other) && pairs.into_iter().all(|(one, other)| near(one, other)),
        "they differ: {one:?} and {other:?}\n{beside}"
    );
    Ok(())
}

/// What each traffic to Pods lost and when, and what could not be seen: where two differ, this tells why.
fn detail(report: &Report) -> String {
    let pods = report.disruptions.iter().flat_map(Disruption::real_pods);
    let keys = pods
        .filter_map(|pod| pod.observed.to_pod.as_ref())
        .flat_map(|loss| &loss.keys);
    let keys = keys.map(|key| {
        format!(
            "{:?}: {} at {}..{}",
            key.key, key.lost_packets, key.first_lost_ns, key.last_lost_ns
        )
    });
    let findings = report
        .coverage
        .iter()
        .map(|finding| format!("{}: {}", finding.kind, finding.detail));
    keys.chain(findings).collect::<Vec<_>>().join("\n")
}

/// What each Pod lost.
pub fn losses(report: &Report) -> Vec<(String, [u64; 2])> {
    let pods = report.disruptions.iter().flat_map(Disruption::real_pods);
    pods.map(|pod| (pod.name.clone(), lost(pod))).collect()
}

/// A finding of this kind is there.
pub fn has(report: &Report, kind: &str) -> Result<()> {
    let kinds: Vec<&str> = report.coverage.iter().map(|one| one.kind.as_str()).collect();
    ensure!(kinds.contains(&kind), "no finding {kind}: {kinds:?}");
    Ok(())
}

/// Kind and verdict, and of each Pod its cause, its verdict, and how its window ended. A megaflow and
/// its first packet come within microseconds, each stamped by a recorder's own probe: which of them two recorders see first
/// is not the same.
pub fn evidence(report: &Report) -> Vec<String> {
    let restart = |restart: &Disruption| {
        let pods = restart.real_pods().map(|pod| {
            let ended = pod
                .exposed
                .as_ref()
                .and_then(|exposed| exposed.ended_by.as_deref());
            let ended = ended.map(|by| if by == "delivered" { "converged" } else { by });
            format!("{} {} {:?} {ended:?}", pod.name, pod.verdict, pod.cause)
        });
        format!("{} {}", restart.kind, pods.collect::<Vec<_>>().join(", "))
    };
    report
        .disruptions
        .iter()
        .map(restart)
        .chain([report.verdict.clone()])
        .collect()
}
