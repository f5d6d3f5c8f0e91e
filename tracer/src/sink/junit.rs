//! The report as JUnit XML; for the test pages of CI servers: a suite per disruption, a case per Pod.
//!
//! Must not depend on: which server reads it. What is written is the part that Jenkins and GitLab both read.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};
use tracer_core::budget::{Case, Judgement};
use tracer_core::report::{Disruption, Finding, Pod, Report, Unattributed, Verdict};
use tracer_core::time::Timestamp;
use tracer_core::timeline::milestones;

use super::words::{
    condition, details, is_shown, kind, label, listed, longest_exposed, longest_observed, omitted, sentence,
    unknown, unknown_sentence, when, why,
};
use super::{gate, proof, words};
use crate::writing::{Clock, count, line, one_line, time_of_day, word};

/// The report as JUnit XML; the outcomes are those of the judgement where there is one, else the report's own.
pub fn render(report: &Report, judgement: Option<&Judgement>) -> String {
    let mut junit = Junit::new("ovsgap");
    junit.add_test_suite(capture(report, judgement));
    let suites = report
        .disruptions
        .iter()
        .map(|disruption| suite(report, disruption, judgement));
    junit.add_test_suites(suites);
    // Writing to memory cannot fail, and the names of elements are the library's own.
    let text = junit.to_string().unwrap_or_default();
    // Jenkins' xunit plugin has a schema that knows the attribute of single suites alone (junit-10.xsd); no case is
    // ever skipped here. It stands before everything that comes from outside.
    let mut text = text.replacen(" skipped=\"0\"", "", 1);
    text.push('\n');
    text
}

/// What does not belong to a disruption: whether there was one at all, and what could not be seen.
fn capture(report: &Report, judgement: Option<&Judgement>) -> TestSuite {
    let mut suite = TestSuite::new("capture");
    let class = format!("ovsgap.{}.capture", host(report));
    describe(&mut suite, report, report.capture.started_ns, 0);
    suite.set_time(duration(report.capture.ended_ns.since(report.capture.started_ns)));
    let status = if report.disruptions.is_empty() {
        let message = "no disruption of Open vSwitch was seen: nothing to judge";
        status(Verdict::Inconclusive, "no_disruption", message, &unseen(report))
    } else {
        TestCaseStatus::success()
    };
    suite.add_test_case(case("a disruption was seen", &class, status));
    suite.add_test_cases(obstacles(judgement, None, &class));
    suite.add_test_cases(whole(report, judgement, &class));
    let clock = Clock::new(report.capture.started_ns, report.capture.wall_offset_ns, false);
    let mut out = listed(&report.why);
    out.extend(omitted(report));
    out.extend(report.conditions.iter().map(|it| condition(it, clock)));
    for (text, set) in [
        (block(&out), &mut suite.system_out),
        (unseen(report), &mut suite.system_err),
    ] {
        *set = (!text.is_empty()).then(|| text.into());
    }
    suite
}

