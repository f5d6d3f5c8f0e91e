//! A pass is made in one place: where the witnesses are weighed.
//!
//! Must not depend on: what a pass is made of. Reads the sources; patterns that only look at a verdict are no construction.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::path::{Path, PathBuf};

/// The file that may.
const PROOF: &str = "witness/proof.rs";

/// All sources of a folder.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Whether a file holds tests alone.
fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs")
}

/// Lines that make a pass, by number. What is compiled for tests alone is not looked at.
fn makes(source: &str) -> Vec<usize> {
    let mut tests = false;
    let mut found = Vec::new();
    for (index, line) in source.lines().enumerate() {
        tests |= line == "#[cfg(test)]";
        if !tests && is_made(line.split("//").next().unwrap_or(line)) {
            found.push(index + 1);
        }
        // An item ends where it began, at the margin.
        tests &= line != "}" && !line.ends_with("tests;");
    }
    found
}

/// Whether a line names the word other than to look whether a verdict is one: in a pattern or beside a comparison. Taking the words
/// in by name would hide it, and so counts, too.
fn is_made(line: &str) -> bool {
    let imported = line.trim_start().starts_with("use ") && line.contains("Verdict::");
    let hidden =
        line.contains("Verdict::*") || line.contains("Verdict::{") || imported && line.contains("Pass");
    hidden
        || line
            .match_indices("Pass")
            .any(|(at, word)| names_verdict(line, at) && !is_looked_at(line, at, word.len()))
}

fn names_verdict(line: &str, at: usize) -> bool {
    let before = &line[..at];
    (before.ends_with("Verdict::") || before.ends_with("Self::"))
        && !line[at + "Pass".len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
}

fn is_looked_at(line: &str, at: usize, length: usize) -> bool {
    let before = line[..at]
        .trim_end_matches("Verdict::")
        .trim_end_matches("Self::")
        .trim_end_matches("Some(")
        .trim_end();
    let after = line[at + length..].trim_start_matches(')').trim_start();
    let signs = ["==", "!=", "<", ">", "<=", ">="];
    let is_measured = signs.iter().any(|sign| before.ends_with(sign)) && !before.ends_with("=>");
    let pattern = after.starts_with("=>")
        || after.starts_with("if ")
        || after.starts_with('|')
        || before.ends_with('|');
    let measured_by = signs.iter().any(|sign| after.starts_with(sign)) && !after.starts_with("=>");
    is_measured || measured_by || pattern || line.contains("matches!(")
}

#[test]
fn a_pass_is_made_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 40, "the sources have moved");
    let mut places = Vec::new();
    for path in paths.iter().filter(|path| !is_test(path)) {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let source = std::fs::read_to_string(path).unwrap();
        places.extend(makes(&source).into_iter().map(|line| (name.clone(), line)));
    }
    let elsewhere: Vec<_> = places.iter().filter(|(name, _)| name != PROOF).collect();
    assert!(elsewhere.is_empty(), "a pass is made in {elsewhere:?}");
    assert_eq!(places.len(), 1, "a pass is made more than once: {places:?}");
}

#[test]
fn a_construction_is_told_from_a_look() {
    for made in [
        "Verdict::Pass",
        "worst.unwrap_or(Verdict::Pass)",
        "_ => Verdict::Pass,",
        "let verdict = Verdict::Pass;",
        "Some(most) if most <= limit => Verdict::Pass,",
        "use crate::vocabulary::words::Verdict::Pass;",
        "use crate::vocabulary::words::Verdict::*;",
        "Self::Pass",
    ] {
        assert_eq!(makes(&format!("fn f() {{\n    {made}\n}}")), [2], "{made}");
    }
    for look in [
        "Verdict::Pass => None,",
        "if verdict == Verdict::Pass {",
        "pods.retain(|pod| pod.verdict != Verdict::Pass);",
        "matches!(verdict, Verdict::Pass)",
        "// Verdict::Pass",
        "Verdict::Pass | Verdict::Fail => 1,",
        "budget::Passed",
    ] {
        assert_eq!(makes(look), [], "{look}");
    }
    let tests = "#[cfg(test)]\nmod tests {\n    Verdict::Pass\n}\nfn f() {\n    Verdict::Pass\n}";
    assert_eq!(makes(tests), [6]);
}
