//! The flows that named each endpoint before a disruption, and when it could be reached again.
//!
//! Must not depend on: megaflows, packets, any controller's pipeline. The method works for every controller: a Pod's flows are
//! installed when the flows that mentioned its port, MAC or IP before are back. Where they do not all come back (an upgrade
//! lays its tables out anew, a policy was deleted), it can be reached when each role that its flows had is filled again and no
//! more of its flows come. Antrea's cookies tell more: which flows connect the Pod, and which are of policies that may come later.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::key::Digest;
use super::moved::{LEAVING, Moved};
use super::names::Names;
use super::roles::{Role, Roles};
use super::shared::{Shared, SharedStanding};
use crate::vocabulary::time::{SECOND, Timestamp};

/// The flows that named each endpoint before a disruption, and which of them are missing.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    endpoints: BTreeMap<Arc<str>, Flows>,
    bridges: BTreeMap<String, Bridge>,
}

/// One bridge's flows.
#[derive(Clone, Debug, Default)]
struct Bridge {
    /// Those that name somebody, whatever the numbers of their ports.
    named: BTreeMap<Digest, Flow>,
    /// Those that all share, as they were.
    shared: Shared,
    /// Those of them that are missing, or were.
    missing: Option<Missing>,
}

/// A flow that names somebody.
#[derive(Clone, Debug)]
struct Flow {
    names: Names,
    role: Role,
    /// Whom it is missing to: bit n for name n.
    missing: u16,
}

/// A flow as it was just before a disruption.
#[derive(Clone, Debug)]
pub(super) struct Was {
    pub id: Digest,
    pub names: Names,
    pub role: Role,
    /// It is one of those by which Antrea connects a Pod.
    pub connects: bool,
    /// It has not gone yet, or has come back.
    pub is_there: bool,
}

/// Flows that come or go this long after an endpoint had all of its flows again belong to everyday life,
/// not to the disruption.
const SETTLED: u64 = 5 * SECOND;

/// One endpoint's flows.
#[derive(Clone, Debug, Default)]
struct Flows {
    /// How many of them are missing.
    missing: u32,
    was_missing: bool,
    installed: Option<Timestamp>,
    /// Since when they were installed, and when the first of them went again.
    before: Option<(Timestamp, Timestamp)>,
    /// What its flows matched on before.
    needed: Roles,
    /// The same now.
    now: Roles,
    /// A role was not filled for a time.
    was_cut: bool,
    /// Flows without which it cannot be reached were absent then, by a monitor that was alive.
    absent: Option<Timestamp>,
    /// When the last flow that names it came, and every role was filled.
    filled: Option<Timestamp>,
    /// The bridges on which flows name it.
    bridges: Vec<String>,
}

/// Shared flows of a bridge that are not back.
#[derive(Clone, Debug, Default)]
struct Missing {
    flows: Shared,
    /// When the last of them came.
    came: Option<Timestamp>,
}

/// Where an endpoint's OpenFlow flows stand in a disruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No flow named it before, or no monitor was on: nothing can be said.
    Unknown,
    /// All of its flows were there all the time.
    Kept,
    /// They were gone, and it can be reached again since then (an upper bound: it is when the monitor told).
    Installed(Timestamp),
    /// Some without which it cannot be reached are missing.
    Missing,
}

impl Baseline {
    /// The flows of a bridge; shared ones that an earlier disruption left missing are missing still.
    pub(super) fn was(&mut self, bridge: &str, shared: Shared, flows: Vec<Was>, earlier: Option<&Self>) {
        let missing = earlier.and_then(|earlier| earlier.bridges.get(bridge)?.missing.clone());
        let mut named: BTreeMap<Digest, Flow> = BTreeMap::new();
        for flow in flows {
            for name in flow.names.iter() {
                let endpoint = self.endpoints.entry(Arc::clone(name)).or_default();
                endpoint.needed.add(flow.role);
                endpoint.on(bridge);
            }
            named
                .entry(flow.id)
                .and_modify(|known| known.join(&flow))
                .or_insert_with(|| Flow::from(flow));
        }
        for flow in named.values() {
            for name in flow.missing_to() {
                if let Some(endpoint) = self.endpoints.get_mut(name) {
                    endpoint.missing = endpoint.missing.saturating_add(1);
                    endpoint.was_missing = true;
                }
            }
        }
        let bridge = bridge.to_owned();
        self.bridges.insert(
            bridge,
            Bridge {
                named,
                shared,
                missing,
            },
        );
    }

