//! OpenFlow flows that came and went, flushes by strangers, and what is forgotten.
//!
//! Must not depend on: reports.

use std::sync::Arc;

use super::Engine;
use crate::memory::coverage::finding;
use crate::memory::story::Story;
use crate::vocabulary::event::OpenFlowChange;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Finding;

impl Engine {
    pub(super) fn flows(&mut self, at: Timestamp, bridge: &str, changes: &[OpenFlowChange]) {
        self.topology.settle();
        let mut moved = self.openflow.changes(at, bridge, changes, &self.topology);
        let endpoints = self.topology.endpoints();
        moved.cut.retain(|device| {
            let endpoint = endpoints.get(device);
            endpoint.is_some_and(|endpoint| endpoint.until.is_none() && endpoint.identity.pod.is_some())
        });
        if let Some(disruption) = self.disruptions.current() {
            disruption.baseline.moved(at, bridge, &moved);
        }
        if moved.cut.is_empty() {
            return;
        }
        let dp = moved.cut.first().and_then(|device| endpoints.get(device)?.vport);
        self.disruptions
            .flows_removed(at, dp.map(|(dp, _)| dp), std::mem::take(&mut moved.cut));
    }

    /// Flushes by others than ovs-vswitchd, as findings: no disruption by themselves.
    pub fn foreign_flushes(&self) -> Vec<Finding> {
        let told = self.foreign.iter().map(|(from, to, ())| {
            let detail = "Another process than ovs-vswitchd flushed the datapath (`ovs-dpctl del-flows`, for example). \
                          ovs-vswitchd translates the traffic again: this is no restart, and no verdict is made of it."
                .to_owned();
            finding("foreign_flush", Some(*from), Some(*to), detail)
        });
        told.collect()
    }

    /// Forgets what was over `before`, and traffic that has lost nothing and was `idle` since; what became of the packets of traffic
    /// that is forgotten.
    pub fn forget(&mut self, before: Timestamp, idle: Timestamp) -> Vec<Arc<Story>> {
        self.coverage.forget(before);
        self.topology.forget(before);
        let endpoints = self.topology.endpoints();
        self.openflow.forget(|device| endpoints.contains_key(device));
        let forgotten = self.traffic.forget(before, idle);
        let over = |(_, until): &(Timestamp, Option<Timestamp>)| until.is_some_and(|until| until < before);
        self.evidence.retain(|span| !over(span));
        self.foreign.forget(before);
        forgotten
    }
}
