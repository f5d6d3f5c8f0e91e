//! Flows that name no endpoint: all Pods of a bridge need them. Counted by match, whatever their table and priority.
//!
//! Must not depend on: endpoints.

use imbl::OrdMap;

use super::key::Digest;
use crate::vocabulary::event::Change;
use crate::vocabulary::time::Timestamp;

/// How many flows of a bridge have each match. Clones share what is the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    counts: OrdMap<Digest, u32>,
}

impl Shared {
    /// A flow came or went. One that only changed its actions is there as before.
    pub fn count(&mut self, matches: Digest, change: Change) {
        match change {
            Change::Initial | Change::Added => self.add(matches),
            Change::Modified => {
                self.counts.entry(matches).or_insert(1);
            }
            Change::Removed => self.take(matches),
        }
    }

    /// One more.
    pub fn add(&mut self, matches: Digest) {
        let count = self.counts.entry(matches).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// One less.
    pub fn take(&mut self, matches: Digest) {
        match self.counts.get_mut(&matches) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => drop(self.counts.remove(&matches)),
            None => {}
        }
    }

    /// Whether some flow has this match.
    pub fn has(&self, matches: Digest) -> bool {
        self.counts.contains_key(&matches)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
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
