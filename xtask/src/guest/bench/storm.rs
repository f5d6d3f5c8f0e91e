//! Nothing but new flows: each packet has a source port of its own, which a flow of OpenFlow looks at, so that no
//! megaflow fits it and all go to userspace.
//!
//! May not know: what ovsgap makes of it, but for the records that it says it lost.

use std::fs;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use serde_json::Value;

use super::datapath::{self, Lookups};
use super::mounted::{self, Running};
use super::output::Output;
use super::{Bench, stream};
use crate::bench::sample::Tracer;
use crate::guest::clock::{self, MILLISECOND, SECOND};
use crate::guest::command;
use crate::guest::node::Node;
use crate::guest::ovs::BRIDGE;
use crate::guest::pods::Pod;
use crate::guest::traffic::inside;

/// Where the packets go.
const PORT: u16 = 9002;
/// Their source ports: none comes twice in one measurement, and before each the datapath is emptied, since a megaflow that is still
/// there would forward what is to be an upcall.
const SOURCES: std::ops::Range<u16> = 10_000..60_000;
/// So many of them at most are for packets that are sent one by one.
const SINGLE: usize = 20_000;
/// How long a packet's answer may take.
const LOST: Duration = Duration::from_secs(1);

/// Who looks on, where none is named.
const ALL: [Tracer; 2] = [Tracer::Rest, Tracer::Always];

/// Measures in every round without and with ovsgap, in turns: each measurement stands between two without.
pub fn run(bench: &Bench, node: &Node, out: &mut Output) -> Result<()> {
    mounted::mount()?;
    let (src, dst) = stream::ends(node)?;
    exact(src, dst)?;
    let storm = Storm {
        src,
        dst,
        half: bench.millis / 2 * MILLISECOND,
    };
    let tracers = if bench.tracers.is_empty() {
        ALL.as_slice()
    } else {
        bench.tracers.as_slice()
    };
    let mut before = storm.measure()?;
    for round in 1..=bench.rounds {
        for &kind in tracers {
            let running = Running::start(kind)?;
            let cpu = running.cost()?.cpu_ms;
            let with = storm
                .measure()
                .with_context(|| format!("round {round}, with {}", kind.name()))?;
            let cost = running.cost()?;
            running.stop()?;
            let after = storm
                .measure()
                .with_context(|| format!("round {round}, without a tracer"))?;
            let without = before.figures().into_iter().zip(after.figures());
            for ((what, value), ((_, before), (_, after))) in with.figures().into_iter().zip(without) {
                let without = u64::midpoint(before, after);
                out.sample(kind.name(), what, round, value, Some(without))?;
            }
            let recorded = Recorded::read()?;
            out.figure(kind.name(), "tracer_cpu_ms", round, cost.cpu_ms - cpu)?;
            out.figure(kind.name(), "tracer_peak_kib", round, cost.peak_kib)?;
            out.figure(kind.name(), "recorded", round, recorded.lines)?;
            out.figure(kind.name(), "ring_lost", round, recorded.lost)?;
            out.figure(kind.name(), "runs_lost", round, recorded.runs_lost)?;
            before = after;
        }
    }
    Ok(())
}

/// A flow that looks at the whole source port and forwards.
fn exact(src: &Pod, dst: &Pod) -> Result<()> {
    let flow = format!(
        "table=0,priority=300,udp,in_port={},tp_dst={PORT},actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG5[0..15],output:{}",
        src.ofport, dst.ofport
    );
    command::output("ovs-ofctl", &["-O", "OpenFlow15", "add-flow", BRIDGE, &flow]).map(drop)
}

/// What came of a storm.
struct Outcome {
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

    fn figures(&self) -> [(&'static str, u64); 7] {
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
struct Storm<'a> {
    src: &'a Pod,
    dst: &'a Pod,
    /// How long each of the two parts takes, at most.
    half: u64,
}

impl Storm<'_> {
    /// Half the time packet by packet, half the time as many as can be sent.
    fn measure(&self) -> Result<Outcome> {
        datapath::empty()?;
        let to = SocketAddr::new(self.dst.ipv4.into(), PORT);
        let receiver = inside(self.dst, || Ok(UdpSocket::bind(to)?))?;
        receiver.set_read_timeout(Some(LOST))?;
        let sender = Sender::open(self.src, self.dst)?;
        let mut sources = SOURCES;
        let mut latencies = Vec::new();
        let until = clock::now() + self.half;
        for source in sources.by_ref().take(SINGLE) {
            let began = clock::now();
            sender.send(source)?;
            if receiver.recv(&mut [0; 64]).is_ok() {
                latencies.push(clock::now() - began);
            }
            if clock::now() > until {
                break;
            }
        }
        latencies.sort_unstable();
        let before = datapath::lookups()?;
        let (began, mut sent) = (clock::now(), 0);
        for source in sources {
            sender.send(source)?;
            sent += 1;
            if clock::now() > began + self.half {
                break;
            }
        }
        let time = clock::now() - began;
        // What still waits in sockets shall not fall into the next measurement.
        while receiver.recv(&mut [0; 64]).is_ok() {}
        let lookups = datapath::lookups()?.since(before);
        Outcome {
            latencies,
            sent,
            lookups,
            time,
        }
        .checked()
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

/// What the recording of a storm says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Recorded {
    lines: u64,
    lost: u64,
    runs_lost: u64,
}

impl Recorded {
    fn read() -> Result<Self> {
        let path = mounted::recording();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self::of(&text))
    }

    fn of(text: &str) -> Self {
        let mut recorded = Self::default();
        for line in text.lines() {
            recorded.lines += 1;
            recorded.lost += told(line, "records_lost", "count");
            recorded.runs_lost += told(line, "packets_lost", "runs");
        }
        recorded
    }
}

/// A number of an event of this kind; 0 of any other.
fn told(line: &str, kind: &str, number: &str) -> u64 {
    if !line.contains(kind) {
        return 0;
    }
    let number = format!("/kind/{kind}/{number}");
    let value = serde_json::from_str::<Value>(line).ok();
    value
        .and_then(|value| value.pointer(&number)?.as_u64())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_its_ports_and_its_length() {
        assert_eq!(datagram(0x1234)[..8], [0x12, 0x34, 0x23, 0x2a, 0, 26, 0, 0]);
    }

    #[test]
    fn losses_that_a_recording_tells_of_are_summed() {
        let text = "{\"ovsgap_log\":1}\n\
            {\"seq\":0,\"at\":5,\"kind\":{\"records_lost\":{\"hook\":\"a\",\"count\":3}}}\n\
            {\"seq\":1,\"at\":5,\"kind\":{\"packets_lost\":{\"runs\":2,\"key\":null}}}\n\
            {\"seq\":2,\"at\":6,\"kind\":{\"records_lost\":{\"hook\":\"b\",\"count\":4}}}\n";
        let expected = Recorded {
            lines: 4,
            lost: 7,
            runs_lost: 2,
        };
        assert_eq!(Recorded::of(text), expected);
    }
}
