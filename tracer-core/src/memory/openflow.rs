//! OpenFlow flows that name an endpoint: which were there before a disruption, and when all are there again.
//!
//! Must not depend on: megaflows, packets, any controller's pipeline. What was there before a disruption is in [`baseline`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::memory::topology::Topology;
use crate::vocabulary::event::{Change, OpenFlowChange, OpenFlowMatch};
use crate::vocabulary::id::OfPort;
use crate::vocabulary::time::Timestamp;

mod baseline;
mod key;
mod moved;
mod names;
mod roles;
mod shared;
mod store;

use baseline::Was;
pub use baseline::{Baseline, Standing};
use key::{Digest, Key};
use moved::{LEAVING, Moved};
use names::Book;
use roles::Roles;
pub use shared::SharedStanding;
use store::{Flow, Store};

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
    bridges: BTreeMap<String, Store>,
    /// Endpoints by what their flows match on.
    roles: BTreeMap<Arc<str>, Roles>,
    monitors: BTreeMap<String, Monitor>,
    book: Book,
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
        let Some(store) = self.bridges.get_mut(bridge) else {
            return;
        };
        for (_, flow) in store.present() {
            unname(&mut self.roles, flow);
        }
        store.clear(at);
        store.forget(at);
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
        let ports = ports(topology, bridge);
        let mut moved = Moved::default();
        let mut reached: BTreeSet<Arc<str>> = BTreeSet::new();
        let store = self.bridges.entry(bridge.to_owned()).or_default();
        store.forget(at);
        for change in changes {
            let came = change.change != Change::Removed;
            if !names_something(&change.matches) {
                let matches = Digest::of_match(&change.matches);
                store.shared.count(matches, change.change);
                moved.shared.push((matches, came));
                continue;
            }
            let key = Key::of(change.table, change.priority, &change.matches);
            moved.flows.push((key.portable(device(&key, &ports)), came));
            let mut flow = Flow::new(&change.matches, connects(change.cookie));
            flow.names = self.book.list(named_by(topology, &ports, &key, &flow, at));
            for device in flow.names.iter() {
                let reachable = self.roles.get(device).is_some_and(Roles::is_reachable);
                if !came && reachable {
                    reached.insert(Arc::clone(device));
                }
                let (_, any) = moved.named.entry(Arc::clone(device)).or_default();
                *any |= came;
            }
            if came {
                for device in flow.names.iter() {
                    self.roles.entry(Arc::clone(device)).or_default().add(flow.role);
                }
            }
            let before = if came {
                store.insert(key, flow)
            } else {
                store.remove(at, key)
            };
            if let Some(before) = before {
                unname(&mut self.roles, &before);
            }
        }
        reached.retain(|device| !self.roles.get(device).is_some_and(Roles::is_reachable));
        moved.cut = reached.iter().map(|device| String::from(&**device)).collect();
        for (device, (roles, _)) in &mut moved.named {
            *roles = self.roles.get(device).copied().unwrap_or_default();
        }
        moved
    }

    /// Which flows name which endpoint, as of just before `began`. Flows of an `earlier` disruption that have
    /// not come back by then still count: what a disruption interrupts is not a new normal.
    pub fn baseline(
        &mut self,
        topology: &Topology,
        began: Timestamp,
        earlier: Option<&Baseline>,
    ) -> Baseline {
        let antrea: BTreeSet<&str> = topology
            .bridges()
            .filter(|row| row.external_ids.contains_key(ROUND))
            .map(|row| row.name.as_str())
            .collect();
        let mut all: BTreeMap<&str, Vec<Was>> = BTreeMap::new();
        for (bridge, store) in &self.bridges {
            let is_antrea = antrea.contains(bridge.as_str());
            let mut flows = were(store, topology, bridge, began, &mut self.book);
            for flow in &mut flows {
                flow.connects &= is_antrea;
            }
            all.insert(bridge, flows);
        }
        let connecting = all.values().flatten().filter(|flow| flow.connects);
        let connected: BTreeSet<Arc<str>> = connecting.flat_map(|flow| flow.names.iter().cloned()).collect();
        let mut baseline = Baseline::default();
        for (bridge, mut flows) in all {
            for flow in flows
                .iter_mut()
                .filter(|flow| !flow.connects && !connected.is_empty())
            {
                let others = flow.names.iter().filter(|name| !connected.contains(*name));
                flow.names = self.book.list(others.map(|name| &**name));
            }
            let there: BTreeSet<Digest> = flows
                .iter()
                .filter(|flow| flow.is_there)
                .map(|flow| flow.id)
                .collect();
            for (id, names, role) in earlier.into_iter().flat_map(|earlier| earlier.missing(bridge)) {
                flows.push(Was {
                    id,
                    names: self.book.list(names.iter().map(|name| &**name)),
                    role,
                    connects: false,
                    is_there: there.contains(&id),
                });
            }
            let shared = self.bridges.get(bridge).map(|store| store.shared.clone());
            baseline.was(bridge, shared.unwrap_or_default(), flows, earlier);
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
        self.book.forget();
    }
}

