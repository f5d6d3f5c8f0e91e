//! What passes the Pods' own devices: each frame as it leaves a Pod and as it comes into one, stamped by the kernel.
//!
//! Must not depend on: who made a frame. It is the truth about traffic that numbers no packets of the prober's: TCP with its
//! acknowledgements and retransmissions, neighbour discovery. The kernel hands a packet socket what a device sends just
//! before the device takes it, and what it receives before any protocol does (packet(7)).

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{LinkAddr, MsgFlags, recvmsg};
use nix::sys::time::TimeSpec;

use super::arrival;
use super::frame::{self, Frame};
use crate::words::packets::{Packets, Received};
use crate::words::truth::Key;

/// Bytes of a frame that are looked at: headers and the prober's stamp.
const LOOKED_AT: usize = 128;

/// The tap of one Pod.
pub struct Tap {
    /// The Pod's name.
    pub pod: String,
    /// Its device on the node.
    pub interface: String,
    /// Its addresses.
    pub addresses: [IpAddr; 3],
    /// A packet socket on the Pod's own device.
    pub socket: OwnedFd,
}

/// All packets of one kind from one Pod.
#[derive(Clone, Debug, Default)]
struct Conversation {
    sent: Vec<(u64, Vec<u8>)>,
    arrived: Vec<(u64, Vec<u8>)>,
    src: String,
}

/// What was seen at all taps.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    conversations: BTreeMap<Key, Conversation>,
    /// Devices by the addresses from which they send.
    senders: BTreeMap<IpAddr, String>,
    /// Pods by their addresses.
    owners: BTreeMap<IpAddr, String>,
    arrivals: Vec<(u64, Frame)>,
}

/// A conversation's packets, and between whom.
pub struct Heard {
    /// What tells its packets from others.
    pub key: Key,
    /// The Pod that sent them.
    pub src: String,
    /// The Pod they were for.
    pub dst: String,
    /// Each of them.
    pub packets: Packets,
}

impl Seen {
    /// Takes in all that waits at a tap.
    pub fn drain(&mut self, tap: &Tap, offset: u64) -> Result<()> {
        for address in tap.addresses {
            self.owners.entry(address).or_insert_with(|| tap.pod.clone());
        }
        while let Some((outgoing, at_ns, frame)) = next(&tap.socket, offset)? {
            if outgoing {
                let of = self.conversations.entry(frame.key(&tap.interface)).or_default();
                of.src.clone_from(&tap.pod);
                of.sent.push((at_ns, frame.identity));
                self.senders.insert(frame.src, tap.interface.clone());
            } else if tap.addresses.contains(&frame.dst) {
                // A bridge that has not learned an address floods; others get what is not for them.
                self.arrivals.push((at_ns, frame));
            }
        }
        Ok(())
    }

    /// What became of every frame from Pod to Pod. An arrival belongs to the conversation with its addresses.
    pub fn finish(mut self) -> Vec<Heard> {
        for (at_ns, frame) in std::mem::take(&mut self.arrivals) {
            let key = self.senders.get(&frame.src).map(|interface| frame.key(interface));
            if let Some(of) = key.and_then(|key| self.conversations.get_mut(&key)) {
                of.arrived.push((at_ns, frame.identity));
            }
        }
        let owners = &self.owners;
        let heard = self.conversations.into_iter().filter_map(|(key, of)| {
            Some(Heard {
                dst: owners.get(&key.dst.parse().ok()?)?.clone(),
                src: of.src,
                packets: matched(&of.sent, of.arrived),
                key,
            })
        });
        heard.collect()
    }
}

/// Gives each arrival to what was sent: frames with the same bytes cannot be told apart, so to the last of them that
/// had been sent by then and has no arrival yet.
fn matched(sent: &[(u64, Vec<u8>)], mut arrived: Vec<(u64, Vec<u8>)>) -> Packets {
    let mut waiting: BTreeMap<&[u8], Vec<(u64, u64)>> = BTreeMap::new();
    let mut received = Vec::new();
    arrived.sort_by_key(|one| one.0);
    let mut sent_by_then = (0..).zip(sent).peekable();
    for (at_ns, identity) in &arrived {
        while let Some((number, (sent_ns, of))) = sent_by_then.next_if(|(_, (sent_ns, _))| sent_ns <= at_ns) {
            waiting.entry(of).or_default().push((number, *sent_ns));
        }
        if let Some((sequence, _)) = waiting.get_mut(identity.as_slice()).and_then(Vec::pop) {
            received.push(Received {
                sequence,
                at_ns: *at_ns,
            });
        }
    }
    let stamps: Vec<u64> = sent.iter().map(|one| one.0).collect();
    Packets::new(stamps.clone(), stamps, &received)
}

/// The next frame of interest: whether the Pod sent it, when, and what it is.
fn next(socket: &OwnedFd, offset: u64) -> Result<Option<(bool, u64, Frame)>> {
    let mut bytes = [0; LOOKED_AT];
    let mut control = nix::cmsg_space!(TimeSpec);
    loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let message = match recvmsg::<LinkAddr>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        ) {
            Ok(message) => message,
            // Nothing waits; or the Pod and its device are gone.
            Err(Errno::EAGAIN | Errno::ENETDOWN) => return Ok(None),
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error).context("receiving at a tap"),
        };
        let length = message.bytes;
        let outgoing = message
            .address
            .is_some_and(|from| from.pkttype() == libc::PACKET_OUTGOING);
        let at_ns = arrival::stamp(message.cmsgs().context("reading a frame's time")?, offset);
        if let Some(frame) = bytes.get(..length).and_then(frame::read) {
            return Ok(Some((outgoing, at_ns, frame)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(of: &[(u64, u8)]) -> Vec<(u64, Vec<u8>)> {
        of.iter().map(|&(at, byte)| (at, vec![byte])).collect()
    }

    #[test]
    fn an_arrival_belongs_to_the_frame_with_its_bytes() {
        let packets = matched(&list(&[(10, 1), (20, 2), (30, 3)]), list(&[(35, 3), (12, 1)]));
        assert_eq!(packets.received, [Some(12), None, Some(35)]);
    }

    #[test]
    fn of_equal_frames_the_last_one_sent_by_then_has_arrived() {
        let sent = list(&[(10, 7), (20, 7), (30, 7), (40, 7)]);
        let packets = matched(&sent, list(&[(11, 7), (41, 7)]));
        assert_eq!(packets.received, [Some(11), None, None, Some(41)]);
    }
}
