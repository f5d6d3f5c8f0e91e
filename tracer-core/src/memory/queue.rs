//! Packets of one traffic key that wait for userspace, and what became of those that came back.
//!
//! Must not depend on: gaps, other keys.

use std::collections::VecDeque;

use crate::memory::story::{Extent, RunId, Wait};
use crate::vocabulary::count;
use crate::vocabulary::packet::{NOBODY, PacketFate};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Reason;

/// The socket is full.
const EAGAIN: i32 = -11;

/// Packets lost for one reason.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub first: Timestamp,
    pub last: Timestamp,
    pub packets: u64,
    pub bytes: u64,
    pub reason: Reason,
}

impl Loss {
    pub fn new((first, ..): &RunId, extent: &Extent, reason: Reason) -> Self {
        Self {
            first: *first,
            last: extent.last,
            packets: extent.packets,
            bytes: extent.bytes,
            reason,
        }
    }

    /// What a run of packets lost; `None`: nothing (yet).
    pub fn of(id: &RunId, extent: &Extent) -> Option<Self> {
        let reason = match id.2 {
            PacketFate::Delivered(_) | PacketFate::Queued => return None,
            PacketFate::DropFlow => Reason::DropFlow,
            PacketFate::UpcallFailed(EAGAIN) => Reason::QueueFull,
            PacketFate::UpcallFailed(errno) if NOBODY.contains(&errno) => Reason::NoHandler,
            PacketFate::UpcallFailed(_) => Reason::UpcallError,
        };
        Some(Self::new(id, extent, reason))
    }

    /// Takes `count` packets away; whether none is left.
    fn take(&mut self, count: u64) -> bool {
        if count >= self.packets {
            return true;
        }
        self.bytes -= self.bytes / self.packets * count;
        self.packets -= count;
        false
    }
}

/// Takes packets that were delivered out of the queue, newest first.
pub(crate) fn delivered(queued: &mut VecDeque<Loss>, extent: &Extent) -> Vec<Wait> {
    let mut waits = Vec::new();
    let mut left = extent.packets;
    while let Some(newest) = queued.back_mut().filter(|_| left > 0) {
        let taken = left.min(newest.packets);
        left -= taken;
        waits.push(Wait {
            queued: newest.first,
            executed: extent.last,
            packets: taken,
            longest: extent.last.since(newest.first),
        });
        if newest.take(taken) {
            queued.pop_back();
        } else {
            // When the last of those left was queued is not known any more: the run is counted as ending where it
            // began.
            newest.last = newest.first;
        }
    }
    waits
}

/// Packets that came back and were queued again, as far as the queue does not hold them already: the first time they came
/// was not seen.
pub(crate) fn again(queued: &VecDeque<Loss>, id: &RunId, extent: &Extent) -> Option<Loss> {
    let held = count::total(queued.iter().map(|loss| loss.packets));
    let mut unheld = Loss::new(id, extent, Reason::UserspaceDrop);
    (!unheld.take(held)).then_some(unheld)
}

/// Takes packets that userspace had dropped out of the queue, oldest first; what is not found there was lost when it
/// came back.
pub(crate) fn dropped(queued: &mut VecDeque<Loss>, mut back: Loss) -> Vec<Loss> {
    let mut losses = Vec::new();
    while let Some(oldest) = queued.front_mut().filter(|_| back.packets > 0) {
        let taken = back.packets.min(oldest.packets);
        let part = Loss {
            packets: taken,
            bytes: back.bytes / back.packets * taken,
            reason: back.reason,
            ..oldest.clone()
        };
        let all = oldest.take(taken);
        // Of a part of a run its first is known, and when its last was queued is not.
        losses.push(if all {
            part
        } else {
            Loss {
                last: part.first,
                ..part
            }
        });
        if all {
            queued.pop_front();
        }
        if back.take(taken) {
            return losses;
        }
    }
    losses.push(back);
    losses
}
