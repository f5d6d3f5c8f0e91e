//! The troubles: a full ring, a full disk, a pipe that closes, a second recorder, a processor that goes, a clock that jumps.
//!
//! Must not depend on: how a recorder is run.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use super::disturbed::{restart, restart_in};
use super::recorder::{self, Recorder, command, path, replay};
use super::told::{agree, evidence, has, losses, near, tells_the_bug};
use crate::command::output;
use crate::words::report::Report;
use crate::words::way::Order;

/// Mode 0600.
pub fn private() -> Result<()> {
    let out = path("private.jsonl");
    Recorder::start(command(&out, &[]))?.end()?.report(0)?;
    let mode = std::fs::metadata(&out)
        .context("the recording")?
        .permissions()
        .mode()
        & 0o777;
    ensure!(mode == 0o600, "its mode is {mode:o}");
    Ok(())
}

/// Where packets are lost, it tells some of it or nothing, never more, and never that all was well.
pub fn starved() -> Result<()> {
    let [starved, whole] = starving(Order::Bug)?;
    tells_the_bug(&whole)?;
    ensure!(
        starved.verdict == "fail" || starved.verdict == "inconclusive",
        "the verdict is {}",
        starved.verdict
    );
    let truth = losses(&whole);
    for (pod, lost) in losses(&starved) {
        let most = truth.iter().find(|(name, _)| *name == pod);
        let most = most.map_or([0, 0], |(_, most)| *most);
        let fits = |lost: u64, most: u64| lost <= most || near(lost, most);
        ensure!(
            fits(lost[0], most[0]) && fits(lost[1], most[1]),
            "{pod}: {lost:?} instead of at most {most:?}"
        );
    }
    Ok(())
}

/// Where none is lost, it does not know, and says so.
pub fn starved_for_nothing() -> Result<()> {
    let [starved, whole] = starving(Order::Fixed)?;
    ensure!(whole.verdict != "fail", "beside it: {:?}", evidence(&whole));
    ensure!(
        starved.verdict == "inconclusive",
        "it tells {:?}, lost {:?}",
        evidence(&starved),
        losses(&starved)
    );
    Ok(())
}

/// A recorder that stands still while its ring of 4 KiB fills, and one beside it that sees all.
fn starving(order: Order) -> Result<[Report; 2]> {
    let whole = Recorder::start(command(&path("whole.jsonl"), &["--evidence", "always"]))?;
    let out = path("starved.jsonl");
    let starved = Recorder::start(command(&out, &["--ring-size", "4"]))?;
    starved.signal(Signal::STOP)?;
    let restarted = restart_in(order);
    starved.signal(Signal::CONT)?;
    let reports = [starved.end()?.report(0)?, whole.end()?.report(0)?];
    restarted?;
    has(&reports[0], "records_lost")?;
    ensure!(has(&reports[1], "records_lost").is_err(), "both starved");
    Ok(reports)
}

/// A tiny tmpfs.
pub fn full_disk() -> Result<()> {
    let disk = Path::new("/tmp/full");
    std::fs::create_dir_all(disk).context("making a folder")?;
    output("mount", &["-t", "tmpfs", "-o", "size=32k", "tmpfs", "/tmp/full"])?;
    let recorder = Recorder::start(command(&disk.join("full.jsonl"), &[]))?;
    let restarted = restart();
    let ended = recorder.end()?;
    restarted?;
    let told = tells_the_end(&ended, "No space left on device");
    let replayed = replay(&disk.join("full.jsonl"))?;
    output("umount", &["/tmp/full"])?;
    told?;
    has(&replayed.report(2)?, "log_truncated")
}

/// A reader that goes away after the first line.
pub fn closed_pipe() -> Result<()> {
    let pipe = path("pipe");
    output("mkfifo", &[pipe.to_str().context("a name")?])?;
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || -> Result<String> {
            let mut line = String::new();
            BufReader::new(std::fs::File::open(pipe)?).read_line(&mut line)?;
            Ok(line)
        })
    };
    let recorder = Recorder::start(command(&pipe, &[]))?;
    let restarted = restart();
    let ended = recorder.end()?;
    restarted?;
    let first = reader
        .join()
        .map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    ensure!(first.contains("ovsgap_log"), "the first line is {first}");
    tells_the_end(&ended, "Broken pipe")
}

/// The report is whole although the recording is not, and that is said.
fn tells_the_end(ended: &recorder::Ended, why: &str) -> Result<()> {
    let said = ended.stderr.contains("not whole") && ended.stderr.contains(why);
    ensure!(said, "it did not say so: {}", ended.stderr);
    tells_the_bug(&ended.report(2)?)
}

/// One beside the other.
pub fn two() -> Result<()> {
    let one = Recorder::start(command(&path("one.jsonl"), &["--evidence", "always"]))?;
    let other = Recorder::start(command(&path("other.jsonl"), &["--evidence", "always"]))?;
    restart()?;
    let (one, other) = (one.end()?.report(0)?, other.end()?.report(0)?);
    tells_the_bug(&one)?;
    tells_the_bug(&other)?;
    agree(&one, &other)
}

/// A processor goes before the restart and comes back after it.
pub fn unplugged() -> Result<()> {
    let switch = Path::new("/sys/devices/system/cpu/cpu1/online");
    let recorder = Recorder::start(command(&path("unplugged.jsonl"), &[]))?;
    std::fs::write(switch, "0").context("unplugging the processor")?;
    let restarted = restart();
    std::fs::write(switch, "1").context("plugging the processor in")?;
    let report = recorder.end()?.report(0)?;
    restarted?;
    tells_the_bug(&report)
}

/// Forward by an hour in the middle, and back.
pub fn clock_set() -> Result<()> {
    let recorder = Recorder::start(command(&path("clock.jsonl"), &[]))?;
    output("date", &["-s", "+1 hour"])?;
    let restarted = restart();
    output("date", &["-s", "-1 hour"])?;
    let report = recorder.end()?.report(0)?;
    restarted?;
    tells_the_bug(&report)?;
    let length = report.capture.ended_ns - report.capture.started_ns;
    ensure!(
        length < 600 * crate::clock::SECOND,
        "the capture took {length} ns"
    );
    Ok(())
}
