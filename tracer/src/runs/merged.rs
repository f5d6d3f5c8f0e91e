//! Several runs as one report with one judgement, for sinks that know of one.
//!
//! Must not depend on: formats. Every run was judged by itself: what one capture did not see weakens no other.

use tracer_core::budget::Judgement;
use tracer_core::count;
use tracer_core::report::{Finding, Report};

/// One run's report and what the budget says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Where the recording is.
    pub recording: Option<String>,
    /// The report.
    pub report: Report,
    /// What the budget says.
    pub judgement: Judgement,
}

/// All disruptions in one report, numbered anew, and all that the budget says of them; `None`: there is no run.
pub fn merged(runs: &[Judged]) -> Option<Judged> {
    let (first, others) = runs.split_first()?;
    let mut whole = first.clone();
    if others.is_empty() {
        return Some(whole);
    }
    whole.recording = None;
    whole.report.coverage = bounded(&first.report);
    name_run(&mut whole.judgement, 1);
    whole.report.why = named(&first.report.why, 1);
    for (number, run) in (2..).zip(others) {
        add(&mut whole, run.clone(), number);
    }
    Some(whole)
}

fn add(whole: &mut Judged, run: Judged, number: usize) {
    let before = last(&whole.report);
    let Judged {
        recording: _,
        mut report,
        mut judgement,
    } = run;
    whole.report.coverage.extend(bounded(&report));
    let all = &mut whole.report;
    for disruption in &mut report.disruptions {
        disruption.id = disruption.id.saturating_add(before);
    }
    for case in &mut judgement.cases {
        case.disruption = case.disruption.saturating_add(before);
    }
    for obstacle in &mut judgement.obstacles {
        obstacle.disruption = obstacle
            .disruption
            .map(|disruption| disruption.saturating_add(before));
    }
    name_run(&mut judgement, number);
    all.capture.ended_ns = all.capture.ended_ns.max(report.capture.ended_ns);
    count::add(&mut all.capture.events, report.capture.events);
    count::add(&mut all.capture.lost_events, report.capture.lost_events);
    all.capture.hooks = report.capture.hooks;
    all.capture.reconciliation.extend(report.capture.reconciliation);
    all.omitted = all.omitted.saturating_add(report.omitted);
    all.why.extend(named(&report.why, number));
    all.disruptions.extend(report.disruptions);
    all.steady_drops.extend(report.steady_drops);
    all.conditions.extend(report.conditions);
    all.verdict = all.verdict.max(report.verdict);
    all.command = worse(all.command.take(), report.command);
    whole.judgement.cases.extend(judgement.cases);
    whole.judgement.obstacles.extend(judgement.obstacles);
    whole.judgement.verdict = whole.judgement.verdict.max(judgement.verdict);
}

/// The number of the latest disruption.
fn last(report: &Report) -> u32 {
    let listed = report.disruptions.last().map(|disruption| disruption.id);
    listed.unwrap_or(report.omitted)
}

fn named(why: &[String], number: usize) -> Vec<String> {
    why.iter()
        .map(|sentence| format!("run {number}: {sentence}"))
        .collect()
}

/// Of the commands, the first that failed, else the last.
fn worse(
    one: Option<tracer_core::report::Command>,
    other: Option<tracer_core::report::Command>,
) -> Option<tracer_core::report::Command> {
    let failed = one.as_ref().is_some_and(|command| command.exit_code != Some(0));
    if failed { one } else { other.or(one) }
}

fn name_run(judgement: &mut Judgement, number: usize) {
    let unnumbered = judgement
        .obstacles
        .iter_mut()
        .filter(|obstacle| obstacle.disruption.is_none());
    for obstacle in unnumbered {
        obstacle.detail = format!("run {number}: {}", obstacle.detail);
    }
}

/// What a capture did not see holds for that capture alone.
fn bounded(report: &Report) -> Vec<Finding> {
    let capture = &report.capture;
    let findings = report.coverage.iter().map(|finding| Finding {
        from_ns: finding.from_ns.or(Some(capture.started_ns)),
        to_ns: finding.to_ns.or(Some(capture.ended_ns)),
        ..finding.clone()
    });
    findings.collect()
}
