//! OpenFlow flows that name an endpoint: which were there before a disruption, and when all are there again.
//!
//! Must not depend on: megaflows, packets, any controller's pipeline. The method works for every controller:
//! a Pod's flows are installed when the flows that mentioned its port, MAC or IP before are back. Antrea's cookies
//! tell more: which of those flows connect the Pod, and which are of policies and Services that may come later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::memory::topology::Topology;
use crate::vocabulary::event::{Change, OpenFlowChange, OpenFlowMatch};
use crate::vocabulary::time::{SECOND, Timestamp};

/// Flows that vanish this shortly before a disruption's first sign still belong to the state before it: an
/// ovs-vswitchd that leaves gracefully deletes its flows while the monitor is still connected
/// (`ofproto_flush__`), which takes less than a second for 100 000 flows, and then its datapath's ports: with 500 of them, on a busy
/// node, 2.5 s went by until it ended.
const LEAVING: u64 = 5 * SECOND;

/// A flow's identity: bridge, table, priority, match. Shared, because a disruption remembers all that there were before it.
type FlowId = Arc<(String, u8, u16, String)>;

/// The same wherever its port is numbered anew: in the match, the device stands for its number.
fn portable(id: &FlowId, matches: &OpenFlowMatch, ports: &Ports<'_>) -> FlowId {
    let device = matches
        .in_port
        .and_then(|port| Some((port.0, ports.get(&(id.0.as_str(), port.0))?)));
    let Some((number, device)) = device else {
        return FlowId::clone(id);
    };
    // `in_port` as NXM (OpenFlow 1.0) and as OXM: lib/meta-flow.h of Open vSwitch.
    let wire = id.3.replacen(&format!("00000002{number:04x}"), "", 1).replacen(
        &format!("80000004{number:08x}"),
        "",
        1,
    );
    Arc::new((id.0.clone(), id.1, id.2, format!("{wire} at {device}")))
}

/// What is remembered of a flow.
#[derive(Clone, Debug)]
struct Flow {
    /// Without the whole match, which is part of its identity.
    matches: OpenFlowMatch,
    /// It is one of those by which Antrea connects a Pod, if this is Antrea's bridge.
    connects: bool,
}

/// `PodConnectivity` (`pkg/agent/openflow/cookie/allocator.go` of Antrea): round 16 bits, category 8, reserved 8, object 32.
const POD_CONNECTIVITY: u64 = 1;
/// Key of `Bridge.external_ids` in which Antrea's agent keeps its round (`pkg/agent/agent.go`).
const ROUND: &str = "roundNum";

fn connects(cookie: u64) -> bool {
    let (round, category, reserved) = (cookie >> 48, cookie >> 40 & 0xff, cookie >> 32 & 0xff);
    round != 0 && category == POD_CONNECTIVITY && reserved == 0
}

/// Flows of all bridges, as the monitors told them.
#[derive(Clone, Debug, Default)]
pub struct OpenFlow {
    /// Flows that name a port or an address.
    present: BTreeMap<FlowId, Flow>,
    /// Flows that are gone, and since when.
    gone: BTreeMap<FlowId, (Timestamp, Flow)>,
    watched: BTreeSet<String>,
}

impl OpenFlow {
    /// A monitor is on: its bridge's flows are told anew.
    pub fn up(&mut self, at: Timestamp, bridge: &str) {
        self.watched.insert(bridge.to_owned());
        let ids: Vec<FlowId> = self.present.keys().filter(|id| id.0 == bridge).cloned().collect();
        for id in ids {
            self.remove(at, id);
        }
    }

    /// Whether a monitor has ever been on for a bridge.
    pub fn watches(&self, bridge: &str) -> bool {
        self.watched.contains(bridge)
    }

    /// Flows changed; returns which flows came and which went, whatever the numbers of their ports.
    pub fn changes(
        &mut self,
        at: Timestamp,
        bridge: &str,
        changes: &[OpenFlowChange],
        topology: &Topology,
    ) -> Vec<(FlowId, bool)> {
        let ports = ports(topology);
        let mut moved = Vec::new();
        for change in changes.iter().filter(|change| names_something(&change.matches)) {
            let id = Arc::new((
                bridge.to_owned(),
                change.table,
                change.priority,
                change.matches.wire.clone(),
            ));
            let came = change.change != Change::Removed;
            moved.push((portable(&id, &change.matches, &ports), came));
            if came {
                self.gone.remove(&id);
                let flow = Flow {
                    matches: named_by(&change.matches),
                    connects: connects(change.cookie),
                };
                self.present.insert(id, flow);
            } else {
                self.remove(at, id);
            }
        }
        moved
    }

