//! Ends of a recorder that nobody expects: killed, told to end while it starts, while ovs-vswitchd is away.
//!
//! Must not depend on: other troubles.

use std::path::Path;
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::Signal;

use super::disturbed::{STEPS, restart};
use super::recorder::{Ended, Recorder, command, path, replay};
use super::told::{has, tells_the_bug};
use crate::clock::{self, MILLISECOND, SECOND};

/// A recording is written out at each tick (ten times a second); a tick may wait for a processor.
const WRITTEN: u64 = SECOND;

/// SIGKILL after a restart: all of it is in the recording, and that the end is missing is said.
pub fn killed() -> Result<()> {
    let out = path("killed.jsonl");
    let recorder = Recorder::start(command(&out, &[]))?;
    restart()?;
    recorder.signal(Signal::KILL)?;
    recorder.wait()?;
    let report = cut_off(&replay(&out)?)?;
    tells_the_bug(&report)
}

/// SIGKILL while packets are lost and records come: what was written is read, up to the last tick.
pub fn killed_midway() -> Result<()> {
    let out = path("midway.jsonl");
    let recorder = Recorder::start(command(&out, &["--evidence", "always"]))?;
    let restarting = begin("flag_removed")?;
    recorder.signal(Signal::KILL)?;
    let killed = clock::now();
    recorder.wait()?;
    let report = cut_off(&replay(&out)?);
    joined(restarting)?;
    let report = report?;
    ensure!(
        report.disruptions.len() == 1,
        "{} restarts",
        report.disruptions.len()
    );
    ensure!(report.verdict != "pass", "the verdict is pass");
    let unseen = killed.saturating_sub(report.capture.ended_ns);
    ensure!(
        unseen < WRITTEN,
        "the last {} ms are missing",
        unseen / MILLISECOND
    );
    Ok(())
}

fn cut_off(ended: &Ended) -> Result<crate::words::report::Report> {
    ensure!(
        ended.status.code() == Some(2) && ended.stderr.contains("the recorder was interrupted"),
        "ended with {:?}: {}",
        ended.status,
        ended.stderr
    );
    let report = ended.report(2)?;
    has(&report, "log_truncated")?;
    Ok(report)
}

/// SIGTERM ends it as Ctrl-C does.
pub fn terminated() -> Result<()> {
    let recorder = Recorder::start(command(&path("terminated.jsonl"), &[]))?;
    restart()?;
    tells_the_bug(&recorder.end_by(Signal::TERM)?.report(0)?)
}

/// Ctrl-C before it traces: nothing was recorded, and that is said.
pub fn interrupted_early() -> Result<()> {
    for wait in [100, 400, 1000] {
        let recorder = Recorder::spawn(command(&path("early.jsonl"), &[]))?;
        clock::sleep_until(clock::now() + wait * MILLISECOND);
        let ended = recorder.end()?;
        // Before it catches signals one ends it as any other process.
        let said = ended.status.code().is_none() || ended.stderr.contains("interrupted before");
        ensure!(
            said || ended.report(0).is_ok(),
            "{}: {}",
            ended.status,
            ended.stderr
        );
    }
    Ok(())
}

/// Ctrl-C while ovs-vswitchd is away and hooks are being attached: the report says what it knows, and never passes.
pub fn interrupted_midway() -> Result<()> {
    let recorder = Recorder::start(command(&path("interrupted.jsonl"), &[]))?;
    let restarting = begin("vswitchd_exit")?;
    let ended = recorder.end();
    joined(restarting)?;
    let report = ended?.report(0)?;
    ensure!(
        report.disruptions.len() == 1,
        "{} restarts",
        report.disruptions.len()
    );
    ensure!(report.verdict != "pass", "the verdict is pass");
    Ok(())
}

/// Restarts, and returns when a step is done.
fn begin(step: &str) -> Result<JoinHandle<Result<()>>> {
    let steps = Path::new(STEPS);
    // Those of an earlier restart say nothing.
    let _ = std::fs::remove_file(steps);
    let restarting = thread::spawn(restart);
    while !restarting.is_finished() {
        let done = std::fs::read_to_string(steps).unwrap_or_default();
        if done.contains(step) {
            return Ok(restarting);
        }
        clock::sleep_until(clock::now() + 2 * MILLISECOND);
    }
    joined(restarting)?;
    Err(anyhow!("the restart ended without a step {step}"))
}

fn joined(restarting: JoinHandle<Result<()>>) -> Result<()> {
    let ended = restarting.join().map_err(|_| anyhow!("a thread panicked"))?;
    ended.context("the restart")
}
