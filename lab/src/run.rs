//! Runs one scenario: a node whose traffic flows, a restart under `ovsgap record`, the truth beside it.
//!
//! Must not depend on: what the report should say; the host judges.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

use crate::change::ADDED;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::node::Node;
use crate::traffic::spec;
use crate::traffic::{self, Prober};
use crate::words::packets::Packets;
use crate::words::scenario::{self, Notes, Scenario};
use crate::words::step::Step;
use crate::words::truth::Truth;
use crate::words::wire::PROGRAM;
use crate::{ovs, ovsdb, pods};

/// How long traffic may take to flow once flows are installed, before ovs-vswitchd counts as deaf.
const BASELINE: u64 = 5 * SECOND;
/// How often a deaf ovs-vswitchd is restarted before the node is given up.
const STARTS: u32 = 6;

/// Runs the scenario `name` and writes all about it into `/out/NAME`. The node is as before when it is over.
pub fn scenario(node: &mut Node, name: &str) -> Result<()> {
    let scenario = scenario::find(name).with_context(|| format!("there is no scenario named {name}"))?;
    let folder = Path::new("/out").join(scenario.name);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let before = node.clone();
    prepare(node, scenario)?;
    // The restart is another process.
    node.save()?;
    node.heal(1)?;
    let idle = scenario.idle();
    let tapped = scenario.discovery || scenario.rates.tcp > 0;
    let specs = spec::ring(&node.pods, &idle, scenario.rates);
    let prober = Prober::start(specs, &node.pods, tapped)?;
    traffic::status::serve(Arc::clone(&prober.progress))?;
    let deaf_starts = baseline(node, &prober)?;
    let (record, record_kib) = record(scenario, &folder)?;
    let (mut truth, mut packets) = prober.stop()?;
    traffic::status::gone();
    if scenario.added.is_some() {
        truth.streams.extend(read::<Truth>(&folder, ADDED[0])?.streams);
        packets.extend(read::<Vec<Packets>>(&folder, ADDED[1])?);
    }
    write(&folder, "truth.json", serde_json::to_vec_pretty(&truth)?)?;
    write(&folder, "packets.json", serde_json::to_vec(&packets)?)?;
    let mut notes = Notes {
        deaf_starts,
        record,
        record_kib,
        report_ms: 0,
    };
    if record.is_some() {
        replay(&folder, "recording.jsonl", scenario.format, "replayed")?;
        let began = clock::now();
        replay(&folder, "recording.jsonl", "json", "report.json")?;
        notes.report_ms = (clock::now() - began) / MILLISECOND;
        if !scenario.without.is_empty() {
            early(&folder)?;
        }
    }
    write(&folder, "notes.json", serde_json::to_vec_pretty(&notes)?)?;
    restore(node, before, scenario)
}

fn write(folder: &Path, file: &str, text: Vec<u8>) -> Result<()> {
    let path = folder.join(file);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

fn read<T: serde::de::DeserializeOwned>(folder: &Path, file: &str) -> Result<T> {
    let path = folder.join(file);
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}

/// Makes of the node what the scenario needs.
fn prepare(node: &mut Node, scenario: &Scenario) -> Result<()> {
    node.conntrack |= scenario.conntrack;
    if !scenario.behind_patch.is_empty() {
        node.patch(scenario.behind_patch)?;
    }
    node.resize(scenario.pods.max(u16::try_from(node.pods.len())?))?;
    if scenario.rates.tcp > 0 {
        pods::without_offload(&node.pods)?;
    }
    if scenario.discovery {
        pods::discover(&node.pods)?;
    }
    Ok(())
}

/// The opposite, whatever the scenario did to the Pods.
fn restore(node: &mut Node, before: Node, scenario: &Scenario) -> Result<()> {
    *node = Node {
        pods: std::mem::take(&mut node.pods),
        conntrack: before.conntrack,
        ..node.clone()
    };
    // The restart changed Pods in a process of its own.
    if scenario.added.is_some() || scenario.deleted.is_some() || scenario.way.renumbers() {
        *node = Node::find()?;
    }
    ovsdb::remove_flow_restore_wait()?;
    if !ovs::is_up() {
        ovs::start()?;
    }
    if let Some(name) = scenario.added {
        pods::delete(&node.remove(name)?)?;
    }
    if let Some(pod) = before
        .pods
        .into_iter()
        .find(|pod| Some(pod.name.as_str()) == scenario.deleted)
    {
        pods::create_beside(&pod, &node.pods)?;
        node.add(pod)?;
        node.pods.sort_by(|one, other| one.name.cmp(&other.name));
    }
    if node.patched {
        node.unpatch()?;
    }
    if scenario.pods > scenario::BUSY {
        node.resize(scenario::BUSY)?;
    }
    if scenario.discovery {
        pods::introduce(&node.pods)?;
    }
    Ok(())
}

/// Waits until all traffic flows. OVS can come up without a handler thread bound (its log then repeats
/// `Overriding n-handler-threads to 0`); another start cures it. Returns how many starts it took.
pub fn baseline(node: &Node, prober: &Prober) -> Result<u32> {
    for deaf in 0..STARTS {
        if traffic::status::wait_here(&prober.progress, clock::now() + BASELINE, &[]) {
            return Ok(deaf);
        }
        eprintln!(
            "no baseline traffic: starting ovs-vswitchd again ({} of {STARTS})",
            deaf + 1
        );
        ovs::exit()?;
        node.heal(1)?;
    }
    bail!("baseline traffic did not flow after {STARTS} starts of ovs-vswitchd: see /out/ovs-vswitchd.log")
}

/// The restart, under `ovsgap record` where there is an ovsgap. Its report goes to `live`. Returns its exit code, and the
/// most memory that it held, in KiB.
fn record(scenario: &Scenario, folder: &Path) -> Result<(Option<i32>, u64)> {
    let restart = restart(scenario, folder)?;
    let ovsgap = Path::new("/opt/copy/ovsgap").exists();
    let mut command = Command::new(if ovsgap { "ovsgap" } else { PROGRAM });
    if ovsgap {
        command
            .arg("record")
            .arg("-o")
            .arg(folder.join("recording.jsonl"))
            .args(["--format", scenario.format, "--", PROGRAM]);
    }
    command.args(restart).stdin(Stdio::null());
    command
        .stdout(File::create(folder.join("live"))?)
        .stderr(File::create(folder.join("record.log"))?);
    let mut child = command.spawn().context("starting the restart")?;
    let memory = most_memory(child.id());
    let status = child.wait().context("waiting for the restart")?;
    let memory = memory.join().unwrap_or_default();
    if !ovsgap && !status.success() {
        bail!(
            "the restart failed ({status}): {}",
            fs::read_to_string(folder.join("record.log"))?
        );
    }
    Ok((ovsgap.then(|| status.code().unwrap_or(-1)), memory))
}

/// Reads a process's peak of memory until it has ended (then it has none any more).
fn most_memory(pid: u32) -> JoinHandle<u64> {
    let read = move || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.split_whitespace().next()?.parse::<u64>().ok()
    };
    std::thread::spawn(move || {
        let mut most = 0;
        while let Some(now) = read() {
            most = now;
            clock::sleep_until(clock::now() + LOOK);
        }
        most
    })
}