    fn remove(&mut self, at: Timestamp, id: FlowId) {
        if let Some(flow) = self.present.remove(&id) {
            self.gone.insert(id, (at, flow));
        }
        let oldest = at.0.saturating_sub(LEAVING);
        if self.gone.len() > self.present.len() {
            self.gone.retain(|_, (since, _)| since.0 >= oldest);
        }
    }

    /// Which flows name which endpoint, as of just before `began`. Flows of an `earlier` disruption that have
    /// not come back by then still count: what a disruption interrupts is not a new normal.
    pub fn baseline(&self, topology: &Topology, began: Timestamp, earlier: Option<&Baseline>) -> Baseline {
        let ports = ports(topology);
        let oldest = began.0.saturating_sub(LEAVING);
        let gone = self.gone.iter().filter(|(_, (since, _))| since.0 >= oldest);
        let leaving = gone.map(|(id, (_, flow))| (id, flow));
        let antrea: BTreeSet<&str> = topology
            .bridges()
            .filter(|row| row.external_ids.contains_key(ROUND))
            .map(|row| row.name.as_str())
            .collect();
        let portable = |id: &FlowId, flow: &Flow| portable(id, &flow.matches, &ports);
        let flows: Vec<(FlowId, BTreeSet<String>, bool)> = self
            .present
            .iter()
            .chain(leaving)
            .map(|(id, flow)| {
                let connects = flow.connects && antrea.contains(id.0.as_str());
                (
                    portable(id, flow),
                    named(topology, &ports, &id.0, &flow.matches),
                    connects,
                )
            })
            .collect();
        let present: BTreeSet<FlowId> = self.present.iter().map(|(id, flow)| portable(id, flow)).collect();
        let connected: BTreeSet<String> = flows
            .iter()
            .filter(|(.., connects)| *connects)
            .flat_map(|(_, endpoints, _)| endpoints.iter().cloned())
            .collect();
        let mut baseline = Baseline::default();
        for (id, mut endpoints, connects) in flows {
            endpoints.retain(|endpoint| connects || !connected.contains(endpoint));
            baseline.add(&id, endpoints, present.contains(&id));
        }
        for (id, endpoints) in earlier.into_iter().flat_map(Baseline::missing) {
            baseline.add(id, endpoints, present.contains(id));
        }
        baseline
    }
}

/// The fields that name something.
fn named_by(matches: &OpenFlowMatch) -> OpenFlowMatch {
    OpenFlowMatch {
        wire: String::new(),
        in_port: matches.in_port,
        eth_src: matches.eth_src,
        eth_dst: matches.eth_dst,
        ip_src: matches.ip_src,
        ip_dst: matches.ip_dst,
    }
}

fn names_something(matches: &OpenFlowMatch) -> bool {
    let OpenFlowMatch {
        in_port,
        eth_src,
        eth_dst,
        ip_src,
        ip_dst,
        wire: _,
    } = matches;
    in_port.is_some() || eth_src.is_some() || eth_dst.is_some() || ip_src.is_some() || ip_dst.is_some()
}

type Ports<'a> = BTreeMap<(&'a str, u32), &'a str>;

/// Of a number that one had who is gone and another has now, the one who has it.
fn ports(topology: &Topology) -> Ports<'_> {
    let of = |gone: bool| {
        let endpoints = topology.endpoints().iter();
        endpoints.filter(move |(_, endpoint)| endpoint.until.is_some() == gone)
    };
    let numbered = of(true).chain(of(false)).filter_map(|(name, endpoint)| {
        Some(((endpoint.bridge.as_deref()?, endpoint.ofport?.0), name.as_str()))
    });
    numbered.collect()
}

fn named(topology: &Topology, ports: &Ports<'_>, bridge: &str, matches: &OpenFlowMatch) -> BTreeSet<String> {
    let by_port = matches
        .in_port
        .and_then(|port| ports.get(&(bridge, port.0)))
        .copied();
    let by_mac = [matches.eth_src, matches.eth_dst]
        .into_iter()
        .flatten()
        .filter_map(|mac| topology.owner_of_mac(mac));
    let by_ip = [matches.ip_src, matches.ip_dst]
        .into_iter()
        .flatten()
        .filter_map(|ip| topology.owner_of_ip(ip));
    by_port
        .into_iter()
        .chain(by_mac)
        .chain(by_ip)
        .map(str::to_owned)
        .collect()
}

