//! Packet evidence attributed to endpoints: whose packets were lost, delayed, or dropped all the time.
//!
//! Must not depend on: milestones, causes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::memory::engine::Engine;
use crate::memory::traffic::{Gap, Story, Wait};
use crate::report::{Around, Delayed, KEYS, KeyLoss, Loss, SteadyDrop};
use crate::verdict::forwarding::Forwarding;
use crate::vocabulary::class::{Class, Direction};
use crate::vocabulary::count;
use crate::vocabulary::packet::{Destination, TrafficKey};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Reason;

/// From a disruption's first sign to the next one's (`None`: open).
pub type Span = (Timestamp, Option<Timestamp>);

/// What became of all traffic, and whose it was.
#[derive(Clone, Debug, Default)]
pub struct Evidence<'a> {
    keys: Vec<Track<'a>>,
    from: BTreeMap<&'a str, Vec<usize>>,
    to: BTreeMap<&'a str, Vec<usize>>,
}

/// One traffic key.
#[derive(Clone, Debug)]
struct Track<'a> {
    key: &'a TrafficKey,
    story: Arc<Story>,
    /// The device at which it comes in.
    device: Option<&'a str>,
}

impl Around {
    fn take(&mut self, gap: &Gap, point: Timestamp) {
        let side = match (gap.first_lost <= point, gap.last_lost <= point) {
            (_, true) => &mut self.before,
            (true, false) => &mut self.across,
            (false, false) => &mut self.after,
        };
        count::add(side, gap.packets());
        if gap.last_lost > point {
            let later = gap.last_lost.since(point);
            self.until_after_ns = Some(self.until_after_ns.unwrap_or(0).max(later));
        }
    }
}

impl<'a> Evidence<'a> {
    /// Attributes every key's packets.
    pub fn gather(engine: &'a Engine) -> Self {
        let mut evidence = Self::default();
        let mut from: Vec<(&str, usize)> = Vec::new();
        for (key, story) in engine.traffic.stories(engine.now) {
            let index = evidence.keys.len();
            let first = story.gaps.first().map_or(engine.now, |gap| gap.first_lost);
            let device = engine.topology.device_at(key.dp, key.in_port, first);
            from.extend(device.map(|name| (name, index)));
            if let Some(name) = addressee(engine, key) {
                evidence.to.entry(name).or_default().push(index);
            }
            evidence.keys.push(Track { key, story, device });
        }
        // Keys come in order of the ports at which their packets come in.
        for of_one in from.chunk_by(|one, next| one.0 == next.0) {
            let tracks = evidence.from.entry(of_one[0].0).or_default();
            tracks.extend(of_one.iter().map(|(_, index)| *index));
        }
        evidence
    }

