//! One bridge: its management socket dialled, its flow monitor asked for, and again whenever it is lost.
//!
//! Must not depend on: other bridges, byte layouts.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tracer_core::event::EventKind;
use tracer_core::time::Timestamp;

use super::codec::{self, Message, Refusal, Version};
use super::monitor::{Monitor, REQUEST};
use crate::source::clock;
use crate::source::dial::Dial;
use crate::source::outbox::Outbox;

/// How long the switch may take to say hello and to begin its reply: its main thread may be at work on the
/// flows of a whole node just then.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long until a switch that refuses is asked again; one that restarts is asked at once.
const REFUSED: Duration = Duration::from_secs(30);

/// The id of our echo requests.
const PULSE: u32 = REQUEST + 1;

/// How often a switch is asked whether it is there. A monitor that says nothing is not known to have seen nothing.
const BEAT: Duration = Duration::from_millis(500);

/// The same while its flows may still be coming: how long they were absent is proven by its answers.
const FAST: Duration = Duration::from_millis(50);

/// So many beats are fast: ten seconds.
const FASTS: u32 = 200;

/// So many slow beats without an answer are given up on: as long as [`PATIENCE`].
const BEATS: u32 = 30;

/// Our echo requests.
struct Pulse {
    ticks: Interval,
    /// Fast beats that are left.
    fast: u32,
    /// For how many beats one has not been answered.
    unanswered: Option<u32>,
}

impl Pulse {
    fn new() -> Self {
        Self {
            ticks: every(FAST),
            fast: FASTS,
            unanswered: None,
        }
    }

    /// Whether the next request is to be sent. Errors: the last one was not answered for too long.
    fn is_to_be_asked(&mut self) -> anyhow::Result<bool> {
        if self.fast > 0 {
            self.fast -= 1;
            if self.fast == 0 {
                self.ticks = every(BEAT);
                self.unanswered = self.unanswered.map(|_| 0);
            }
        }
        let Some(beats) = &mut self.unanswered else {
            self.unanswered = Some(0);
            return Ok(true);
        };
        *beats += 1;
        if *beats > BEATS && self.fast == 0 {
            bail!("ovs-vswitchd hangs: it has not answered for {PATIENCE:?}");
        }
        Ok(false)
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// One bridge and how it stands.
pub struct Bridge {
    name: String,
    /// Where its switch listens; or why it has no place of its own to listen at.
    socket: anyhow::Result<PathBuf>,
    outbox: Outbox,
    /// Why there is no monitor, as last reported.
    down: Option<String>,
    /// The switch refused the monitor, as last reported.
    refused: bool,
}

/// The switch speaks OpenFlow but gives no flow monitor.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Bridge {
    /// A bridge of this name, whose switch listens on `socket`.
    pub fn new(name: String, socket: anyhow::Result<PathBuf>, outbox: Outbox) -> Self {
        Self {
            name,
            socket,
            outbox,
            down: None,
            refused: false,
        }
    }

    /// Watches the bridge's flows until `deleted`.
    pub async fn watch(mut self, deleted: impl Future<Output = ()>) {
        tokio::select! {
            () = deleted => {}
            never = self.sessions() => match never {},
        }
        self.report_down("the bridge was deleted".to_owned()).await;
    }

    async fn sessions(&mut self) -> Infallible {
        let socket = match &self.socket {
            Ok(socket) => socket.clone(),
            Err(error) => {
                self.report_down(error.to_string()).await;
                std::future::pending().await
            }
        };
        let mut dial = Dial::new(socket.clone(), Duration::from_millis(5));
        loop {
            let lost = match dial.connect().await {
                Ok(stream) => match self.session(stream, &mut dial).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
                Err(error) => unreachable(&socket, &error),
            };
            self.report_down(format!("{lost:#}")).await;
            if let Some(refused) = lost.downcast_ref::<Refused>() {
                self.report_refused(refused).await;
                dial.wait_for(REFUSED).await;
            } else {
                dial.wait().await;
            }
        }
    }

    async fn session(&mut self, stream: UnixStream, dial: &mut Dial) -> anyhow::Result<Infallible> {
        let mut link = Link {
            stream,
            received: BytesMut::new(),
            received_at: clock::now(),
        };
        let version = within(link.negotiate(&self.name)).await?;
        link.send(&codec::monitor_request(version, REQUEST)).await?;
        let mut monitor = Monitor::new(self.name.clone(), version);
        let mut pulse = Pulse::new();
        loop {
            let (at, message) = if monitor.is_live() {
                link.next_or_beat(version, &mut pulse).await?
            } else {
                // While the flows that there are come in, each message is a sign of life.
                within(link.next(version)).await?
            };
            if matches!(message, Message::EchoReply { xid } if xid == PULSE) {
                pulse.unanswered = None;
                let bridge = self.name.clone();
                self.outbox.put(at, EventKind::OpenFlowAlive { bridge }).await;
                continue;
            }
            let events = monitor
                .take(message)
                .map_err(|refusal| Refused(explain(&refusal, version, &self.name)))?;
            if monitor.is_on() {
                self.down = None;
                self.report_accepted(at).await;
            }
            for event in events {
                self.outbox.put(at, event).await;
            }
            if monitor.is_live() {
                dial.succeeded();
            }
        }
    }

    async fn report_down(&mut self, error: String) {
        if self.down.as_ref() != Some(&error) {
            let bridge = self.name.clone();
            self.outbox
                .put(
                    clock::now(),
                    EventKind::OpenFlowDown {
                        bridge,
                        error: error.clone(),
                    },
                )
                .await;
            self.down = Some(error);
        }
    }

    async fn report_refused(&mut self, refused: &Refused) {
        if !std::mem::replace(&mut self.refused, true) {
            self.report_source(clock::now(), false, refused.to_string()).await;
        }
    }

    async fn report_accepted(&mut self, at: Timestamp) {
        if std::mem::replace(&mut self.refused, false) {
            self.report_source(at, true, String::new()).await;
        }
    }

    async fn report_source(&mut self, at: Timestamp, ok: bool, detail: String) {
        let name = format!("openflow {}", self.name);
        self.outbox.put(at, EventKind::Source { name, ok, detail }).await;
    }
}

fn unreachable(socket: &Path, error: &io::Error) -> anyhow::Error {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => "run ovsgap as root",
        _ => "see whether ovs-vswitchd runs, or name its run directory with --ovs-rundir",
    };
    anyhow::anyhow!("cannot connect to {}: {error}; {remedy}", socket.display())
}