/// How often the peak is read.
const LOOK: u64 = 50 * MILLISECOND;

/// The arguments of a restart for the scenario: `restart --way …`.
pub fn restart(scenario: &Scenario, folder: &Path) -> Result<Vec<String>> {
    let way = scenario.way.to_possible_value().context("a way without a name")?;
    let order = scenario
        .order
        .to_possible_value()
        .context("an order without a name")?;
    let mut arguments: Vec<String> = ["restart", "--way", way.get_name(), "--order", order.get_name()]
        .map(str::to_owned)
        .to_vec();
    arguments.push(format!("--hole-ms={}", scenario.hole_ms));
    arguments.push(format!("--steps={}", folder.join("steps.jsonl").display()));
    arguments.extend(scenario.added.map(|pod| format!("--added={pod}")));
    arguments.extend(scenario.deleted.map(|pod| format!("--deleted={pod}")));
    if !scenario.without.is_empty() {
        arguments.push(format!("--without={}", scenario.without.join(",")));
    }
    Ok(arguments)
}

/// A recording judged again.
fn replay(folder: &Path, recording: &str, format: &str, file: &str) -> Result<()> {
    let mut command = Command::new("ovsgap");
    command
        .arg("report")
        .arg(folder.join(recording))
        .args(["--format", format]);
    command
        .stdin(Stdio::null())
        .stdout(File::create(folder.join(file))?);
    let output = command
        .stderr(Stdio::piped())
        .spawn()
        .context("starting ovsgap report")?;
    let output = output.wait_with_output().context("waiting for ovsgap report")?;
    // Of a recording that has no end, status 2 says just that.
    if !output.status.success() && recording != EARLY {
        eprintln!(
            "ovsgap report --format {format}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// The recording up to where traffic flowed again.
const EARLY: &str = "early.jsonl";

/// What ovsgap knew while it still recorded: the report over the recording up to [`LATER`] after the flag was removed.
fn early(folder: &Path) -> Result<()> {
    let steps = fs::read_to_string(folder.join("steps.jsonl")).unwrap_or_default();
    let mut steps = steps
        .lines()
        .filter_map(|line| serde_json::from_str::<Step>(line).ok());
    let Some(removed) = steps.find(|step| step.name == "flag_removed") else {
        return Ok(());
    };
    let until = removed.ended_ns + LATER;
    let at = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line)
            .ok()?
            .get("at")?
            .as_u64()
    };
    let recording = fs::read_to_string(folder.join("recording.jsonl")).context("reading the recording")?;
    let lines = recording
        .lines()
        .take_while(|line| at(line).is_none_or(|at| at <= until));
    let text = lines.flat_map(|line| [line, "\n"]).collect::<String>();
    write(folder, EARLY, text.into_bytes())?;
    replay(folder, EARLY, "json", "early.json")
}

/// When a Pod that is still without its flows is one that stays so: ovsgap says it 5 s after the flush.
const LATER: u64 = 6 * SECOND;
