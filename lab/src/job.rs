//! Runs the job's command: its output goes to the host as it comes, it ends with the command's exit or its time.
//!
//! Must not depend on: mounts, the scenario. A daemon that the command left behind may hold the pipes open for ever,
//! so the command's exit, not the pipes' end, ends the reading.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};

use crate::words::wire::{Frame, Job, LONGEST, Verdict};

/// Where programs are looked for: what the host copied comes first.
const PATH: &str =
    "/opt/copy:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/share/openvswitch/scripts";

/// Runs the command to its end.
pub fn run(job: &Job, port: &mut File) -> Verdict {
    start(job, port).unwrap_or_else(|error| Verdict::Failed(format!("{error:#}")))
}

fn start(job: &Job, port: &mut File) -> Result<Verdict> {
    std::fs::create_dir_all("/out").context("creating /out")?;
    let [program, arguments @ ..] = job.argv.as_slice() else {
        bail!("there is no command")
    };
    let (stdout, stdout_end) = io::pipe().context("making a pipe")?;
    let (stderr, stderr_end) = io::pipe().context("making a pipe")?;
    let (done, done_end) = io::pipe().context("making a pipe")?;
    let mut command = command(program);
    command.args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(stdout_end)
        .stderr(stderr_end)
        .process_group(0);
    let child = command.spawn().with_context(|| format!("starting {program}"))?;
    drop(command);
    let pid = Pid::from_raw(child.id().try_into()?).context("a process without an id")?;
    let timed_out = kill_after(pid, Duration::from_secs(job.timeout_s));
    let mut to = port.try_clone().context("sharing the port")?;
    let pump = std::thread::spawn(move || forward(&stdout, &stderr, &done, &mut to));
    let status = reap(pid);
    drop(done_end);
    pump.join()
        .map_err(|_| anyhow::anyhow!("the thread that forwards output panicked"))?
        .context("forwarding output")?;
    if timed_out.load(Ordering::SeqCst) {
        return Ok(Verdict::TimedOut);
    }
    verdict(status?)
}

/// A command with a system's usual environment. It is looked for along its own PATH: init has none.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/root");
    command.envs([
        ("PATH", PATH),
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("TERM", "dumb"),
        ("RUST_BACKTRACE", "1"),
    ]);
    command
}

fn verdict(status: WaitStatus) -> Result<Verdict> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ok(Verdict::Code(u8::try_from(code)?)),
        (None, Some(signal)) => Ok(Verdict::Signal(signal)),
        (None, None) => bail!("the command neither exited nor was killed"),
    }
}

/// Waits for `pid`, and meanwhile for every orphan, as process 1 must.
fn reap(pid: Pid) -> Result<WaitStatus> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == pid => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for the command"),
        }
    }
}

/// Kills the command's process group after `time`; the flag says that it came to that.
fn kill_after(pid: Pid, time: Duration) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    std::thread::spawn(move || {
        std::thread::sleep(time);
        set.store(true, Ordering::SeqCst);
        let _ = kill_process_group(pid, Signal::KILL);
    });
    flag
}

/// Sends what comes on the pipes until `done` is closed, and then what is still in them.
fn forward(
    stdout: &io::PipeReader,
    stderr: &io::PipeReader,
    done: &io::PipeReader,
    port: &mut File,
) -> Result<()> {
    for pipe in [stdout, stderr] {
        rustix::io::ioctl_fionbio(pipe, true).context("making a pipe non-blocking")?;
    }
    let (mut stdout_open, mut stderr_open) = (true, true);
    loop {
        let mut fds = vec![PollFd::new(done, PollFlags::IN)];
        for (pipe, open) in [(stdout, stdout_open), (stderr, stderr_open)] {
            if open {
                fds.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
            }
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for output"),
        }
        let over = fds.first().is_some_and(|fd| !fd.revents().is_empty());
        stdout_open = stdout_open && drain(stdout, port, Frame::Stdout)?;
        stderr_open = stderr_open && drain(stderr, port, Frame::Stderr)?;
        if over {
            return Ok(());
        }
    }
}

/// Sends what is in the pipe; false when its last writer is gone.
fn drain(mut pipe: &io::PipeReader, port: &mut File, frame: fn(Vec<u8>) -> Frame) -> Result<bool> {
    let mut bytes = vec![0; LONGEST];
    loop {
        match pipe.read(&mut bytes) {
            Ok(0) => return Ok(false),
            Ok(length) => frame(bytes.get(..length).unwrap_or_default().to_vec()).write(port)?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("reading the command's output"),
        }
    }
}

/// Sends `/out` as a tar archive.
pub fn send_out(port: &mut File) -> Result<()> {
    let mut tar = command("tar")
        .args(["-c", "-C", "/out", "."])
        .stdout(Stdio::piped())
        .spawn()
        .context("starting tar")?;
    let mut from = tar.stdout.take().context("tar's stdout is not ours")?;
    let mut bytes = vec![0; LONGEST];
    loop {
        let length = from.read(&mut bytes).context("reading from tar")?;
        if length == 0 {
            break;
        }
        Frame::Out(bytes.get(..length).unwrap_or_default().to_vec()).write(port)?;
    }
    port.flush()?;
    let status = tar.wait().context("waiting for tar")?;
    // 1: a file changed while it was read, as the log of a daemon that still runs does.
    if !matches!(status.code(), Some(0 | 1)) {
        bail!("tar of /out: {status}");
    }
    Ok(())
}
