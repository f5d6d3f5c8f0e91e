//! Packet evidence of one span attributed to endpoints: whose packets were lost, delayed, or went elsewhere.
//!
//! Must not depend on: milestones, causes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::memory::engine::Engine;
use crate::memory::story::{Gap, Story, Wait};
use crate::report::{Around, Delayed};
use crate::verdict::forwarding::Forwarding;
use crate::vocabulary::class::{Class, Direction};
use crate::vocabulary::count;
use crate::vocabulary::id::{DpIfindex, PortNo};
use crate::vocabulary::packet::{Destination, TrafficKey};
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::Reason;

/// From a disruption's first sign to the next one's (`None`: open).
pub type Span = (Timestamp, Option<Timestamp>);

/// What became of all traffic in a span, and whose it was.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    span: Span,
    keys: Vec<Track<'a>>,
    from: BTreeMap<&'a str, Vec<usize>>,
    to: BTreeMap<&'a str, Vec<usize>>,
}

/// One traffic key.
#[derive(Clone, Debug)]
pub struct Track<'a> {
    /// Which traffic.
    pub key: &'a TrafficKey,
    /// What became of it.
    pub story: Arc<Story>,
    /// The device at which it comes in.
    pub device: Option<&'a str>,
    /// The endpoint to which it is addressed.
    pub addressee: Option<&'a str>,
    /// A policy drops it: it was dropped outside of the disruption, too, and never forwarded.
    pub policy: bool,
    /// It is not known yet whether a policy drops it: it was never forwarded.
    unproven: bool,
}

/// Traffic that is dropped this long after its sender's other traffic is forwarded again is dropped by a policy: the revalidator
/// of ovs-vswitchd has been round by then (`max-revalidator`, 500 ms by default).
const AFTERWARDS: u64 = SECOND;

impl<'a> Evidence<'a> {
    /// Attributes every key's packets.
    pub fn gather(engine: &'a Engine, span: Span) -> Self {
        let learned = learned(engine);
        let mut evidence = Self {
            span,
            keys: Vec::new(),
            from: BTreeMap::new(),
            to: BTreeMap::new(),
        };
        for (key, story) in engine.traffic.stories(engine.now) {
            let index = evidence.keys.len();
            let at = story
                .gaps
                .iter()
                .find(|gap| within(gap.last_lost, span))
                .map_or_else(|| span.1.unwrap_or(engine.now), |gap| gap.first_lost);
            let device = engine.topology.device_at(key.dp, key.in_port, at);
            let addressee = addressee(engine, key, at, &learned);
            let forwarded = story.forwarded;
            if let Some(name) = device {
                evidence.from.entry(name).or_default().push(index);
            }
            if let Some(name) = addressee {
                evidence.to.entry(name).or_default().push(index);
            }
            evidence.keys.push(Track {
                key,
                story,
                device,
                addressee,
                policy: false,
                unproven: !forwarded,
            });
        }
        evidence
    }

