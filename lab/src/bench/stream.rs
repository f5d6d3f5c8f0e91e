//! Streams at full rate from the first Pod to the second, and how much of them Open vSwitch forwarded.
//!
//! Must not depend on: tracers.
//!
//! The sender is bound to the last processor, where its packets pass the whole datapath: a tracer's userspace can
//! run on another, and what its hooks cost is the sender's time.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::clock::{self, MILLISECOND, SECOND};
use crate::node::Node;
use crate::pods::Pod;
use crate::traffic::inside;

/// The ports of the streams.
const UDP: u16 = 9000;
const TCP: u16 = 9001;
/// So much UDP payload makes, with Ethernet, IPv4 and UDP headers and the checksum that a wire adds, 64 bytes.
const PAYLOAD: [u8; 18] = [0x6f; 18];
/// Traffic before the measurement begins: megaflows, caches, translated code.
const WARM: u64 = 300 * MILLISECOND;
/// How many packets are sent between two looks at the clock.
const BURST: u32 = 64;

/// What was forwarded in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Packets (of TCP: as the datapath meets them, which is before they are cut into segments).
    pub packets: u64,
    /// Payload that arrived; 0 where it is not counted.
    pub bytes: u64,
    /// Nanoseconds.
    pub time: u64,
}

impl Forwarded {
    /// Packets a second.
    pub fn pps(self) -> u64 {
        per_second(self.packets, self.time)
    }

    /// Bytes a second.
    pub fn rate(self) -> u64 {
        per_second(self.bytes, self.time)
    }
}

fn per_second(count: u64, time: u64) -> u64 {
    let rate = u128::from(count) * u128::from(SECOND) / u128::from(time.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// The first Pod and the second.
pub fn ends(node: &Node) -> Result<(&Pod, &Pod)> {
    match node.pods.as_slice() {
        [src, dst, ..] => Ok((src, dst)),
        _ => anyhow::bail!("a stream needs two Pods"),
    }
}

/// Binds this thread to the last processor.
pub fn stay() -> Result<()> {
    let last = std::thread::available_parallelism()
        .context("counting processors")?
        .get()
        - 1;
    let mut set = CpuSet::new();
    set.set(last);
    sched_setaffinity(None, &set).context("staying on one processor")
}

/// Whether a packet of the UDP stream passes.
pub fn passes(node: &Node) -> Result<bool> {
    let (src, dst) = ends(node)?;
    let to = SocketAddr::new(dst.ipv4.into(), UDP);
    let receiver = inside(dst, || Ok(UdpSocket::bind(to)?))?;
    receiver.set_read_timeout(Some(Duration::from_millis(100)))?;
    let sender = inside(src, || Ok(UdpSocket::bind((src.ipv4, 0))?))?;
    let deadline = clock::now() + 5 * SECOND;
    while clock::now() < deadline {
        sender.send_to(&PAYLOAD, to).context("sending")?;
        if receiver.recv(&mut [0; 64]).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sends UDP for `millis` milliseconds and tells what was forwarded. Nobody reads what arrives: the receiver's socket
/// throws it away when it is full.
pub fn udp(node: &Node, millis: u64) -> Result<Forwarded> {
    let (src, dst) = ends(node)?;
    let to = SocketAddr::new(dst.ipv4.into(), UDP);
    let _receiver = inside(dst, || Ok(UdpSocket::bind(to)?))?;
    inside(src, || {
        let socket = UdpSocket::bind((src.ipv4, 0))?;
        socket.connect(to)?;
        stay()?;
        flood(&socket, clock::now() + WARM)?;
        let (packets, began) = (sent(dst)?, clock::now());
        flood(&socket, began + millis * MILLISECOND)?;
        Ok(Forwarded {
            packets: sent(dst)? - packets,
            bytes: 0,
            time: clock::now() - began,
        })
    })
}

fn flood(socket: &UdpSocket, until: u64) -> Result<()> {
    while clock::now() < until {
        for _ in 0..BURST {
            socket.send(&PAYLOAD).context("sending")?;
        }
    }
    Ok(())
}

/// Packets that Open vSwitch has handed to the second Pod so far.
pub fn forwarded(node: &Node) -> Result<u64> {
    sent(ends(node)?.1)
}

/// What Open vSwitch has handed to a Pod's device so far.
fn sent(to: &Pod) -> Result<u64> {
    let path = format!("/sys/class/net/{}/statistics/tx_packets", to.device);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    text.trim().parse().with_context(|| format!("reading {path}"))
}

/// How much is written to the connection at once.
const BLOCK: usize = 64 << 10;

/// Sends as much as fits over one TCP connection for `millis` milliseconds and tells what arrived.
pub fn tcp(node: &Node, millis: u64) -> Result<Forwarded> {
    let (src, dst) = ends(node)?;
    let to = SocketAddr::new(dst.ipv4.into(), TCP);
    let listener = inside(dst, || Ok(TcpListener::bind(to)?))?;
    let arrived = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&listener, &arrived));
        let forwarded = inside(src, || {
            let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(10))?;
            stay()?;
            fill(&mut stream, clock::now() + WARM)?;
            let (packets, bytes, began) = (sent(dst)?, arrived.load(Ordering::Relaxed), clock::now());
            fill(&mut stream, began + millis * MILLISECOND)?;
            Ok(Forwarded {
                packets: sent(dst)? - packets,
                bytes: arrived.load(Ordering::Relaxed) - bytes,
                time: clock::now() - began,
            })
        })?;
        receiver
            .join()
            .map_err(|_| anyhow::anyhow!("the receiver panicked"))??;
        Ok(forwarded)
    })
}

fn fill(stream: &mut TcpStream, until: u64) -> Result<()> {
    let block = vec![0x6f; BLOCK];
    while clock::now() < until {
        stream.write_all(&block).context("sending")?;
    }
    Ok(())
}

fn receive(listener: &TcpListener, arrived: &AtomicU64) -> Result<()> {
    let (mut stream, _) = listener.accept().context("accepting")?;
    let mut bytes = vec![0; BLOCK];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                arrived.fetch_add(length as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("receiving"),
        }
    }
}
