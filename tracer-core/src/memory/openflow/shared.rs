//! Flows that name no endpoint: all Pods of a bridge need them. Counted by match, whatever their table and priority.
//!
//! Must not depend on: endpoints.

use std::collections::BTreeMap;

use crate::vocabulary::event::Change;
use crate::vocabulary::time::Timestamp;

/// How many flows of each bridge have each match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    bridges: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Shared {
    /// A flow came or went. One that only changed its actions is there as before.
    pub fn count(&mut self, bridge: &str, wire: &str, change: Change) {
        let counts = self.bridges.entry(bridge.to_owned()).or_default();
        match change {
            Change::Initial | Change::Added => {
                let count = counts.entry(wire.to_owned()).or_default();
                *count = count.saturating_add(1);
            }
            Change::Modified => {
                counts.entry(wire.to_owned()).or_insert(1);
            }
            Change::Removed => {
                if let Some(count) = counts.get_mut(wire) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    /// All flows of a bridge are told anew.
    pub fn clear(&mut self, bridge: &str) {
        self.bridges.remove(bridge);
    }

    /// The matches of a bridge and how many flows have each.
    pub fn of(&self, bridge: &str) -> impl Iterator<Item = (&str, u32)> {
        let counts = self.bridges.get(bridge).into_iter().flatten();
        counts.map(|(wire, count)| (wire.as_str(), *count))
    }
}

/// Where a bridge's shared flows stand in a disruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedStanding {
    /// They were there all the time, or there were none.
    Kept,
    /// They were gone and all are back since then (an upper bound).
    Installed(Timestamp),
    /// Some are missing; when the last of the others came.
    Missing(Option<Timestamp>),
}
