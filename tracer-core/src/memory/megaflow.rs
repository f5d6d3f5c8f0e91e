//! Megaflows of each datapath, and from them when each endpoint's traffic is forwarded again.
//!
//! Must not depend on: OpenFlow, packets, why anything happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::memory::topology::Topology;
use crate::vocabulary::class::{CLASSES, Class, Direction};
use crate::vocabulary::flow::{Actions, Fate, FlowKey};
use crate::vocabulary::id::{DpIfindex, PortNo, Ufid};
use crate::vocabulary::time::{SECOND, Timestamp};

/// A megaflow's name: its datapath and UFID.
pub type FlowName = (DpIfindex, Ufid);

/// Megaflows that were seen to be inserted and not to be removed.
#[derive(Clone, Debug, Default)]
pub struct Megaflows {
    flows: BTreeMap<FlowName, (FlowKey, Actions)>,
    /// Those that forwarded and do no longer, and since when.
    turned: VecDeque<(Timestamp, FlowName)>,
}

/// So many that forward no longer are remembered.
const TURNED: usize = 4096;
/// What turned this shortly before a disruption's first sign is part of it: the flow monitor tells late.
const BEFORE: u64 = SECOND;

impl Megaflows {
    /// A megaflow is in the table.
    pub fn insert(&mut self, name: FlowName, key: FlowKey, actions: Actions) {
        // A UFID of zero is no name: such a flow cannot be found again.
        if name.1 != Ufid::default() {
            self.flows.insert(name, (key, actions));
        }
    }

    /// A megaflow's actions were replaced; its key and its actions so far.
    pub fn replace(
        &mut self,
        at: Timestamp,
        name: FlowName,
        actions: &Actions,
    ) -> Option<(FlowKey, Actions)> {
        let (key, now) = self.flows.get_mut(&name)?;
        let before = std::mem::replace(now, actions.clone());
        if before.fate() == Fate::Output && actions.fate() != Fate::Output {
            self.turned.push_back((at, name));
            if self.turned.len() > TURNED {
                self.turned.pop_front();
            }
        }
        Some((key.clone(), before))
    }

    /// Megaflows that have just begun to drop what they forwarded before.
    pub fn turned(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, FlowName, &FlowKey)> {
        let recent = self
            .turned
            .iter()
            .filter(move |(since, _)| at.since(*since) <= BEFORE);
        recent.filter_map(|(since, name)| {
            let (key, actions) = self.flows.get(name)?;
            (actions.fate() != Fate::Output).then_some((*since, *name, key))
        })
    }

    /// A megaflow is gone.
    pub fn remove(&mut self, name: FlowName) {
        self.flows.remove(&name);
    }

    /// All megaflows of a datapath are gone.
    pub fn flush(&mut self, dp: DpIfindex) {
        self.flows.retain(|(of, _), _| *of != dp);
    }
}

/// The endpoints whose traffic a megaflow carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// It matches what this endpoint sends.
    pub from: Option<String>,
    /// It matches what is addressed to this endpoint, or outputs to it alone.
    pub to: Option<String>,
}

/// Whose traffic a megaflow carries. A flood (several outputs) is nobody's in particular.
pub fn subjects(
    topology: &Topology,
    at: Timestamp,
    dp: DpIfindex,
    key: &FlowKey,
    actions: &Actions,
) -> Subjects {
    // Packets enter a bridge by its own ports, never by the datapath's: what matches there is one of the flows
    // by which a starting ovs-vswitchd finds out what the kernel can do (`check_support`, ofproto/ofproto-dpif.c).
    if key.in_port == PortNo(0) {
        return Subjects::default();
    }
    let from = topology
        .device_at(dp, key.in_port, at)
        .filter(|name| topology.endpoints().contains_key(*name));
    let by_output = match actions.outputs.as_slice() {
        [port_no] => topology.device_at(dp, *port_no, at),
        _ => None,
    };
    let by_ip = || key.ip_dst.and_then(|ip| topology.owner_of_ip(ip, at));
    let to = by_output
        .or_else(by_ip)
        .or_else(|| topology.owner_of_mac(key.eth_dst, at));
    Subjects {
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    }
}