fn suite(report: &Report, disruption: &Disruption, judgement: Option<&Judgement>) -> TestSuite {
    let mut suite = TestSuite::new(format!("disruption {}: {}", disruption.id, kind(disruption.kind)));
    let class = format!("ovsgap.{}.disruption-{}", host(report), disruption.id);
    describe(&mut suite, report, disruption.began_ns, disruption.id);
    for (name, value) in properties(report, disruption) {
        suite.add_property((one_line(&name), one_line(&value)));
    }
    let unseen = unseen(report);
    let clock = Clock::new(disruption.began_ns, report.capture.wall_offset_ns, false);
    let mut worst = Verdict::Pass;
    for (pod, name) in named(disruption) {
        let (verdict, message) = outcome(disruption, pod, judgement);
        let kind = pod.cause.map_or_else(|| "not explained".to_owned(), word);
        let unproven = [block(why(pod)), unseen.clone()].join("\n");
        let status = status(verdict, &kind, &message, unproven.trim_start());
        let mut case = case(&name, &class, status);
        if let Some(length) = pod.exposed.as_ref().and_then(|exposed| exposed.duration_ns) {
            case.set_time(duration(length));
        }
        case.set_system_out(output(pod, clock));
        suite.add_test_case(case);
        worst = worst.max(verdict);
    }
    for port in &disruption.unattributed {
        let Some((verdict, message)) = outcome_unknown(disruption, port, judgement) else {
            continue;
        };
        let status = status(verdict, "nobody owns the port", &message, &unseen);
        suite.add_test_case(case(&unknown(port), &class, status));
        worst = worst.max(verdict);
    }
    suite.set_time(duration(disruption.summary.max_exposed_ns.unwrap_or(0)));
    suite.add_test_cases(obstacles(judgement, Some(disruption.id), &class));
    // The worst of the cases is the verdict of the disruption, also where no Pod can carry it.
    if judgement.is_none() && worst < disruption.verdict {
        let message = match listed(&disruption.why) {
            none if none.is_empty() => {
                "the disruption as a whole was not seen well enough, or no Pod was known".to_owned()
            }
            why => why.join("; "),
        };
        let status = status(disruption.verdict, "disruption", &message, &unseen);
        suite.add_test_case(case("the disruption as a whole", &class, status));
    }
    suite
}