    /// What the endpoints are named by when it begins.
    pub(super) fn begins(&mut self, device: &str, now: Roles) {
        if let Some(flows) = self.endpoints.get_mut(device) {
            flows.now = now;
            flows.was_cut = !now.fill(flows.needed);
        }
    }

    /// Flows of a bridge that have not come back, and whom they name: of endpoints that cannot be reached yet.
    pub(super) fn missing(&self, bridge: &str) -> Vec<(Digest, Vec<Arc<str>>, Role)> {
        let Some(bridge) = self.bridges.get(bridge) else {
            return Vec::new();
        };
        let cut = |name: &&Arc<str>| {
            let flows = self.endpoints.get(*name);
            flows.is_some_and(|flows| flows.filled.is_none())
        };
        let missing = bridge.named.iter().filter(|(_, flow)| flow.missing != 0);
        let missing = missing.map(|(id, flow)| {
            let names: Vec<Arc<str>> = flow.missing_to().filter(cut).cloned().collect();
            (*id, names, flow.role)
        });
        missing.filter(|(_, names, _)| !names.is_empty()).collect()
    }

    /// A monitor is on again: its bridge's flows are missing until they are told.
    pub fn up(&mut self, at: Timestamp, name: &str) {
        let Some(bridge) = self.bridges.get_mut(name) else {
            return;
        };
        for flow in bridge.named.values_mut() {
            lose(&mut self.endpoints, at, flow);
        }
        for flows in self.endpoints.values_mut().filter(|flows| flows.is_on(name)) {
            flows.now = Roles::default();
            flows.filled = None;
            flows.was_cut = true;
        }
        if !bridge.shared.is_empty() {
            bridge.missing = Some(Missing {
                flows: bridge.shared.clone(),
                came: None,
            });
        }
    }

    /// The next disruption has begun: flows that went shortly before went with it.
    pub fn ends(&mut self, next: Timestamp) {
        let with_next = |flows: &Flows| {
            let (installed, lost) = flows.before?;
            (next.since(lost) < LEAVING).then_some(installed)
        };
        for bridge in self.bridges.values_mut() {
            for flow in bridge.named.values_mut().filter(|flow| flow.missing != 0) {
                let here = |name: &Arc<str>| self.endpoints.get(name).and_then(with_next).is_some();
                for index in (0..flow.names.len()).filter(|index| here(&flow.names[*index])) {
                    flow.missing &= !bit(index);
                }
            }
        }
        for flows in self.endpoints.values_mut() {
            if let Some(installed) = with_next(flows) {
                flows.installed = Some(installed);
                flows.missing = 0;
            }
        }
    }

    /// Flows came or went.
    pub fn moved(&mut self, at: Timestamp, bridge: &str, moved: &Moved) {
        if let Some(bridge) = self.bridges.get_mut(bridge) {
            for (id, came) in &moved.flows {
                match (bridge.named.get_mut(id), came) {
                    (Some(flow), true) => regain(&mut self.endpoints, at, flow),
                    (Some(flow), false) => lose(&mut self.endpoints, at, flow),
                    (None, _) => {}
                }
            }
            for (matches, came) in &moved.shared {
                bridge.share(at, *matches, *came);
            }
        }
        for (endpoint, (roles, came)) in &moved.named {
            if let Some(flows) = self.endpoints.get_mut(endpoint) {
                flows.now = *roles;
                flows.fill(at, *came);
            }
        }
    }

    /// The monitor of a bridge was alive at `since` and has told of all that changed until then.
    pub fn heard(&mut self, since: Timestamp, bridge: &str) {
        for flows in self.endpoints.values_mut().filter(|flows| flows.is_on(bridge)) {
            if flows.was_cut && flows.filled.is_none() && !flows.now.fill(flows.needed) {
                flows.absent = flows.absent.max(Some(since));
            }
        }
    }

