//! The captures in docs/tui.md are what is drawn over the recording that ships with the sources.
//!
//! `OVSGAP_UPDATE=1 cargo test -p tracer --test tui_docs` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;

use std::fmt::Write as _;

use recorded::session::Session;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tui.md");
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/restart.jsonl");

/// What stands before a capture: its size and the keys that were pressed.
const MARK: &str = "<!-- screen ";

#[test]
fn captures_are_what_is_drawn() {
    let path = std::env::var("OVSGAP_DEMO").unwrap_or_else(|_| SHIPPED.to_owned());
    let Ok(recording) = std::fs::read(&path) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{path} is missing: the lab makes it"
        );
        eprintln!("{path} is missing: the captures are not checked");
        return;
    };
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let drawn = redrawn(&document, &recording);
    if std::env::var_os("OVSGAP_UPDATE").is_some() {
        std::fs::write(DOCUMENT, drawn).unwrap();
    } else {
        assert!(
            drawn == document,
            "docs/tui.md shows old screens: OVSGAP_UPDATE=1 writes them anew"
        );
    }
}

/// The document with every capture drawn anew.
fn redrawn(document: &str, recording: &[u8]) -> String {
    let mut out = String::new();
    let mut lines = document.lines();
    let mut captures = 0;
    while let Some(line) = lines.next() {
        writeln!(out, "{line}").unwrap();
        let Some(order) = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let (size, keys) = order.split_once(' ').unwrap_or((order, ""));
        let (columns, rows) = size.split_once('x').unwrap();
        let session =
            Session::named("restart.jsonl", recording).sized(columns.parse().unwrap(), rows.parse().unwrap());
        let screen = session.press(keys).draw();
        writeln!(out, "```text\n{}\n```", screen.trim_end()).unwrap();
        assert_eq!(lines.next(), Some("```text"), "after {line}");
        assert!(lines.any(|line| line == "```"), "after {line}");
        captures += 1;
    }
    assert!(captures > 0);
    out
}
