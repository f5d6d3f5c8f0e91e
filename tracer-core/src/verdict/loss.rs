//! Gaps of single keys put together to what one endpoint lost in one direction.
//!
//! Must not depend on: whose they are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::memory::story::Gap;
use crate::report::{KEYS, KeyLoss, Loss, SteadyDrop};
use crate::verdict::evidence::Track;
use crate::vocabulary::count;
use crate::vocabulary::packet::{Destination, TrafficKey};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Reason;

/// All that was lost of some traffic.
pub fn loss(losing: &[(&Track<'_>, Vec<Gap>)]) -> Loss {
    let gaps: Vec<&Gap> = losing.iter().flat_map(|(_, gaps)| gaps).collect();
    Loss {
        keys: keys(losing),
        ..sum(&joined(&gaps), &gaps)
    }
}

fn keys(losing: &[(&Track<'_>, Vec<Gap>)]) -> Vec<KeyLoss> {
    let lost = |(_, gaps): &&(&Track<'_>, Vec<Gap>)| count::total(gaps.iter().map(Gap::packets));
    let mut most: Vec<&(&Track<'_>, Vec<Gap>)> = losing.iter().collect();
    most.sort_by_cached_key(|losing| std::cmp::Reverse(lost(losing)));
    most.truncate(KEYS);
    most.into_iter()
        .filter_map(|(track, gaps)| of_key(track, gaps))
        .collect()
}

fn of_key(track: &Track<'_>, gaps: &[Gap]) -> Option<KeyLoss> {
    let longest = gaps
        .iter()
        .max_by_key(|gap| gap.last_lost.since(gap.first_lost))?;
    Some(KeyLoss {
        interface: track.interface(),
        eth_type: track.key.eth_type,
        dst: destination(track.key),
        proto: track.key.proto,
        port: track.key.port,
        lost_packets: count::total(gaps.iter().map(Gap::packets)),
        gaps: u32::try_from(gaps.len()).unwrap_or(u32::MAX),
        last_delivered_before_ns: longest.before,
        first_lost_ns: longest.first_lost,
        last_lost_ns: longest.last_lost,
        first_delivered_after_ns: longest.after,
    })
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

/// Traffic that a policy drops, as a row.
pub fn steady_drop(track: &Track<'_>) -> SteadyDrop {
    let mut by_reason: BTreeMap<Reason, u64> = BTreeMap::new();
    for (reason, count) in track.story.gaps.iter().flat_map(|gap| &gap.by_reason) {
        if matches!(reason, Reason::DropFlow | Reason::UserspaceDrop) {
            count::add(by_reason.entry(*reason).or_default(), *count);
        }
    }
    SteadyDrop {
        interface: track.interface(),
        eth_type: track.key.eth_type,
        dst: destination(track.key),
        proto: track.key.proto,
        port: track.key.port,
        packets: count::total(by_reason.values()),
        by_reason,
    }
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

/// The longest gap of two directions: at least, at most.
pub fn longest<'a>(losses: impl Iterator<Item = &'a Loss> + Clone) -> (u64, Option<u64>, Option<Timestamp>) {
    let lost = losses.filter(|loss| loss.lost_packets > 0);
    let at_least = lost.clone().filter_map(|loss| loss.min_ns).max().unwrap_or(0);
    let at_most: Option<Vec<u64>> = lost.clone().map(|loss| loss.max_ns).collect();
    let latest = lost.filter_map(|loss| loss.last_lost_ns).max();
    (
        at_least,
        at_most.map(|all| all.into_iter().max().unwrap_or(0)),
        latest,
    )
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
