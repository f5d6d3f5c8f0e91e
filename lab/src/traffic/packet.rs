//! What is in a packet of the prober: which stream, which number; and the ARP request that carries it.
//!
//! Must not depend on: sockets. Pure over bytes.

use crate::pods::Pod;

/// Marks a packet as the prober's.
const MAGIC: [u8; 4] = *b"ogap";
/// Length of the mark, the stream's number and the packet's number.
pub const STAMP: usize = 16;
/// Length of an ARP request with its Ethernet header; the stamp follows it, where a short frame is padded.
const ARP: usize = 42;

/// Writes stream and sequence number at the end of a packet made by [`udp`] or [`arp_request`].
pub fn stamp(packet: &mut [u8], stream: u32, sequence: u64) {
    let Some((_, stamp)) = packet.split_last_chunk_mut::<STAMP>() else {
        return;
    };
    let (head, number) = stamp.split_at_mut(8);
    let (magic, of) = head.split_at_mut(4);
    magic.copy_from_slice(&MAGIC);
    of.copy_from_slice(&stream.to_be_bytes());
    number.copy_from_slice(&sequence.to_be_bytes());
}

/// Stream and sequence number of a packet of the prober that was received whole.
pub fn read(packet: &[u8]) -> Option<(u32, u64)> {
    // Behind an ARP request the stamp is not the end: a device may have padded the frame.
    let at = if packet.len() > STAMP { ARP } else { 0 };
    let stamp: &[u8; STAMP] = packet.get(at..)?.first_chunk()?;
    let (magic, numbers) = stamp.split_first_chunk::<4>()?;
    let (stream, sequence) = numbers.split_first_chunk::<4>()?;
    (*magic == MAGIC).then_some(())?;
    Some((
        u32::from_be_bytes(*stream),
        u64::from_be_bytes(*sequence.first_chunk()?),
    ))
}

/// An empty UDP payload.
pub fn udp() -> Vec<u8> {
    vec![0; STAMP]
}

/// An ARP request (RFC 826) of `src` for the address of `dst`, sent to its Ethernet address as a cache that
/// checks an entry does.
pub fn arp_request(src: &Pod, dst: &Pod) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ARP + STAMP);
    frame.extend(mac(&dst.mac));
    frame.extend(mac(&src.mac));
    // EtherType ARP, hardware Ethernet, protocol IPv4, their lengths, request.
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend(mac(&src.mac));
    frame.extend(src.ipv4.octets());
    frame.extend([0; 6]);
    frame.extend(dst.ipv4.octets());
    frame.extend([0; STAMP]);
    frame
}

/// The bytes of `0a:00:00:00:00:01`.
fn mac(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.split(':')
        .map(|digits| u8::from_str_radix(digits, 16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_read_back_also_behind_padding() {
        let mut payload = udp();
        stamp(&mut payload, 7, 1 << 40);
        assert_eq!(read(&payload), Some((7, 1 << 40)));
        let mut frame = arp_request(&Pod::new(1), &Pod::new(2));
        assert_eq!(frame.len(), ARP + STAMP);
        stamp(&mut frame, 3, 5);
        frame.extend([0; 8]);
        assert_eq!(read(&frame), Some((3, 5)));
    }

    #[test]
    fn other_packets_are_not_ours() {
        assert_eq!(read(&[0; STAMP]), None);
        assert_eq!(read(&[0; 60]), None);
        assert_eq!(read(b"ogap"), None);
    }
}
