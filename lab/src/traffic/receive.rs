//! The thread that takes in all streams and notes when the kernel got each packet.
//!
//! Must not depend on: when or whether a packet was sent.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recvmsg};
use nix::sys::time::TimeSpec;

use super::status::Progress;
use super::tap::{Seen, Tap};
use super::{arrival, packet};
use crate::clock::{self, MILLISECOND};
use crate::words::packets::Received;

/// What arrived of one stream.
pub type Arrivals = Vec<Received>;

/// Longer than any packet of the prober with padding.
const LONGEST: usize = 128;

/// How often the sockets are emptied. The kernel stamps each packet as it comes, so nothing is gained by being
/// woken for each; and the node's processors are needed for the traffic.
const EMPTY: u64 = 20 * MILLISECOND;

/// What came in.
pub struct Incoming {
    /// Of each stream.
    pub arrivals: Vec<Arrivals>,
    /// At the taps.
    pub seen: Seen,
    /// How far off the times may be.
    pub clock_error_ns: u64,
}

/// Receives until `stop`; returns what arrived.
pub fn run(sockets: &[OwnedFd], taps: &[Tap], progress: &[Progress], stop: &AtomicBool) -> Result<Incoming> {
    let (offset, clock_error_ns) = clock::wall_offset();
    let mut arrivals = vec![Arrivals::new(); sockets.len()];
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        clock::sleep_until(clock::now() + EMPTY);
        for tap in taps {
            seen.drain(tap, offset)?;
        }
        for (((own, socket), progress), list) in (0..).zip(sockets).zip(progress).zip(&mut arrivals) {
            while let Some((stream, received)) = receive(socket, offset)? {
                // All packet sockets of a Pod see all its ARP frames.
                if stream == own {
                    list.push(received);
                    progress.arrived();
                }
            }
        }
    }
    Ok(Incoming {
        arrivals,
        seen,
        clock_error_ns,
    })
}

/// The next packet of the prober on the socket; `None` when there is no more.
fn receive(socket: &OwnedFd, offset: u64) -> Result<Option<(u32, Received)>> {
    let mut bytes = [0; LONGEST];
    let mut control = nix::cmsg_space!(TimeSpec);
    loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let (length, at_ns) = match recvmsg::<()>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        ) {
            Ok(message) => (
                message.bytes,
                arrival::stamp(message.cmsgs().context("reading a packet's time")?, offset),
            ),
            // Nothing waits; or the Pod and its device are gone.
            Err(Errno::EAGAIN | Errno::ENETDOWN) => return Ok(None),
            // An ICMP error for the socket, or a signal.
            Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EINTR) => continue,
            Err(error) => return Err(error).context("receiving"),
        };
        if let Some((stream, sequence)) = bytes.get(..length).and_then(packet::read) {
            return Ok(Some((stream, Received { sequence, at_ns })));
        }
    }
}
