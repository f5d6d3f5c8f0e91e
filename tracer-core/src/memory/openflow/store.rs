//! The flows of one bridge: those that are there, and those that went a short while ago.
//!
//! Must not depend on: topology, disruptions. Maps are persistent: a copy of the engine shares what is the same, and two hundred
//! thousand flows take some thirty megabytes once.

use std::collections::VecDeque;
use std::net::IpAddr;

use imbl::OrdMap;

use super::key::Key;
use super::moved::LEAVING;
use super::names::Names;
use super::roles::Role;
use super::shared::Shared;
use crate::vocabulary::event::OpenFlowMatch;
use crate::vocabulary::id::Mac;
use crate::vocabulary::time::Timestamp;

/// What is remembered of a flow that names a port or an address.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    macs: [Option<Mac>; 2],
    ips: [Option<IpAddr>; 2],
    /// What it matches on.
    pub role: Role,
    /// It is one of those by which Antrea connects a Pod, if this is Antrea's bridge.
    pub connects: bool,
    /// The endpoints that it named when it came.
    pub names: Names,
}

impl Flow {
    /// A flow of which it is not known yet whom it names.
    pub fn new(matches: &OpenFlowMatch, connects: bool) -> Self {
        Self {
            macs: [matches.eth_src, matches.eth_dst],
            ips: [matches.ip_src, matches.ip_dst],
            role: Role::of(
                matches.in_port.is_some(),
                matches.eth_dst.is_some(),
                matches.ip_dst.is_some(),
            ),
            connects,
            names: Names::default(),
        }
    }

    /// The Ethernet addresses that it matches on.
    pub fn macs(&self) -> impl Iterator<Item = Mac> + use<> {
        self.macs.into_iter().flatten()
    }

    /// The IP addresses that it matches on.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.ips.into_iter().flatten()
    }
}

/// The flows of one bridge.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    /// Flows that name a port or an address.
    present: OrdMap<Key, Flow>,
    /// Those that went one by one, and since when.
    gone: OrdMap<Key, (Timestamp, Flow)>,
    /// The same in the order in which they went.
    leaving: VecDeque<(Timestamp, Key)>,
    /// Those that went all at once, and when.
    left: VecDeque<(Timestamp, OrdMap<Key, Flow>)>,
    /// Flows that name nobody, by match.
    pub shared: Shared,
}

impl Store {
    /// A flow came, or changed; what was there in its place.
    pub fn insert(&mut self, key: Key, flow: Flow) -> Option<Flow> {
        self.present.insert(key, flow)
    }

    /// A flow went.
    pub fn remove(&mut self, at: Timestamp, key: Key) -> Option<Flow> {
        let flow = self.present.remove(&key)?;
        self.gone.insert(key, (at, flow.clone()));
        self.leaving.push_back((at, key));
        Some(flow)
    }

    /// All flows went: they are reported anew.
    pub fn clear(&mut self, at: Timestamp) {
        let all = std::mem::take(&mut self.present);
        if !all.is_empty() {
            self.left.push_back((at, all));
        }
        self.shared = Shared::default();
    }

    /// Whether a flow is there.
    pub fn has(&self, key: &Key) -> bool {
        self.present.contains_key(key)
    }

    /// All flows that are there.
    pub fn present(&self) -> impl Iterator<Item = (&Key, &Flow)> {
        self.present.iter()
    }

    /// Flows that have gone since and have not come back. One that went twice is in it twice.
    pub fn gone_since(&self, since: Timestamp) -> impl Iterator<Item = (&Key, &Flow)> {
        let one_by_one = self.gone.iter().map(|(key, (at, flow))| (*at, key, flow));
        let at_once = self.left.iter();
        let at_once = at_once.flat_map(|(at, all)| all.iter().map(move |(key, flow)| (*at, key, flow)));
        one_by_one
            .chain(at_once)
            .filter(move |(at, key, _)| *at >= since && !self.has(key))
            .map(|(_, key, flow)| (key, flow))
    }

    /// Forgets what went too long ago to belong to a disruption that begins now.
    pub fn forget(&mut self, now: Timestamp) {
        let oldest = Timestamp(now.0.saturating_sub(LEAVING));
        while let Some((since, key)) = self.leaving.pop_front_if(|(since, _)| *since < oldest) {
            if self.gone.get(&key).is_some_and(|(gone, _)| *gone == since) {
                self.gone.remove(&key);
            }
        }
        while self.left.pop_front_if(|(since, _)| *since < oldest).is_some() {}
    }

    /// How many have gone and are remembered.
    #[cfg(test)]
    pub fn leaving(&self) -> usize {
        let at_once = self.left.iter().map(|(_, all)| all.len());
        self.leaving.len().max(self.gone.len()) + at_once.sum::<usize>()
    }
}
