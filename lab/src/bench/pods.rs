//! What ovsgap costs on a node with so many Pods: at rest, while packets are followed, and over a restart. Each Pod has
//! the same traffic, however many there are.
//!
//! Must not depend on: how the figures are shown.

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::asked::Bench;
use super::mounted::{self, Running};
use super::output::Output;
use crate::clock::{self, MILLISECOND};
use crate::node::Node;
use crate::ovs::{self, Bundle};
use crate::traffic::Prober;
use crate::traffic::spec;
use crate::words::rates::Rates;
use crate::words::sample::Tracer;
use crate::{ovsdb, run};

/// What each Pod sends.
const RATES: Rates = Rates {
    udp4: 4,
    udp6: 0,
    arp: 0,
    tcp: 0,
    policy: 0,
};
/// Between the removal of the flag and the flows, as in the scenarios.
const HOLE: u64 = 300 * MILLISECOND;

/// Measures on a node with so many Pods.
pub fn run(bench: &Bench, out: &mut Output) -> Result<()> {
    mounted::mount()?;
    many_sockets()?;
    let node = Node::up(bench.pods, false)?;
    let prober = Prober::start(spec::ring(&node.pods, &[], RATES), &node.pods, false)?;
    run::baseline(&node, &prober)?;
    for round in 1..=bench.rounds {
        still(bench, round, out)?;
        restarted(&node, round, out)?;
    }
    prober.stop().map(drop)
}

/// Each Pod has two sockets, and a process begins with a limit of 1024.
fn many_sockets() -> Result<()> {
    let limit = Rlimit {
        current: Some(1 << 16),
        maximum: Some(1 << 16),
    };
    setrlimit(Resource::Nofile, limit).context("raising the limit of open files")
}

/// At rest, and while packets are followed.
fn still(bench: &Bench, round: u32, out: &mut Output) -> Result<()> {
    for (kind, name) in [(Tracer::Rest, "rest"), (Tracer::Armed, "armed")] {
        let running = Running::start(kind)?;
        let (before, began) = (running.cost()?, clock::now());
        clock::sleep_until(began + bench.millis * MILLISECOND);
        let after = running.cost()?;
        let time_ms = (clock::now() - began) / MILLISECOND;
        running.stop()?;
        let used = (after.cpu_ms - before.cpu_ms) * 1000 / time_ms.max(1);
        let of = format!("{} Pods, {name}", bench.pods);
        out.figure(&of, "start_cpu_ms", round, before.cpu_ms)?;
        out.figure(&of, "cpu_ms_ps", round, used)?;
        out.figure(&of, "rss_kib", round, after.rss_kib)?;
        out.figure(&of, "peak_kib", round, after.peak_kib)?;
    }
    Ok(())
}

/// Over a restart with the bug's order, from the start of ovsgap to its report.
fn restarted(node: &Node, round: u32, out: &mut Output) -> Result<()> {
    let running = Running::start(Tracer::Rest)?;
    let before = running.cost()?;
    let began = clock::now();
    restart(node)?;
    clock::sleep_until(clock::now() + 2000 * MILLISECOND);
    let after = running.cost()?;
    let time = clock::now() - began;
    let report = running.stop()?;
    let of = format!("{} Pods, restart", node.pods.len());
    out.figure(&of, "cpu_ms", round, after.cpu_ms - before.cpu_ms)?;
    out.figure(&of, "time_ms", round, time / MILLISECOND)?;
    out.figure(&of, "rss_kib", round, after.rss_kib)?;
    out.figure(&of, "peak_kib", round, after.peak_kib)?;
    out.figure(&of, "report_ms", round, report / MILLISECOND)
}

/// All flows are ready before the flag goes, and come in one bundle.
fn restart(node: &Node) -> Result<()> {
    ovs::exit()?;
    ovsdb::set_flow_restore_wait()?;
    ovs::start()?;
    for bridge in node.bridges() {
        Bundle::prepare(bridge, node.base(bridge, 2))?.commit()?;
        let pipeline = node.pipeline(bridge, 2);
        let flows = node.pods.iter().map(|pod| pipeline.pod(pod)).collect();
        let bundle = Bundle::prepare(bridge, flows)?;
        bundle.wait_ready()?;
        ovsdb::remove_flow_restore_wait()?;
        clock::sleep_until(clock::now() + HOLE);
        bundle.commit()?;
    }
    Ok(())
}
