//! The report as JUnit XML; for the test pages of CI servers: a suite per restart, a case per Pod.
//!
//! May not know: which server reads it. What is written is the part that Jenkins and GitLab both read.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};
use tracer_core::budget::{Case, Judgement};
use tracer_core::report::{Finding, Pod, Report, Restart, Verdict};
use tracer_core::time::Timestamp;
use tracer_core::timeline::milestones;

use super::gate;
use super::words::{
    condition, details, is_shown, kind, label, longest_exposed, longest_observed, sentence, when,
};
use crate::writing::{Clock, count, time_of_day, word};

/// The report as JUnit XML; the outcomes are those of the judgement where there is one, else the report's own.
pub fn render(report: &Report, judgement: Option<&Judgement>) -> String {
    let mut junit = Junit::new("ovsgap");
    junit.add_test_suite(capture(report, judgement));
    let suites = report
        .restarts
        .iter()
        .map(|restart| suite(report, restart, judgement));
    junit.add_test_suites(suites);
    // Writing to memory cannot fail, and the names of elements are the library's own.
    let text = junit.to_string().unwrap_or_default();
    // Jenkins' xunit plugin has a schema that knows the attribute of single suites alone (junit-10.xsd); no case is
    // ever skipped here. It stands before everything that comes from outside.
    let mut text = text.replacen(" skipped=\"0\"", "", 1);
    text.push('\n');
    text
}

/// What does not belong to a restart: whether there was one at all, and what could not be seen.
fn capture(report: &Report, judgement: Option<&Judgement>) -> TestSuite {
    let mut suite = TestSuite::new("capture");
    let class = format!("ovsgap.{}.capture", host(report));
    describe(&mut suite, report, report.capture.started_ns, 0);
    suite.set_time(duration(report.capture.ended_ns.since(report.capture.started_ns)));
    let status = if report.restarts.is_empty() {
        let message = "no restart of Open vSwitch was seen: nothing to judge";
        status(Verdict::Inconclusive, "no_restart", message, &unseen(report))
    } else {
        TestCaseStatus::success()
    };
    suite.add_test_case(case("a restart was seen", &class, status));
    suite.add_test_cases(obstacles(judgement, None, &class));
    let clock = Clock::new(report.capture.started_ns, report.capture.wall_offset_ns, false);
    let conditions = report.conditions.iter();
    let conditions: Vec<String> = conditions.map(|it| condition(it, clock)).collect();
    for (text, set) in [
        (conditions.join("\n"), &mut suite.system_out),
        (unseen(report), &mut suite.system_err),
    ] {
        *set = (!text.is_empty()).then(|| text.into());
    }
    suite
}

fn suite(report: &Report, restart: &Restart, judgement: Option<&Judgement>) -> TestSuite {
    let mut suite = TestSuite::new(format!("restart {}: {}", restart.id, kind(restart.kind)));
    let class = format!("ovsgap.{}.restart-{}", host(report), restart.id);
    describe(&mut suite, report, restart.began_ns, restart.id);
    for (name, value) in properties(report, restart) {
        suite.add_property((name.as_str(), value.as_str()));
    }
    let unseen = unseen(report);
    let mut worst = Verdict::Pass;
    for (pod, name) in named(restart) {
        let (verdict, message) = outcome(restart, pod, judgement);
        let why = pod.cause.map_or_else(|| "not explained".to_owned(), word);
        let mut case = case(&name, &class, status(verdict, &why, &message, &unseen));
        if let Some(length) = pod.exposed.as_ref().and_then(|exposed| exposed.duration_ns) {
            case.set_time(duration(length));
        }
        case.set_system_out(output(pod));
        suite.add_test_case(case);
        worst = worst.max(verdict);
    }
    suite.set_time(duration(restart.summary.max_exposed_ns.unwrap_or(0)));
    suite.add_test_cases(obstacles(judgement, Some(restart.id), &class));
    // The worst of the cases is the verdict of the restart, also where no Pod can carry it.
    if judgement.is_none() && worst < restart.verdict {
        let message = "the restart as a whole was not seen well enough, or no Pod was known";
        let status = status(restart.verdict, "restart", message, &unseen);
        suite.add_test_case(case("the restart as a whole", &class, status));
    }
    suite
}

/// The Pods worth a case, each with a name of its own: GitLab drops all but the first of those that share one, and a
/// Pod that comes again has another interface.
fn named(restart: &Restart) -> Vec<(&Pod, String)> {
    let shown: Vec<&Pod> = restart.pods.iter().filter(|pod| is_shown(pod)).collect();
    let mut often = BTreeMap::new();
    for pod in &shown {
        *often.entry(label(pod)).or_insert(0) += 1;
    }
    let name = |pod: &Pod| match often.get(&label(pod)) {
        Some(1) | None => label(pod),
        Some(_) => format!("{} ({})", label(pod), pod.interface),
    };
    shown.into_iter().map(|pod| (pod, name(pod))).collect()
}

