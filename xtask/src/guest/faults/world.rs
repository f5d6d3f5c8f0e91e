//! The troubles: a full ring, a full disk, a killed recorder, sockets that lie, a clock that jumps.
//!
//! May not know: how a recorder is run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use super::recorder::{self, Recorder, command, path, replay};
use super::restart;
use crate::guest::command::output;
use crate::report::{Pod, Report, Restart};

/// The bug is told of every Pod, with its losses.
fn tells_the_bug(report: &Report) -> Result<()> {
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

fn lost(pod: &Pod) -> [u64; 2] {
    [&pod.observed.to_pod, &pod.observed.from_pod]
        .map(|loss| loss.as_ref().map_or(0, |loss| loss.lost_packets))
}

fn has(report: &Report, kind: &str) -> Result<()> {
    let kinds: Vec<&str> = report.coverage.iter().map(|one| one.kind.as_str()).collect();
    ensure!(kinds.contains(&kind), "no finding {kind}: {kinds:?}");
    Ok(())
}

/// Configuration and flows are the same after a recording.
pub fn nothing_is_written() -> Result<()> {
    let state = || -> Result<[String; 2]> {
        Ok([
            output(
                "ovsdb-client",
                &["dump", "unix:/run/openvswitch/db.sock", "Open_vSwitch"],
            )?,
            output(
                "ovs-ofctl",
                &["-O", "OpenFlow15", "--no-stats", "dump-flows", "br-int"],
            )?,
        ])
    };
    // ovs-vswitchd writes statistics of its own into Interface and Open_vSwitch every five seconds.
    let still = |text: &str| -> Vec<String> {
        let rules = |line: &&str| line.starts_with("---");
        let lines = text
            .lines()
            .filter(|line| !line.contains("statistics") && !rules(line));
        lines.map(without_statistics).collect()
    };
    let [database, flows] = state()?;
    let recorder = Recorder::start(command(&path("nothing.jsonl"), &["--evidence", "always"]))?;
    recorder.end()?;
    let [database_after, flows_after] = state()?;
    ensure!(flows == flows_after, "flows differ:\n{flows}\n{flows_after}");
    let (before, after) = (still(&database), still(&database_after));
    let changed: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    ensure!(before == after, "the database differs: {changed:#?}");
    Ok(())
}

/// A row of `ovsdb-client dump` without the counters that ovs-vswitchd keeps in it, nor the blanks that their width makes.
fn without_statistics(line: &str) -> String {
    let counters = |part: &&str| part.contains("rx_bytes=") || part.contains("tx_bytes=");
    let parts = line.split('{');
    let rest = parts.filter(|part| !counters(part)).collect::<Vec<_>>().join("{");
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
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

/// SIGKILL in the middle of a restart's aftermath: what had been seen is reported, and that the end is missing.
pub fn killed() -> Result<()> {
    let out = path("killed.jsonl");
    let recorder = Recorder::start(command(&out, &[]))?;
    restart()?;
    recorder.signal(Signal::KILL)?;
    recorder.wait()?;
    let ended = replay(&out)?;
    ensure!(
        ended.status.code() == Some(2) && ended.stderr.contains("the recorder was interrupted"),
        "ended with {:?}: {}",
        ended.status,
        ended.stderr
    );
    let report = ended.report(2)?;
    has(&report, "log_truncated")?;
    tells_the_bug(&report)
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

/// A server that takes the connection and says nothing.
pub fn silent_database() -> Result<()> {
    lying_database("silent.sock", "")
}

/// A server that answers with garbage.
pub fn garbage_database() -> Result<()> {
    lying_database("garbage.sock", "}{ this is no JSON-RPC\n\0\u{1}")
}

fn lying_database(name: &str, answer: &'static str) -> Result<()> {
    let socket = path(name);
    let listener = UnixListener::bind(&socket).context("listening")?;
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // Who is gone needs no answer.
            let _ = stream.write_all(answer.as_bytes());
            held.push(stream);
        }
    });
    let db = socket.to_str().context("a name")?;
    let recorder = Recorder::start(command(&path("lied.jsonl"), &["--db", db]))?;
    restart()?;
    let report = recorder.end()?.report(0)?;
    let told = report
        .coverage
        .iter()
        .any(|one| one.kind == "source_down" && one.detail.starts_with("ovsdb"));
    ensure!(told, "nothing is said of the database: {:?}", report.coverage);
    ensure!(report.verdict != "pass", "the verdict is pass");
    Ok(())
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
    if !switch.exists() {
        eprintln!("  this kernel unplugs no processor");
        return Ok(());
    }
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
