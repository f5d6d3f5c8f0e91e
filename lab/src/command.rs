//! Runs the node's own programs.
//!
//! Must not depend on: what they do.

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs a program to its end and returns what it printed.
pub fn output(program: &str, arguments: &[&str]) -> Result<String> {
    input(program, arguments, "")
}

/// The same, with `text` on its stdin.
pub fn input(program: &str, arguments: &[&str], text: &str) -> Result<String> {
    finish(start(program, arguments)?, program, text)
}

/// Starts a program that waits for its stdin: see [`finish`].
pub fn start(program: &str, arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().with_context(|| format!("starting {program}"))
}

/// Gives a started program its stdin and waits for its end. Programs here read all before they answer, and
/// answer in less than a pipe holds.
pub fn finish(mut child: Child, program: &str, text: &str) -> Result<String> {
    if let Some(mut stdin) = child.stdin.take() {
        // A program that fails early closes its stdin; its status tells more than the broken pipe.
        let _ = stdin.write_all(text.as_bytes());
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child
        .wait_with_output()
        .with_context(|| format!("waiting for {program}"))?;
    if !status.success() {
        bail!(
            "{program} failed ({status}): {}",
            String::from_utf8_lossy(&stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
