//! Runs one scenario: a node whose traffic flows, a restart under `ovsgap record`, the truth beside it.
//!
//! May not know: what the report should say; the host judges.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

use super::clock::{self, SECOND};
use super::node::Node;
use super::ovs;
use super::traffic::spec::{self, Rates};
use super::traffic::{self, Prober};
use crate::scenario::{self, Notes, Scenario};

/// How long traffic may take to flow once flows are installed, before ovs-vswitchd counts as deaf.
const BASELINE: u64 = 5 * SECOND;
/// How often a deaf ovs-vswitchd is restarted before the node is given up.
const STARTS: u32 = 6;

/// Runs the scenario `name` and writes all about it into `/out/NAME`.
pub fn scenario(node: &Node, name: &str, rates: Rates) -> Result<()> {
    let scenario = scenario::find(name).with_context(|| format!("there is no scenario named {name}"))?;
    let folder = Path::new("/out").join(scenario.name);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let node = &Node {
        conntrack: node.conntrack || scenario.conntrack,
        ..node.clone()
    };
    // The restart is another process.
    node.save()?;
    node.heal(1)?;
    let idle: Vec<String> = scenario.idle.iter().map(|&pod| pod.to_owned()).collect();
    let prober = Prober::start(spec::ring(&node.pods, &idle, rates), &node.pods)?;
    traffic::status::serve(Arc::clone(&prober.progress))?;
    let deaf_starts = baseline(node, &prober)?;
    let record = record(scenario, &folder)?;
    let truth = prober.stop()?;
    traffic::status::gone();
    let write = |file: &str, text: Vec<u8>| {
        fs::write(folder.join(file), text).with_context(|| format!("writing {file} of {name}"))
    };
    write("truth.json", serde_json::to_vec_pretty(&truth)?)?;
    write(
        "notes.json",
        serde_json::to_vec_pretty(&Notes { deaf_starts, record })?,
    )?;
    if record.is_some() {
        replay(&folder, scenario.format, "replayed")?;
        replay(&folder, "json", "report.json")?;
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

/// The restart, under `ovsgap record` where there is an ovsgap. Its report goes to `live`. Returns its exit code.
fn record(scenario: &Scenario, folder: &Path) -> Result<Option<i32>> {
    let restart = restart(scenario, folder)?;
    let ovsgap = Path::new("/opt/copy/ovsgap").exists();
    let mut command = Command::new(if ovsgap { "ovsgap" } else { "xtask" });
    if ovsgap {
        command
            .arg("record")
            .arg("-o")
            .arg(folder.join("recording.jsonl"))
            .args(["--format", scenario.format, "--", "xtask"]);
    }
    command.args(restart).stdin(Stdio::null());
    command
        .stdout(File::create(folder.join("live"))?)
        .stderr(File::create(folder.join("record.log"))?);
    let status = command.status().context("starting the restart")?;
    if !ovsgap && !status.success() {
        bail!(
            "the restart failed ({status}): {}",
            fs::read_to_string(folder.join("record.log"))?
        );
    }
    Ok(if ovsgap {
        Some(status.code().unwrap_or(-1))
    } else {
        None
    })
}

/// `xtask guest restart …` for the scenario.
pub fn restart(scenario: &Scenario, folder: &Path) -> Result<Vec<String>> {
    let way = scenario.way.to_possible_value().context("a way without a name")?;
    let order = scenario
        .order
        .to_possible_value()
        .context("an order without a name")?;
    let mut arguments: Vec<String> = [
        "guest",
        "restart",
        "--way",
        way.get_name(),
        "--order",
        order.get_name(),
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--hole-ms={}", scenario.hole_ms));
    arguments.push(format!("--steps={}", folder.join("steps.jsonl").display()));
    if !scenario.without.is_empty() {
        arguments.push(format!("--without={}", scenario.without.join(",")));
    }
    Ok(arguments)
}

/// The recording judged again.
fn replay(folder: &Path, format: &str, file: &str) -> Result<()> {
    let mut command = Command::new("ovsgap");
    command
        .arg("report")
        .arg(folder.join("recording.jsonl"))
        .args(["--format", format]);
    command
        .stdin(Stdio::null())
        .stdout(File::create(folder.join(file))?);
    let status = command.status().context("starting ovsgap report")?;
    if !status.success() {
        eprintln!("ovsgap report --format {format}: {status}");
    }
    Ok(())
}
