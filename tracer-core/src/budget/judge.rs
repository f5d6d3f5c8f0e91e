//! A report against a budget: what is exceeded, what cannot be decided.
//!
//! Must not depend on: how a figure is bounded.

use super::bounds::{self, Sight};
use super::{Bounds, Breach, Budget, Case, Judgement, Obstacle, Subject};
use crate::memory::coverage::touches;
use crate::report::{Disruption, Pod, Report};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::{Cause, Finding, Verdict};

/// Judges every Pod of every disruption.
pub fn judge(report: &Report, budget: &Budget) -> Judgement {
    let mut cases = Vec::new();
    let mut obstacles = conditions(report, budget);
    for (index, disruption) in report.disruptions.iter().enumerate() {
        let next = report.disruptions.get(index + 1).map(|next| next.began_ns);
        let unseen = unseen(report, disruption, next);
        let sight = Sight {
            unseen: &unseen,
            until: next.unwrap_or(report.capture.ended_ns),
        };
        obstacles.extend(blind(disruption, &unseen, next.is_none()));
        obstacles.extend(affected(disruption, budget, sight));
        let judged = disruption.pods.iter().filter(|pod| is_judged(pod));
        cases.extend(judged.map(|pod| case(disruption.id, pod, budget, sight)));
    }
    if report.disruptions.is_empty() {
        obstacles.push(Obstacle {
            disruption: None,
            detail: nothing(report),
            verdict: Verdict::Inconclusive,
        });
    }
    let verdicts = cases.iter().map(|case| case.verdict);
    let verdict = verdicts
        .chain(obstacles.iter().map(|obstacle| obstacle.verdict))
        .max();
    Judgement {
        budget: budget.clone(),
        verdict: verdict.unwrap_or(Verdict::Inconclusive),
        cases,
        obstacles,
    }
}

/// Pods; of ports that are no Pod those that lost packets.
fn is_judged(pod: &Pod) -> bool {
    let losses = [&pod.observed.to_pod, &pod.observed.from_pod];
    pod.namespace.is_some() || losses.into_iter().flatten().any(|loss| loss.lost_packets > 0)
}

/// What was not seen of a disruption.
fn unseen<'a>(report: &'a Report, disruption: &Disruption, next: Option<Timestamp>) -> Vec<&'a Finding> {
    let findings = report.coverage.iter().filter(|finding| finding.weakens);
    findings
        .filter(|finding| touches(finding, disruption.began_ns, next))
        .collect()
}

fn case(disruption: u32, pod: &Pod, budget: &Budget, sight: Sight<'_>) -> Case {
    let limits = budget.limits(pod.namespace.as_deref(), &pod.name);
    let (window, lost) = (bounds::window(pod, sight), bounds::lost(pod, sight));
    let figures = [
        (Subject::Window, limits.window, window),
        (Subject::Exposed, limits.exposed, bounds::exposed(pod, sight)),
        (Subject::Lost, limits.lost, lost),
    ];
    let clear = sight.unseen.is_empty() && pod.verdict != Verdict::Inconclusive;
    let limited = figures
        .into_iter()
        .filter_map(|(subject, limit, bounds)| Some((subject, limit.most()?, bounds)));
    let breaches: Vec<Breach> = limited
        .filter_map(|(subject, limit, bounds)| breach(subject, limit, bounds, clear))
        .collect();
    let weak = if sight.unseen.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    Case {
        disruption,
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        window,
        lost,
        cause: pod.cause,
        verdict: breaches
            .iter()
            .map(|breach| breach.verdict)
            .fold(weak, Verdict::max),
        breaches,
        why: sight
            .unseen
            .iter()
            .map(|finding| finding.detail.clone())
            .collect(),
    }
}

/// The lower bound proves; the upper bound counts where all was seen; what has no upper bound cannot be decided.
fn breach(subject: Subject, limit: u64, bounds: Bounds, clear: bool) -> Option<Breach> {
    let verdict = match bounds.at_most {
        _ if bounds.at_least > limit => Verdict::Fail,
        Some(most) if most <= limit => return None,
        Some(_) if clear => Verdict::Fail,
        Some(_) | None => Verdict::Inconclusive,
    };
    Some(Breach {
        subject,
        limit,
        bounds,
        verdict,
    })
}

/// Too many affected Pods.
fn affected(disruption: &Disruption, budget: &Budget, sight: Sight<'_>) -> Option<Obstacle> {
    let limit = budget.affected.most()?;
    let named = || disruption.pods.iter().filter(|pod| pod.namespace.is_some());
    let count = |pods: usize| u64::try_from(pods).unwrap_or(u64::MAX);
    let bounds = Bounds {
        at_least: count(named().filter(|pod| pod.verdict == Verdict::Fail).count()),
        at_most: sight
            .unseen
            .is_empty()
            .then(|| count(named().filter(|pod| pod.cause.is_some()).count())),
    };
    let breach = breach(Subject::Pods, limit, bounds, false)?;
    let more = if breach.verdict == Verdict::Fail {
        ""
    } else {
        " or more"
    };
    Some(Obstacle {
        disruption: Some(disruption.id),
        detail: format!(
            "{}{more} of {} Pods affected, at most {limit} may be",
            bounds.at_least,
            named().count()
        ),
        verdict: breach.verdict,
    })
}

/// States of the node that lose packets without any disruption.
fn conditions(report: &Report, budget: &Budget) -> Vec<Obstacle> {
    let allowed = |cause: Cause| cause == Cause::FlagStuck && budget.allow_stuck_flag;
    let conditions = report
        .conditions
        .iter()
        .filter(|condition| !allowed(condition.cause));
    conditions
        .map(|condition| Obstacle {
            disruption: None,
            detail: condition.detail.clone(),
            verdict: Verdict::Fail,
        })
        .collect()
}

/// A disruption that was not seen to its end, or not well enough.
fn blind(disruption: &Disruption, unseen: &[&Finding], last: bool) -> Option<Obstacle> {
    let unfinished = disruption.milestones.flush_ns.is_none() && last;
    let detail = if unfinished {
        "its end was not seen: the datapath was not flushed before the capture ended (--settle gives it longer)".to_owned()
    } else if disruption.pods.iter().any(|pod| pod.namespace.is_some()) {
        // Each Pod says it by itself.
        return None;
    } else if unseen.is_empty() {
        "no Pod was known on this node, so none can be judged: see `ovsgap doctor`".to_owned()
    } else {
        let details: Vec<&str> = unseen.iter().map(|finding| finding.detail.as_str()).collect();
        details.join("; ")
    };
    Some(Obstacle {
        disruption: Some(disruption.id),
        detail,
        verdict: Verdict::Inconclusive,
    })
}

/// Why there is nothing to judge.
fn nothing(report: &Report) -> String {
    let weakening = report.coverage.iter().filter(|finding| finding.weakens);
    let details: Vec<&str> = weakening.map(|finding| finding.detail.as_str()).collect();
    if details.is_empty() {
        "no disruption of Open vSwitch was seen: nothing to judge".to_owned()
    } else {
        details.join("; ")
    }
}
