//! What a scenario's report must say whatever the run: kinds, verdicts, causes, which Pods have windows, what was not seen.
//!
//! Must not depend on: times, counts (those are judged beside the prober's truth). Pure.

use std::collections::{BTreeMap, BTreeSet};

use lab::words::report::{Pod, Report};

use super::checks::Checks;
use crate::outcome::Outcome;

/// The report's lines beside the golden ones.
pub fn check(checks: &mut Checks, outcome: &Outcome) {
    let golden: Vec<String> = outcome.scenario.golden.lines().map(str::to_owned).collect();
    let told = lines(&outcome.report);
    let unseen = |line: &&String| line.starts_with(UNSEEN);
    // A busy host delays a word or loses a record: what else was not seen may make of a pass an inconclusive.
    let more = told.iter().filter(unseen).any(|line| !golden.contains(line));
    let fits = |told: &str, golden: &str| {
        told == golden
            || more && told.replace("inconclusive", "pass") == golden.replace("inconclusive", "pass")
    };
    let plain = |lines: &[String]| {
        lines
            .iter()
            .filter(|line| !unseen(line))
            .cloned()
            .collect::<Vec<_>>()
    };
    let (said, should) = (plain(&told), plain(&golden));
    let all_told = golden.iter().filter(unseen).all(|line| told.contains(line));
    let same =
        said.len() == should.len() && said.iter().zip(&should).all(|(told, golden)| fits(told, golden));
    checks.that(
        "the report says what it always says (lab/goldens)",
        if same && all_told {
            Ok(())
        } else {
            Err(format!("{}\ninstead of\n{}", told.join("\n"), golden.join("\n")))
        },
    );
}

/// Begins a line about what was not seen.
const UNSEEN: &str = "unseen: ";

/// A report without what differs from run to run.
fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![format!("verdict: {}", report.verdict)];
    for restart in &report.disruptions {
        lines.push(format!("restart: {}", restart.kind));
        let mut pods: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for pod in restart.real_pods() {
            pods.entry(row(pod)).or_default().push(&pod.name);
        }
        lines.extend(
            pods.into_iter()
                .map(|(row, names)| format!("  {}: {row}", whose(&names))),
        );
    }
    let conditions: BTreeSet<&str> = report.conditions.iter().map(|one| one.cause.as_str()).collect();
    lines.extend(conditions.into_iter().map(|cause| format!("condition: {cause}")));
    let weakening = report.coverage.iter().filter(|finding| finding.weakens);
    let unseen: BTreeSet<&str> = weakening.map(|finding| finding.kind.as_str()).collect();
    lines.extend(unseen.into_iter().map(|kind| format!("{UNSEEN}{kind}")));
    lines
}

fn row(pod: &Pod) -> String {
    let window = match pod
        .exposed
        .as_ref()
        .map(|exposed| (exposed.start_ns, exposed.end_ns))
    {
        None => "no window",
        Some((_, None)) => "open window",
        Some((start, Some(end))) if start == end => "empty window",
        Some(_) => "window",
    };
    let cause = pod.cause.as_deref().unwrap_or("no cause");
    format!("{}, {window}, {cause}", pod.verdict)
}

/// So many are named.
const NAMED: usize = 5;

fn whose(names: &[&str]) -> String {
    if names.len() > NAMED {
        format!("{} Pods", names.len())
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::words::report::{Disruption, Exposed, Finding};

    #[test]
    fn what_differs_from_run_to_run_is_not_in_it() {
        let pod = |name: &str, end_ns| Pod {
            namespace: Some("default".into()),
            name: name.into(),
            exposed: Some(Exposed {
                start_ns: 1,
                end_ns,
                ended_by: None,
            }),
            cause: Some("no_flag".into()),
            verdict: "fail".into(),
            ..Pod::default()
        };
        let finding = Finding {
            kind: "records_lost".into(),
            weakens: true,
            ..Finding::default()
        };
        let report = Report {
            verdict: "fail".into(),
            disruptions: vec![Disruption {
                kind: "killed".into(),
                pods: vec![pod("pod-1", Some(7)), pod("pod-2", None), pod("pod-3", Some(9))],
                ..Disruption::default()
            }],
            coverage: vec![finding.clone(), finding],
            ..Report::default()
        };
        assert_eq!(
            lines(&report).join("\n"),
            "verdict: fail\nrestart: killed\n  pod-2: fail, open window, no_flag\n  pod-1, pod-3: fail, window, no_flag\n\
             unseen: records_lost"
        );
    }
}
