//! The flows that named each endpoint before a disruption, and when it could be reached again.
//!
//! Must not depend on: megaflows, packets, any controller's pipeline. The method works for every controller: a Pod's flows are
//! installed when the flows that mentioned its port, MAC or IP before are back. Where they do not all come back (an upgrade
//! lays its tables out anew, a policy was deleted), it can be reached when each role that its flows had is filled again and no
//! more of its flows come. Antrea's cookies tell more: which flows connect the Pod, and which are of policies that may come later.

use std::collections::{BTreeMap, BTreeSet};

use super::moved::{FlowId, LEAVING, Moved};
use super::roles::{Role, Roles};
use super::shared::{Shared, SharedStanding};
use crate::vocabulary::time::{SECOND, Timestamp};

/// The flows that named each endpoint before a disruption, and which of them are missing.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    endpoints: BTreeMap<String, Flows>,
    named: BTreeMap<FlowId, BTreeSet<String>>,
    /// Shared flows, as they were.
    shared: Shared,
    /// Bridges whose shared flows are missing, or were.
    missing_shared: BTreeMap<String, Missing>,
}

/// Flows that come or go this long after an endpoint had all of its flows again belong to everyday life,
/// not to the disruption.
const SETTLED: u64 = 5 * SECOND;

/// One endpoint's flows.
#[derive(Clone, Debug, Default)]
struct Flows {
    missing: BTreeSet<FlowId>,
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
}

/// Shared flows of a bridge that are not back.
#[derive(Clone, Debug, Default)]
struct Missing {
    /// How many of each match.
    flows: BTreeMap<String, u32>,
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
    /// With these shared flows; what an earlier disruption left missing is missing still.
    pub(super) fn with(shared: Shared, earlier: Option<&Self>) -> Self {
        Self {
            shared,
            missing_shared: earlier
                .map(|earlier| earlier.missing_shared.clone())
                .unwrap_or_default(),
            ..Self::default()
        }
    }

    /// A flow names endpoints.
    pub(super) fn add(&mut self, id: &FlowId, endpoints: BTreeSet<String>, present: bool, roles: &[Role]) {
        for endpoint in endpoints {
            let flows = self.endpoints.entry(endpoint.clone()).or_default();
            flows.needed.add(roles);
            if !present {
                flows.missing.insert(FlowId::clone(id));
                flows.was_missing = true;
            }
            self.named.entry(FlowId::clone(id)).or_default().insert(endpoint);
        }
    }

    /// What the endpoints are named by when it begins.
    pub(super) fn begins(&mut self, device: &str, now: Roles) {
        if let Some(flows) = self.endpoints.get_mut(device) {
            flows.now = now;
            flows.was_cut = !now.fill(flows.needed);
        }
    }

    /// Flows that have not come back, and whom they name: of endpoints that cannot be reached yet.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&FlowId, BTreeSet<String>)> {
        self.named.iter().filter_map(|(id, endpoints)| {
            let missing = |endpoint: &&String| {
                self.endpoints
                    .get(*endpoint)
                    .is_some_and(|flows| flows.filled.is_none() && flows.missing.contains(id))
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
            for endpoint in self.named.get(&id).into_iter().flatten() {
                if let Some(flows) = self.endpoints.get_mut(endpoint) {
                    flows.now = Roles::default();
                    flows.filled = None;
                    flows.was_cut = true;
                }
            }
        }
        let flows: BTreeMap<String, u32> = self
            .shared
            .of(bridge)
            .map(|(wire, count)| (wire.to_owned(), count))
            .collect();
        if !flows.is_empty() {
            self.missing_shared
                .insert(bridge.to_owned(), Missing { flows, came: None });
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

    /// Flows came or went.
    pub fn moved(&mut self, at: Timestamp, bridge: &str, moved: &Moved) {
        for (id, came) in &moved.flows {
            if *came {
                self.regain(at, id);
            } else {
                self.lose(at, id);
            }
        }
        for (endpoint, (roles, came)) in &moved.named {
            if let Some(flows) = self.endpoints.get_mut(endpoint) {
                flows.now = *roles;
                flows.fill(at, *came);
            }
        }
        for (wire, came) in &moved.shared {
            self.share(at, bridge, wire, *came);
        }
    }

    fn share(&mut self, at: Timestamp, bridge: &str, wire: &str, came: bool) {
        if came {
            let Some(missing) = self.missing_shared.get_mut(bridge) else {
                return;
            };
            let Some(count) = missing.flows.get_mut(wire) else {
                return;
            };
            *count = count.saturating_sub(1);
            if *count == 0 {
                missing.flows.remove(wire);
            }
            missing.came = Some(at);
        } else if self
            .shared
            .of(bridge)
            .any(|(had, count)| had == wire && count > 0)
        {
            let missing = self.missing_shared.entry(bridge.to_owned()).or_default();
            let count = missing.flows.entry(wire.to_owned()).or_default();
            *count = count.saturating_add(1);
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

    /// The monitor of a bridge was alive at `since` and has told of all that changed until then.
    pub fn heard(&mut self, since: Timestamp, bridge: &str) {
        let mut of_bridge = BTreeSet::new();
        for (id, endpoints) in &self.named {
            if id.0 == bridge {
                of_bridge.extend(endpoints);
            }
        }
        for endpoint in of_bridge {
            if let Some(flows) = self.endpoints.get_mut(endpoint)
                && flows.was_cut
                && flows.filled.is_none()
                && !flows.now.fill(flows.needed)
            {
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
        match self.missing_shared.get(bridge) {
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
