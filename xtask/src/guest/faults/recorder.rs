//! `ovsgap record`, started, troubled and ended.
//!
//! May not know: which trouble.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::guest::clock::{self, SECOND};
use crate::report::Report;

/// How long the end may take. Taking 28 probes off a kernel takes 4 s under emulation, and its sources may take ten.
const END: u64 = 12 * SECOND;
/// What it says when it traces.
const READY: &str = "tracing; Ctrl-C ends it";

/// A recorder that runs.
pub struct Recorder {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

/// What it left.
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Its report, as JSON, where it printed one.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// Where a recording of this name goes.
pub fn path(name: &str) -> PathBuf {
    let path = Path::new("/tmp").join(name);
    // One of an earlier run would be refused.
    let _ = std::fs::remove_file(&path);
    path
}

/// `ovsgap record -o OUT --format json` with more arguments.
pub fn command(out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("ovsgap");
    command
        .arg("record")
        .arg("-o")
        .arg(out)
        .args(["--format", "json"])
        .args(more);
    command
}

impl Recorder {
    /// Starts it and waits until it traces.
    pub fn start(mut command: Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("starting ovsgap")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut lines = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut said = String::new();
        while !said.contains(READY) {
            if lines.read_line(&mut said).context("reading its stderr")? == 0 {
                let status = child.wait()?;
                bail!("ovsgap ended before it traced ({status}): {said}");
            }
        }
        let stderr = std::thread::spawn(move || {
            let mut rest = String::new();
            let _ = lines.read_to_string(&mut rest);
            said + &rest
        });
        Ok(Self {
            child,
            stdout: std::thread::spawn(move || all(stdout)),
            stderr,
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.child.id().try_into()?).context("a process without an id")?;
        kill_process(pid, signal).context("signalling ovsgap")
    }

    /// Ends it as Ctrl-C does, and sees that it does not hang.
    pub fn end(self) -> Result<Ended> {
        self.signal(Signal::INT)?;
        let began = clock::now();
        let ended = self.wait()?;
        let took = clock::now() - began;
        ensure!(took < END, "the end took {} s", took / SECOND);
        Ok(ended)
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Ended> {
        let status = self.child.wait().context("waiting for ovsgap")?;
        let text = |thread: JoinHandle<String>| thread.join().unwrap_or_default();
        let ended = Ended {
            status,
            stdout: text(self.stdout),
            stderr: text(self.stderr),
        };
        ensure!(
            !ended.stderr.contains("panicked"),
            "ovsgap panicked: {}",
            ended.stderr
        );
        Ok(ended)
    }
}

fn all(mut stdout: ChildStdout) -> String {
    let mut text = String::new();
    // What is no text is no report either.
    let _ = stdout.read_to_string(&mut text);
    text
}

impl Ended {
    /// The report, if it ended as it should.
    pub fn report(&self, code: i32) -> Result<Report> {
        ensure!(
            self.status.code() == Some(code),
            "ended with {:?} (signal {:?}) instead of {code}: {}",
            self.status.code(),
            self.status.signal(),
            self.stderr
        );
        parse(&self.stdout)
    }
}

/// `ovsgap report --format json` of a recording: its status, report and words.
pub fn replay(path: &Path) -> Result<Ended> {
    let output = Command::new("ovsgap")
        .arg("report")
        .arg(path)
        .args(["--format", "json"])
        .output()
        .context("starting ovsgap report")?;
    Ok(Ended {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn parse(text: &str) -> Result<Report> {
    serde_json::from_str(text).with_context(|| format!("this is no report: {text:.200}"))
}
