//! The prober: numbered packets between Pods, and what became of each.
//!
//! Must not depend on: OVS, ovsgap, restarts. It is the truth that ovsgap is measured against, so it shares nothing
//! with it but the clock.

pub mod spec;
pub mod status;

mod arrival;
mod frame;
mod packet;
mod receive;
mod send;
mod sockets;
mod tap;
mod tcp;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};

use crate::clock::{self, MILLISECOND};
use crate::pods::Pod;
use crate::words::packets::Packets;
use crate::words::truth::{Key, Stream, Truth, lost_runs};
use receive::{Arrivals, Incoming};
use send::Sent;
use sockets::Channel;
pub use sockets::inside;
use spec::{Kind, Spec};
use status::Progress;
use tap::Heard;

/// How long the last packets may take to arrive after the last was sent.
const IN_FLIGHT: u64 = 500 * MILLISECOND;

/// Traffic that flows (or tries to).
pub struct Prober {
    specs: Vec<Spec>,
    pods: Vec<Pod>,
    tapped: bool,
    started_ns: u64,
    /// What has arrived so far, stream by stream.
    pub progress: Arc<[Progress]>,
    stop_sending: Arc<AtomicBool>,
    stop_receiving: Arc<AtomicBool>,
    connections: Vec<tcp::Connection>,
    sender: JoinHandle<Vec<Sent>>,
    receiver: JoinHandle<Result<Incoming>>,
}

impl Prober {
    /// Opens all sockets and starts to send. With `tapped`, all that passes the Pods' devices is listened to: the
    /// truth about traffic whose packets the prober does not number itself.
    pub fn start(mut specs: Vec<Spec>, pods: &[Pod], tapped: bool) -> Result<Self> {
        // Connections come last: they have no channel.
        specs.sort_by_key(|spec| spec.kind == Kind::Tcp4);
        let numbered = specs.iter().take_while(|spec| spec.kind != Kind::Tcp4).count();
        let (numbered, connected) = specs.split_at(numbered);
        let channels = sockets::open(numbered, pods)?;
        let taps = pods
            .iter()
            .filter(|_| tapped)
            .map(sockets::tap)
            .collect::<Result<Vec<_>>>()?;
        let (sending, receiving): (Vec<_>, Vec<_>) = channels.into_iter().map(Channel::split).unzip();
        let progress: Arc<[Progress]> = specs.iter().map(Progress::new).collect();
        let (stop_sending, stop_receiving) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stop, seen) = (Arc::clone(&stop_receiving), Arc::clone(&progress));
        let receiver = std::thread::spawn(move || receive::run(&receiving, &taps, &seen, &stop));
        let mut connections = Vec::new();
        for (at, spec) in (numbered.len()..).zip(connected) {
            let (src, dst) = (sockets::pod(pods, &spec.src)?, sockets::pod(pods, &spec.dst)?);
            connections.push(tcp::start(spec, src, dst, &progress, at, &stop_sending)?);
        }
        let (stop, rates) = (
            Arc::clone(&stop_sending),
            numbered.iter().map(|spec| spec.rate_hz).collect::<Vec<_>>(),
        );
        let (started_ns, silent) = (clock::now(), Arc::clone(&progress));
        let sender = std::thread::spawn(move || send::run(sending, &rates, &silent, &stop));
        Ok(Self {
            specs,
            pods: pods.to_vec(),
            tapped,
            started_ns,
            progress,
            stop_sending,
            stop_receiving,
            connections,
            sender,
            receiver,
        })
    }

    /// Stops sending, waits for what is under way, and tells what became of every packet, stream by stream.
    pub fn stop(self) -> Result<(Truth, Vec<Packets>)> {
        let panicked = |_| anyhow!("a thread of the prober panicked");
        self.stop_sending.store(true, Ordering::SeqCst);
        let sent = self.sender.join().map_err(panicked)?;
        clock::sleep_until(clock::now() + IN_FLIGHT);
        self.stop_receiving.store(true, Ordering::SeqCst);
        let incoming = self.receiver.join().map_err(panicked)?.context("receiving")?;
        self.connections.into_iter().try_for_each(tcp::Connection::join)?;
        let Incoming {
            arrivals,
            seen,
            clock_error_ns,
        } = incoming;
        let streams = self.specs.iter().zip(sent).zip(arrivals);
        // What the taps account for is not accounted for twice.
        let numbered = streams
            .filter(|((spec, _), _)| !(self.tapped && spec.kind == Kind::Udp6))
            .map(|((spec, sent), received)| numbered(spec, &self.pods, sent, &received));
        let (streams, packets) = numbered.chain(seen.finish().into_iter().map(heard)).unzip();
        let truth = Truth {
            started_ns: self.started_ns,
            ended_ns: clock::now(),
            clock_error_ns,
            streams,
        };
        Ok((truth, packets))
    }
}

fn numbered(spec: &Spec, pods: &[Pod], (sent, done): Sent, arrivals: &Arrivals) -> (Stream, Packets) {
    let packets = Packets::new(sent, done, arrivals);
    let stream = Stream {
        src: spec.src.clone(),
        dst: spec.dst.clone(),
        protocol: spec.kind.protocol().into(),
        family: spec.kind.family().into(),
        port: spec.port,
        key: spec.key(pods),
        rate_hz: spec.rate_hz,
        flows: spec.flows,
        ..summed(&packets)
    };
    (stream, packets)
}

fn heard(heard: Heard) -> (Stream, Packets) {
    let Heard {
        key,
        src,
        dst,
        packets,
    } = heard;
    let stream = Stream {
        src,
        dst,
        protocol: match key.proto {
            frame::TCP => "tcp".into(),
            frame::UDP => "udp".into(),
            _ => "icmpv6".into(),
        },
        family: if key.proto == frame::TCP {
            "ipv4".into()
        } else {
            "ipv6".into()
        },
        port: key.port,
        // What arrived once is meant to arrive; what never did is dropped always.
        flows: packets.count() > 0,
        key,
        ..summed(&packets)
    };
    (stream, packets)
}

/// What a stream's packets add up to; the rest is for the caller to say.
fn summed(packets: &Packets) -> Stream {
    Stream {
        sent: packets.sent.len() as u64,
        received: packets.count(),
        max_latency_ns: packets.max_latency(),
        lost: lost_runs(packets),
        src: String::new(),
        dst: String::new(),
        protocol: String::new(),
        family: String::new(),
        port: 0,
        key: Key::default(),
        rate_hz: 0,
        flows: false,
    }
}
