//! The thread that sends all streams at their rates.
//!
//! Must not depend on: who receives.

use std::sync::atomic::{AtomicBool, Ordering};

use super::packet;
use super::sockets::Sending;
use super::status::Progress;
use crate::clock::{self, SECOND};

/// One stream being sent.
struct Outgoing {
    stream: u32,
    channel: Sending,
    interval: u64,
    due: u64,
    sent: Sent,
}

/// When each packet of a stream was sent: before and after the call that did it.
pub type Sent = (Vec<u64>, Vec<u64>);

/// Sends until `stop`; returns for each stream when each of its packets was sent.
pub fn run(channels: Vec<Sending>, rates: &[u32], progress: &[Progress], stop: &AtomicBool) -> Vec<Sent> {
    // All streams start together: those of one rate are due at the same moments, and one wake-up serves them all.
    let start = clock::now();
    let mut all: Vec<Outgoing> = (0..)
        .zip(channels)
        .zip(rates)
        .map(|((stream, channel), &rate)| {
            let interval = SECOND / u64::from(rate.max(1));
            Outgoing {
                stream,
                channel,
                interval,
                due: start,
                sent: Sent::default(),
            }
        })
        .collect();
    while !stop.load(Ordering::Relaxed) {
        let Some(next) = all.iter().map(|outgoing| outgoing.due).min() else {
            break;
        };
        clock::sleep_until(next);
        let now = clock::now();
        for (outgoing, progress) in all.iter_mut().zip(progress) {
            if outgoing.due <= now {
                outgoing.send(progress);
            }
        }
    }
    all.into_iter().map(|outgoing| outgoing.sent).collect()
}

impl Outgoing {
    fn send(&mut self, progress: &Progress) {
        let now = clock::now();
        // Deadlines are absolute, so that the rate holds. After a stall the stream goes on from now: a burst
        // of all that is overdue would be traffic that nobody asked for.
        self.due = (self.due + self.interval).max(now.saturating_sub(self.interval));
        if progress.is_silent() {
            return;
        }
        let (sent, done) = &mut self.sent;
        packet::stamp(&mut self.channel.packet, self.stream, sent.len() as u64);
        sent.push(clock::now());
        // A packet that the sender's own kernel refuses (an ICMP error came back, its queue is full) is one
        // that did not arrive; it is in the list of the sent and so among the lost.
        let _ = rustix::net::send(
            &self.channel.socket,
            &self.channel.packet,
            rustix::net::SendFlags::DONTWAIT,
        );
        done.push(clock::now());
    }
}
