//! OpenFlow flows that name an endpoint: which were there before a disruption, and when all are there again.
//!
//! Must not depend on: megaflows, packets, any controller's pipeline. What was there before a disruption is in [`baseline`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::memory::topology::Topology;
use crate::vocabulary::event::{Change, OpenFlowChange, OpenFlowMatch};
use crate::vocabulary::time::Timestamp;

mod baseline;
mod moved;
mod roles;
mod shared;

pub use baseline::{Baseline, Standing};
use moved::{FlowId, LEAVING, Moved};
use roles::{Role, Roles};
pub use shared::{Shared, SharedStanding};

/// A bridge's flow monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Monitor {
    /// Since when it is on; `None`: it is off.
    pub up: Option<Timestamp>,
    /// When it had told of all flows that there were when it came on.
    pub told: Option<Timestamp>,
    /// Its last sign of life.
    pub heard: Timestamp,
    /// Its last answer but one: what it had not told by its last answer was not so then. (Within one pass of its main loop
    /// ovs-vswitchd may answer before it tells of what it did in that pass.)
    pub answered: Option<Timestamp>,
    /// Its last answer.
    answer: Option<Timestamp>,
}

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
    /// The endpoints that it named when it came.
    names: BTreeSet<String>,
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
    /// The same in the order in which they went.
    leaving: VecDeque<(Timestamp, FlowId)>,
    /// Flows that name nobody, by bridge and match: all Pods of the bridge need them.
    shared: Shared,
    /// Endpoints by what their flows match on.
    roles: BTreeMap<String, Roles>,
    monitors: BTreeMap<String, Monitor>,
}

impl OpenFlow {
    /// A monitor is on: its bridge's flows are told anew.
    pub fn up(&mut self, at: Timestamp, bridge: &str) {
        let monitor = self.monitors.entry(bridge.to_owned()).or_default();
        *monitor = Monitor {
            up: Some(at),
            heard: at,
            ..Monitor::default()
        };
        let of_bridge: Vec<FlowId> = self.present.keys().filter(|id| id.0 == bridge).cloned().collect();
        for id in of_bridge {
            self.remove(at, &id);
        }
        self.shared.clear(bridge);
    }

    /// All flows that there were have been told.
    pub fn snapshot(&mut self, at: Timestamp, bridge: &str) {
        let monitor = self.monitors.entry(bridge.to_owned()).or_default();
        monitor.told = Some(at);
        monitor.heard = monitor.heard.max(at);
    }

    /// A monitor is off.
    pub fn down(&mut self, bridge: &str) {
        let monitor = self.monitors.entry(bridge.to_owned()).or_default();
        (monitor.up, monitor.told) = (None, None);
    }

    /// The ovs-vswitchd that the monitors spoke to is gone, whether or not they have noticed.
    pub fn orphaned(&mut self, at: Timestamp) {
        for monitor in self.monitors.values_mut().filter(|monitor| monitor.up < Some(at)) {
            (monitor.up, monitor.told) = (None, None);
        }
    }

    /// A monitor has shown that it is alive.
    pub fn heard(&mut self, at: Timestamp, bridge: &str) {
        let monitor = self.monitors.entry(bridge.to_owned()).or_default();
        monitor.heard = monitor.heard.max(at);
    }

    /// A monitor has answered.
    pub fn alive(&mut self, at: Timestamp, bridge: &str) {
        self.heard(at, bridge);
        let monitor = self.monitors.entry(bridge.to_owned()).or_default();
        monitor.answered = monitor.answer.replace(at);
    }

    /// The monitor of a bridge.
    pub fn monitor(&self, bridge: &str) -> Option<&Monitor> {
        self.monitors.get(bridge)
    }