    /// Tells policy from loss: `again` says when an endpoint's traffic was forwarded again in this span.
    ///
    /// `risk`: from when on anything was taken from forwarded traffic.
    pub fn know_policies(&mut self, risk: Option<Timestamp>, again: impl Fn(&str) -> Option<Timestamp>) {
        let risk = risk.unwrap_or(self.span.0);
        for track in self.keys.iter_mut().filter(|track| !track.story.forwarded) {
            track.unproven = !track.is_unicast();
            let again = track.device.and_then(&again);
            let outside = |gap: &Gap| {
                // When of a gap it was dropped is known where nothing else took its packets.
                gap.first_lost < risk && refused(gap).is_none()
                    || again.is_some_and(|again| {
                        gap.first_lost >= again || gap.last_lost >= again.plus(AFTERWARDS)
                    })
            };
            track.policy = track.story.gaps.iter().filter(|gap| is_drop(gap)).any(outside);
        }
        // A port that is made again gives the same traffic another key.
        let same = |track: &Track<'a>| {
            let key = track.key;
            (track.device, key.eth_type, key.dst, key.proto, key.port)
        };
        let denied: BTreeSet<_> = self.keys.iter().filter(|track| track.policy).map(same).collect();
        for track in self.keys.iter_mut().filter(|track| !track.story.forwarded) {
            track.policy |= denied.contains(&same(track)) || track.is_housekeeping();
        }
    }

    fn of(&self, endpoint: &str, direction: Direction) -> impl Iterator<Item = &Track<'a>> {
        let indices = match direction {
            Direction::ToPod => self.to.get(endpoint),
            Direction::FromPod => self.from.get(endpoint),
        };
        indices.into_iter().flatten().map(|index| &self.keys[*index])
    }

    fn of_both(&self, endpoint: &str) -> impl Iterator<Item = &Track<'a>> {
        self.of(endpoint, Direction::FromPod)
            .chain(self.of(endpoint, Direction::ToPod))
    }

    /// Gaps of one endpoint in one direction, key by key; `None`: no packet of it was seen.
    pub fn losing(&self, endpoint: &str, direction: Direction) -> Option<Vec<(&Track<'a>, Vec<Gap>)>> {
        let mut seen = self.of(endpoint, direction).peekable();
        seen.peek()?;
        Some(self.with_gaps(seen))
    }

    /// Gaps of traffic that belongs to no endpoint on either side that `is_listed`, by the port at which it comes in.
    pub fn unowned(&self, is_listed: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<(&Track<'a>, Vec<Gap>)>> {
        let listed = |name: Option<&str>| name.is_some_and(&is_listed);
        let nobodys = self
            .keys
            .iter()
            .filter(|track| !listed(track.device) && !listed(track.addressee));
        let mut rows: BTreeMap<String, Vec<(&Track<'a>, Vec<Gap>)>> = BTreeMap::new();
        for (track, gaps) in self.with_gaps(nobodys) {
            rows.entry(track.interface()).or_default().push((track, gaps));
        }
        rows
    }

    fn with_gaps<'s>(&'s self, tracks: impl Iterator<Item = &'s Track<'a>>) -> Vec<(&'s Track<'a>, Vec<Gap>)>
    where
        'a: 's,
    {
        let losing = tracks.map(|track| (track, track.losses(self.span)));
        losing.filter(|(_, gaps)| !gaps.is_empty()).collect()
    }

    /// What waited in a socket and was delivered, both directions.
    pub fn delayed(&self, endpoint: &str) -> Option<Delayed> {
        let waits: Vec<&Wait> = self
            .of_both(endpoint)
            .flat_map(|track| &track.story.waits)
            .filter(|wait| within(wait.executed, self.span))
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
        let forwarded = self.of_both(endpoint).filter(|track| track.story.forwarded);
        forwarded
            .flat_map(|track| &track.story.waiting)
            .copied()
            .filter(|queued| within(*queued, span))
            .min()
    }

    /// Adds what became of an endpoint's packets that were lost since `start`.
    pub fn again(&self, endpoint: &str, start: Timestamp, until: Option<Timestamp>, to: &mut Forwarding) {
        for (class, track) in self.by_class(endpoint) {
            for gap in track.losses((start, until)) {
                to.lost(class, gap.after);
            }
        }
    }

    /// Adds when packets of an endpoint that came to a datapath made since `gone` were first delivered: what was made anew
    /// has another ifindex, and so its traffic other keys.
    pub fn anew(&self, endpoint: &str, gone: Timestamp, until: Option<Timestamp>, to: &mut Forwarding) {
        for (class, track) in self.by_class(endpoint) {
            let first = track.story.first_delivered;
            if let Some(first) = first.filter(|first| within(*first, (gone, until))) {
                to.delivered(class, first);
            }
        }
    }

    fn by_class(&self, endpoint: &str) -> impl Iterator<Item = (Class, &Track<'a>)> {
        let of = |direction| {
            self.of(endpoint, direction)
                .map(move |track| (Class::of(direction, track.key.eth_type, track.key.proto), track))
        };
        of(Direction::FromPod).chain(of(Direction::ToPod))
    }

    /// Whether traffic of an endpoint other than what finds neighbours was delivered after `since`.
    pub fn carried(&self, endpoint: &str, since: Timestamp) -> bool {
        let mut own = self
            .by_class(endpoint)
            .filter(|(class, _)| !class.finds_neighbours)
            .map(|(_, track)| track);
        own.any(|track| track.story.last_delivered.is_some_and(|last| last >= since))
    }

    /// The port to which unicast traffic to an endpoint was delivered that is not its own: what was sent there may be a copy.
    pub fn elsewhere(&self, engine: &Engine, endpoint: &str) -> Option<(DpIfindex, PortNo)> {
        let own = engine.topology.endpoints().get(endpoint)?.vport?;
        let to = self.by_class(endpoint);
        let to = to.filter(|(class, _)| class.direction == Direction::ToPod && !class.finds_neighbours);
        let unicast = to.filter(|(_, track)| track.is_unicast());
        unicast
            .flat_map(|(_, track)| track.story.ports.iter().map(|port| (track.key.dp, *port)))
            .find(|(dp, port)| *dp == own.0 && *port != own.1)
    }

    /// What one endpoint lost, both directions, told apart by a point in time; `None`: no packet of it was seen.
    pub fn around(&self, endpoint: &str, point: Timestamp) -> Option<Around> {
        let mut tracks = self.of_both(endpoint).peekable();
        tracks.peek()?;
        let mut around = Around::default();
        for gap in tracks.flat_map(|track| track.losses(self.span)) {
            take(&mut around, &gap, point);
        }
        Some(around)
    }

    /// All packets lost in the span, each counted once.
    pub fn lost_packets(&self) -> u64 {
        let gaps = self.keys.iter().flat_map(|track| track.losses(self.span));
        count::total(gaps.map(|gap| gap.packets()))
    }

    /// Traffic that a policy drops.
    pub fn policies(&self) -> impl Iterator<Item = &Track<'a>> {
        self.keys.iter().filter(|track| track.policy)
    }
}

