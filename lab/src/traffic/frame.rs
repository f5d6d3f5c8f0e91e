//! What kind of packet a frame is, and what tells it from others of its kind.
//!
//! Must not depend on: sockets, when it was seen. Pure over bytes; only what the prober accounts for by tap is read: TCP over
//! IPv4, UDP and ICMP over IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::words::truth::Key;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// TCP's number among IP's protocols.
pub const TCP: u8 = 6;
/// UDP's.
pub const UDP: u8 = 17;
/// That of ICMP for IPv6.
pub const ICMPV6: u8 = 58;
/// The type of a neighbour solicitation.
const SOLICITATION: u8 = 135;

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    eth_type: u16,
    /// The address that sent it.
    pub src: IpAddr,
    /// The address it is for: of a neighbour solicitation, the one that is asked for (RFC 4861, section 4.3).
    pub dst: IpAddr,
    proto: u8,
    port: u16,
    /// Its bytes from the network header on, without what a datapath or a device changes under way: checksums.
    pub identity: Vec<u8>,
}

impl Frame {
    /// Its traffic key when it comes in at a device.
    pub fn key(&self, interface: &str) -> Key {
        Key {
            interface: interface.to_owned(),
            eth_type: self.eth_type,
            dst: self.dst.to_string(),
            proto: self.proto,
            port: self.port,
        }
    }
}

/// Reads the beginning of a frame; `None`: not of interest.
pub fn read(frame: &[u8]) -> Option<Frame> {
    let packet = frame.get(14..)?;
    match half(frame, 12)? {
        IPV4 => ipv4(packet),
        IPV6 => ipv6(packet),
        _ => None,
    }
}

fn ipv4(packet: &[u8]) -> Option<Frame> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let proto = *packet.get(9)?;
    if proto != TCP {
        return None;
    }
    let address = |at: usize| {
        Some(IpAddr::from(Ipv4Addr::from(
            *packet.get(at..at + 4)?.first_chunk::<4>()?,
        )))
    };
    Some(Frame {
        eth_type: IPV4,
        src: address(12)?,
        dst: address(16)?,
        proto,
        port: lower_port(packet, header)?,
        // The header's own checksum, and TCP's, which a virtual device leaves undone.
        identity: without(packet, &[10, header + 16]),
    })
}

fn ipv6(packet: &[u8]) -> Option<Frame> {
    let address = |at: usize| {
        Some(IpAddr::from(Ipv6Addr::from(
            *packet.get(at..at + 16)?.first_chunk::<16>()?,
        )))
    };
    let proto = *packet.get(6)?;
    let (dst, port, checksum) = match (proto, *packet.get(40)?) {
        // Behind the ICMP header of eight bytes is the target.
        (ICMPV6, SOLICITATION) => (address(48)?, 0, 42),
        (ICMPV6, _) => (address(24)?, 0, 42),
        (UDP, _) => (address(24)?, lower_port(packet, 40)?, 46),
        _ => return None,
    };
    Some(Frame {
        eth_type: IPV6,
        src: address(8)?,
        dst,
        proto,
        port,
        identity: without(packet, &[checksum]),
    })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u16::from_be_bytes(*bytes))
}

fn lower_port(packet: &[u8], at: usize) -> Option<u16> {
    Some(half(packet, at)?.min(half(packet, at + 2)?))
}

/// The bytes, with two zeros at each of the places.
fn without(packet: &[u8], places: &[usize]) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    for at in places {
        if let Some(checksum) = bytes.get_mut(*at..at + 2) {
            checksum.fill(0);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(eth_type: u16, packet: &[u8]) -> Vec<u8> {
        [[0; 12].as_slice(), &eth_type.to_be_bytes(), packet].concat()
    }

    #[test]
    fn tcp_is_known_by_its_lower_port_and_not_by_its_checksums() {
        let mut packet = vec![
            0x45, 0, 0, 40, 1, 2, 0, 0, 64, TCP, 9, 9, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        packet.extend([0x1b, 0x58, 0xff, 0xff]);
        packet.extend([0; 16]);
        let one = read(&frame(IPV4, &packet)).unwrap();
        assert_eq!((one.dst.to_string().as_str(), one.port), ("10.0.0.2", 7000));
        (packet[10], packet[36]) = (1, 1);
        assert_eq!(read(&frame(IPV4, &packet)).unwrap(), one);
        packet[5] = 3;
        assert_ne!(read(&frame(IPV4, &packet)).unwrap(), one);
    }

    #[test]
    fn a_solicitation_is_for_its_target_and_an_advertisement_for_its_destination() {
        let mut packet = vec![0; 72];
        (packet[0], packet[6], packet[40]) = (0x60, ICMPV6, SOLICITATION);
        (packet[24], packet[48], packet[63]) = (0xff, 0xfd, 5);
        let one = read(&frame(IPV6, &packet)).unwrap();
        assert_eq!(
            (one.dst.to_string().as_str(), one.proto, one.port),
            ("fd00::5", ICMPV6, 0)
        );
        packet[40] += 1;
        assert_eq!(read(&frame(IPV6, &packet)).unwrap().dst.to_string(), "ff00::");
    }

    #[test]
    fn what_is_short_or_of_another_kind_is_nothing() {
        assert_eq!(read(&frame(0x0806, &[0; 46])), None);
        assert_eq!(read(&frame(IPV4, &[0x45, 0])), None);
        assert_eq!(read(&[]), None);
    }
}
