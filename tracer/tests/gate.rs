//! `ovsgap check` and `ovsgap compare` as a pipeline runs them, on recordings and on runs of real disruptions.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[allow(dead_code, reason = "not every test tells every story")]
mod recorded;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use recorded::{Plot, events, recording, recording_of};
use serde_json::Value;
use tracer_core::event::{Event, EventKind};

fn ovsgap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ovsgap"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A folder of files for one test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn bug(&self) -> String {
        self.put("bug.jsonl", &recording(&Plot::default()))
    }

    fn fixed(&self) -> String {
        self.put("fixed.jsonl", &recording(&fixed()))
    }
}

fn fixed() -> Plot {
    Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Ends with the status, and says all of the words; what it said on standard output.
#[track_caller]
fn ends(output: &Output, status: i32, words: &[&str]) -> String {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    text(&output.stdout).to_owned()
}

#[test]
fn an_exceeded_budget_names_each_pod_its_window_and_the_cause_in_one_line() {
    let folder = Folder::new();
    let output = ovsgap(&["check", "--max-window", "50ms", &folder.bug()]);
    let said = ends(&output, 1, &["check: FAIL (3 over the budget"]);
    for pod in 1..=3 {
        let line = said
            .lines()
            .find(|line| line.starts_with("FAIL") && line.contains(&format!("default/web-{pod}:")));
        let line = line.unwrap_or_else(|| panic!("no line for web-{pod}: {said}"));
        for word in ["window 320.000–321.000 ms > 50.000 ms", "cause flag_before_flows"] {
            assert!(line.contains(word), "{word:?} is not in: {line}");
        }
    }
}

#[test]
fn a_kept_budget_passes_and_an_undecided_one_does_not() {
    let folder = Folder::new();
    ends(
        &ovsgap(&["check", "--max-window", "50ms", &folder.fixed()]),
        0,
        &["check: PASS"],
    );
    ends(
        &ovsgap(&["check", &folder.fixed()]),
        0,
        &["window ≤ 0.000 ms · lost packets ≤ 0"],
    );
    ends(
        &ovsgap(&[
            "check",
            "--max-window",
            "330ms",
            "--max-lost",
            "640",
            &folder.bug(),
        ]),
        0,
        &[],
    );
    ends(
        &ovsgap(&[
            "check",
            "--max-window",
            "330ms",
            "--max-lost",
            "639",
            &folder.bug(),
        ]),
        1,
        &["lost 640 packets > 639"],
    );
    ends(
        &ovsgap(&["check", "--max-window", "1s", "--max-pods", "2", &folder.bug()]),
        1,
        &["3 of 3 Pods"],
    );
}

#[test]
fn what_was_not_seen_is_named_in_each_pods_line() {
    let folder = Folder::new();
    let mut starved = events(&fixed());
    starved.push(Event {
        at: recorded::story::ms(2050),
        kind: EventKind::RecordsLost {
            hook: "ovs_dp_upcall".into(),
            count: 3,
            why: None,
        },
    });
    starved.sort();
    let file = folder.put("starved.jsonl", &recording_of(starved));
    let said = ends(
        &ovsgap(&["check", "--max-window", "50ms", &file]),
        3,
        &["check: INCONCLUSIVE"],
    );
    let line = said
        .lines()
        .find(|line| line.starts_with("INCONCLUSIVE default/web-1"))
        .unwrap();
    assert!(line.contains("3 records of ovs_dp_upcall did not fit"), "{line}");
}

#[test]
fn a_recording_that_was_cut_off_never_passes() {
    let folder = Folder::new();
    let bytes = recording(&fixed());
    let file = folder.put("cut.jsonl", &bytes[..bytes.len() - 7]);
    ends(
        &ovsgap(&["check", "--max-window", "50ms", &file]),
        3,
        &["interrupted"],
    );
}

#[test]
fn recordings_of_earlier_runs_are_kept() {
    let folder = Folder::new();
    folder.put("kept/run-1.jsonl", b"of an earlier run");
    let kept = folder.path("kept");
    ends(
        &ovsgap(&["check", "--recordings", kept.to_str().unwrap(), "--", "true"]),
        2,
        &["run-1.jsonl", "exists already", "--recordings", "--overwrite"],
    );
    let earlier = std::fs::read(folder.path("kept/run-1.jsonl")).unwrap();
    assert_eq!(earlier, b"of an earlier run");
}

#[test]
fn bad_usage_is_an_error_with_a_remedy() {
    let folder = Folder::new();
    let file = folder.fixed();
    ends(
        &ovsgap(&["check", "--max-windw", "50ms", &file]),
        2,
        &["--max-window"],
    );
    ends(
        &ovsgap(&["check", "--max-window", "50", &file]),
        2,
        &["write 50ms"],
    );
    ends(&ovsgap(&["check", "--max-window", "50ms"]), 2, &["FILE"]);
    ends(&ovsgap(&["check", &file, "--repeat", "2"]), 2, &["--repeat"]);
    ends(
        &ovsgap(&["check", "--repeat", "0", "--", "true"]),
        2,
        &["--repeat"],
    );
    ends(
        &ovsgap(&["check", "/nowhere/run.jsonl"]),
        2,
        &["/nowhere/run.jsonl", "No such file"],
    );
    let toml = folder.put("budget.toml", b"max_windw = \"50ms\"\n");
    ends(
        &ovsgap(&["check", "--budget", &toml, &file]),
        2,
        &["line 1", "max_windw", "max_window", "docs/ci.md"],
    );
    let nowhere = folder.path("no.toml");
    ends(
        &ovsgap(&["check", "--budget", nowhere.to_str().unwrap(), &file]),
        2,
        &["no.toml", "docs/ci.md"],
    );
    let dir = folder.0.path().to_str().unwrap();
    ends(
        &ovsgap(&["check", "--ovs-rundir", dir, "--recordings", dir, "--", "true"]),
        2,
        &["Open vSwitch is not running"],
    );
    ends(&ovsgap(&["compare", &file]), 2, &["--against"]);
    let other = folder.put("other.json", b"{}");
    ends(
        &ovsgap(&["compare", &file, "--against", &other]),
        2,
        &["other.json", "ovsgap record"],
    );
    let empty = folder.path("empty");
    std::fs::create_dir(&empty).unwrap();
    ends(
        &ovsgap(&["compare", &file, "--against", empty.to_str().unwrap()]),
        2,
        &["--repeat"],
    );
}

#[test]
fn runs_of_another_version_are_named_as_such() {
    let folder = Folder::new();
    let file = folder.fixed();
    let older = folder.put(
        "older.json",
        br#"{"schema":"ovsgap.runs/1","runs":[{"restarts":1}]}"#,
    );
    ends(
        &ovsgap(&["compare", &file, "--against", &older]),
        2,
        &["older.json", "ovsgap.runs/1", "ovsgap.runs/2"],
    );
}

#[test]
fn the_budget_of_a_pod_goes_before_that_of_its_namespace_and_of_all() {
    let folder = Folder::new();
    let toml = folder.put(
        "budget.toml",
        b"max_window = \"50ms\"\n[namespace.default]\nmax_window = \"1s\"\n[pod.\"default/web-2\"]\nmax_window = \"20ms\"\n[pod.\"default/wbe-3\"]\nmax_lost = 1\n",
    );
    let output = ovsgap(&["check", "--budget", &toml, &folder.bug()]);
    let said = ends(&output, 1, &["default/wbe-3, which was not on this node"]);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with("FAIL")).collect();
    assert_eq!(failed.len(), 1, "{said}");
    assert!(
        failed[0].contains("default/web-2") && failed[0].contains("> 20.000 ms"),
        "{failed:?}"
    );
}