/// The Pods worth a case, each with a name of its own: GitLab drops all but the first of those that share one, and a
/// Pod that comes again has another interface.
fn named(disruption: &Disruption) -> Vec<(&Pod, String)> {
    let shown: Vec<&Pod> = disruption.pods.iter().filter(|pod| is_shown(pod)).collect();
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
fn outcome(disruption: &Disruption, pod: &Pod, judgement: Option<&Judgement>) -> (Verdict, String) {
    let Some(judgement) = judgement else {
        return (pod.verdict, sentence(pod));
    };
    let is_it = |case: &&Case| {
        case.disruption == disruption.id && case.namespace == pod.namespace && case.name == pod.name
    };
    let cases = judgement.cases.iter().filter(is_it);
    let case = cases.max_by_key(|case| case.verdict);
    // What is no Pod and lost nothing is not judged.
    case.map_or_else(
        || (Verdict::Pass, sentence(pod)),
        |case| (case.verdict, gate::message(case)),
    )
}

/// The same for packets that belong to no known port; `None`: the budget does not judge them by themselves.
fn outcome_unknown(
    disruption: &Disruption,
    port: &Unattributed,
    judgement: Option<&Judgement>,
) -> Option<(Verdict, String)> {
    let Some(judgement) = judgement else {
        return Some((words::judged_unknown(&port.loss), unknown_sentence(port)));
    };
    let is_it = |case: &&Case| {
        case.disruption == disruption.id
            && case.namespace.is_none()
            && (case.name == port.interface || case.name == unknown(port))
    };
    let case = judgement.cases.iter().find(is_it)?;
    Some((case.verdict, gate::message(case)))
}

/// What makes the verdict worse than every disruption does: a condition of the node, something that was not seen.
fn whole(report: &Report, judgement: Option<&Judgement>, class: &str) -> Option<TestCase> {
    let none = if report.disruptions.is_empty() {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    let (verdict, known) = match judgement {
        None => {
            let of_disruptions = report.disruptions.iter().map(|disruption| disruption.verdict);
            (report.verdict, of_disruptions.fold(none, Verdict::max))
        }
        Some(judgement) => {
            let mine = |verdict: Verdict, of: Option<u32>| of.is_some() || verdict == Verdict::Fail;
            let obstacles = judgement.obstacles.iter();
            let shown = obstacles.filter(|obstacle| mine(obstacle.verdict, obstacle.disruption));
            let cases = judgement.cases.iter().map(|case| case.verdict);
            let all = cases.chain(shown.map(|obstacle| obstacle.verdict));
            (judgement.verdict, all.fold(none, Verdict::max))
        }
    };
    let why = match listed(&report.why) {
        none if none.is_empty() => "the capture as a whole does not pass".to_owned(),
        why => why.join("; "),
    };
    (verdict > known).then(|| {
        let status = status(verdict, "capture", &why, &unseen(report));
        case("the capture as a whole", class, status)
    })
}

/// What keeps the gate shut beside single Pods.
fn obstacles(judgement: Option<&Judgement>, disruption: Option<u32>, class: &str) -> Vec<TestCase> {
    let Some(judgement) = judgement else {
        return Vec::new();
    };
    let mine = judgement
        .obstacles
        .iter()
        .filter(|obstacle| obstacle.disruption == disruption);
    // "No disruption was seen" has a case of its own.
    let mine = mine.filter(|obstacle| disruption.is_some() || obstacle.verdict == Verdict::Fail);
    mine.zip(1..)
        .map(|(obstacle, number)| {
            let status = status(obstacle.verdict, "budget", &obstacle.detail, "");
            case(&format!("obstacle {number}"), class, status)
        })
        .collect()
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(one_line(name), status);
    case.set_classname(one_line(class));
    case
}

/// Everything that is known of a Pod's windows.
fn output(pod: &Pod, clock: Clock) -> String {
    let addresses = if pod.ips.is_empty() {
        "not seen".to_owned()
    } else {
        pod.ips.join(", ")
    };
    let mut lines = vec![sentence(pod)];
    lines.extend(details(pod));
    lines.extend(pod.proof.as_ref().map(|_| proof::sentence(pod, clock)));
    lines.push(format!("interface {}, addresses {addresses}", pod.interface));
    block(&lines)
}

/// Lines, each of them one whatever is in it.
fn block(lines: &[String]) -> String {
    let mut out = String::new();
    for each in lines {
        line(&mut out, each);
    }
    out.truncate(out.trim_end().len());
    out
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
        suite.extra.insert(name.into(), one_line(&value).into());
    }
}

fn properties(report: &Report, disruption: &Disruption) -> Vec<(String, String)> {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "not seen".to_owned());
    let offset = report.capture.wall_offset_ns;
    let clock = Clock::new(disruption.began_ns, offset, false);
    let summary = &disruption.summary;
    let of_disruption = [
        ("kernel", name(&report.node.kernel)),
        ("ovs", name(&report.node.ovs)),
        ("datapath", name(&disruption.datapath)),
        ("began", time_of_day(disruption.began_ns, offset)),
        ("verdict", word(disruption.verdict)),
        ("why", listed(&disruption.why).join("; ")),
        ("pods", summary.pods.to_string()),
        ("pods affected", summary.affected.to_string()),
        ("packets lost", summary.lost_packets.to_string()),
        ("longest exposed window", longest_exposed(disruption)),
        ("longest gap, at most", longest_observed(disruption)),
    ];
    let of_disruption = of_disruption.into_iter().filter(|(_, value)| !value.is_empty());
    let of_disruption = of_disruption.map(|(name, value)| (name.to_owned(), value));
    let seen = milestones(disruption).into_iter();
    let steps = seen.map(|(name, at)| (format!("milestone: {name}"), clock.point(at)));
    of_disruption.chain(steps).collect()
}

fn status(verdict: Verdict, cause: &str, message: &str, unseen: &str) -> TestCaseStatus {
    let message = &one_line(message);
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
    let sentence = |finding: &Finding| {
        let weight = if finding.weakens {
            "weakens the verdict"
        } else {
            "noted"
        };
        format!("not seen ({weight}): {}{}", finding.detail, when(finding, clock))
    };
    let mut lines: Vec<String> = report.coverage.iter().map(sentence).collect();
    if report.capture.lost_events > 0 {
        lines.push(format!("{} lost", count(report.capture.lost_events, "event")));
    }
    block(&lines)
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
