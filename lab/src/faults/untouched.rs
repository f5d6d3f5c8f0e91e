//! What must be the same after a recording as before it: Open vSwitch, the kernel's settings, its modules, its tracing.
//!
//! Must not depend on: other troubles.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use super::recorder::{Recorder, command, path};
use crate::command::output;

/// What is compared, and how it is read.
type Part = (&'static str, fn() -> Result<String>);

const PARTS: [Part; 7] = [
    ("OVSDB", database),
    ("the OpenFlow tables", flows),
    ("the datapath's ports", ports),
    ("sysctls", sysctls),
    ("modules", modules),
    ("tracefs", tracefs),
    ("bpffs", bpffs),
];

/// A recording with everything attached changes none of it.
pub fn check() -> Result<()> {
    left_as_it_was(|recorder| recorder.end()?.report(0).map(drop))
}

/// Nor does one that is killed.
pub fn killed() -> Result<()> {
    left_as_it_was(|recorder| {
        recorder.signal(Signal::KILL)?;
        recorder.wait().map(drop)
    })
}

fn left_as_it_was(end: impl FnOnce(Recorder) -> Result<()>) -> Result<()> {
    let before = state()?;
    end(Recorder::start(command(
        &path("nothing.jsonl"),
        &["--evidence", "always"],
    ))?)?;
    let after = state()?;
    let mut changed = Vec::new();
    for ((what, before), (_, after)) in before.iter().zip(&after) {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (before, after) = (lines(before), lines(after));
        let one = |from: &[String], to: &[String]| -> Vec<String> {
            from.iter().filter(|line| !to.contains(line)).cloned().collect()
        };
        if before != after {
            changed.push(format!(
                "{what}: gone {:#?}, new {:#?}",
                one(&before, &after),
                one(&after, &before)
            ));
        }
    }
    if changed.is_empty() {
        Ok(())
    } else {
        bail!("{}", changed.join("\n"))
    }
}

fn state() -> Result<Vec<(&'static str, String)>> {
    let read = |(what, read): &Part| Ok((*what, read().with_context(|| format!("reading {what}"))?));
    PARTS.iter().map(read).collect()
}

/// ovs-vswitchd writes statistics of its own into its tables every five seconds.
fn database() -> Result<String> {
    let dump = output(
        "ovsdb-client",
        &["dump", "unix:/run/openvswitch/db.sock", "Open_vSwitch"],
    )?;
    let kept = dump
        .lines()
        .filter(|line| !line.contains("statistics") && !line.starts_with("---"));
    Ok(kept.map(|line| without_statistics(line) + "\n").collect())
}

/// A row of `ovsdb-client dump` without the counters that ovs-vswitchd keeps in it, nor the blanks that their width makes.
fn without_statistics(line: &str) -> String {
    let counters = |part: &&str| part.contains("rx_bytes=") || part.contains("tx_bytes=");
    let parts = line.split('{');
    let rest = parts.filter(|part| !counters(part)).collect::<Vec<_>>().join("{");
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn flows() -> Result<String> {
    output(
        "ovs-ofctl",
        &["-O", "OpenFlow15", "--no-stats", "dump-flows", "br-int"],
    )
}

fn ports() -> Result<String> {
    let shown = output("ovs-dpctl", &["show"])?;
    Ok(shown
        .lines()
        .filter(|line| line.contains("port "))
        .map(|line| line.to_owned() + "\n")
        .collect())
}

/// Beginnings of the names of those that are readings of the kernel's, not settings.
const READINGS: [&str; 12] = [
    "fs.aio-nr",
    "fs.dentry-state",
    "fs.file-nr",
    "fs.inode-nr",
    "fs.inode-state",
    "fs.quota",
    "kernel.ns_last_pid",
    "kernel.pty.nr",
    "kernel.random.",
    "kernel.perf_event_max_sample_rate",
    "kernel.sched_domain",
    "net.netfilter.nf_conntrack_count",
];

fn sysctls() -> Result<String> {
    // Of some that are there for writing only it says so and ends as if it had failed.
    let output = std::process::Command::new("sysctl")
        .arg("-a")
        .output()
        .context("starting sysctl")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let setting = |line: &&str| !READINGS.iter().any(|reading| line.starts_with(reading));
    Ok(text
        .lines()
        .filter(setting)
        .map(|line| line.to_owned() + "\n")
        .collect())
}

fn modules() -> Result<String> {
    let text = std::fs::read_to_string("/proc/modules").context("reading /proc/modules")?;
    // Name and size; what follows are references.
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ") + "\n";
    Ok(text.lines().map(name).collect())
}

fn tracefs() -> Result<String> {
    let folder = Path::new("/sys/kernel/tracing");
    ensure!(folder.join("trace").exists(), "tracefs is not mounted");
    // Not every kernel has each.
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let all = TRACING
        .iter()
        .map(|file| [*file, ": ", &read(file), "\n"].concat());
    Ok(all.collect())
}

/// What tracefs can be told.
const TRACING: [&str; 8] = [
    "kprobe_events",
    "uprobe_events",
    "set_event",
    "set_ftrace_filter",
    "current_tracer",
    "tracing_on",
    "buffer_size_kb",
    "trace_clock",
];

fn bpffs() -> Result<String> {
    let pinned = std::fs::read_dir("/sys/fs/bpf").context("reading /sys/fs/bpf")?;
    let names = pinned
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned() + "\n");
    Ok(names.collect())
}
