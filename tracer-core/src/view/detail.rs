//! What the engine knows beyond the report, read for people: who is there, whose traffic became of what.
//!
//! Must not depend on: formats, windows. Reads the engine, never changes it.

use crate::memory::engine::Engine;
use crate::memory::story::Story;
use crate::memory::topology::Endpoint;
use crate::report::{Observed, Pod};
use crate::vocabulary::class::Direction;
use crate::vocabulary::id::{DpIfindex, PortNo};
use crate::vocabulary::packet::{Destination, TrafficKey};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Verdict;

/// One traffic key of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Which way, seen from the endpoint.
    pub direction: Direction,
    /// Who is at the other end, by name where it is known, else by address.
    pub peer: String,
    /// The key.
    pub key: TrafficKey,
    /// What became of its packets.
    pub story: Story,
}

/// All traffic of one endpoint (named by its device), by direction and key.
pub fn traffic(engine: &Engine, device: &str) -> Vec<Traffic> {
    let mut rows = Vec::new();
    for (key, story) in engine.traffic.stories(engine.now) {
        let first = story.gaps.first().map_or(engine.now, |gap| gap.first_lost);
        let from = engine.topology.device_at(key.dp, key.in_port, first);
        let to = addressee(engine, key);
        if from == Some(device) {
            let peer = to.map_or_else(|| address(key.dst), |to| label(engine, to));
            rows.push(row(Direction::FromPod, peer, key, Story::clone(&story)));
        }
        if to == Some(device) {
            let peer = from.map_or_else(|| format!("port {}", key.in_port), |from| label(engine, from));
            rows.push(row(Direction::ToPod, peer, key, Story::clone(&story)));
        }
    }
    rows.sort_by_key(|row| (row.direction == Direction::FromPod, row.key));
    rows
}

fn row(direction: Direction, peer: String, key: &TrafficKey, story: Story) -> Traffic {
    Traffic {
        direction,
        peer,
        key: *key,
        story,
    }
}

fn addressee<'a>(engine: &'a Engine, key: &TrafficKey) -> Option<&'a str> {
    match key.dst {
        Destination::Ip(ip) => engine.topology.owner_of_ip(ip, engine.now),
        Destination::Mac(mac) => engine.topology.owner_of_mac(mac, engine.now),
    }
}

fn address(destination: Destination) -> String {
    match destination {
        Destination::Ip(ip) => ip.to_string(),
        Destination::Mac(mac) => mac.to_string(),
    }
}

/// An endpoint by the name people give it: `namespace/name`, else its device.
pub fn label(engine: &Engine, device: &str) -> String {
    let endpoint = engine.topology.endpoints().get(device);
    endpoint
        .and_then(|endpoint| endpoint.identity.pod.as_ref())
        .map_or_else(
            || device.to_owned(),
            |(namespace, name)| format!("{namespace}/{name}"),
        )
}

/// Who is (or was) at a datapath port, by name; the port's number where it is not known.
pub fn port_label(engine: &Engine, dp: DpIfindex, port_no: PortNo, at: Timestamp) -> String {
    engine
        .topology
        .device_at(dp, port_no, at)
        .map_or_else(|| format!("port {port_no}"), |device| label(engine, device))
}

/// A datapath by its name, where it is known.
pub fn datapath_label(engine: &Engine, dp: DpIfindex) -> String {
    engine
        .topology
        .datapath_name(dp)
        .map_or_else(|| format!("datapath {dp}"), str::to_owned)
}

/// Everybody who is at a datapath port now, in the shape of a disruption that has not touched them.
pub fn roster(engine: &Engine) -> Vec<Pod> {
    let mut topology = engine.topology.clone();
    topology.settle();
    let there = |endpoint: &&Endpoint| endpoint.vport.is_some() && endpoint.until.is_none();
    let mut pods: Vec<Pod> = topology
        .endpoints()
        .iter()
        .filter(|(_, endpoint)| there(endpoint))
        .map(|(device, endpoint)| untouched(device, endpoint))
        .collect();
    pods.sort_by(|one, other| {
        (one.namespace.is_none(), &one.namespace, &one.name).cmp(&(
            other.namespace.is_none(),
            &other.namespace,
            &other.name,
        ))
    });
    pods
}

fn untouched(device: &str, endpoint: &Endpoint) -> Pod {
    let (namespace, name) = match &endpoint.identity.pod {
        Some((namespace, name)) => (Some(namespace.clone()), name.clone()),
        None => (None, device.to_owned()),
    };
    Pod {
        namespace,
        name,
        bridge: endpoint.bridge.clone(),
        interface: device.to_owned(),
        ofport: endpoint.ofport.map(|ofport| ofport.0),
        port_no: endpoint.vport.map(|(_, port_no)| port_no.0),
        mac: endpoint.identity.mac.map(|mac| mac.to_string()),
        ips: endpoint.identity.ips.iter().map(ToString::to_string).collect(),
        network: None,
        reachable_ns: None,
        witnesses: Vec::new(),
        proof: None,
        flows_installed_ns: None,
        converged_ns: None,
        exposed: None,
        observed: Observed::default(),
        delayed: None,
        leak: None,
        cause: None,
        waterfall: Vec::new(),
        counterfactual: None,
        verdict: Verdict::Inconclusive,
    }
}