impl Track<'_> {
    /// The device at which it comes in, or the port's number.
    pub fn interface(&self) -> String {
        self.device
            .map_or_else(|| format!("port {}", self.key.in_port), str::to_owned)
    }

    /// What a host sends for itself and nobody forwards: router solicitations and reports of groups (RFC 4861, RFC 3810), and
    /// whether its own address is taken (RFC 4862).
    fn is_housekeeping(&self) -> bool {
        /// `IPPROTO_ICMPV6`.
        const ICMPV6: u8 = 58;
        let own = self.addressee.is_some() && self.addressee == self.device;
        self.key.proto == ICMPV6 && (own || !self.is_unicast())
    }

    fn is_unicast(&self) -> bool {
        match self.key.dst {
            Destination::Ip(ip) => !ip.is_multicast(),
            Destination::Mac(mac) => mac.0[0] & 1 == 0,
        }
    }

    /// Its gaps in a span. What a policy drops outside of it would have been dropped in it, too.
    pub fn losses(&self, span: Span) -> Vec<Gap> {
        let gaps = self.story.gaps.iter().filter(|gap| within(gap.last_lost, span));
        if self.policy {
            return Vec::new();
        }
        if self.unproven {
            // No policy makes a socket refuse a message.
            return gaps.filter_map(refused).collect();
        }
        gaps.cloned().collect()
    }
}

fn is_drop(gap: &Gap) -> bool {
    gap.by_reason.contains_key(&Reason::DropFlow) || gap.by_reason.contains_key(&Reason::UserspaceDrop)
}

/// The part of a gap that refused upcalls made.
pub fn refused(gap: &Gap) -> Option<Gap> {
    let by_reason: BTreeMap<Reason, u64> = gap
        .by_reason
        .iter()
        .filter(|(reason, _)| !matches!(reason, Reason::DropFlow | Reason::UserspaceDrop))
        .map(|(reason, count)| (*reason, *count))
        .collect();
    (!by_reason.is_empty()).then(|| Gap {
        by_reason,
        ..gap.clone()
    })
}

fn take(around: &mut Around, gap: &Gap, point: Timestamp) {
    let side = match (gap.first_lost <= point, gap.last_lost <= point) {
        (_, true) => &mut around.before,
        (true, false) => &mut around.across,
        (false, false) => &mut around.after,
    };
    count::add(side, gap.packets());
    if gap.last_lost > point {
        let later = gap.last_lost.since(point);
        around.until_after_ns = Some(around.until_after_ns.unwrap_or(0).max(later));
    }
}

/// Where packets to an address were delivered.
type Learned = BTreeMap<(DpIfindex, Destination), BTreeSet<PortNo>>;

fn learned(engine: &Engine) -> Learned {
    let mut learned = Learned::new();
    for (key, story) in engine.traffic.stories(engine.now) {
        if !story.ports.is_empty() {
            let ports = learned.entry((key.dp, key.dst)).or_default();
            ports.extend(story.ports.iter().copied());
        }
    }
    learned
}

/// Whom traffic is addressed to: by OVSDB, else by the only port to which packets with that address were delivered.
fn addressee<'a>(engine: &'a Engine, key: &TrafficKey, at: Timestamp, learned: &Learned) -> Option<&'a str> {
    let told = match key.dst {
        Destination::Ip(ip) => engine.topology.owner_of_ip(ip, at),
        Destination::Mac(mac) => engine.topology.owner_of_mac(mac, at),
    };
    told.or_else(|| {
        let ports = learned.get(&(key.dp, key.dst))?;
        let only = ports.first().filter(|_| ports.len() == 1)?;
        let device = engine.topology.device_at(key.dp, *only, at)?;
        // What is sent out of a gateway, a tunnel or an uplink is not addressed to it.
        let endpoint = engine.topology.endpoints().get(device)?;
        endpoint.identity.pod.is_some().then_some(device)
    })
}

/// Whether a point lies in a span.
pub fn within(at: Timestamp, (from, to): Span) -> bool {
    from <= at && to.is_none_or(|to| at < to)
}
