//! Readers of what ovsgap writes: one that stands still, for a while or for good, one that takes a byte at a time, none.
//!
//! Must not depend on: other troubles.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::fs::OFlags;
use rustix::io::ioctl_fionread;
use rustix::pipe::{fcntl_setpipe_size, pipe};
use rustix::process::{Pid, Signal, kill_process};

use super::disturbed::restart;
use super::recorder::{Ended, PIPE, Recorder, command, path, replay, status};
use super::told::{has, tells_the_bug};
use crate::clock::{self, MILLISECOND, SECOND};
use crate::command::output;
use crate::words::report::Report;

/// What a full pipe holds at least, where nobody made it larger or smaller: sixteen pages, of which two neighbours hold more
/// than one page, else the kernel would have put both into one.
const FULL: u64 = 32 << 10;

/// A reader of a recording, which stands still until it is told to go on.
struct Tap {
    pipe: PathBuf,
    go: Sender<()>,
    read: JoinHandle<Result<Vec<u8>>>,
}

impl Tap {
    /// Reads the first line, and the rest by `read`.
    fn start(name: &str, read: fn(&mut BufReader<File>, &Receiver<()>) -> Result<Vec<u8>>) -> Result<Self> {
        let pipe = made(name)?;
        let (go, told) = channel();
        let open = pipe.clone();
        let read = thread::spawn(move || -> Result<Vec<u8>> {
            // Of one byte: what it has read ahead nobody would miss in the pipe.
            let mut input = BufReader::with_capacity(1, File::open(open)?);
            let mut all = Vec::new();
            input.read_until(b'\n', &mut all)?;
            all.extend(read(&mut input, &told)?);
            Ok(all)
        });
        Ok(Self { pipe, go, read })
    }

    /// Lets it go on.
    fn go_on(&self) {
        // One that needs no word does not listen.
        let _ = self.go.send(());
    }

    /// All that it read, once what wrote has ended.
    fn all(self) -> Result<Vec<u8>> {
        self.read.join().map_err(|_| anyhow!("the reader panicked"))?
    }
}

fn made(name: &str) -> Result<PathBuf> {
    let pipe = path(name);
    output("mkfifo", &[pipe.to_str().context("a name")?])?;
    Ok(pipe)
}

/// Stands still before a pipe that is full by then, and takes the rest when it is told to.
fn rest_when_told(input: &mut BufReader<File>, told: &Receiver<()>) -> Result<Vec<u8>> {
    told.recv().context("nobody said when")?;
    let waits = ioctl_fionread(input.get_ref()).context("asking a pipe")?;
    ensure!(waits > FULL, "only {waits} bytes wait in the pipe");
    let mut rest = Vec::new();
    input.get_mut().read_to_end(&mut rest)?;
    Ok(rest)
}

/// One system call for each byte.
fn byte_by_byte(input: &mut BufReader<File>, _: &Receiver<()>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut byte = [0];
    while input.get_mut().read(&mut byte)? > 0 {
        all.extend(byte);
    }
    Ok(all)
}

/// For good: the report is whole, and what the reader has can be opened.
pub fn stands_still() -> Result<()> {
    let tap = Tap::start("still", rest_when_told)?;
    let recorder = Recorder::start(command(&tap.pipe, &["--evidence", "always"]))?;
    restart()?;
    let ended = recorder.end()?;
    tap.go_on();
    let read = tap.all()?;
    let said = ended.stderr.contains("not whole") && ended.stderr.contains("its reader left the last");
    ensure!(said, "it did not say so: {}", ended.stderr);
    tells_the_bug(&ended.report(2)?)?;
    let kept = kept(&read)?;
    let report = kept.report(2)?;
    has(&report, "log_truncated")?;
    let lines = String::from_utf8_lossy(&read).matches('\n').count() as u64;
    // The first is the header.
    ensure!(
        report.capture.events + 1 == lines,
        "of {lines} lines {} events are reported",
        report.capture.events
    );
    Ok(())
}

/// While Open vSwitch restarts: then it gets all that has come meanwhile.
pub fn pauses() -> Result<()> {
    let tap = Tap::start("pauses", rest_when_told)?;
    let recorder = Recorder::start(command(&tap.pipe, &["--evidence", "always"]))?;
    restart()?;
    tap.go_on();
    nothing_lost(&recorder.end()?, tap)
}

/// It gets all of it.
pub fn drips() -> Result<()> {
    let tap = Tap::start("drips", byte_by_byte)?;
    let recorder = Recorder::start(command(&tap.pipe, &[]))?;
    restart()?;
    nothing_lost(&recorder.end()?, tap)
}