    /// Flows changed.
    pub fn changes(
        &mut self,
        at: Timestamp,
        bridge: &str,
        changes: &[OpenFlowChange],
        topology: &Topology,
    ) -> Moved {
        self.heard(at, bridge);
        let ports = ports(topology);
        let mut moved = Moved::default();
        let mut reached: BTreeSet<String> = BTreeSet::new();
        for change in changes {
            let came = change.change != Change::Removed;
            if !names_something(&change.matches) {
                self.shared.count(bridge, &change.matches.wire, change.change);
                moved.shared.push((change.matches.wire.clone(), came));
                continue;
            }
            let id = Arc::new((
                bridge.to_owned(),
                change.table,
                change.priority,
                change.matches.wire.clone(),
            ));
            let names = named(topology, &ports, bridge, &change.matches, at);
            let reachable = |device: &&String| self.roles.get(*device).is_some_and(Roles::is_reachable);
            if !came {
                reached.extend(names.iter().filter(reachable).cloned());
            }
            moved.flows.push((portable(&id, &change.matches, &ports), came));
            for device in &names {
                let (_, any) = moved.named.entry(device.clone()).or_default();
                *any |= came;
            }
            if came {
                self.gone.remove(&id);
                let flow = Flow {
                    matches: named_by(&change.matches),
                    connects: connects(change.cookie),
                    names,
                };
                self.insert(id, flow);
            } else {
                self.remove(at, &id);
            }
        }
        reached.retain(|device| !self.roles.get(device).is_some_and(Roles::is_reachable));
        moved.cut = reached;
        for (device, (roles, _)) in &mut moved.named {
            *roles = self.roles.get(device).copied().unwrap_or_default();
        }
        moved
    }

    fn insert(&mut self, id: FlowId, flow: Flow) {
        let roles = Role::of(&flow.matches);
        for device in &flow.names {
            self.roles.entry(device.clone()).or_default().add(&roles);
        }
        if let Some(before) = self.present.insert(id, flow) {
            self.unname(&before);
        }
    }

    fn unname(&mut self, flow: &Flow) {
        let roles = Role::of(&flow.matches);
        for device in &flow.names {
            if let Some(counts) = self.roles.get_mut(device) {
                counts.take(&roles);
            }
        }
    }

    fn remove(&mut self, at: Timestamp, id: &FlowId) {
        if let Some(flow) = self.present.remove(id) {
            self.unname(&flow);
            self.gone.insert(FlowId::clone(id), (at, flow));
            self.leaving.push_back((at, FlowId::clone(id)));
        }
        let oldest = at.0.saturating_sub(LEAVING);
        while let Some((since, id)) = self.leaving.front().filter(|(since, _)| since.0 < oldest) {
            if self.gone.get(id).is_some_and(|(gone, _)| gone == since) {
                self.gone.remove(id);
            }
            self.leaving.pop_front();
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
        let flows: Vec<(FlowId, BTreeSet<String>, bool, Vec<Role>)> = self
            .present
            .iter()
            .chain(leaving)
            .map(|(id, flow)| {
                let connects = flow.connects && antrea.contains(id.0.as_str());
                let mut names = named(topology, &ports, &id.0, &flow.matches, began);
                names.extend(flow.names.iter().cloned());
                (portable(id, flow), names, connects, Role::of(&flow.matches))
            })
            .collect();
        let present: BTreeSet<FlowId> = self.present.iter().map(|(id, flow)| portable(id, flow)).collect();
        let connected: BTreeSet<String> = flows
            .iter()
            .filter(|(_, _, connects, _)| *connects)
            .flat_map(|(_, endpoints, ..)| endpoints.iter().cloned())
            .collect();
        let mut baseline = Baseline::with(self.shared.clone(), earlier);
        for (id, mut endpoints, connects, roles) in flows {
            endpoints.retain(|endpoint| connects || !connected.contains(endpoint));
            baseline.add(&id, endpoints, present.contains(&id), &roles);
        }
        for (id, endpoints) in earlier.into_iter().flat_map(Baseline::missing) {
            baseline.add(id, endpoints, present.contains(id), &[]);
        }
        for (device, roles) in &self.roles {
            baseline.begins(device, *roles);
        }
        baseline
    }

    /// Forgets what concerns endpoints that are known no longer.
    pub fn forget(&mut self, is_known: impl Fn(&str) -> bool) {
        self.roles
            .retain(|device, roles| roles.is_any() || is_known(device));
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

fn named(
    topology: &Topology,
    ports: &Ports<'_>,
    bridge: &str,
    matches: &OpenFlowMatch,
    at: Timestamp,
) -> BTreeSet<String> {
    let by_port = matches
        .in_port
        .and_then(|port| ports.get(&(bridge, port.0)))
        .copied();
    let by_mac = [matches.eth_src, matches.eth_dst]
        .into_iter()
        .flatten()
        .filter_map(|mac| topology.owner_of_mac(mac, at));
    let by_ip = [matches.ip_src, matches.ip_dst]
        .into_iter()
        .flatten()
        .filter_map(|ip| topology.owner_of_ip(ip, at));
    by_port
        .into_iter()
        .chain(by_mac)
        .chain(by_ip)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
