//! What every format says beside the figures: why a verdict is not pass, what it rests on, losses without an owner, upper
//! bounds, and disruptions that are no longer listed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod proven;

use std::path::Path;

use proven::{prove, unknown_port};
use tracer::command::report::read;
use tracer::sink::{Format, Style, judged, render};
use tracer_core::budget::{Budget, judge};
use tracer_core::report::{Report, Verdict};

/// The first Pod is clear, the second lost a packet, of the third nothing can be said.
fn report() -> Report {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/restart.jsonl");
    let (mut report, _) = read(&file).unwrap();
    let disruption = &mut report.disruptions[0];
    prove(&mut disruption.pods[0], 0, "");
    prove(&mut disruption.pods[1], 1, "");
    prove(&mut disruption.pods[2], 0, "the flow monitor was closed");
    disruption.unattributed = vec![unknown_port("port 9")];
    disruption.verdict = Verdict::Fail;
    disruption.why = vec!["default/pod-2 lost 1 packet".to_owned()];
    report.why = vec!["port 9 lost packets, and nobody is known to own it".to_owned()];
    report.omitted = 3;
    report.verdict = Verdict::Fail;
    report
}

fn printed(report: &Report, format: Format, explain: bool) -> String {
    let style = Style {
        format,
        utc: false,
        explain,
    };
    render(report, style).to_string()
}

const FORMATS: [Format; 4] = [Format::Text, Format::Markdown, Format::Html, Format::Junit];

#[track_caller]
fn says(text: &str, words: &str) {
    assert!(text.contains(words), "{words:?} is not in:\n{text}");
}

#[test]
fn every_format_says_why_and_what_is_left_out() {
    let report = report();
    for format in FORMATS {
        let text = printed(&report, format, false);
        says(&text, "port 9 lost packets, and nobody is known to own it");
        says(&text, "default/pod-2 lost 1 packet");
        says(&text, "3 older disruptions are no longer listed");
        says(&text, "port 9 (unknown)");
    }
    let text = printed(&report, Format::Text, false);
    let mut lines = text.lines();
    assert!(lines.next().unwrap().ends_with("FAIL"), "{text}");
    assert!(lines.next().unwrap().starts_with("  why: port 9"), "{text}");
}

#[test]
fn a_loss_without_an_owner_fails() {
    let report = report();
    let text = printed(&report, Format::Text, false);
    let row = text
        .lines()
        .find(|line| line.starts_with("  port 9 (unknown) "))
        .unwrap();
    assert!(row.ends_with("FAIL") && row.contains(" 7 "), "{row}");
    let junit = printed(&report, Format::Junit, false);
    says(&junit, "port 9 (unknown): lost 7 packets, gap 6.000–… ms");
    let trace = printed(&report, Format::Perfetto, false);
    says(&trace, "port 9 (unknown)");
}

#[test]
fn an_upper_bound_is_marked_as_one() {
    let report = report();
    for format in [Format::Text, Format::Markdown, Format::Html] {
        says(&printed(&report, format, false), "≤ 368.868");
    }
}

#[test]
fn what_a_verdict_rests_on_is_explained() {
    let report = report();
    let text = printed(&report, Format::Text, true);
    says(&text, "what each verdict rests on");
    for words in [
        ": PASS. Clear: nothing was lost, and nothing would have been. It rests on packets, ",
        " and owners (+",
        ": FAIL. Lost: 1 packet was lost",
        ": INCONCLUSIVE. Cannot tell: the flow monitor was closed.",
        "partial: the flow monitor was closed",
        "; to do: ",
    ] {
        says(&text, words);
    }
    says(
        &printed(&report, Format::Markdown, true),
        "What each verdict rests on",
    );
    says(
        &printed(&report, Format::Html, false),
        "Cannot tell: the flow monitor was closed.",
    );
    says(
        &printed(&report, Format::Junit, false),
        "Cannot tell: the flow monitor was closed.",
    );
    assert!(!printed(&report, Format::Text, false).contains("rests on"));
}

#[test]
fn what_no_disruption_touched_has_no_verdict() {
    let mut report = report();
    for pod in &mut report.disruptions[0].pods {
        (pod.proof, pod.verdict) = (None, Verdict::Pass);
    }
    let text = printed(&report, Format::Text, true);
    let row = text
        .lines()
        .find(|line| line.starts_with("  default/pod-1 ") && line.contains("flag_before_flows"));
    assert!(row.unwrap().ends_with(" -"), "{text}");
    says(&text, "no disruption has touched it");
}

#[test]
fn a_condition_that_fails_has_a_case_of_its_own() {
    let mut report = report();
    report.disruptions.clear();
    report.why = vec!["ovs-vswitchd has bound no handler".to_owned()];
    let text = printed(&report, Format::Junit, false);
    says(&text, "the capture as a whole");
    says(&text, "ovs-vswitchd has bound no handler");
    let judgement = judge(&report, &Budget::nothing());
    let style = Style {
        format: Format::Junit,
        ..Style::default()
    };
    // The budget decides where there is one.
    assert!(!judged(&report, &judgement, style).contains("the capture as a whole"));
}

/// The names of an enumeration of the report.
fn names(of: &str) -> Vec<String> {
    let schema = schemars::schema_for!(Report);
    let choices = schema.pointer(&format!("/$defs/{of}/oneOf")).unwrap();
    let choices = choices.as_array().unwrap().iter();
    choices
        .map(|choice| choice["const"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_kind_and_cause_is_documented() {
    let page = |name: &str| {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        std::fs::read_to_string(docs.join(name)).unwrap()
    };
    let (report, runbook) = (page("report.md"), page("runbook.md"));
    for name in names("Kind").iter().chain(&names("Cause")) {
        says(&report, &format!("\n| `{name}` | "));
    }
    for name in names("Cause") {
        says(&runbook, &format!("\n## {name}\n"));
    }
}