/// The reader's copy gives the report of the live run, byte by byte.
fn nothing_lost(ended: &Ended, tap: Tap) -> Result<()> {
    tells_the_bug(&ended.report(0)?)?;
    let kept = kept(&tap.all()?)?;
    kept.report(0)?;
    ensure!(kept.stdout == ended.stdout, "the copy says: {}", kept.stdout);
    Ok(())
}

fn kept(read: &[u8]) -> Result<Ended> {
    let copy = path("copy.jsonl");
    std::fs::write(&copy, read).context("keeping what was read")?;
    replay(&copy)
}

/// A pipe without a reader: there is a report, and that there is no recording is said.
pub fn never_comes() -> Result<()> {
    let pipe = made("nobody")?;
    let ended = Recorder::start(command(&pipe, &[]))?.end()?;
    let said = ended.stderr.contains("not whole") && ended.stderr.contains("nobody reads this pipe");
    ensure!(said, "it did not say so: {}", ended.stderr);
    ended.report(2).map(drop)
}

/// The report's reader stands still: the recording has it.
pub fn report_unread() -> Result<()> {
    let out = path("unread.jsonl");
    let recorder = Recorder::start_unread(command(&out, &[]))?;
    restart()?;
    let ended = recorder.end()?;
    ensure!(
        ended.status.code() == Some(2),
        "{}: {}",
        ended.status,
        ended.stderr
    );
    let said = ended.stderr.contains("standard output") && ended.stderr.contains("is whole");
    ensure!(said, "it did not say so: {}", ended.stderr);
    let replayed = replay(&out)?;
    tells_the_bug(&replayed.report(0)?)?;
    ensure!(
        ended.stdout.len() == PIPE,
        "{} bytes were taken",
        ended.stdout.len()
    );
    ensure!(replayed.stdout.starts_with(&ended.stdout), "it is another report");
    Ok(())
}

/// Nobody reads what it says, from before it traces: it records and reports as ever.
pub fn words_unread() -> Result<()> {
    let out = path("words.jsonl");
    let (kept, full) = full_pipe()?;
    let mut child = command(&out, &[])
        .stdin(Stdio::null())
        .stdout(File::create(path("words.json"))?)
        .stderr(Stdio::from(full))
        .spawn()
        .context("starting ovsgap")?;
    let ended = until_it_traces(&out)
        .and_then(|()| restart())
        .and_then(|()| end(&mut child));
    if ended.is_err() {
        let _ = (child.kill(), child.wait());
    }
    drop(kept);
    ended?;
    let report = std::fs::read_to_string("/tmp/words.json").context("reading the report")?;
    tells_the_bug(&serde_json::from_str::<Report>(&report).context("this is no report")?)?;
    let replayed = replay(&out)?;
    replayed.report(0)?;
    ensure!(
        replayed.stdout == report,
        "the recording says: {}",
        replayed.stdout
    );
    Ok(())
}

/// Both ends of a pipe that takes no byte more.
fn full_pipe() -> Result<(std::os::fd::OwnedFd, std::os::fd::OwnedFd)> {
    let (read, write) = pipe().context("making a pipe")?;
    fcntl_setpipe_size(&write, PIPE).context("making a pipe small")?;
    // Opened once more: else ovsgap's end would not wait, either.
    let mut filler = OpenOptions::new()
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(format!("/proc/self/fd/{}", write.as_raw_fd()))
        .context("opening a pipe once more")?;
    loop {
        match filler.write(b".") {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((read, write)),
            written => written.map(drop).context("filling a pipe")?,
        }
    }
}

/// Waits until the recording holds what a bridge said of its flows, and a tick after it.
fn until_it_traces(out: &Path) -> Result<()> {
    let until = clock::now() + 30 * SECOND;
    while clock::now() < until {
        let text = std::fs::read_to_string(out).unwrap_or_default();
        let told = text.find("open_flow_snapshot").and_then(|at| text.get(at..));
        if told.is_some_and(|rest| rest.contains("\"tick\"")) {
            return Ok(());
        }
        clock::sleep_until(clock::now() + 100 * MILLISECOND);
    }
    Err(anyhow!("it records nothing"))
}

fn end(child: &mut Child) -> Result<()> {
    let began = clock::now();
    let pid = Pid::from_raw(child.id().try_into()?).context("a process without an id")?;
    kill_process(pid, Signal::INT).context("signalling ovsgap")?;
    let status = status(child)?;
    let took = clock::now() - began;
    ensure!(took < 2 * SECOND, "the end took {} ms", took / MILLISECOND);
    ensure!(status.success(), "{status}");
    Ok(())
}