/// What the budget, else the report, says of a Pod.
fn outcome(restart: &Restart, pod: &Pod, judgement: Option<&Judgement>) -> (Verdict, String) {
    let Some(judgement) = judgement else {
        return (pod.verdict, sentence(pod));
    };
    let is_it = |case: &&Case| case.restart == restart.id && case.label() == label(pod);
    let cases = judgement.cases.iter().filter(is_it);
    let case = cases.max_by_key(|case| case.verdict);
    // What is no Pod and lost nothing is not judged.
    case.map_or_else(
        || (Verdict::Pass, sentence(pod)),
        |case| (case.verdict, gate::message(case)),
    )
}

/// What keeps the gate shut beside single Pods.
fn obstacles(judgement: Option<&Judgement>, restart: Option<u32>, class: &str) -> Vec<TestCase> {
    let Some(judgement) = judgement else {
        return Vec::new();
    };
    let mine = judgement
        .obstacles
        .iter()
        .filter(|obstacle| obstacle.restart == restart);
    // "No restart was seen" has a case of its own.
    let mine = mine.filter(|obstacle| restart.is_some() || obstacle.verdict == Verdict::Fail);
    mine.zip(1..)
        .map(|(obstacle, number)| {
            let status = status(obstacle.verdict, "budget", &obstacle.detail, "");
            case(&format!("obstacle {number}"), class, status)
        })
        .collect()
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

/// Everything that is known of a Pod's windows.
fn output(pod: &Pod) -> String {
    let addresses = if pod.ips.is_empty() {
        "not seen".to_owned()
    } else {
        pod.ips.join(", ")
    };
    let mut lines = vec![sentence(pod)];
    lines.extend(details(pod));
    lines.push(format!("interface {}, addresses {addresses}", pod.interface));
    lines.join("\n")
}

/// When and where.
fn describe(suite: &mut TestSuite, report: &Report, at: Timestamp, id: u32) {
    let wall = time_of_day(at, report.capture.wall_offset_ns);
    // Without fraction and zone, in UTC: the schema of Ant's tasks allows no other.
    let stamp = wall.split('.').next().unwrap_or_default().replace(' ', "T");
    for (name, value) in [
        ("timestamp", stamp),
        ("hostname", host(report)),
        ("id", id.to_string()),
    ] {
        suite.extra.insert(name.into(), value.into());
    }
}

fn properties(report: &Report, restart: &Restart) -> Vec<(String, String)> {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "not seen".to_owned());
    let offset = report.capture.wall_offset_ns;
    let clock = Clock::new(restart.began_ns, offset, false);
    let summary = &restart.summary;
    let of_restart = [
        ("kernel", name(&report.node.kernel)),
        ("ovs", name(&report.node.ovs)),
        ("datapath", name(&restart.datapath)),
        ("began", time_of_day(restart.began_ns, offset)),
        ("verdict", word(restart.verdict)),
        ("pods", summary.pods.to_string()),
        ("pods affected", summary.affected.to_string()),
        ("packets lost", summary.lost_packets.to_string()),
        ("longest exposed window", longest_exposed(restart)),
        ("longest hole, at most", longest_observed(restart)),
    ];
    let of_restart = of_restart.map(|(name, value)| (name.to_owned(), value));
    let seen = milestones(restart).into_iter();
    let steps = seen.map(|(name, at)| (format!("milestone: {name}"), clock.point(at)));
    of_restart.into_iter().chain(steps).collect()
}

fn status(verdict: Verdict, cause: &str, message: &str, unseen: &str) -> TestCaseStatus {
    // Names come from outside; a message is one line.
    let message = &message.replace(char::is_control, " ");
    let (kind, cause, text) = match verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Inconclusive => (
            NonSuccessKind::Error,
            "inconclusive",
            format!("{message}\n{unseen}"),
        ),
        Verdict::Fail => (NonSuccessKind::Failure, cause, message.clone()),
    };
    let mut status = TestCaseStatus::non_success(kind);
    // GitLab shows the text and not the attribute, Jenkins both.
    status
        .set_type(cause)
        .set_message(message)
        .set_description(text.trim_end());
    status
}

/// What could not be seen, a line each.
fn unseen(report: &Report) -> String {
    let clock = Clock::new(report.capture.started_ns, report.capture.wall_offset_ns, false);
    let line = |finding: &Finding| {
        let weight = if finding.weakens {
            "weakens the verdict"
        } else {
            "noted"
        };
        format!("not seen ({weight}): {}{}", finding.detail, when(finding, clock))
    };
    let mut lines: Vec<String> = report.coverage.iter().map(line).collect();
    if report.capture.lost_events > 0 {
        lines.push(format!("{} lost", count(report.capture.lost_events, "event")));
    }
    lines.join("\n")
}

fn host(report: &Report) -> String {
    report
        .node
        .hostname
        .clone()
        .unwrap_or_else(|| "localhost".to_owned())
}

fn duration(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}
