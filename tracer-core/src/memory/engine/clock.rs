//! What follows from the passing of time.
//!
//! Must not depend on: reports. Time is what events say.

use super::Engine;
use crate::memory::coverage::{Of, finding};
use crate::vocabulary::id::DpIfindex;
use crate::vocabulary::time::{MILLISECOND, SECOND, Timestamp};

/// The clock ticks every 100 ms; on a busy node without KVM 306 ms went by between two of them.
const SILENCE: u64 = 800 * MILLISECOND;

/// A port that should be there may be away for so long while it is made again.
const MISSING: u64 = SECOND;

impl Engine {
    /// Something says that the recorder ran: how long did nothing say so?
    fn heard(&mut self, at: Timestamp) {
        let Some(last) = self.ticked.replace(at).filter(|last| at.since(*last) > SILENCE) else {
            return;
        };
        let detail = format!(
            "The recorder's clock did not tick for {} ms. Evidence of that time may be missing: what happened in it cannot pass.",
            at.since(last) / MILLISECOND
        );
        let until = Timestamp(at.0.saturating_sub(1));
        self.coverage.note(
            Of::All,
            finding("clock_silent", Some(last.plus(1)), Some(until), detail),
        );
    }

    /// Time passed.
    pub(super) fn tick(&mut self, at: Timestamp) {
        self.heard(at);
        self.readings.tick(at);
        self.conditions.tick(at, &self.disruptions);
        let missing: Vec<(Timestamp, DpIfindex, String)> = self
            .topology
            .endpoints()
            .iter()
            .filter(|(_, endpoint)| endpoint.identity.pod.is_some())
            .filter_map(|(device, endpoint)| Some((endpoint.missing?, endpoint.vport?.0, device.clone())))
            .filter(|(since, ..)| at.since(*since) >= MISSING)
            .collect();
        for (since, dp, device) in missing {
            self.disruptions.unplugged(since, dp, &device);
        }
    }

    /// The capture has ended.
    pub(super) fn end(&mut self, at: Timestamp) {
        self.heard(at);
        self.readings.end(at);
    }
}