/// The flows that named somebody on a bridge just before `began`.
fn were(store: &Store, topology: &Topology, bridge: &str, began: Timestamp, book: &mut Book) -> Vec<Was> {
    let ports = ports(topology, bridge);
    let mut was = |key: &Key, flow: &Flow, is_there: bool| {
        let now = named_by(topology, &ports, key, flow, began);
        let before = flow.names.iter().map(|name| &**name);
        let names = book.list(now.chain(before));
        (!names.is_empty()).then(|| Was {
            id: key.portable(device(key, &ports)),
            names,
            role: flow.role,
            connects: flow.connects,
            is_there,
        })
    };
    let mut all: Vec<Was> = store
        .present()
        .filter_map(|(key, flow)| was(key, flow, true))
        .collect();
    let oldest = Timestamp(began.0.saturating_sub(LEAVING));
    let mut gone = store.gone_since(oldest).peekable();
    if gone.peek().is_some() {
        // Where a port was numbered anew, a flow is there by another number.
        let there: BTreeSet<Digest> = all.iter().map(|flow| flow.id).collect();
        let mut gone: Vec<Was> = gone.filter_map(|(key, flow)| was(key, flow, false)).collect();
        for flow in &mut gone {
            flow.is_there = there.contains(&flow.id);
        }
        all.extend(gone);
    }
    all
}

fn unname(roles: &mut BTreeMap<Arc<str>, Roles>, flow: &Flow) {
    for device in flow.names.iter() {
        if let Some(counts) = roles.get_mut(device) {
            counts.take(flow.role);
        }
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

/// Devices of a bridge by the number of their port.
type Ports<'a> = BTreeMap<OfPort, &'a str>;

/// Of a number that one had who is gone and another has now, the one who has it.
fn ports<'a>(topology: &'a Topology, bridge: &str) -> Ports<'a> {
    let of = |gone: bool| {
        let endpoints = topology.endpoints().iter();
        endpoints.filter(move |(_, endpoint)| endpoint.until.is_some() == gone)
    };
    let numbered = of(true).chain(of(false)).filter_map(|(name, endpoint)| {
        let here = endpoint.bridge.as_deref() == Some(bridge);
        Some((endpoint.ofport.filter(|_| here)?, name.as_str()))
    });
    numbered.collect()
}

/// The device at the port that a flow matches on.
fn device<'a>(key: &Key, ports: &Ports<'a>) -> Option<&'a str> {
    ports.get(&key.in_port?).copied()
}

/// The endpoints that a flow names, as of `at`.
fn named_by<'a>(
    topology: &'a Topology,
    ports: &Ports<'a>,
    key: &Key,
    flow: &Flow,
    at: Timestamp,
) -> impl Iterator<Item = &'a str> {
    let by_mac = flow.macs().filter_map(move |mac| topology.owner_of_mac(mac, at));
    let by_ip = flow.ips().filter_map(move |ip| topology.owner_of_ip(ip, at));
    device(key, ports).into_iter().chain(by_mac).chain(by_ip)
}

#[cfg(test)]
mod tests;
