//! Nothing but new flows: each packet has a source port of its own, which a flow of OpenFlow looks at, so that no
//! megaflow fits it and all go to userspace.
//!
//! Must not depend on: tracers.

use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};

use super::datapath::{self, Lookups};
use super::stream;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::command;
use crate::node::Node;
use crate::ovs::BRIDGE;
use crate::pods::Pod;
use crate::traffic::inside;

/// Where the packets go.
const PORT: u16 = 9002;
/// Their source ports: none comes twice in one measurement, and before each the datapath is emptied, since a megaflow that is still
/// there would forward what is to be an upcall.
const SOURCES: std::ops::Range<u16> = 10_000..60_000;
/// So many of them at most are for packets that are sent one by one.
const SINGLE: usize = 20_000;
/// How long a packet's answer may take.
const LOST: Duration = Duration::from_secs(1);

/// A flow that looks at the whole source port and forwards.
fn exact(src: &Pod, dst: &Pod) -> Result<()> {
    let flow = format!(
        "table=0,priority=300,udp,in_port={},tp_dst={PORT},actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG5[0..15],output:{}",
        src.ofport, dst.ofport
    );
    command::output("ovs-ofctl", &["-O", "OpenFlow15", "add-flow", BRIDGE, &flow]).map(drop)
}

/// What came of a storm.
pub struct Outcome {
    /// How long single packets took, each sent when the last had arrived.
    latencies: Vec<u64>,
    /// Packets of a flood.
    sent: u64,
    /// Of them those that were upcalls, and of these those that found no room in a socket.
    lookups: Lookups,
    /// How long the flood took.
    time: u64,
}

impl Outcome {
    /// Fails where no packet made an upcall, or none was answered: there would be nothing to compare.
    fn checked(self) -> Result<Self> {
        let Lookups { missed, lost, .. } = self.lookups;
        ensure!(
            !self.latencies.is_empty(),
            "no packet arrived that was sent alone"
        );
        ensure!(
            missed > lost,
            "of {} packets {missed} made an upcall, and {lost} of these found no room",
            self.sent
        );
        Ok(self)
    }

    /// What is shown of it.
    pub fn figures(&self) -> [(&'static str, u64); 7] {
        let at = |percent: usize| {
            let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
            self.latencies.get(index).copied().unwrap_or_default()
        };
        let per_second = |count: u64| count * SECOND / self.time.max(1);
        let Lookups { missed, lost, .. } = self.lookups;
        [
            ("latency_p50_ns", at(50)),
            ("latency_p99_ns", at(99)),
            ("single_packets", self.latencies.len() as u64),
            ("sent_ps", per_second(self.sent)),
            ("upcalls_ps", per_second(missed)),
            ("answered_ps", per_second(missed - lost)),
            ("upcalls_failed", lost),
        ]
    }
}

/// Sends it.
pub struct Storm<'a> {
    src: &'a Pod,
    dst: &'a Pod,
    /// How long each of the two parts takes, at most.
    half: u64,
}

impl<'a> Storm<'a> {
    /// From the first Pod to the second, for so many milliseconds; installs the flow that looks at each port.
    pub fn new(node: &'a Node, millis: u64) -> Result<Self> {
        let (src, dst) = stream::ends(node)?;
        exact(src, dst)?;
        let half = millis / 2 * MILLISECOND;
        Ok(Self { src, dst, half })
    }

    /// Half the time packet by packet, half the time as many as can be sent.
    pub fn measure(&self) -> Result<Outcome> {
        let mut path = self.path()?;
        let mut latencies = path.one_by_one(self.half)?;
        latencies.sort_unstable();
        let before = datapath::lookups()?;
        let (sent, time) = path.all_at_once(self.half)?;
        // What still waits in sockets shall not fall into the next measurement.
        while path.arrives() {}
        let lookups = datapath::lookups()?.since(before);
        Outcome {
            latencies,
            sent,
            lookups,
            time,
        }
        .checked()
    }

    /// How long single packets took, one after the other.
    pub fn alone(&self) -> Result<Vec<u64>> {
        let latencies = self.path()?.one_by_one(self.half)?;
        ensure!(!latencies.is_empty(), "no packet arrived that was sent alone");
        Ok(latencies)
    }

    /// Through a datapath that knows no flow.
    fn path(&self) -> Result<Path> {
        datapath::empty()?;
        let to = SocketAddr::new(self.dst.ipv4.into(), PORT);
        let receiver = inside(self.dst, || Ok(UdpSocket::bind(to)?))?;
        receiver.set_read_timeout(Some(LOST))?;
        Ok(Path {
            sender: Sender::open(self.src, self.dst)?,
            receiver,
            sources: SOURCES,
        })
    }
}

/// From one Pod to the other, with the source ports that have not been used.
struct Path {
    sender: Sender,
    receiver: UdpSocket,
    sources: std::ops::Range<u16>,
}

impl Path {
    fn arrives(&self) -> bool {
        self.receiver.recv(&mut [0; 64]).is_ok()
    }

    fn one_by_one(&mut self, time: u64) -> Result<Vec<u64>> {
        let mut latencies = Vec::new();
        let until = clock::now() + time;
        while latencies.len() < SINGLE && clock::now() < until {
            let source = self.sources.next().context("no source port is left")?;
            let began = clock::now();
            self.sender.send(source)?;
            if self.arrives() {
                latencies.push(clock::now() - began);
            }
        }
        Ok(latencies)
    }

    /// How many packets were sent, and how long that took.
    fn all_at_once(&mut self, time: u64) -> Result<(u64, u64)> {
        let (began, mut sent) = (clock::now(), 0);
        for source in self.sources.by_ref() {
            self.sender.send(source)?;
            sent += 1;
            if clock::now() > began + time {
                break;
            }
        }
        Ok((sent, clock::now() - began))
    }
}

/// Sends UDP from any source port by one socket: the kernel makes the IP header, the rest is made here.
struct Sender {
    socket: OwnedFd,
    to: SockaddrIn,
}

/// Header and payload, as long as those of the UDP stream.
const DATAGRAM: u16 = 26;

impl Sender {
    fn open(src: &Pod, dst: &Pod) -> Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let raw = || {
            Ok(socket(
                AddressFamily::Inet,
                SockType::Raw,
                flags,
                SockProtocol::Udp,
            )?)
        };
        Ok(Self {
            socket: inside(src, raw).context("opening a raw socket")?,
            to: SocketAddrV4::new(dst.ipv4, 0).into(),
        })
    }

    fn send(&self, source: u16) -> Result<()> {
        let bytes = datagram(source);
        sendto(self.socket.as_raw_fd(), &bytes, &self.to, MsgFlags::empty()).context("sending")?;
        Ok(())
    }
}

/// A UDP datagram (RFC 768) without a checksum.
fn datagram(source: u16) -> [u8; DATAGRAM as usize] {
    let mut bytes = [0x6f; DATAGRAM as usize];
    for (at, number) in [source, PORT, DATAGRAM, 0].into_iter().enumerate() {
        if let Some(field) = bytes.get_mut(2 * at..2 * at + 2) {
            field.copy_from_slice(&number.to_be_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_its_ports_and_its_length() {
        assert_eq!(datagram(0x1234)[..8], [0x12, 0x34, 0x23, 0x2a, 0, 26, 0, 0]);
    }
}