/// A connection to a switch.
struct Link {
    stream: UnixStream,
    received: BytesMut,
    received_at: Timestamp,
}

impl Link {
    /// Agrees on a version: the switch says first what it speaks, we offer the best of it.
    async fn negotiate(&mut self, bridge: &str) -> anyhow::Result<Version> {
        let (_, Message::Hello(spoken)) = self.receive().await? else {
            bail!("the switch did not begin with a hello");
        };
        let speaks = |version: &Version| spoken >> version.0 & 1 == 1;
        let Some(version) = Version::MONITORS.into_iter().find(speaks) else {
            bail!(Refused(format!(
                "none of the bridge's OpenFlow versions (bitmap {spoken:#x}) has a flow monitor: \
                 `ovs-vsctl add bridge {bridge} protocols OpenFlow10`"
            )));
        };
        self.send(&codec::hello(version)).await?;
        Ok(version)
    }

    /// The next message; while none comes, the switch is asked whether it is there.
    async fn next_or_beat(
        &mut self,
        version: Version,
        pulse: &mut Pulse,
    ) -> anyhow::Result<(Timestamp, Message)> {
        loop {
            // What is received so far stays in the link when the other branch is first.
            let message = tokio::select! {
                message = self.receive() => message?,
                _ = pulse.ticks.tick() => {
                    if pulse.is_to_be_asked()? {
                        // Where it has gone, what it sent before is still to be read: the end is found there.
                        self.send(&codec::echo_request(version, PULSE)).await.ok();
                    }
                    continue;
                }
            };
            match message {
                (_, Message::EchoRequest { xid, payload }) => {
                    self.send(&codec::echo_reply(version, xid, &payload)).await?;
                }
                other => return Ok(other),
            }
        }
    }

    /// The next message, echo requests answered.
    async fn next(&mut self, version: Version) -> anyhow::Result<(Timestamp, Message)> {
        loop {
            match self.receive().await? {
                (_, Message::EchoRequest { xid, payload }) => {
                    self.send(&codec::echo_reply(version, xid, &payload)).await?;
                }
                other => return Ok(other),
            }
        }
    }

    async fn receive(&mut self) -> anyhow::Result<(Timestamp, Message)> {
        const CHUNK: usize = 64 << 10;
        loop {
            if let Some(message) = codec::split(&mut self.received)? {
                return Ok((self.received_at, codec::decode(&message)?));
            }
            self.received.reserve(CHUNK);
            let read = match self.stream.read_buf(&mut self.received).await {
                // It leaves without reading what it was asked last.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                read => read.context("reading from ovs-vswitchd")?,
            };
            self.received_at = clock::now();
            if read == 0 {
                bail!("ovs-vswitchd closed the connection");
            }
        }
    }

    /// A switch that is stopped takes what fits into its socket and no more.
    async fn send(&mut self, message: &[u8]) -> anyhow::Result<()> {
        match timeout(PATIENCE, self.stream.write_all(message)).await {
            Ok(written) => written.context("writing to ovs-vswitchd"),
            Err(_) => bail!("ovs-vswitchd hangs: it has not read anything for {PATIENCE:?}"),
        }
    }
}

async fn within<T>(step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match timeout(PATIENCE, step).await {
        Ok(done) => done,
        Err(_) => bail!("ovs-vswitchd hangs: no answer within {PATIENCE:?}"),
    }
}

/// What an `OFPT_ERROR` means for us, and what can be done.
fn explain(refusal: &Refusal, version: Version, bridge: &str) -> String {
    let Refusal { kind, code, text } = refusal;
    let remedy = if version == Version(1) {
        "see the log of ovs-vswitchd".to_owned()
    } else {
        format!(
            "before OVS 3.0 only OpenFlow 1.0 has a flow monitor: \
             `ovs-vsctl add bridge {bridge} protocols OpenFlow10` or upgrade OVS"
        )
    };
    let text = if text.is_empty() {
        String::new()
    } else {
        format!(", {text}")
    };
    format!(
        "the switch refuses the flow monitor over {version} (error type {kind}, code {code}{text}); {remedy}"
    )
}
