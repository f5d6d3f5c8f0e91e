//! What tells flows apart, in a few bytes each: a bridge may have hundreds of thousands.
//!
//! Must not depend on: topology, time.

use xxhash_rust::xxh3::xxh3_128;

use crate::vocabulary::event::OpenFlowMatch;
use crate::vocabulary::id::OfPort;

/// 128 bits in place of a table, a priority and a match. Of a million flows two share one with a probability of 10⁻²⁷.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Digest([u8; 16]);

impl Digest {
    fn of(parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend(part.len().to_be_bytes());
            bytes.extend(*part);
        }
        Self(xxh3_128(&bytes).to_be_bytes())
    }

    /// Of a match alone.
    pub fn of_match(matches: &OpenFlowMatch) -> Self {
        Self::of(&[matches.wire.as_bytes()])
    }
}

/// A flow's identity on its bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Table, priority and match, without the port's number.
    rest: Digest,
    /// The port that it matches on.
    pub in_port: Option<OfPort>,
}

impl Key {
    /// The identity of a flow.
    pub fn of(table: u8, priority: u16, matches: &OpenFlowMatch) -> Self {
        let [before, after] = without_port(matches);
        let rest = Digest::of(&[&[table], &priority.to_be_bytes(), &before, &after]);
        Self {
            rest,
            in_port: matches.in_port,
        }
    }

    /// The same wherever its port is numbered anew: `device` stands for the number.
    pub fn portable(&self, device: Option<&str>) -> Digest {
        let Some(port) = self.in_port else {
            return self.rest;
        };
        match device {
            Some(device) => Digest::of(&[&self.rest.0, b"device", device.as_bytes()]),
            None => Digest::of(&[&self.rest.0, b"number", &port.0.to_be_bytes()]),
        }
    }
}

/// A match, before and after the field that names its port; whole where there is none.
fn without_port(matches: &OpenFlowMatch) -> [Vec<u8>; 2] {
    let Some(mut bytes) = hex(&matches.wire) else {
        return [matches.wire.clone().into_bytes(), b"no hexadecimal".to_vec()];
    };
    match in_port(&bytes).filter(|_| matches.in_port.is_some()) {
        Some(field) => {
            let after = bytes.split_off(field.end);
            bytes.truncate(field.start);
            [bytes, after]
        }
        None => [bytes, Vec::new()],
    }
}

/// Bytes out of hexadecimal; `None`: it is none.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    pairs.iter().map(byte).collect()
}

/// Where a match names its port: a header of four bytes, whose last is the length of what follows. `in_port` as NXM (OpenFlow 1.0)
/// and as OXM: lib/meta-flow.h of Open vSwitch.
fn in_port(matches: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    while let Some(header) = matches.get(start..start + 4) {
        let end = start + 4 + usize::from(header[3]);
        if matches!(header, [0, 0, 0, 2] | [0x80, 0, 0, 4]) {
            return (end <= matches.len()).then_some(start..end);
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u32, wire: &str) -> Key {
        let matches = OpenFlowMatch {
            in_port: Some(OfPort(port)),
            wire: wire.to_owned(),
            ..OpenFlowMatch::default()
        };
        Key::of(4, 200, &matches)
    }

    #[test]
    fn a_port_that_is_numbered_anew_is_the_same_at_its_device() {
        for (before, after) in [
            ("000006020800000000020003", "000006020800000000020004"),
            ("80000a0208008000000400000003", "80000a0208008000000400000004"),
        ] {
            let [before, after] = [key(3, before), key(4, after)];
            assert_ne!(before, after);
            assert_eq!(before.portable(Some("veth1")), after.portable(Some("veth1")));
            assert_ne!(before.portable(Some("veth1")), after.portable(Some("veth2")));
            assert_ne!(before.portable(None), after.portable(None));
        }
    }

    #[test]
    fn what_looks_like_a_port_within_another_field_is_none() {
        // `metadata` (OXM, 8 bytes) that holds the bytes of `in_port` 3.
        let wire = |number: &str| format!("80000408000000020003{number}");
        assert_ne!(
            key(3, &wire("0001")).portable(Some("a")),
            key(3, &wire("0002")).portable(Some("a"))
        );
        assert_eq!(in_port(&hex(&wire("0001")).unwrap_or_default()), None);
        assert_eq!(in_port(&[0, 0, 0, 2, 0]), None, "cut short");
        assert_eq!(hex("0g"), None);
        assert_eq!(hex("012"), None);
    }

    #[test]
    fn table_priority_and_match_tell_flows_apart() {
        let matches = |wire: &str| OpenFlowMatch {
            wire: wire.to_owned(),
            ..OpenFlowMatch::default()
        };
        let all = [
            Key::of(1, 2, &matches("00")),
            Key::of(2, 2, &matches("00")),
            Key::of(1, 3, &matches("00")),
            Key::of(1, 2, &matches("01")),
            Key::of(1, 2, &matches("")),
        ];
        let distinct: std::collections::BTreeSet<Key> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