/// The flows that named each endpoint before a disruption, and which of them are missing.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    endpoints: BTreeMap<String, Flows>,
    named: BTreeMap<FlowId, BTreeSet<String>>,
}

/// Flows that come or go this long after an endpoint had all of its flows again belong to everyday life,
/// not to the disruption.
const SETTLED: u64 = 5 * SECOND;

#[derive(Clone, Debug, Default)]
struct Flows {
    missing: BTreeSet<FlowId>,
    was_missing: bool,
    installed: Option<Timestamp>,
    /// Since when they were installed, and when the first of them went again.
    before: Option<(Timestamp, Timestamp)>,
}

/// Where an endpoint's OpenFlow flows stand in a disruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No flow named it before, or no monitor was on: nothing can be said.
    Unknown,
    /// All of its flows were there all the time.
    Kept,
    /// They were gone and all are back since then (an upper bound: it is when the monitor told).
    Installed(Timestamp),
    /// Some are missing.
    Missing,
}

impl Baseline {
    fn add(&mut self, id: &FlowId, endpoints: BTreeSet<String>, present: bool) {
        for endpoint in endpoints {
            let flows = self.endpoints.entry(endpoint.clone()).or_default();
            if !present {
                flows.missing.insert(FlowId::clone(id));
                flows.was_missing = true;
            }
            self.named.entry(FlowId::clone(id)).or_default().insert(endpoint);
        }
    }

    /// Flows that have not come back, and whom they name.
    fn missing(&self) -> impl Iterator<Item = (&FlowId, BTreeSet<String>)> {
        self.named.iter().filter_map(|(id, endpoints)| {
            let missing = |endpoint: &&String| {
                self.endpoints
                    .get(*endpoint)
                    .is_some_and(|flows| flows.missing.contains(id))
            };
            let endpoints: BTreeSet<String> = endpoints.iter().filter(missing).cloned().collect();
            (!endpoints.is_empty()).then_some((id, endpoints))
        })
    }

    /// A monitor is on again: its bridge's flows are missing until they are told.
    pub fn up(&mut self, at: Timestamp, bridge: &str) {
        let ids: Vec<FlowId> = self.named.keys().filter(|id| id.0 == bridge).cloned().collect();
        for id in ids {
            self.lose(at, &id);
        }
    }

    /// The next disruption has begun: flows that went shortly before went with it.
    pub fn ends(&mut self, next: Timestamp) {
        for flows in self.endpoints.values_mut() {
            if let Some((installed, lost)) = flows.before
                && next.since(lost) < LEAVING
            {
                flows.installed = Some(installed);
                flows.missing.clear();
            }
        }
    }

    /// Flows came (`true`) or went.
    pub fn moved(&mut self, at: Timestamp, moved: &[(FlowId, bool)]) {
        for (id, came) in moved {
            if *came {
                self.regain(at, id);
            } else {
                self.lose(at, id);
            }
        }
    }

    fn lose(&mut self, at: Timestamp, id: &FlowId) {
        for endpoint in self.named.get(id).into_iter().flatten() {
            if let Some(flows) = self.endpoints.get_mut(endpoint)
                && flows
                    .installed
                    .is_none_or(|installed| at.since(installed) < SETTLED)
            {
                if let Some(installed) = flows.installed.take() {
                    flows.before = Some((installed, at));
                }
                flows.missing.insert(FlowId::clone(id));
                flows.was_missing = true;
            }
        }
    }

    fn regain(&mut self, at: Timestamp, id: &FlowId) {
        for endpoint in self.named.get(id).into_iter().flatten() {
            if let Some(flows) = self.endpoints.get_mut(endpoint)
                && flows.missing.remove(id)
                && flows.missing.is_empty()
            {
                flows.installed = Some(at);
            }
        }
    }

    /// Where an endpoint's flows stand.
    pub fn standing(&self, endpoint: &str) -> Standing {
        match self.endpoints.get(endpoint) {
            None => Standing::Unknown,
            Some(Flows {
                was_missing: false, ..
            }) => Standing::Kept,
            Some(Flows {
                installed: Some(at), ..
            }) => Standing::Installed(*at),
            Some(_) => Standing::Missing,
        }
    }
}

#[cfg(test)]
mod tests;
