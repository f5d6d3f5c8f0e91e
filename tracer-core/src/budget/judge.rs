//! A report against a budget: what is exceeded, what cannot be decided.
//!
//! Must not depend on: how a figure is bounded. Every figure and both of its bounds come from the proofs in the report.

use super::model::{Breach, Budget, Case, Judgement, Limits, Obstacle, Subject};
use crate::report::{Disruption, Pod, Report, Unattributed};
use crate::vocabulary::bounds::Bounds;
use crate::vocabulary::words::{Cause, Verdict};
use crate::witness::proof::{Proof, Says, unlimited, within};

/// Judges every Pod of every disruption.
pub fn judge(report: &Report, budget: &Budget) -> Judgement {
    let mut cases = Vec::new();
    let mut obstacles = conditions(report, budget);
    obstacles.extend(beyond(report));
    for disruption in &report.disruptions {
        obstacles.extend(blind(disruption));
        obstacles.extend(affected(disruption, budget));
        let judged = disruption.pods.iter().filter(|pod| pod.is_judged());
        cases.extend(judged.map(|pod| case(disruption.id, pod, budget)));
        let nobodys = disruption.unattributed.iter();
        cases.extend(nobodys.map(|row| unowned(disruption.id, row, budget)));
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

/// Nothing is known of it.
const UNKNOWN: Bounds = Bounds {
    at_least: 0,
    at_most: None,
};

fn case(disruption: u32, pod: &Pod, budget: &Budget) -> Case {
    let limits = budget.limits(pod.namespace.as_deref(), &pod.name);
    let figure = |of: fn(&Proof) -> Bounds| pod.proof.as_ref().map_or(UNKNOWN, of);
    let (window, lost) = (figure(Proof::window_ns), figure(Proof::lost_packets));
    let (verdict, breaches) = against(limits, window, figure(Proof::exposed_ns), lost);
    Case {
        disruption,
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        window,
        lost,
        cause: pod.cause,
        verdict,
        breaches,
        why: pod
            .proof
            .as_ref()
            .map(|proof| proof.why().to_vec())
            .unwrap_or_default(),
    }
}

/// Losses that nobody owns are losses.
fn unowned(disruption: u32, row: &Unattributed, budget: &Budget) -> Case {
    let gap = Bounds {
        at_least: row.loss.min_ns.unwrap_or(0),
        at_most: row.loss.max_ns,
    };
    let lost = Bounds::exactly(row.loss.lost_packets);
    let (verdict, breaches) = against(budget.limits(None, &row.interface), gap, Bounds::exactly(0), lost);
    Case {
        disruption,
        namespace: None,
        name: row.interface.clone(),
        window: gap,
        lost,
        cause: Some(Cause::Unknown),
        verdict,
        breaches,
        why: vec!["No Pod is known to own this port.".to_owned()],
    }
}

fn against(limits: Limits, window: Bounds, exposed: Bounds, lost: Bounds) -> (Verdict, Vec<Breach>) {
    let figures = [
        (Subject::Window, limits.window, window),
        (Subject::Exposed, limits.exposed, exposed),
        (Subject::Lost, limits.lost, lost),
    ];
    let limited = figures
        .into_iter()
        .filter_map(|(subject, limit, bounds)| Some((subject, limit.most()?, bounds)));
    let breaches: Vec<Breach> = limited
        .map(|(subject, limit, bounds)| Breach {
            subject,
            limit,
            bounds,
            verdict: within(bounds, limit),
        })
        .filter(|breach| breach.verdict > unlimited())
        .collect();
    let worst = breaches.iter().map(|breach| breach.verdict).max();
    (worst.unwrap_or_else(unlimited), breaches)
}

/// Too many affected Pods.
fn affected(disruption: &Disruption, budget: &Budget) -> Option<Obstacle> {
    let limit = budget.affected.most()?;
    let named = || disruption.pods.iter().filter(|pod| pod.namespace.is_some());
    let count = |pods: usize| u64::try_from(pods).unwrap_or(u64::MAX);
    let says = |pod: &&Pod| pod.proof.as_ref().map_or(Says::CannotTell, Proof::says);
    let hit = named()
        .filter(|pod| matches!(says(pod), Says::Lost | Says::Dark))
        .count();
    let open = named().filter(|pod| says(pod) == Says::CannotTell).count();
    let bounds = Bounds {
        at_least: count(hit),
        at_most: (open == 0).then_some(count(hit)),
    };
    let verdict = within(bounds, limit);
    let more = match verdict {
        Verdict::Pass => return None,
        Verdict::Inconclusive => " or more",
        Verdict::Fail => "",
    };
    Some(Obstacle {
        disruption: Some(disruption.id),
        detail: format!(
            "{}{more} of {} Pods affected, at most {limit} may be",
            bounds.at_least, disruption.summary.pods
        ),
        verdict,
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

/// A disruption of which no Pod is known.
fn blind(disruption: &Disruption) -> Option<Obstacle> {
    (disruption.summary.pods == 0).then(|| Obstacle {
        disruption: Some(disruption.id),
        detail: disruption.why.join(" "),
        verdict: Verdict::Inconclusive,
    })
}

/// What the report's own verdict rests on beyond the disruptions that it lists and the conditions.
fn beyond(report: &Report) -> Option<Obstacle> {
    let listed = report.disruptions.iter().map(|one| one.verdict).max();
    let sick = (!report.conditions.is_empty()).then_some(Verdict::Fail);
    (listed.max(sick) < Some(report.verdict)).then(|| Obstacle {
        disruption: None,
        detail: report.why.join(" "),
        verdict: report.verdict,
    })
}
