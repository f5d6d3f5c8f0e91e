//! The files that ovsgap writes: none of another is overwritten or read by others, whatever stands under the name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;
#[allow(dead_code, reason = "one terminal is enough")]
mod tmux;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use recorded::{Plot, recording};

/// A folder with a recording in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("story.jsonl"), recording(&Plot::default())).unwrap();
    folder
}

/// Judges the recording in a shell; the exit status, and everything that was said.
fn check(folder: &Path, rest: &str) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("\"$OVSGAP\" check story.jsonl {rest}"))
        .env("OVSGAP", env!("CARGO_BIN_EXE_ovsgap"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_report_is_its_owners_alone_and_replaces_nothing_unasked() {
    let folder = folder();
    let path = folder.path().join("gap.xml");
    let (status, said) = check(folder.path(), "--format junit -o gap.xml");
    assert_eq!((status, mode(&path)), (Some(1), 0o600), "{said}");
    fs::write(&path, "mine").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (status, said) = check(folder.path(), "--format junit -o gap.xml");
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("cannot write gap.xml") && said.contains("--overwrite"),
        "{said}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    let (status, said) = check(folder.path(), "--format junit -o gap.xml --overwrite");
    assert_eq!((status, mode(&path)), (Some(1), 0o600), "{said}");
    assert!(fs::read_to_string(&path).unwrap().contains("<testsuites"));
}

#[test]
fn no_symbolic_link_is_followed() {
    let folder = folder();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "precious").unwrap();
    symlink("target", &link).unwrap();
    for flags in ["", "--overwrite"] {
        let (status, said) = check(folder.path(), &format!("-o link {flags}"));
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("symbolic link"), "{said}");
    }
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert!(link.is_symlink());
}

#[test]
fn pipes_and_descriptors_take_a_report() {
    let folder = folder();
    let (status, said) = check(folder.path(), "--format junit -o /dev/stdout | cat");
    assert!(status == Some(0) && said.contains("<testsuites"), "{said}");
    let (status, said) = check(folder.path(), "-o /dev/null");
    assert_eq!(status, Some(1), "{said}");
    let (_, said) = check(folder.path(), "--format junit -o /dev/fd/3 3>&1 >/dev/null | cat");
    assert!(said.contains("<testsuites"), "{said}");
    let fifo = "< /dev/null; mkfifo pipe; cat pipe > copy & \"$OVSGAP\" check story.jsonl --format junit -o pipe; wait";
    check(folder.path(), fifo);
    let copy = fs::read_to_string(folder.path().join("copy")).unwrap();
    assert!(copy.contains("<testsuites"), "{copy}");
    // What the shell has begun is gone on with.
    fs::write(folder.path().join("log"), "before\n").unwrap();
    check(folder.path(), "--format junit -o /dev/stdout >> log");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.starts_with("before\n<?xml") && log.contains("check: FAIL"),
        "{log}"
    );
}

#[test]
fn files_written_from_the_screen_get_a_number_where_their_name_is_taken() {
    let folder = folder();
    fs::write(folder.path().join("story-report.json"), "mine").unwrap();
    let command = format!("{} watch story.jsonl", env!("CARGO_BIN_EXE_ovsgap"));
    let Some(tmux) = tmux::Tmux::start((120, 40), folder.path(), &command) else {
        return;
    };
    tmux.until("coverage:");
    for number in 2..4 {
        tmux.press("e");
        tmux.until(&format!(
            "wrote story-report-{number}.txt and story-report-{number}.json"
        ));
    }
    tmux.press("q");
    tmux.until("left with 0");
    assert!(!folder.path().join("story-report.txt").exists());
    assert_eq!(
        fs::read(folder.path().join("story-report.json")).unwrap(),
        b"mine"
    );
    assert_eq!(mode(&folder.path().join("story-report-3.json")), 0o600);
}