    /// Until when an endpoint's flows were known to be absent.
    pub fn absent(&self, endpoint: &str) -> Option<Timestamp> {
        self.endpoints.get(endpoint)?.absent
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
            Some(flows) => match flows.filled {
                Some(at) => Standing::Installed(at),
                // Some of them went and each role stayed filled: whether those that went connected it is not known.
                None if flows.needed.is_any() && !flows.was_cut && flows.now.fill(flows.needed) => {
                    Standing::Unknown
                }
                None => Standing::Missing,
            },
        }
    }

    /// Where the shared flows of a bridge stand.
    pub fn shared(&self, bridge: &str) -> SharedStanding {
        match self
            .bridges
            .get(bridge)
            .and_then(|bridge| bridge.missing.as_ref())
        {
            None => SharedStanding::Kept,
            Some(Missing {
                flows,
                came: Some(at),
            }) if flows.is_empty() => SharedStanding::Installed(*at),
            Some(Missing { came, .. }) => SharedStanding::Missing(*came),
        }
    }
}

impl Flows {
    /// Flows that name it came or went.
    fn fill(&mut self, at: Timestamp, came: bool) {
        if !self.now.fill(self.needed) {
            self.filled = None;
            self.was_cut = true;
        } else if came && self.was_cut && self.filled.is_none_or(|filled| at.since(filled) < SETTLED) {
            self.filled = Some(at);
        }
    }
}

impl Flows {
    /// A flow of this bridge names it.
    fn on(&mut self, bridge: &str) {
        if !self.is_on(bridge) {
            self.bridges.push(bridge.to_owned());
        }
    }

    fn is_on(&self, bridge: &str) -> bool {
        self.bridges.iter().any(|known| known == bridge)
    }
}

impl Flow {
    fn from(was: Was) -> Self {
        let missing = if was.is_there { 0 } else { all(was.names.len()) };
        Self {
            names: was.names,
            role: was.role,
            missing,
        }
    }

    /// The same flow was there for others, too.
    fn join(&mut self, was: &Was) {
        let others = was.names.iter().filter(|name| !self.names.contains(name));
        let names: Vec<Arc<str>> = self.names.iter().chain(others).cloned().collect();
        if names.len() > self.names.len() {
            self.names = names.into();
        }
        self.missing = if was.is_there { 0 } else { self.missing };
    }

    fn missing_to(&self) -> impl Iterator<Item = &Arc<str>> {
        let missing = |(index, _): &(usize, &Arc<str>)| self.missing & bit(*index) != 0;
        self.names
            .iter()
            .enumerate()
            .filter(missing)
            .map(|(_, name)| name)
    }
}

/// A flow matches on a port and four addresses at most: it never names more than the sixteen that there are bits for.
fn bit(index: usize) -> u16 {
    u32::try_from(index)
        .ok()
        .and_then(|index| 1_u16.checked_shl(index))
        .unwrap_or(0)
}

fn all(names: usize) -> u16 {
    (0..names).map(bit).fold(0, |all, bit| all | bit)
}

impl Bridge {
    fn share(&mut self, at: Timestamp, matches: Digest, came: bool) {
        if came {
            if let Some(missing) = self.missing.as_mut().filter(|missing| missing.flows.has(matches)) {
                missing.flows.take(matches);
                missing.came = Some(at);
            }
        } else if self.shared.has(matches) {
            self.missing.get_or_insert_default().flows.add(matches);
        }
    }
}

fn lose(endpoints: &mut BTreeMap<Arc<str>, Flows>, at: Timestamp, flow: &mut Flow) {
    for (index, name) in flow.names.iter().enumerate() {
        if let Some(flows) = endpoints.get_mut(name)
            && flows
                .installed
                .is_none_or(|installed| at.since(installed) < SETTLED)
        {
            if let Some(installed) = flows.installed.take() {
                flows.before = Some((installed, at));
            }
            if flow.missing & bit(index) == 0 {
                flow.missing |= bit(index);
                flows.missing = flows.missing.saturating_add(1);
            }
            flows.was_missing = true;
        }
    }
}

fn regain(endpoints: &mut BTreeMap<Arc<str>, Flows>, at: Timestamp, flow: &mut Flow) {
    for (index, name) in flow.names.iter().enumerate() {
        if let Some(flows) = endpoints.get_mut(name)
            && flow.missing & bit(index) != 0
        {
            flow.missing &= !bit(index);
            flows.missing = flows.missing.saturating_sub(1);
            if flows.missing == 0 {
                flows.installed = Some(at);
            }
        }
    }
}
