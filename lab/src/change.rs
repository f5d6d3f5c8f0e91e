//! Pods that come and go while Open vSwitch restarts, as a CNI makes and deletes them.
//!
//! Must not depend on: the restart around it, ovsgap.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::node::Node;
use crate::ovs::Bundle;
use crate::pods::{self, Pod};
use crate::steps::Log;
use crate::traffic::spec;
use crate::traffic::{Prober, status};
use crate::words::rates::Rates;

/// What the added Pod and its first neighbour send each other: neither ARP nor what a policy drops, whose sockets the
/// prober of all others has.
const RATES: Rates = Rates {
    udp4: 500,
    udp6: 100,
    arp: 0,
    tcp: 0,
    policy: 0,
};

/// Deletes a Pod: its traffic ends, then its port, then its devices.
pub fn delete(log: &mut Log, node: &mut Node, name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    // Others would go on sending to it for as long as nobody tells them; what is lost then is not the restart's.
    if status::is_there() {
        log.step("silenced", Some(name), || status::silence(&[name.to_owned()]))?;
    }
    log.step("deleted", Some(name), || {
        let pod = node.remove(name)?;
        pods::delete(&pod)?;
        node.save()
    })
}

/// Adds a Pod: devices, port, flows of the agent's round. Its traffic, to the first Pod and back, starts as soon as it can.
pub fn add(log: &mut Log, node: &mut Node, name: Option<&str>, round: u16) -> Result<Option<Prober>> {
    let Some(name) = name else { return Ok(None) };
    let number = name.strip_prefix("pod-").and_then(|number| number.parse().ok());
    let pod = Pod::new(number.with_context(|| format!("{name} is not the name of a Pod of the lab"))?);
    log.step("created", Some(name), || pods::create_beside(&pod, &node.pods))?;
    log.step("added", Some(name), || {
        node.add(pod)?;
        node.save()
    })?;
    let pods = || node.pods.last().into_iter().chain(node.pods.first());
    let pair: Vec<Pod> = pods().cloned().collect();
    let prober = Prober::start(spec::ring(&pair, &[], RATES), &pair, false)?;
    let added = pair.first().context("a node without Pods")?;
    let flows = node.pipeline(&added.bridge, round).pod(added);
    log.step("flows_installed", Some(name), || {
        Bundle::prepare(&added.bridge, flows)?.commit()
    })?;
    Ok(Some(prober))
}

/// Ends the traffic of an added Pod and writes what became of it beside the log of steps.
pub fn written(prober: Prober, steps: &Path) -> Result<()> {
    let (truth, packets) = prober.stop()?;
    let write = |file: &str, text: Vec<u8>| {
        let path = steps.with_file_name(file);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write(ADDED[0], serde_json::to_vec(&truth)?)?;
    write(ADDED[1], serde_json::to_vec(&packets)?)
}

/// The truth about an added Pod: streams and packets.
pub const ADDED: [&str; 2] = ["truth-added.json", "packets-added.json"];