#[test]
fn the_report_goes_to_a_file_and_the_verdict_to_the_screen() {
    let folder = Folder::new();
    let path = folder.path("gap.json");
    let path = path.to_str().unwrap();
    let output = ovsgap(&[
        "check",
        "--max-window",
        "50ms",
        "--format",
        "json",
        "-o",
        path,
        &folder.bug(),
    ]);
    let said = ends(&output, 1, &["FAIL         default/web-1: window"]);
    assert!(!said.contains("\"schema\""), "{said}");
    let report: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(report["schema"], "ovsgap.report/2");
    assert_eq!(report["judgement"]["verdict"], "fail");
    assert_eq!(
        report["judgement"]["cases"][0]["breaches"][0]["subject"],
        "window"
    );
    assert_eq!(
        report["disruptions"][0]["counterfactual"]["max_remaining_ns"],
        20_000_000
    );
}

#[test]
fn several_recordings_are_judged_one_by_one_and_told_together() {
    let folder = Folder::new();
    let output = ovsgap(&[
        "check",
        "--max-window",
        "50ms",
        &folder.fixed(),
        &folder.bug(),
        &folder.fixed(),
    ]);
    let said = ends(
        &output,
        1,
        &["over 3 runs", "p90", "not yet to be trusted: 3 of 29 runs"],
    );
    assert!(
        said.contains("(disruption 2)")
            && said.contains("check: FAIL (3 over the budget, 0 undecided, 6 within it)"),
        "{said}"
    );
    let output = ovsgap(&[
        "check",
        "--max-window",
        "50ms",
        "--format",
        "json",
        &folder.fixed(),
        &folder.bug(),
    ]);
    let runs: Value = serde_json::from_str(&ends(&output, 1, &[])).unwrap();
    assert_eq!(runs["schema"], "ovsgap.runs/2");
    assert_eq!(runs["runs"][1]["worst"], "default/web-1");
    assert_eq!(runs["spread"]["window_ns"]["max"], 321_000_000);
    assert_eq!(runs["spread"]["window_ns"]["quantiles"][2]["runs_needed"], 299);
    // The same document is what `compare` takes.
    let file = folder.put("runs.json", ends(&output, 1, &[]).as_bytes());
    ends(
        &ovsgap(&["compare", &file, "--against", &folder.fixed()]),
        3,
        &["too few", "at least 4"],
    );
}

