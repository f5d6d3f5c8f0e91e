//! One traffic key of the report beside the packets of the stream that it is: the very packets, not about as many.
//!
//! Must not depend on: Pods, causes, files. Pure.
//!
//! A packet is in the datapath at some point between its send stamp and its receive stamp; a lost one between the stamps
//! before and after the call that sent it (a veth's receive softirq runs inside that call). So each of the report's times
//! must lie between the stamps of one packet, and no packet may be known to lie between two times that are said to be
//! neighbours. With that no bound can be wider than what lies between two packets of the stream.

use lab::words::packets::{Packet, Packets};
use lab::words::report::KeyLoss;
use lab::words::truth::PROMPT;

use crate::millis::millis;

/// How long after the call that sent it a lost packet may meet the datapath: where softirqs are many, the kernel leaves
/// the rest of them to a thread (`ksoftirqd`), which must be given the processor first.
const MEET: u64 = 1_000_000;

/// A processor that is free again is so for the waiting softirq, too: what the prober did later is not looked at.
const SOON: u64 = 10_000_000;

/// A stream's packets.
pub struct Stream<'a> {
    /// Each of them.
    pub packets: &'a Packets,
    /// What was lost before this is not the restart's.
    pub began: u64,
    /// When the capture ended.
    pub ended: u64,
    /// How far off the receive stamps may be.
    pub error: u64,
    /// When the prober sent packets of any stream, in order.
    pub prober: &'a [u64],
    /// It is known by taps alone: those see a frame before it waits for its softirq, and that may wait for a processor as the
    /// prober does.
    pub tapped: bool,
}

/// The longest time in which nothing was sent, of those that lie at least in part between two points.
pub fn stall(sent: &[u64], from: u64, to: u64) -> u64 {
    let first = sent.partition_point(|at| *at < from).saturating_sub(1);
    let around = sent.get(first..).unwrap_or_default();
    let gaps = around.iter().zip(around.iter().skip(1));
    let meets = gaps.take_while(|(before, _)| **before <= to);
    meets
        .map(|(before, after)| after - before)
        .max()
        .unwrap_or_default()
}

/// From one sending to the next, on average.
fn usual(sent: &[u64]) -> u64 {
    let ends = sent.first().zip(sent.last());
    ends.map_or(0, |(first, last)| (last - first).div_ceil(sent.len() as u64))
}

/// Lost packets that no arrival separates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The first of them.
    pub first: Packet,
    /// The last.
    pub last: Packet,
    /// How many.
    pub count: u64,
    /// When the last packet before was sent.
    pub before: Option<Packet>,
    /// The first packet that arrived after.
    pub after: Option<Packet>,
}

impl Hole {
    /// It was at least this long.
    pub fn at_least(&self) -> u64 {
        self.last.sent.saturating_sub(self.first.sent)
    }

    /// And at most, where a packet arrived on both sides.
    pub fn at_most(&self) -> Option<u64> {
        let (before, after) = (self.before?, self.after?);
        Some(after.received?.saturating_sub(before.sent))
    }
}