/// How far one endpoint has come since the flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Convergence {
    /// By class of its traffic: the first megaflow that outputs it, and whether one dropped it.
    classes: [(Option<Timestamp>, bool); CLASSES],
    /// First megaflow that drops its traffic.
    pub first_drop: Option<Timestamp>,
    /// Drop megaflows in the table.
    drops: BTreeSet<FlowName>,
    /// When the last of them was removed or set to output.
    pub drops_gone: Option<Timestamp>,
    /// When the last of them was set to output: what it dropped had to be forwarded.
    pub healed: Option<Timestamp>,
    /// A megaflow hands its traffic to userspace and does nothing else with it: what becomes of that is not known here.
    pub unclear: bool,
}

impl Convergence {
    /// First megaflow for the endpoint that outputs, in either direction. Those that let neighbours find each other
    /// count where there are no others: they may need no OpenFlow flow of the endpoint.
    pub fn converged(&self) -> Option<Timestamp> {
        let known = Class::all().map(|class| (class, self.class(class)));
        let alone = !known
            .iter()
            .any(|(class, state)| !class.finds_neighbours && *state != (None, false));
        known
            .iter()
            .filter(|(class, _)| alone || !class.finds_neighbours)
            .filter_map(|(_, (output, _))| *output)
            .min()
    }

    /// Of a class of its traffic: the first megaflow that outputs it, and whether one dropped it.
    pub fn class(&self, class: Class) -> (Option<Timestamp>, bool) {
        self.classes[class.index()]
    }

    /// Whether a megaflow drops its traffic now.
    pub fn is_dropping(&self) -> bool {
        !self.drops.is_empty()
    }
}

/// Convergence of all endpoints since a flush.
#[derive(Clone, Debug, Default)]
pub struct Converging {
    endpoints: BTreeMap<String, Convergence>,
    /// Drop megaflows of any endpoint: most that come or go are none, and need not be looked for at all endpoints.
    drops: BTreeSet<FlowName>,
}

impl Converging {
    /// A megaflow came or got other actions.
    pub fn flow(&mut self, at: Timestamp, name: FlowName, subjects: &Subjects, key: &FlowKey, fate: Fate) {
        let Subjects { from, to } = subjects;
        for (endpoint, direction) in [(from, Direction::FromPod), (to, Direction::ToPod)] {
            let Some(endpoint) = endpoint else { continue };
            let state = self.endpoints.entry(endpoint.clone()).or_default();
            let class = Class::of(direction, key.eth_type, key.proto);
            let (output, dropped) = &mut state.classes[class.index()];
            match fate {
                Fate::Output => {
                    output.get_or_insert(at);
                }
                Fate::Drop => {
                    // What is dropped while traffic of its class is forwarded is dropped by a policy.
                    *dropped |= output.is_none();
                    state.first_drop.get_or_insert(at);
                    state.drops.insert(name);
                    self.drops.insert(name);
                }
                Fate::Userspace | Fate::Unknown => state.unclear = true,
                Fate::Recirculate => {}
            }
            if fate == Fate::Output && state.drops.contains(&name) {
                state.healed = Some(at);
            }
        }
        if fate != Fate::Drop {
            self.drop_gone(at, name);
        }
    }

    /// A megaflow was removed, or drops no longer.
    pub fn drop_gone(&mut self, at: Timestamp, name: FlowName) {
        if !self.drops.remove(&name) {
            return;
        }
        for state in self.endpoints.values_mut() {
            if state.drops.remove(&name) && state.drops.is_empty() {
                state.drops_gone = Some(at);
            }
        }
    }

    /// One endpoint's state.
    pub fn endpoint(&self, name: &str) -> Option<&Convergence> {
        self.endpoints.get(name)
    }

    /// All endpoints that had a megaflow since the flush.
    pub fn endpoints(&self) -> impl Iterator<Item = (&str, &Convergence)> {
        self.endpoints.iter().map(|(name, state)| (name.as_str(), state))
    }
}
