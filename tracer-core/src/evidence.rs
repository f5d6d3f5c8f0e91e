//! Packet evidence attributed to endpoints: whose packets were lost, delayed, or dropped all the time.
//!
//! May not know: milestones, causes.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::packet::{Destination, TrafficKey};
use crate::report::{Delayed, Loss, Reason, SteadyDrop};
use crate::time::Timestamp;
use crate::traffic::{Hole, Story, Wait};

/// From a restart's first sign to the next one's (`None`: open).
pub type Span = (Timestamp, Option<Timestamp>);

/// What became of all traffic, and whose it was.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    keys: Vec<(TrafficKey, Story)>,
    from: BTreeMap<String, Vec<usize>>,
    to: BTreeMap<String, Vec<usize>>,
}

/// Which way a packet goes, seen from a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It is addressed to the Pod.
    ToPod,
    /// It came in at the Pod's port.
    FromPod,
}

impl Evidence {
    /// Attributes every key's packets.
    pub fn gather(engine: &Engine) -> Self {
        let mut evidence = Self::default();
        for (key, story) in engine.traffic.stories(engine.now) {
            let index = evidence.keys.len();
            let first = story.holes.first().map_or(engine.now, |hole| hole.first_lost);
            if let Some(name) = engine.topology.device_at(key.dp, key.in_port, first) {
                evidence.from.entry(name.to_owned()).or_default().push(index);
            }
            if let Some(name) = addressee(engine, key) {
                evidence.to.entry(name.to_owned()).or_default().push(index);
            }
            evidence.keys.push((*key, story));
        }
        evidence
    }

    fn of(&self, endpoint: &str, direction: Direction) -> impl Iterator<Item = &Story> {
        let indices = match direction {
            Direction::ToPod => self.to.get(endpoint),
            Direction::FromPod => self.from.get(endpoint),
        };
        indices.into_iter().flatten().map(|index| &self.keys[*index].1)
    }

    /// What one endpoint lost in one direction; `None`: no packet of it was seen.
    pub fn loss(&self, endpoint: &str, direction: Direction, span: Span) -> Option<Loss> {
        let mut seen = self.of(endpoint, direction).peekable();
        seen.peek()?;
        let holes: Vec<&Hole> = seen
            .filter(|story| story.forwarded)
            .flat_map(|story| &story.holes)
            .filter(|hole| within(hole.last_lost, span))
            .collect();
        Some(sum(&joined(&holes), &holes))
    }

    /// What waited in a socket and was delivered, both directions.
    pub fn delayed(&self, endpoint: &str, span: Span) -> Option<Delayed> {
        let stories = self
            .of(endpoint, Direction::FromPod)
            .chain(self.of(endpoint, Direction::ToPod));
        let waits: Vec<&Wait> = stories
            .flat_map(|story| &story.waits)
            .filter(|wait| within(wait.executed, span))
            .collect();
        Some(Delayed {
            packets: waits.iter().map(|wait| wait.packets).sum(),
            first_queued_ns: waits.iter().map(|wait| wait.queued).min()?,
            last_executed_ns: waits.iter().map(|wait| wait.executed).max()?,
            max_ns: waits.iter().map(|wait| wait.executed.since(wait.queued)).max()?,
        })
    }

    /// All packets lost in a span, each counted once.
    pub fn lost_packets(&self, span: Span) -> u64 {
        let forwarded = self
            .keys
            .iter()
            .map(|(_, story)| story)
            .filter(|story| story.forwarded);
        forwarded
            .flat_map(|story| &story.holes)
            .filter(|hole| within(hole.last_lost, span))
            .map(Hole::packets)
            .sum()
    }
}

fn addressee<'a>(engine: &'a Engine, key: &TrafficKey) -> Option<&'a str> {
    match key.dst {
        Destination::Ip(ip) => engine.topology.owner_of_ip(ip),
        Destination::Mac(mac) => engine.topology.owner_of_mac(mac),
    }
}

fn within(at: Timestamp, (from, to): Span) -> bool {
    from <= at && to.is_none_or(|to| at < to)
}

/// Holes of several keys that overlap in time are one hole of their endpoint. It is bracketed by the
/// deliveries of the key that opens it and of the key that closes it.
fn joined(holes: &[&Hole]) -> Vec<Hole> {
    let mut sorted: Vec<&Hole> = holes.to_vec();
    sorted.sort_by_key(|hole| (hole.first_lost, hole.last_lost));
    let mut joined: Vec<Hole> = Vec::new();
    for hole in sorted {
        match joined
            .last_mut()
            .filter(|last| hole.first_lost <= last.after.unwrap_or(last.last_lost))
        {
            Some(last) => {
                if hole.last_lost > last.last_lost {
                    (last.last_lost, last.after) = (hole.last_lost, hole.after);
                }
            }
            None => joined.push(hole.clone()),
        }
    }
    joined
}

fn sum(joined: &[Hole], holes: &[&Hole]) -> Loss {
    let mut by_reason: BTreeMap<Reason, u64> = BTreeMap::new();
    for (reason, count) in holes.iter().flat_map(|hole| &hole.by_reason) {
        *by_reason.entry(*reason).or_default() += count;
    }
    let longest = joined
        .iter()
        .max_by_key(|hole| (hole.last_lost.since(hole.first_lost), hole.max_ns()));
    Loss {
        lost_packets: by_reason.values().sum(),
        lost_bytes: holes.iter().map(|hole| hole.bytes).sum(),
        last_delivered_before_ns: longest.and_then(|hole| hole.before),
        first_lost_ns: longest.map(|hole| hole.first_lost),
        last_lost_ns: longest.map(|hole| hole.last_lost),
        first_delivered_after_ns: longest.and_then(|hole| hole.after),
        min_ns: longest.map(|hole| hole.last_lost.since(hole.first_lost)),
        max_ns: longest.and_then(Hole::max_ns),
        by_reason,
        holes: u32::try_from(joined.len()).unwrap_or(u32::MAX),
    }
}

/// Traffic that was dropped and never forwarded.
pub fn steady_drops(engine: &Engine, evidence: &Evidence) -> Vec<SteadyDrop> {
    let steady = evidence
        .keys
        .iter()
        .filter(|(_, story)| !story.forwarded && !story.holes.is_empty());
    let rows = steady.map(|(key, story)| SteadyDrop {
        interface: engine
            .topology
            .device_at(key.dp, key.in_port, engine.now)
            .map_or_else(|| format!("port {}", key.in_port), str::to_owned),
        eth_type: key.eth_type,
        dst: match key.dst {
            Destination::Ip(ip) => ip.to_string(),
            Destination::Mac(mac) => mac.to_string(),
        },
        proto: key.proto,
        port: key.port,
        packets: story.holes.iter().map(Hole::packets).sum(),
    });
    rows.collect()
}
