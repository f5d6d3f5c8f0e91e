//! Flow matches as they come over the wire: NXM (OpenFlow 1.0) and OXM (1.2 and later) fields.
//!
//! Must not depend on: messages, Pods. Of the fields only those that can name a Pod are read, and only where the
//! whole value must match; the rest is kept as bytes (lib/nx-match.c and include/openvswitch/meta-flow.h of OVS).

use std::net::IpAddr;

use bytes::Buf as _;
use tracer_core::event::OpenFlowMatch;
use tracer_core::id::{Mac, OfPort};

use super::malformed::Malformed;

/// `OFPXMC12_*` and the Nicira classes.
const NXM_0: u16 = 0x0000;
const NXM_1: u16 = 0x0001;
const OPENFLOW_BASIC: u16 = 0x8000;

/// One field: `class:16 field:7 hasmask:1 length:8`, then `length` bytes.
struct Field<'a> {
    class: u16,
    number: u8,
    value: &'a [u8],
}

/// Reads the fields of a match, padding not included.
pub fn decode(wire: &[u8]) -> Result<OpenFlowMatch, Malformed> {
    let mut matches = OpenFlowMatch {
        wire: hex(wire),
        ..OpenFlowMatch::default()
    };
    let mut rest = wire;
    while !rest.is_empty() {
        if let Some(field) = next(&mut rest)? {
            read(&mut matches, &field);
        }
    }
    Ok(matches)
}

/// The next field; `None` for one with a mask.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<Field<'a>>, Malformed> {
    let cut = Malformed("a match field is cut short");
    let class = rest.try_get_u16().map_err(|_| cut)?;
    let field_and_mask = rest.try_get_u8().map_err(|_| cut)?;
    let length = rest.try_get_u8().map_err(|_| cut)?;
    let (value, later) = rest.split_at_checked(length.into()).ok_or(cut)?;
    *rest = later;
    let masked = field_and_mask & 1 == 1;
    Ok((!masked).then_some(Field {
        class,
        number: field_and_mask >> 1,
        value,
    }))
}

fn read(matches: &mut OpenFlowMatch, field: &Field<'_>) {
    match (field.class, field.number) {
        (NXM_0 | OPENFLOW_BASIC, 0) => matches.in_port = port(field.value),
        (NXM_0, 1) | (OPENFLOW_BASIC, 3) => matches.eth_dst = field.value.try_into().ok().map(Mac),
        (NXM_0, 2) | (OPENFLOW_BASIC, 4) => matches.eth_src = field.value.try_into().ok().map(Mac),
        // ip_src and arp_spa, of which a match can hold only one.
        (NXM_0, 7 | 16) | (OPENFLOW_BASIC, 11 | 22 | 26) | (NXM_1, 19) => matches.ip_src = ip(field.value),
        (NXM_0, 8 | 17) | (OPENFLOW_BASIC, 12 | 23 | 27) | (NXM_1, 20) => matches.ip_dst = ip(field.value),
        _ => {}
    }
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(value)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from))
        .ok()
}

/// A port of 16 bits (OpenFlow 1.0) or of 32; OVSDB numbers ports as 1.0 does, so the reserved ports of
/// later versions (`OFPP11_MAX`, `0xffffff00`) are mapped to those of 1.0.
fn port(value: &[u8]) -> Option<OfPort> {
    const RESERVED: u32 = 0xffff_ff00;
    const RESERVED_OFFSET: u32 = 0xffff_0000;
    let short = |bytes| u32::from(u16::from_be_bytes(bytes));
    let number = value
        .try_into()
        .map(short)
        .or_else(|_| value.try_into().map(u32::from_be_bytes))
        .ok()?;
    Some(OfPort(if number >= RESERVED {
        number - RESERVED_OFFSET
    } else {
        number
    }))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(wire: &str) -> OpenFlowMatch {
        let bytes: Vec<u8> = (0..wire.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&wire[at..at + 2], 16).unwrap())
            .collect();
        decode(&bytes).unwrap()
    }

    #[test]
    fn local_is_one_port_in_all_versions() {
        assert_eq!(decoded("00000002fffe").in_port, Some(OfPort(65534)));
        assert_eq!(decoded("80000004fffffffe").in_port, Some(OfPort(65534)));
        assert_eq!(decoded("8000000400010001").in_port, Some(OfPort(65537)));
    }

    #[test]
    fn a_masked_address_names_nobody() {
        let masked = decoded("00001108 0a0a0000ffffff00".replace(' ', "").as_str());
        assert_eq!(masked.ip_dst, None);
        assert_eq!(masked.wire, "000011080a0a0000ffffff00");
        assert_eq!(
            decoded("000010040a0a0002").ip_dst,
            Some("10.10.0.2".parse().unwrap())
        );
    }

    #[test]
    fn a_field_cut_short_is_told() {
        for wire in [&[0, 0, 0][..], &[0, 0, 0, 2, 1], &[0x80, 0, 0x34, 16, 1, 2]] {
            assert!(decode(wire).is_err(), "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_survived_and_kept(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(matches) = decode(&bytes) {
                prop_assert_eq!(matches.wire.len(), bytes.len() * 2);
            }
        }

        #[test]
        fn what_was_encoded_is_read(port: u16, mac: [u8; 6], src: [u8; 4], dst: [u8; 16]) {
            let mut wire = vec![0, 0, 0, 2];
            wire.extend(port.to_be_bytes());
            wire.extend([0, 0, 2, 6].into_iter().chain(mac));
            wire.extend([0, 0, 14, 4].into_iter().chain(src));
            wire.extend([0, 1, 40, 16].into_iter().chain(dst));
            let expected = OpenFlowMatch {
                in_port: Some(OfPort(port.into())),
                eth_src: None,
                eth_dst: Some(Mac(mac)),
                ip_src: Some(IpAddr::from(src)),
                ip_dst: Some(IpAddr::from(dst)),
                wire: hex(&wire),
            };
            prop_assert_eq!(decode(&wire), Ok(expected));
        }
    }
}
