//! Distribution beside restart: in each cell what was expected, what ovsgap told, what the prober knows.
//!
//! Must not depend on: what is right (that is `judge`), files. Pure: outcomes to rows of text.

use std::collections::BTreeSet;

use lab::words::report::Disruption;

use crate::judge::{self, weakening};
use crate::outcome::Outcome;
use crate::vm::distro::Distro;

/// How a cell is read.
pub const LEGEND: &str = "A cell: the cause that the report had to name (expected→told where it named another), packets lost between Pods by the \
prober (truth→told where the report says another figure), then ✓ where every check holds and the report says that nothing \
escaped it, the name of what it says that it could not see (its verdict is then never `pass`; but for `skips_untold`, which such kernels' reports always say), `open` where packets were still being \
lost when the capture ended, so that which of the prober's last belong to it is not known, or ✗ and how many checks do not hold.";

/// The head row and one row a restart; a restart that was not run on a distribution has an empty cell there.
pub fn rows(outcomes: &[(Distro, Vec<Outcome>)]) -> Vec<Vec<String>> {
    let mut names: Vec<&str> = Vec::new();
    for outcome in outcomes.iter().flat_map(|(_, outcomes)| outcomes) {
        if !names.contains(&outcome.scenario.name) {
            names.push(outcome.scenario.name);
        }
    }
    let head = outcomes.iter().map(|(distro, _)| distro.suite().to_owned());
    let mut rows = vec![std::iter::once("restart".to_owned()).chain(head).collect()];
    for name in names {
        let cells = outcomes.iter().map(|(_, outcomes)| {
            let outcome = outcomes.iter().find(|outcome| outcome.scenario.name == name);
            outcome.map(cell).unwrap_or_default()
        });
        rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
    rows
}

fn cell(outcome: &Outcome) -> String {
    format!("{} {} {}", cause(outcome), packets(outcome), mark(outcome))
}

/// Whether a cell is exact, and if not, why.
fn mark(outcome: &Outcome) -> String {
    let failed = judge::judge(outcome)
        .iter()
        .filter(|check| check.result.is_err())
        .count();
    let mut unseen = weakening(&outcome.report);
    let (truth, told) = lost(outcome);
    if judge::may_be_untold(&outcome.report, told, truth) {
        unseen.insert("skips_untold");
    }
    match (failed, unseen.is_empty()) {
        (0, true) if truth == told => "✓".to_owned(),
        // Of a hole that ends all packets are counted, or a check does not hold.
        (0, true) => "open".to_owned(),
        (0, false) => unseen.into_iter().collect::<Vec<_>>().join("+"),
        (failed, _) => format!("✗ {failed}"),
    }
}

/// The causes of the Pods' windows.
fn cause(outcome: &Outcome) -> String {
    let told = |pods: &mut dyn Iterator<Item = Option<&str>>| {
        let told: BTreeSet<&str> = pods.flatten().collect();
        told.into_iter().collect::<Vec<_>>().join("+")
    };
    let pods = outcome.report.disruptions.iter().flat_map(Disruption::real_pods);
    let got = told(&mut pods.map(|pod| pod.cause.as_deref()));
    let expected = told(&mut judge::causes(outcome).into_iter());
    beside(named(&expected), named(&got))
}

fn named(causes: &str) -> &str {
    if causes.is_empty() { "none" } else { causes }
}

fn packets(outcome: &Outcome) -> String {
    let (truth, told) = lost(outcome);
    beside(&truth.to_string(), &told.to_string())
}

/// Packets lost on their way to Pods, by the prober and by the report.
fn lost(outcome: &Outcome) -> (u64, u64) {
    let truth: u64 = outcome
        .restarts()
        .iter()
        .flat_map(|part| part.pods().into_iter().map(|pod| part.of_pod(pod).to.lost))
        .sum();
    let pods = outcome.report.disruptions.iter().flat_map(Disruption::real_pods);
    let told: u64 = pods
        .filter_map(|pod| pod.observed.to_pod.as_ref())
        .map(|loss| loss.lost_packets)
        .sum();
    (truth, told)
}

fn beside(expected: &str, got: &str) -> String {
    if expected == got {
        expected.to_owned()
    } else {
        format!("{expected}→{got}")
    }
}
