//! The command as a user runs it, on recordings and where nothing can be traced.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../../tracer-core/tests/story/mod.rs"]
mod story;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use story::{Plot, Story};
use tracer_core::log::{Header, VERSION, write_entry, write_header};
use tracer_core::time::Timestamp;

fn ovsgap(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ovsgap"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn recording(plot: &Plot) -> Vec<u8> {
    let header = Header {
        ovsgap_log: VERSION,
        tool: "ovsgap test".to_owned(),
        hostname: Some("node-1".to_owned()),
        kernel: Some("6.12.0".to_owned()),
        started_ns: Timestamp(0),
        wall_offset_ns: 1_795_000_000_000_000_000,
    };
    let mut bytes = Vec::new();
    write_header(&mut bytes, &header).unwrap();
    for (seq, event) in (0..).zip(Story::tell(plot)) {
        write_entry(&mut bytes, seq, &event).unwrap();
    }
    bytes
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(bytes: &[u8]) -> (Self, String) {
        let folder = Self(tempfile::tempdir().unwrap());
        let path = folder.path("run.jsonl");
        std::fs::write(&path, bytes).unwrap();
        (folder, path.to_str().unwrap().to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.0.path()).join(name)
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn the_report_of_the_bug_reads_well() {
    let (_folder, file) = Folder::with(&recording(&Plot::default()));
    let output = ovsgap(&["report", &file]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    insta::assert_snapshot!("bug", text(&output.stdout));
    let output = ovsgap(&["report", &file, "--format", "json"]);
    insta::assert_snapshot!("bug_json", text(&output.stdout));
}

#[test]
fn the_report_of_the_fixed_order_reads_well() {
    let (_folder, file) = Folder::with(&recording(&Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    }));
    insta::assert_snapshot!("fixed", text(&ovsgap(&["report", &file, "--utc"]).stdout));
}

/// A real disruption, recorded in the lab: the engine's answer to it does not change unnoticed.
#[test]
fn the_shipped_recording_reports_what_happened() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/restart.jsonl");
    insta::assert_snapshot!("shipped", text(&ovsgap(&["report", file]).stdout));
    insta::assert_snapshot!(
        "shipped_json",
        text(&ovsgap(&["report", file, "--format", "json"]).stdout)
    );
}

#[test]
fn standard_input_reports_like_the_file() {
    let bytes = recording(&Plot::default());
    let (_folder, file) = Folder::with(&bytes);
    let mut child = command(&["report", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert_eq!(
        child.wait_with_output().unwrap().stdout,
        ovsgap(&["report", &file]).stdout
    );
}

#[test]
fn a_cut_recording_reports_what_it_holds_and_fails() {
    let bytes = recording(&Plot::default());
    for end in [
        bytes.len() - 7,
        bytes.len() - text(&bytes).lines().last().unwrap().len() - 1,
    ] {
        let (_folder, file) = Folder::with(&bytes[..end]);
        let output = ovsgap(&["report", &file]);
        refused(&output, &["run.jsonl", "interrupted"]);
        assert!(text(&output.stdout).contains("web-1"), "{}", text(&output.stdout));
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    for bytes in [
        &b""[..],
        b"\x7fELF\x02\x01\n",
        b"{\"a\": 1}\n",
        b"\xff\xfe\n",
        b"hello",
    ] {
        let (_folder, file) = Folder::with(bytes);
        refused(
            &ovsgap(&["report", &file]),
            &["not a recording of ovsgap", "ovsgap record"],
        );
    }
    refused(
        &ovsgap(&["report", "/nowhere/run.jsonl"]),
        &["/nowhere/run.jsonl", "No such file"],
    );
    refused(&ovsgap(&["report", "/"]), &["cannot read"]);
}

#[test]
fn a_damaged_line_is_named() {
    let mut bytes = recording(&Plot::default());
    let middle = bytes.len() / 2;
    bytes[middle] = 0;
    let (_folder, file) = Folder::with(&bytes);
    refused(&ovsgap(&["report", &file]), &["line", "damaged"]);
}

#[test]
fn without_open_vswitch_there_is_nothing_to_record() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let output = ovsgap(&["record", "--ovs-rundir", dir, "--", "true"]);
    refused(&output, &["Open vSwitch is not running", "--ovs-rundir"]);
    refused(
        &ovsgap(&["record", "--db", "tcp:127.0.0.1:6640", "--", "true"]),
        &["tcp is not supported"],
    );
}

#[test]
fn what_cannot_hold_a_recording_is_refused_before_open_vswitch_is_looked_for() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let directory = folder.path("").to_str().unwrap().to_owned();
    refused(
        &ovsgap(&["record", "-o", &directory, "--", "true"]),
        &["-o", "is a directory"],
    );
    let missing = folder.path("missing/run.jsonl");
    refused(
        &ovsgap(&["record", "-o", missing.to_str().unwrap(), "--", "true"]),
        &["-o", "No such file"],
    );
}

#[test]
fn bad_usage_is_refused() {
    refused(&ovsgap(&["report"]), &["Usage"]);
    refused(&ovsgap(&["record", "--ring-size", "5"]), &["power of two"]);
    refused(&ovsgap(&["record", "--max-keys", "7"]), &["64..=1048576"]);
    refused(&ovsgap(&["frobnicate"]), &["frobnicate"]);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (_folder, file) = Folder::with(&recording(&Plot {
        pods: 3,
        ..Plot::default()
    }));
    let mut child = command(&["report", &file, "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}
