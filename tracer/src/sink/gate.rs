//! What a budget says of a report, for people: one line for each Pod.
//!
//! Must not depend on: how a limit is judged, what a run is.

use tracer_core::budget::{Bounds, Breach, Budget, Case, Judgement, Limit, Limits, Subject};
use tracer_core::report::{Command, Verdict};

use super::words::label_of;
use crate::writing::{Shown, count, line, millis, span, word};

/// The budget, the command, a line for each Pod and the verdict; where `brief`, no line for a Pod that passes.
pub fn render(judgement: &Judgement, commands: &[Command], brief: bool) -> Shown {
    let mut out = String::new();
    for text in lines(judgement, commands, brief) {
        line(&mut out, &text);
    }
    Shown::text(&out)
}

fn lines(judgement: &Judgement, commands: &[Command], brief: bool) -> Vec<String> {
    let mut lines = vec![format!("budget: {}", budget(&judgement.budget))];
    lines.extend(commands.iter().map(command));
    let told = judgement
        .cases
        .iter()
        .filter(|case| !brief || case.verdict != Verdict::Pass);
    lines.extend(told.map(|case| format!("{:12} {}", verdict(case.verdict), message(case))));
    for obstacle in &judgement.obstacles {
        let place = obstacle
            .disruption
            .map(|disruption| format!("disruption {disruption}: "))
            .unwrap_or_default();
        lines.push(format!(
            "{:12} {place}{}",
            verdict(obstacle.verdict),
            obstacle.detail
        ));
    }
    lines.push(sum(judgement));
    lines
}

/// What the budget does not allow and what it cannot decide, the worst first and at most so many; and how many more there are.
pub fn excess(judgement: &Judgement, most: usize) -> (Vec<(Verdict, String)>, usize) {
    let obstacles = judgement.obstacles.iter();
    let obstacles = obstacles.map(|obstacle| (obstacle.verdict, obstacle.detail.clone()));
    let cases = judgement.cases.iter().map(|case| (case.verdict, message(case)));
    let mut lines: Vec<(Verdict, String)> = obstacles
        .chain(cases)
        .filter(|(verdict, _)| *verdict != Verdict::Pass)
        .collect();
    lines.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
    let more = lines.len().saturating_sub(most);
    lines.truncate(most);
    (lines, more)
}

/// One Pod in one disruption: its name, its window, its cause, and what of it is too much: `default/web-1: window 319.000–321.000 ms > 50.000 ms, …`.
pub fn message(case: &Case) -> String {
    let of = |subject: Subject| case.breaches.iter().find(|breach| breach.subject == subject);
    let mut parts = vec![figure(Subject::Window, case.window, of(Subject::Window))];
    parts.extend(of(Subject::Exposed).map(|breach| figure(Subject::Exposed, breach.bounds, Some(breach))));
    parts.push(figure(Subject::Lost, case.lost, of(Subject::Lost)));
    parts.extend(case.cause.map(|cause| format!("cause {}", word(cause))));
    let why = if case.verdict == Verdict::Inconclusive && !case.why.is_empty() {
        format!("; why: {}", case.why.join("; "))
    } else {
        String::new()
    };
    format!(
        "{}: {} (disruption {}){why}",
        label_of(case),
        parts.join(", "),
        case.disruption
    )
}

fn figure(subject: Subject, bounds: Bounds, breach: Option<&Breach>) -> String {
    let known = match subject {
        Subject::Lost | Subject::Pods => match (bounds.at_least, bounds.at_most) {
            (0, None) => "lost packets not known".to_owned(),
            (least, None) => format!("lost {} or more", count(least, "packet")),
            (least, Some(_)) => format!("lost {}", count(least, "packet")),
        },
        Subject::Window | Subject::Exposed => format!("{subject} {}", range(bounds.at_least, bounds.at_most)),
    };
    let Some(Breach { limit, verdict, .. }) = breach else {
        return known;
    };
    let limit = match subject {
        Subject::Lost | Subject::Pods => limit.to_string(),
        Subject::Window | Subject::Exposed => span(*limit),
    };
    if *verdict == Verdict::Fail {
        format!("{known} > {limit}")
    } else {
        format!("{known}, which may be more than {limit}")
    }
}

/// A length of time between two bounds.
pub fn range(at_least: u64, at_most: Option<u64>) -> String {
    match at_most {
        Some(0) => "none".to_owned(),
        Some(most) if most == at_least => span(most),
        Some(most) if at_least == 0 => format!("up to {}", span(most)),
        Some(most) => format!("{}–{}", millis(at_least), span(most)),
        None if at_least == 0 => "without a known end".to_owned(),
        None => format!("{} or more, its end was not seen", span(at_least)),
    }
}

/// What was asked for, in one line.
fn budget(budget: &Budget) -> String {
    let mut parts = limits(&budget.every);
    parts.extend(
        budget
            .affected
            .most()
            .map(|most| format!("affected Pods ≤ {most}")),
    );
    if budget.allow_stuck_flag {
        parts.push("flow-restore-wait may stay set".to_owned());
    }
    let others = (budget.namespaces.len() + budget.pods.len()) as u64;
    if others > 0 {
        parts.push(format!("and {} for namespaces or Pods", count(others, "table")));
    }
    parts.join(" · ")
}

fn limits(limits: &Limits) -> Vec<String> {
    let time = |limit: Limit, name: &str| limit.most().map(|most| format!("{name} ≤ {}", span(most)));
    let parts = [
        time(limits.window, "window"),
        time(limits.exposed, "exposed"),
        limits.lost.most().map(|most| format!("lost packets ≤ {most}")),
    ];
    parts.into_iter().flatten().collect()
}

fn command(command: &Command) -> String {
    let end = match (command.exit_code, command.signal) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "was still running".to_owned(),
    };
    format!("command: `{}` {end}", command.argv.join(" "))
}

fn sum(judgement: &Judgement) -> String {
    let number = |verdict| judgement.of(verdict).count();
    format!(
        "check: {} ({} over the budget, {} undecided, {} within it)",
        verdict(judgement.verdict),
        number(Verdict::Fail),
        number(Verdict::Inconclusive),
        number(Verdict::Pass)
    )
}

fn verdict(verdict: Verdict) -> &'static str {
    super::words::verdict(verdict)
}