impl Stream<'_> {
    /// Packets lost while the capture ran.
    pub fn lost(&self) -> impl Iterator<Item = Packet> {
        let during = self.began..=self.ended;
        self.packets
            .iter()
            .filter(move |packet| packet.received.is_none() && during.contains(&packet.sent))
    }

    /// When the last packet that was lost was sent; 0: none was.
    pub fn lost_last(&self) -> u64 {
        self.lost().map(|lost| lost.sent).max().unwrap_or_default()
    }

    /// When the first lost packet was sent.
    pub fn lost_first(&self) -> Option<u64> {
        self.lost().map(|lost| lost.sent).min()
    }

    /// When the first packet arrived that was sent since `from` and had not waited for userspace.
    pub fn first_prompt(&self, from: u64) -> Option<u64> {
        let prompt = |(packet, received): &(Packet, u64)| {
            packet.sent >= from && received.saturating_sub(packet.sent) < PROMPT
        };
        self.arrived().filter(prompt).map(|one| one.1).min()
    }

    fn arrived(&self) -> impl Iterator<Item = (Packet, u64)> {
        self.packets
            .iter()
            .filter_map(|packet| Some((packet, packet.received?)))
    }

    /// The holes, in the order of sending.
    pub fn holes(&self) -> Vec<Hole> {
        let mut holes: Vec<Hole> = Vec::new();
        let mut arrived: Vec<(Packet, u64)> = self.arrived().collect();
        arrived.sort_by_key(|(_, received)| *received);
        for lost in self.lost() {
            // Arrivals in the order of their coming: the last one before, the first one after.
            let at = arrived.partition_point(|(_, received)| *received < lost.sent);
            let before = at.checked_sub(1).and_then(|at| arrived.get(at)).map(|one| one.0);
            let after = arrived
                .get(at..)
                .into_iter()
                .flatten()
                .find(|(packet, received)| packet.sent > lost.sent || *received > lost.done)
                .map(|one| one.0);
            let received = |packet: Option<Packet>| packet.and_then(|packet| packet.received);
            match holes.last_mut() {
                Some(hole) if received(before) <= Some(hole.last.done).max(received(hole.before)) => {
                    (hole.last, hole.after) = (lost, after);
                    hole.count += 1;
                }
                _ => holes.push(Hole {
                    first: lost,
                    last: lost,
                    count: 1,
                    before,
                    after,
                }),
            }
        }
        holes
    }

    /// The longest hole.
    pub fn longest(&self) -> Option<Hole> {
        self.holes().into_iter().max_by_key(Hole::at_least)
    }

    /// Whether every one of the key's figures is right.
    pub fn check(&self, key: &KeyLoss) -> Result<(), String> {
        self.count(key)?;
        self.hole(key)?;
        self.before(key)?;
        self.after(key)
    }

    fn count(&self, key: &KeyLoss) -> Result<(), String> {
        // A stream that was still losing when ovsgap read its maps for the last time: what it lost by then.
        let open = key.first_delivered_after_ns.is_none();
        let until = if open {
            key.last_lost_ns + self.error
        } else {
            u64::MAX
        };
        let most = self.lost().filter(|lost| lost.sent <= until).count() as u64;
        let least = self
            .lost()
            .filter(|lost| lost.done.saturating_add(self.meeting(lost, until)) < until)
            .count() as u64;
        if key.lost_packets < least || key.lost_packets > most {
            return Err(format!("{} lost and {most} by the prober", key.lost_packets));
        }
        Ok(())
    }

    /// How long after it was sent a packet may meet the datapath, if it did by `at`: the rest of a softirq waits for a
    /// processor as the prober does, which then sends later than it usually does.
    fn meeting(&self, packet: &Packet, at: u64) -> u64 {
        if self.tapped {
            return MEET + stall(self.prober, packet.done, at);
        }
        let soon = at.min(packet.done.saturating_add(SOON));
        let prober = stall(self.prober, packet.done, soon);
        let own = &self.packets.sent;
        let own = stall(own, packet.done, at).saturating_sub(2 * usual(own));
        MEET + own.max(prober.saturating_sub(usual(self.prober)))
    }

    fn meets(&self, packet: &Packet, at: u64) -> bool {
        packet.sent <= at + self.error && at <= packet.done + self.meeting(packet, at)
    }

    fn hole(&self, key: &KeyLoss) -> Result<(), String> {
        let holes = self.holes();
        let open = key.first_delivered_after_ns.is_none();
        let waited = self.waited(key);
        let ends = |hole: &Hole| {
            // Lost beyond the last reading: the hole's end is any of its packets.
            let open = open || waited.is_some_and(|waited| hole.last.sent <= waited);
            let packets = || {
                self.lost()
                    .filter(|lost| lost.sent >= hole.first.sent && lost.sent <= hole.last.sent)
            };
            // A packet that had waited was delivered while others were lost: those that may have been lost after it are
            // another hole.
            let others = |packet: &Packet, after: u64| {
                let mut later = packets().filter(|lost| lost.sent > packet.sent);
                later.all(|lost| lost.done + self.meeting(&lost, after) - MEET >= after)
            };
            packets()
                .filter(|packet| self.meets(packet, key.last_lost_ns))
                .any(|packet| {
                    let split = key
                        .first_delivered_after_ns
                        .is_some_and(|after| others(&packet, after));
                    packet == hole.last || open || split
                })
        };
        let found = holes
            .iter()
            .find(|hole| self.meets(&hole.first, key.first_lost_ns) && ends(hole));
        let Some(found) = found else {
            let told = |hole: &Hole| format!("[{}, {}]", millis(hole.first.sent), millis(hole.last.sent));
            let list: Vec<String> = holes.iter().map(told).collect();
            return Err(format!(
                "no hole from {} to {}; the prober's: {}",
                millis(key.first_lost_ns),
                millis(key.last_lost_ns),
                list.join(" ")
            ));
        };
        let longest = self.longest().map(|hole| hole.at_least()).unwrap_or_default();
        // The report compares lengths in the datapath, which are this much off the prober's.
        if found.at_least() + 2 * MEET < longest {
            return Err(format!(
                "a hole of {} ms, and the longest has {}",
                millis(found.at_least()),
                millis(longest)
            ));
        }
        Ok(())
    }

    fn before(&self, key: &KeyLoss) -> Result<(), String> {
        let Some(before) = key.last_delivered_before_ns else {
            let seen = self.surely_delivered(self.began + MEET, key.first_lost_ns);
            return seen.map_or(Ok(()), |at| {
                Err(format!(
                    "no delivery before the hole, and one arrived at {}",
                    millis(at)
                ))
            });
        };
        self.delivery(before)?;
        self.nothing_between(before, key.first_lost_ns)
    }

    fn after(&self, key: &KeyLoss) -> Result<(), String> {
        let Some(after) = key.first_delivered_after_ns else {
            let seen = self.surely_delivered(key.last_lost_ns, self.ended);
            return seen.map_or(Ok(()), |at| {
                Err(format!(
                    "no delivery after the hole, and one arrived at {}",
                    millis(at)
                ))
            });
        };
        self.delivery(after)?;
        self.nothing_between(self.waited(key).unwrap_or_default().max(key.last_lost_ns), after)
    }

    /// When the packet was sent that ended the hole, if it had waited for userspace. Of packets that waited together ovsgap
    /// knows the first and the last, and how many were dropped: of those that were dropped, the first and how many.
    fn waited(&self, key: &KeyLoss) -> Option<u64> {
        let after = key.first_delivered_after_ns?;
        let fits = |(packet, received): &(Packet, u64)| {
            packet.sent <= after && after <= received + self.error && received - packet.sent >= PROMPT
        };
        self.arrived().filter(fits).map(|one| one.0.sent).max()
    }

    /// Whether a packet that arrived can have been delivered at `at`.
    fn delivery(&self, at: u64) -> Result<(), String> {
        let fits =
            |(packet, received): (Packet, u64)| packet.sent <= at + self.error && at <= received + self.error;
        if self.arrived().any(fits) {
            Ok(())
        } else {
            Err(format!("no packet was delivered at {}", millis(at)))
        }
    }

    fn nothing_between(&self, from: u64, to: u64) -> Result<(), String> {
        if let Some(at) = self.surely_delivered(from, to) {
            return Err(format!(
                "a packet arrived at {}, between {} and {}",
                millis(at),
                millis(from),
                millis(to)
            ));
        }
        let between = |lost: &Packet| {
            lost.sent > from + self.error && lost.done + self.meeting(lost, to) + self.error < to
        };
        match self.lost().find(between) {
            Some(lost) => Err(format!(
                "a packet sent at {} was lost, between {} and {}",
                millis(lost.sent),
                millis(from),
                millis(to)
            )),
            None => Ok(()),
        }
    }

    fn surely_delivered(&self, from: u64, to: u64) -> Option<u64> {
        let between = |(packet, received): &(Packet, u64)| {
            packet.sent > from + self.error && received + self.error < to
        };
        self.arrived().find(between).map(|one| one.1)
    }
}

#[cfg(test)]
mod tests;
