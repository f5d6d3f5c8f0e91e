//! A bridge with two hundred thousand flows, all of which name Pods, and which come back in the middle of a restart.
//!
//! Must not depend on: what else a report should say.

use std::fmt::Write as _;
use std::path::Path;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};

use super::disturbed::restart_in;
use super::recorder::{Recorder, command, path};
use super::told::{evidence, has, tells_the_bug};
use crate::clock::{self, MILLISECOND};
use crate::command::output;
use crate::node::Node;
use crate::ovs::{self, BRIDGE};
use crate::words::report::Report;
use crate::words::way::Order;

/// So many flows.
const FLOWS: u32 = 200_000;
/// No traffic gets to this table.
const TABLE: u32 = 251;
/// What ovsgap may take, in KiB: what a node's agents are given.
const MOST: u64 = 96 << 10;
/// Where the flows are.
const FILE: &str = "/tmp/crowd.txt";

fn write() -> Result<()> {
    let node = Node::find()?;
    let mut text = String::new();
    let pods = node.pods.iter().cycle();
    for (number, pod) in (0..FLOWS).zip(pods) {
        let port = number % 60_000 + 1;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "table={TABLE},priority={},tcp,nw_dst={},tp_dst={port},actions=drop",
            number / 60_000 + 1,
            pod.ipv4
        );
    }
    std::fs::write(FILE, text).context("writing flows")
}

fn add() -> Result<()> {
    let began = clock::now();
    output("ovs-ofctl", &["-O", "OpenFlow15", "add-flows", BRIDGE, FILE])?;
    eprintln!("  {FLOWS} flows took {} ms", (clock::now() - began) / MILLISECOND);
    Ok(())
}

/// Adds them once ovs-vswitchd has gone and come back.
fn add_again() -> JoinHandle<Result<()>> {
    std::thread::spawn(|| {
        for up in [false, true] {
            while ovs::is_up() != up {
                std::thread::yield_now();
            }
        }
        add()
    })
}

/// The most memory that it ever had, in KiB.
fn most_memory(recorder: &Recorder) -> Result<u64> {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", recorder.id())).context("ovsgap's status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.context("no VmHWM")?.trim().trim_end_matches(" kB");
    figure.parse().context("VmHWM")
}

/// A restart in this order with all flows; what is told of it.
fn restarted(name: &str, order: Order) -> Result<Report> {
    let recorder = Recorder::start(command(&path(name), &[]))?;
    let again = add_again();
    let restarted = restart_in(order);
    let added = again
        .join()
        .map_err(|_| anyhow::anyhow!("adding flows panicked"))?;
    let memory = most_memory(&recorder)?;
    eprintln!("  ovsgap took {memory} KiB at most");
    let report = recorder.end()?.report(0)?;
    restarted?;
    added?;
    ensure!(memory < MOST, "it took {memory} KiB");
    ensure!(has(&report, "records_lost").is_err(), "records were lost");
    Ok(report)
}

/// The bug is told of every Pod, and the right order passes.
pub fn check() -> Result<()> {
    write()?;
    add()?;
    let told = restarted("crowd.jsonl", Order::Bug).and_then(|report| tells_the_bug(&report));
    let passed = restarted("crowd-fixed.jsonl", Order::Fixed).and_then(|report| {
        ensure!(
            report.verdict == "pass",
            "the right order: {} {:?}",
            report.verdict,
            evidence(&report)
        );
        Ok(())
    });
    output(
        "ovs-ofctl",
        &["-O", "OpenFlow15", "del-flows", BRIDGE, &format!("table={TABLE}")],
    )?;
    let _ = std::fs::remove_file(Path::new(FILE));
    told.and(passed)
}