    fn of(&self, endpoint: &str, direction: Direction) -> impl Iterator<Item = &Track<'a>> {
        let indices = match direction {
            Direction::ToPod => self.to.get(endpoint),
            Direction::FromPod => self.from.get(endpoint),
        };
        indices.into_iter().flatten().map(|index| &self.keys[*index])
    }

    /// What one endpoint lost in one direction; `None`: no packet of it was seen.
    pub fn loss(&self, endpoint: &str, direction: Direction, span: Span) -> Option<Loss> {
        let mut seen = self.of(endpoint, direction).peekable();
        seen.peek()?;
        let losing: Vec<(&Track<'_>, Vec<&Gap>)> = seen
            .map(|track| (track, track.losses(span).collect()))
            .filter(|(_, gaps): &(_, Vec<_>)| !gaps.is_empty())
            .collect();
        let gaps: Vec<&Gap> = losing.iter().flat_map(|(_, gaps)| gaps.iter().copied()).collect();
        Some(Loss {
            keys: keys(&losing),
            ..sum(&joined(&gaps), &gaps)
        })
    }

    /// What waited in a socket and was delivered, both directions.
    pub fn delayed(&self, endpoint: &str, span: Span) -> Option<Delayed> {
        let stories = self
            .of(endpoint, Direction::FromPod)
            .chain(self.of(endpoint, Direction::ToPod));
        let waits: Vec<&Wait> = stories
            .flat_map(|track| &track.story.waits)
            .filter(|wait| within(wait.executed, span))
            .collect();
        Some(Delayed {
            packets: count::total(waits.iter().map(|wait| wait.packets)),
            first_queued_ns: waits.iter().map(|wait| wait.queued).min()?,
            last_executed_ns: waits.iter().map(|wait| wait.executed).max()?,
            max_ns: waits.iter().map(|wait| wait.longest).max()?,
        })
    }

    /// When the first of an endpoint's packets, both directions, was handed to userspace in a span of which it is too early to say
    /// what became of them; `None`: none was.
    pub fn waiting(&self, endpoint: &str, span: Span) -> Option<Timestamp> {
        let tracks = self
            .of(endpoint, Direction::FromPod)
            .chain(self.of(endpoint, Direction::ToPod));
        let forwarded = tracks.filter(|track| track.story.forwarded);
        forwarded
            .flat_map(|track| &track.story.waiting)
            .copied()
            .filter(|queued| within(*queued, span))
            .min()
    }

    /// Adds what became of an endpoint's packets that were lost since `flush`.
    pub fn again(&self, endpoint: &str, flush: Timestamp, until: Option<Timestamp>, to: &mut Forwarding) {
        for direction in [Direction::FromPod, Direction::ToPod] {
            for track in self.of(endpoint, direction) {
                let class = Class::of(direction, track.key.eth_type, track.key.proto);
                for gap in track.losses((flush, until)) {
                    to.lost(class, gap.after);
                }
            }
        }
    }

    /// Adds when packets of an endpoint that came to a datapath made since `gone` were first delivered: what was made anew
    /// has another ifindex, and so its traffic other keys.
    pub fn anew(&self, endpoint: &str, gone: Timestamp, until: Option<Timestamp>, to: &mut Forwarding) {
        for direction in [Direction::FromPod, Direction::ToPod] {
            for track in self.of(endpoint, direction) {
                let class = Class::of(direction, track.key.eth_type, track.key.proto);
                let first = track.story.first_delivered;
                if let Some(first) = first.filter(|first| within(*first, (gone, until))) {
                    to.delivered(class, first);
                }
            }
        }
    }

    /// What one endpoint lost in a span, both directions, told apart by a point in time; `None`: no packet of it was seen.
    pub fn around(&self, endpoint: &str, span: Span, point: Timestamp) -> Option<Around> {
        let mut tracks = self
            .of(endpoint, Direction::FromPod)
            .chain(self.of(endpoint, Direction::ToPod))
            .peekable();
        tracks.peek()?;
        let mut around = Around::default();
        for gap in tracks.flat_map(|track| track.losses(span)) {
            around.take(gap, point);
        }
        Some(around)
    }

    /// All packets lost in a span, each counted once.
    pub fn lost_packets(&self, span: Span) -> u64 {
        let gaps = self.keys.iter().flat_map(|track| track.losses(span));
        count::total(gaps.map(Gap::packets))
    }
}

impl Track<'_> {
    fn interface(&self) -> String {
        self.device
            .map_or_else(|| format!("port {}", self.key.in_port), str::to_owned)
    }

    /// Its gaps in a span. What was never forwarded has lost nothing.
    fn losses(&self, span: Span) -> impl Iterator<Item = &Gap> {
        let forwarded = self.story.forwarded.then_some(&self.story.gaps);
        let gaps = forwarded.into_iter().flatten();
        gaps.filter(move |gap| within(gap.last_lost, span))
    }

    fn loss(&self, gaps: &[&Gap]) -> Option<KeyLoss> {
        let longest = gaps
            .iter()
            .max_by_key(|gap| gap.last_lost.since(gap.first_lost))?;
        Some(KeyLoss {
            interface: self.interface(),
            eth_type: self.key.eth_type,
            dst: destination(self.key),
            proto: self.key.proto,
            port: self.key.port,
            lost_packets: count::total(gaps.iter().map(|gap| gap.packets())),
            gaps: u32::try_from(gaps.len()).unwrap_or(u32::MAX),
            last_delivered_before_ns: longest.before,
            first_lost_ns: longest.first_lost,
            last_lost_ns: longest.last_lost,
            first_delivered_after_ns: longest.after,
        })
    }
}

