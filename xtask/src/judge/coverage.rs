//! What could not be seen must be told: the report's findings beside those that the way of the restart must bring.
//!
//! May not know: traffic, milestones. Pure.

use std::collections::BTreeSet;

use super::Checks;
use crate::guest::restart::Way;
use crate::outcome::Outcome;
use crate::report::Report;

/// Findings that a busy machine may bring to any restart: events that waited for a processor longer than they may be
/// sorted by, and upcalls of a softirq that interrupted a probe (see [`super::UNSEEN`]). They weaken the verdict, too.
const BY_LOAD: [&str; 2] = ["late_events", "counters_differ"];

/// The kinds of findings that a restart of this way must bring, because nothing can see what they are about.
fn required(way: Way) -> &'static [&'static str] {
    match way {
        // No datapath, so none that could count what meets it.
        Way::Cleanup => &["datapath_gone"],
        // And no module that could be hooked.
        Way::Module => &["datapath_gone", "source_down"],
        _ => &[],
    }
}

/// The kinds of findings that make the verdicts of a report weaker.
pub fn weakening(report: &Report) -> BTreeSet<&str> {
    let weakening = report.coverage.iter().filter(|finding| finding.weakens);
    weakening.map(|finding| finding.kind.as_str()).collect()
}

/// All checks.
pub fn check(checks: &mut Checks, outcome: &Outcome) {
    let told = weakening(&outcome.report);
    let required: BTreeSet<&str> = required(outcome.scenario.way).iter().copied().collect();
    let beside: Vec<&&str> = told.symmetric_difference(&required).collect();
    let wrong = beside.iter().any(|kind| !BY_LOAD.contains(*kind));
    checks.that(
        "what could not be seen is told, and nothing else",
        if wrong {
            let details: Vec<&str> = outcome
                .report
                .coverage
                .iter()
                .filter(|finding| finding.weakens)
                .map(|finding| finding.detail.as_str())
                .collect();
            Err(format!(
                "told are {told:?}, to be told {required:?}\n{}",
                details.join("\n")
            ))
        } else {
            Ok(())
        },
    );
    let hidden = !told.is_empty() && outcome.report.verdict == "pass";
    checks.equal("what was not seen is not passed", &hidden, &false);
}