#[test]
fn too_few_runs_say_how_many_are_needed() {
    let folder = Folder::new();
    let output = ovsgap(&["compare", &folder.bug(), "--against", &folder.fixed()]);
    ends(
        &output,
        3,
        &["inconclusive", "1 run after against 1 before", "--repeat 4"],
    );
}

#[test]
fn runs_in_which_nothing_was_seen_are_left_out() {
    let folder = Folder::new();
    for run in 0..4 {
        folder.put(&format!("bug/{run}.jsonl"), &recording(&Plot::default()));
        folder.put(&format!("fixed/{run}.jsonl"), &recording(&fixed()));
    }
    let quiet = events(&fixed());
    let quiet = quiet
        .into_iter()
        .filter(|event| event.at < recorded::story::ms(500) || event.kind == EventKind::CaptureEnded);
    folder.put("bug/quiet.jsonl", &recording_of(quiet));
    let set = |name: &str| folder.path(name).to_str().unwrap().to_owned();
    let output = ovsgap(&["compare", &set("bug"), "--against", &set("fixed")]);
    ends(
        &output,
        0,
        &[
            "better",
            "by 321.000 ms",
            "4 runs after against 4 before",
            "left out of before",
            "no disruption",
        ],
    );
    ends(
        &ovsgap(&["compare", &set("fixed"), "--against", &set("bug")]),
        1,
        &["worse", "by 321.000 ms"],
    );
    ends(
        &ovsgap(&["compare", &set("bug"), "--against", &set("bug")]),
        0,
        &["no evidence"],
    );
}

/// Runs of real disruptions of one node, twenty of each order and twenty of each again: `check --repeat 20` in the lab.
fn lab(set: &str) -> String {
    format!("{}/tests/fixtures/runs/{set}.json", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_fixed_order_is_better_than_the_bugs_and_says_by_how_much() {
    let output = ovsgap(&[
        "compare",
        &lab("bug"),
        "--against",
        &lab("fixed"),
        "--format",
        "json",
    ]);
    let found: Value = serde_json::from_str(&ends(&output, 0, &[])).unwrap();
    assert_eq!(found["outcome"], "better");
    assert_eq!(found["before"]["runs"], 20);
    // The gap is 300 ms and what a busy emulated node adds: the shift is at least as long, and its interval excludes less.
    let bound = found["window"]["interval"][1].as_i64().unwrap();
    assert!(bound < -300_000_000, "{found:#}");
    // Flows that come late are what the fixed order does away with.
    let flows = found["others"].as_array().unwrap();
    let flows = flows
        .iter()
        .find(|change| change["of"] == "flush→flows_installed");
    assert_eq!(flows.unwrap()["moved"], true);
    insta::assert_snapshot!(
        "better",
        ends(
            &ovsgap(&["compare", &lab("bug"), "--against", &lab("fixed")]),
            0,
            &[]
        )
    );
    ends(
        &ovsgap(&["compare", &lab("fixed"), "--against", &lab("bug")]),
        1,
        &["worse"],
    );
}

#[test]
fn the_same_order_again_shows_no_evidence() {
    for set in ["bug", "fixed"] {
        let output = ovsgap(&["compare", &lab(set), "--against", &lab(&format!("{set}-again"))]);
        ends(&output, 0, &["no evidence", "left out of after"]);
    }
}
