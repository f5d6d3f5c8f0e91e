//! The prober: numbered packets between Pods, and what became of each.
//!
//! May not know: OVS, ovsgap, restarts. It is the truth that ovsgap is measured against, so it shares nothing
//! with it but the clock.

pub mod spec;
pub mod status;

mod packet;
mod receive;
mod send;
mod sockets;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};

use super::clock::{self, MILLISECOND};
use super::pods::Pod;
use crate::truth::{Stream, Truth, losses};
use receive::Arrivals;
use sockets::Channel;
use spec::Spec;
use status::Progress;

/// How long the last packets may take to arrive after the last was sent.
const IN_FLIGHT: u64 = 500 * MILLISECOND;

/// Traffic that flows (or tries to).
pub struct Prober {
    specs: Vec<Spec>,
    started_ns: u64,
    /// What has arrived so far, stream by stream.
    pub progress: Arc<[Progress]>,
    stop_sending: Arc<AtomicBool>,
    stop_receiving: Arc<AtomicBool>,
    sender: JoinHandle<Vec<Vec<u64>>>,
    receiver: JoinHandle<Result<Vec<Arrivals>>>,
}

impl Prober {
    /// Opens all sockets and starts to send.
    pub fn start(specs: Vec<Spec>, pods: &[Pod]) -> Result<Self> {
        let channels = sockets::open(&specs, pods)?;
        let (sending, receiving): (Vec<_>, Vec<_>) = channels.into_iter().map(Channel::split).unzip();
        let progress: Arc<[Progress]> = specs.iter().map(Progress::new).collect();
        let (stop_sending, stop_receiving) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stop, seen) = (Arc::clone(&stop_receiving), Arc::clone(&progress));
        let receiver = std::thread::spawn(move || receive::run(&receiving, &seen, &stop));
        let (stop, rates) = (
            Arc::clone(&stop_sending),
            specs.iter().map(|spec| spec.rate_hz).collect::<Vec<_>>(),
        );
        let started_ns = clock::now();
        let sender = std::thread::spawn(move || send::run(sending, &rates, &stop));
        Ok(Self {
            specs,
            started_ns,
            progress,
            stop_sending,
            stop_receiving,
            sender,
            receiver,
        })
    }

    /// Stops sending, waits for what is under way, and tells what became of every packet.
    pub fn stop(self) -> Result<Truth> {
        let panicked = |_| anyhow!("a thread of the prober panicked");
        self.stop_sending.store(true, Ordering::SeqCst);
        let sent = self.sender.join().map_err(panicked)?;
        clock::sleep_until(clock::now() + IN_FLIGHT);
        self.stop_receiving.store(true, Ordering::SeqCst);
        let received = self.receiver.join().map_err(panicked)?.context("receiving")?;
        let streams = self.specs.iter().zip(sent).zip(received);
        Ok(Truth {
            started_ns: self.started_ns,
            ended_ns: clock::now(),
            streams: streams
                .map(|((spec, sent), received)| stream(spec, &sent, &received))
                .collect(),
        })
    }
}

fn stream(spec: &Spec, sent: &[u64], arrivals: &Arrivals) -> Stream {
    let (received, max_latency_ns, lost) = losses(sent, arrivals);
    Stream {
        src: spec.src.clone(),
        dst: spec.dst.clone(),
        protocol: spec.kind.protocol().into(),
        family: spec.kind.family().into(),
        port: spec.port,
        rate_hz: spec.rate_hz,
        flows: spec.flows,
        sent: sent.len() as u64,
        received,
        max_latency_ns,
        lost,
    }
}
