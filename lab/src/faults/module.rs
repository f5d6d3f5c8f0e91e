//! The module goes while it is watched, and comes back.
//!
//! Must not depend on: other troubles.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::disturbed::restart;
use super::recorder::{Recorder, command, path};
use super::told::{has, lost};
use crate::clock::{self, MILLISECOND, SECOND};
use crate::node::Node;
use crate::words::report::{Disruption, Report};
use crate::{command::output, ovs, traffic};

/// How long it may take to be hooked again: under emulation some 4 s for the kernel, and the verifier goes through all
/// programs once more.
const HOOKED: u64 = 30 * SECOND;

/// Unloaded, and the capture ends: the report says that nothing could be seen, and so does the exit status.
pub fn unloaded() -> Result<()> {
    let out = path("unloaded.jsonl");
    let recorder = Recorder::start(command(&out, &[]))?;
    unload()?;
    // Else the capture has ended before anybody looked for the module.
    let seen = says(&out, "\"ok\":false");
    let ended = recorder.end();
    load()?;
    seen?;
    let ended = ended?;
    let report = ended.report(2)?;
    ensure!(
        ended.stderr.contains("was not seen"),
        "not said: {}",
        ended.stderr
    );
    ensure!(report.verdict != "pass", "the verdict is pass");
    has(&report, "source_down")
}

/// Unloaded and loaded again, and then a restart: that one is told as any other.
pub fn loaded_again() -> Result<()> {
    let out = path("again.jsonl");
    let recorder = Recorder::start(command(&out, &[]))?;
    unload()?;
    load()?;
    says(&out, "\"ok\":true")?;
    restart()?;
    let report = recorder.end()?.report(0)?;
    let last = report.disruptions.last().context("no restart is told")?;
    tells_the_last(&report, last)
}

fn tells_the_last(report: &Report, last: &Disruption) -> Result<()> {
    let kinds: Vec<&str> = report.disruptions.iter().map(|one| one.kind.as_str()).collect();
    ensure!(
        kinds.first() == Some(&"module_reload") && kinds.last() == Some(&"graceful"),
        "{kinds:?}"
    );
    for pod in last.real_pods() {
        let cause = pod.cause.as_deref();
        ensure!(cause == Some("flag_before_flows"), "{}: {cause:?}", pod.name);
        ensure!(lost(pod) > [0, 0], "{} lost nothing", pod.name);
    }
    ensure!(last.real_pods().count() == 3, "{last:?}");
    Ok(())
}

/// As `ovs-ctl force-reload-kmod` does it, and stops half way.
fn unload() -> Result<()> {
    ovs::exit_with_cleanup()?;
    // What is left of a datapath keeps the module: its own device.
    let _ = output("ovs-dpctl", &["del-dp", "system@ovs-system"]);
    output("rmmod", &["openvswitch"]).map(drop)
}

fn load() -> Result<()> {
    output("modprobe", &["openvswitch"])?;
    let mut node = Node::find()?;
    ovs::start()?;
    node.come_back()?;
    if traffic::status::wait(&[], 20)? {
        Ok(())
    } else {
        bail!("traffic does not flow after the module was loaded again")
    }
}

/// Waits until what the recording says last of whether openvswitch is watched is `state`.
fn says(out: &Path, state: &str) -> Result<()> {
    let until = clock::now() + HOOKED;
    while clock::now() < until {
        let text = std::fs::read_to_string(out).context("reading the recording")?;
        let mut sources = text.lines().filter(|line| line.contains("\"ebpf\"")).rev();
        if sources.next().is_some_and(|line| line.contains(state)) {
            return Ok(());
        }
        clock::sleep_until(clock::now() + 100 * MILLISECOND);
    }
    bail!(
        "the recording does not say {state} of ebpf after {} s",
        HOOKED / SECOND
    )
}