fn keys(losing: &[(&Track<'_>, Vec<&Gap>)]) -> Vec<KeyLoss> {
    let lost = |(_, gaps): &&(_, Vec<&Gap>)| count::total(gaps.iter().map(|gap| gap.packets()));
    let mut most: Vec<&(&Track<'_>, Vec<&Gap>)> = losing.iter().collect();
    most.sort_by_cached_key(|losing| std::cmp::Reverse(lost(losing)));
    most.truncate(KEYS);
    most.into_iter()
        .filter_map(|(track, gaps)| track.loss(gaps))
        .collect()
}

fn destination(key: &TrafficKey) -> String {
    match key.dst {
        Destination::Ip(IpAddr::V4(ip)) => dotted(ip.octets()),
        Destination::Ip(IpAddr::V6(ip)) => ip.to_string(),
        Destination::Mac(mac) => mac.to_string(),
    }
}

/// An IPv4 address as `Display` has it, in a tenth of its time: a report over hundreds of Pods has thousands.
fn dotted(octets: [u8; 4]) -> String {
    let mut text = String::with_capacity("255.255.255.255".len());
    for (place, octet) in octets.into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= least {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text
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

/// Gaps of several keys that overlap in time are one gap of their endpoint. It is bracketed by the
/// deliveries of the key that opens it and of the key that closes it.
fn joined(gaps: &[&Gap]) -> Vec<Gap> {
    let mut sorted: Vec<&Gap> = gaps.to_vec();
    sorted.sort_by_key(|gap| (gap.first_lost, gap.last_lost));
    let mut joined: Vec<Gap> = Vec::new();
    for gap in sorted {
        match joined
            .last_mut()
            .filter(|last| gap.first_lost <= last.after.unwrap_or(last.last_lost))
        {
            Some(last) => {
                if gap.last_lost > last.last_lost {
                    (last.last_lost, last.after) = (gap.last_lost, gap.after);
                }
            }
            None => joined.push(gap.clone()),
        }
    }
    joined
}

fn sum(joined: &[Gap], gaps: &[&Gap]) -> Loss {
    let mut by_reason: BTreeMap<Reason, u64> = BTreeMap::new();
    for (reason, count) in gaps.iter().flat_map(|gap| &gap.by_reason) {
        count::add(by_reason.entry(*reason).or_default(), *count);
    }
    let longest = joined
        .iter()
        .max_by_key(|gap| (gap.last_lost.since(gap.first_lost), gap.max_ns()));
    Loss {
        lost_packets: count::total(by_reason.values()),
        lost_bytes: count::total(gaps.iter().map(|gap| gap.bytes)),
        last_delivered_before_ns: longest.and_then(|gap| gap.before),
        first_lost_ns: longest.map(|gap| gap.first_lost),
        last_lost_ns: longest.map(|gap| gap.last_lost),
        first_delivered_after_ns: longest.and_then(|gap| gap.after),
        min_ns: longest.map(|gap| gap.last_lost.since(gap.first_lost)),
        max_ns: longest.and_then(Gap::max_ns),
        by_reason,
        gaps: u32::try_from(joined.len()).unwrap_or(u32::MAX),
        keys: Vec::new(),
    }
}

/// Traffic that was dropped and never forwarded.
pub fn steady_drops(evidence: &Evidence<'_>) -> Vec<SteadyDrop> {
    let steady = evidence
        .keys
        .iter()
        .filter(|track| !track.story.forwarded && !track.story.gaps.is_empty());
    let rows = steady.map(|track| SteadyDrop {
        interface: track.interface(),
        eth_type: track.key.eth_type,
        dst: destination(track.key),
        proto: track.key.proto,
        port: track.key.port,
        packets: count::total(track.story.gaps.iter().map(Gap::packets)),
        by_reason: BTreeMap::new(),
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_everywhere_else() {
        for octet in 0..=255 {
            let octets = [octet, 0, 255 - octet, octet / 3];
            assert_eq!(dotted(octets), std::net::Ipv4Addr::from(octets).to_string());
        }
    }
}
