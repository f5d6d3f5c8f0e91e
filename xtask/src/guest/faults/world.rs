//! The troubles: a full ring, a full disk, a pipe that closes, a second recorder, a processor that goes, a clock that jumps.
//!
//! May not know: how a recorder is run.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use super::recorder::{self, Recorder, command, path, replay};
use super::restart;
use crate::guest::command::output;
use crate::report::{Pod, Report, Restart};

/// The bug is told of every Pod, with its losses.
pub fn tells_the_bug(report: &Report) -> Result<()> {
    ensure!(report.verdict == "fail", "the verdict is {}", report.verdict);
    ensure!(
        report.restarts.len() == 1,
        "{} restarts are told",
        report.restarts.len()
    );
    for pod in report.restarts.iter().flat_map(Restart::real_pods) {
        let cause = pod.cause.as_deref();
        ensure!(cause == Some("flag_before_flows"), "{}: {cause:?}", pod.name);
        ensure!(lost(pod) > [0, 0], "{} lost nothing", pod.name);
    }
    Ok(())
}

pub fn lost(pod: &Pod) -> [u64; 2] {
    [&pod.observed.to_pod, &pod.observed.from_pod]
        .map(|loss| loss.as_ref().map_or(0, |loss| loss.lost_packets))
}

pub fn has(report: &Report, kind: &str) -> Result<()> {
    let kinds: Vec<&str> = report.coverage.iter().map(|one| one.kind.as_str()).collect();
    ensure!(kinds.contains(&kind), "no finding {kind}: {kinds:?}");
    Ok(())
}

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

/// A reader that stands still while the ring of 4 KiB fills.
pub fn starved() -> Result<()> {
    let out = path("starved.jsonl");
    let recorder = Recorder::start(command(&out, &["--ring-size", "4"]))?;
    recorder.signal(Signal::STOP)?;
    let restarted = restart();
    recorder.signal(Signal::CONT)?;
    let report = recorder.end()?.report(0)?;
    restarted?;
    has(&report, "records_lost")?;
    ensure!(report.verdict != "pass", "the verdict is pass");
    Ok(())
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
    let losses = |report: &Report| -> Vec<(String, [u64; 2])> {
        let pods = report.restarts.iter().flat_map(Restart::real_pods);
        pods.map(|pod| (pod.name.clone(), lost(pod))).collect()
    };
    let (one, other) = (losses(&one), losses(&other));
    ensure!(one == other, "they differ: {one:?} and {other:?}");
    Ok(())
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
        length < 600 * crate::guest::clock::SECOND,
        "the capture took {length} ns"
    );
    Ok(())
}
