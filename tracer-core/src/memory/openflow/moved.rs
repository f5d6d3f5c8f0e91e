//! Which flows came and went in one message, by an identity that port numbers do not change.
//!
//! Must not depend on: topology.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::key::Digest;
use super::roles::Roles;
use crate::vocabulary::time::SECOND;

/// Flows that vanish this shortly before a disruption's first sign still belong to the state before it: an
/// ovs-vswitchd that leaves gracefully deletes its flows while the monitor is still connected
/// (`ofproto_flush__`), which takes less than a second for 100 000 flows, and then its datapath's ports: with 500 of them, on a busy
/// node, 2.5 s went by until it ended.
pub(super) const LEAVING: u64 = 5 * SECOND;

/// What came and what went in one message.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Flows that name somebody, whatever the numbers of their ports; whether they came.
    pub(super) flows: Vec<(Digest, bool)>,
    /// What the endpoints that they name are named by now, and whether a flow came.
    pub(super) named: BTreeMap<Arc<str>, (Roles, bool)>,
    /// Flows that name nobody, by match; whether they came.
    pub(super) shared: Vec<(Digest, bool)>,
    /// Endpoints that can be reached no longer, which they could be before.
    pub cut: BTreeSet<String>,
}
