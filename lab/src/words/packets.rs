//! Every packet of a stream: when it was sent, when it arrived.
//!
//! Must not depend on: sockets, runs, ovsgap. All times are `CLOCK_MONOTONIC` of the node in nanoseconds.

use serde::{Deserialize, Serialize};

/// All packets of one stream, in the order of sending. The lists are of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// When each was sent: before the call that sends, or as its device took it.
    pub sent: Vec<u64>,
    /// When that call was over; where a device's word is all there is, the same as `sent`.
    pub done: Vec<u64>,
    /// When the receiving kernel took it in; `None`: never.
    pub received: Vec<Option<u64>>,
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// When it was sent (before the call that sends).
    pub sent_ns: u64,
    /// When the receiving kernel took it in.
    pub received_ns: u64,
}

/// A packet that arrived, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number in the stream.
    pub sequence: u64,
    /// When the receiving kernel took it in.
    pub at_ns: u64,
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it was sent, at the earliest.
    pub sent: u64,
    /// When it was sent, at the latest.
    pub done: u64,
    /// When it arrived; `None`: never.
    pub received: Option<u64>,
}

impl Packets {
    /// Packet `n` was sent at `sent[n]`. Duplicates count once, by their first arrival.
    pub fn new(sent: Vec<u64>, done: Vec<u64>, arrivals: &[Received]) -> Self {
        let mut received: Vec<Option<u64>> = vec![None; sent.len()];
        for Received { sequence, at_ns } in arrivals {
            let at = usize::try_from(*sequence).unwrap_or(usize::MAX);
            if let Some(slot) = received.get_mut(at) {
                *slot = Some(slot.map_or(*at_ns, |first| first.min(*at_ns)));
            }
        }
        Self { sent, done, received }
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Packet> {
        let stamps = self.sent.iter().zip(&self.done);
        stamps.zip(&self.received).map(|((sent, done), received)| Packet {
            sent: *sent,
            done: *done,
            received: *received,
        })
    }

    /// What arrived, one after the other.
    pub fn arrivals(&self) -> impl Iterator<Item = Option<Arrival>> {
        self.iter().map(|packet| {
            Some(Arrival {
                sent_ns: packet.sent,
                received_ns: packet.received?,
            })
        })
    }

    /// How many arrived.
    pub fn count(&self) -> u64 {
        self.received.iter().flatten().count() as u64
    }

    /// The longest time a packet that arrived was under way.
    pub fn max_latency(&self) -> u64 {
        let latencies = self.arrivals().flatten();
        latencies
            .map(|one| one.received_ns.saturating_sub(one.sent_ns))
            .max()
            .unwrap_or_default()
    }
}
