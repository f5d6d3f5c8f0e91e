//! `ovsgap record`, started, troubled and ended.
//!
//! Must not depend on: which trouble.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::clock::{self, MILLISECOND, SECOND};
use crate::words::report::Report;

/// How long one that is waited for may go on before it is killed: it hangs.
const HANGS: u64 = 60 * SECOND;
/// How long the end may take, from the trouble or the signal to a report that is written and a process that is gone.
const END: u64 = 2 * SECOND;
/// What the smallest pipe holds.
pub const PIPE: usize = 4096;
/// What it says when it traces.
const READY: &str = "tracing; Ctrl-C ends it";

/// A recorder that runs.
pub struct Recorder {
    child: Child,
    stdout: Option<JoinHandle<(String, u64)>>,
    stderr: Option<JoinHandle<String>>,
    ready: Receiver<()>,
    /// Its report, where nobody reads it before it has ended.
    unread: Option<ChildStdout>,
}

/// What it left.
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Its report, as JSON, where it printed one.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
    /// When the last of its report was there.
    reported: u64,
}

/// How long the ends took since they were last asked for: the report, and the process, in ms.
static ENDS: Mutex<Vec<[u64; 2]>> = Mutex::new(Vec::new());

/// How long the ends took since the last call.
pub fn ends() -> Vec<[u64; 2]> {
    ENDS.lock()
        .map(|mut ends| std::mem::take(&mut *ends))
        .unwrap_or_default()
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
    pub fn start(command: Command) -> Result<Self> {
        Self::spawn(command)?.until_ready()
    }

    fn until_ready(self) -> Result<Self> {
        if self.ready.recv().is_err() {
            let ended = self.wait()?;
            bail!(
                "ovsgap ended before it traced ({}): {}",
                ended.status,
                ended.stderr
            );
        }
        Ok(self)
    }

    /// Starts it.
    pub fn spawn(command: Command) -> Result<Self> {
        let (mut recorder, stdout) = Self::mute(command)?;
        recorder.stdout = Some(std::thread::spawn(move || all(stdout)));
        Ok(recorder)
    }

    /// Starts it and waits until it traces; nobody reads its report before it has ended, and it is written into a pipe that
    /// holds [`PIPE`] bytes.
    pub fn start_unread(command: Command) -> Result<Self> {
        let (mut recorder, stdout) = Self::mute(command)?;
        fcntl_setpipe_size(&stdout, PIPE).context("making a pipe small")?;
        recorder.unread = Some(stdout);
        recorder.until_ready()
    }

    /// Starts it, with words that are read and a report that is not yet.
    fn mute(mut command: Command) -> Result<(Self, ChildStdout)> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("starting ovsgap")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let stderr = child.stderr.take().context("no stderr")?;
        let (traces, ready) = channel();
        let recorder = Self {
            child,
            stdout: None,
            stderr: Some(std::thread::spawn(move || words(stderr, &traces))),
            ready,
            unread: None,
        };
        Ok((recorder, stdout))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.child.id().try_into()?).context("a process without an id")?;
        kill_process(pid, signal).context("signalling ovsgap")
    }

    /// Ends it as Ctrl-C does, and sees that it does not hang.
    pub fn end(self) -> Result<Ended> {
        self.end_by(Signal::INT)
    }

    /// Ends it by a signal, and sees that it does not hang.
    pub fn end_by(self, signal: Signal) -> Result<Ended> {
        let began = clock::now();
        self.signal(signal)?;
        let ended = self.wait()?;
        let took = clock::now() - began;
        if let Ok(mut ends) = ENDS.lock() {
            ends.push([ended.reported.saturating_sub(began), took].map(|nanos| nanos / MILLISECOND));
        }
        ensure!(took < END, "the end took {} ms", took / MILLISECOND);
        Ok(ended)
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Ended> {
        let status = status(&mut self.child)?;
        let (stdout, reported) = match self.unread.take() {
            Some(stdout) => all(stdout),
            None => ended(self.stdout.take()),
        };
        let ended = Ended {
            status,
            stdout,
            stderr: ended(self.stderr.take()),
            reported,
        };
        ensure!(
            !ended.stderr.contains("panicked"),
            "ovsgap panicked: {}",
            ended.stderr
        );
        Ok(ended)
    }
}

impl Drop for Recorder {
    /// One that nobody ended would disturb the next trial.
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// How it ended; one that hangs is killed.
pub fn status(child: &mut Child) -> Result<ExitStatus> {
    let pid = Pid::from_raw(child.id().try_into()?).context("a process without an id")?;
    let gone = pidfd_open(pid, PidfdFlags::empty()).context("watching ovsgap")?;
    let patience = Timespec {
        tv_sec: (HANGS / SECOND).try_into()?,
        tv_nsec: 0,
    };
    let hangs =
        poll(&mut [PollFd::new(&gone, PollFlags::IN)], Some(&patience)).context("waiting for ovsgap")? == 0;
    if hangs {
        child.kill().context("killing ovsgap")?;
    }
    let status = child.wait().context("waiting for ovsgap")?;
    ensure!(!hangs, "ovsgap hangs: it did not end within {} s", HANGS / SECOND);
    Ok(status)
}

fn ended<T: Default>(thread: Option<JoinHandle<T>>) -> T {
    thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
}

/// All of its report, and when the last of it came.
fn all(mut stdout: ChildStdout) -> (String, u64) {
    let (mut text, mut last) = (Vec::new(), 0);
    let mut piece = [0; 4096];
    while let Ok(length) = stdout.read(&mut piece) {
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        text.extend_from_slice(read);
        last = clock::now();
    }
    (String::from_utf8_lossy(&text).into_owned(), last)
}

/// All that it says; tells when it traces.
fn words(stderr: ChildStderr, traces: &Sender<()>) -> String {
    let mut said = String::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if line.contains(READY) {
            // Who does not wait for it does not listen.
            let _ = traces.send(());
        }
        said += &line;
        said.push('\n');
    }
    said
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
        reported: clock::now(),
    })
}

fn parse(text: &str) -> Result<Report> {
    serde_json::from_str(text).with_context(|| format!("this is no report: {text:.200}"))
}
