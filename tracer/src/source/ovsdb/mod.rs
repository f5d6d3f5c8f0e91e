//! The configuration of OVS: mirrors ovsdb-server's database through `monitor` (RFC 7047).
//!
//! Must not depend on: OpenFlow, the datapath, what a row means. Only reads: it sends `get_schema`, `monitor` and
//! `echo`, nothing else. What OVSDB says is what was asked of vswitchd; when vswitchd acted is not in it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tracer_core::event::{BridgeRow, EventKind};
use tracer_core::time::Timestamp;

use super::dial::Dial;
use super::outbox::Outbox;
use super::{EventSender, clock};
use link::{Incoming, Link, PATIENCE, hang};
use mirror::{Mirror, TableUpdates};

mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod link;
mod mirror;
mod rows;
mod value;

/// So many times in a row a server may be silent for [`PATIENCE`] before its connection is given up: a minute. It works out its reply
/// to `monitor` whole before it sends any of it, and on a busy node a large database takes it long; to ask anew would begin anew.
const SILENCES: u32 = 12;

/// The database's name in every call.
const DATABASE: &str = "Open_vSwitch";

/// What to mirror and who else wants to know.
#[derive(Debug)]
pub struct Config {
    /// The unix socket of ovsdb-server ([`super::rundir::db_socket`], [`super::rundir::parse_db`]).
    pub socket: PathBuf,
    /// Follows `other_config:flow-restore-wait`: true while it is `true`. One that was set and removed
    /// between two looks still counts as a change for the receiver.
    pub flag: Option<watch::Sender<bool>>,
    /// The bridges by name, kept as they were while the connection is down.
    pub bridges: Option<watch::Sender<BTreeMap<String, BridgeRow>>>,
}

/// Mirrors the database until the receiver is gone; a lost connection is reported and made again.
pub async fn run(config: Config, events: EventSender) -> anyhow::Result<()> {
    let outbox = Outbox::new(events);
    tokio::select! {
        () = outbox.closed() => Ok(()),
        never = sessions(Source { config, outbox, down: None, sound: true }) => match never {},
    }
}

/// The source between and during connections.
struct Source {
    config: Config,
    outbox: Outbox,
    /// Why there is no connection, as last reported.
    down: Option<String>,
    /// The schema holds all that is read, as last reported.
    sound: bool,
}

async fn sessions(mut source: Source) -> Infallible {
    let mut dial = Dial::new(source.config.socket.clone(), Duration::from_millis(10));
    loop {
        let error = match dial.connect().await {
            Ok(stream) => match source.session(stream, &mut dial).await {
                Ok(never) => match never {},
                Err(error) => format!("{error:#}"),
            },
            Err(error) => unreachable_server(dial.path(), &error),
        };
        source.report_down(error).await;
        dial.wait().await;
    }
}

impl Source {
    /// One connection, from its making to its loss.
    async fn session(&mut self, stream: UnixStream, dial: &mut Dial) -> anyhow::Result<Infallible> {
        let mut link = Link::new(stream);
        let (_, schema) = self.call(&mut link, "get_schema", json!([DATABASE])).await?;
        let plan = rows::plan(&schema);
        let (at, initial) = self
            .call(&mut link, "monitor", json!([DATABASE, "ovsgap", plan.requests]))
            .await?;
        let initial = table_updates(initial)?;
        dial.succeeded();
        self.down = None;
        let mut mirror = Mirror::default();
        self.outbox.put(at, EventKind::OvsdbUp).await;
        self.report_rows(at, &mut mirror, initial).await;
        self.outbox.put(at, EventKind::OvsdbSnapshot).await;
        self.report_schema(at, &plan.missing).await;
        loop {
            let (at, incoming) = link.next().await?;
            if let Some(updates) = updates_of(incoming)? {
                self.report_rows(at, &mut mirror, updates).await;
            }
        }
    }

    /// Asks for something and waits for the answer. That the server is silent meanwhile is told at once; only a long silence ends
    /// the connection.
    async fn call(
        &mut self,
        link: &mut Link,
        method: &str,
        params: Value,
    ) -> anyhow::Result<(Timestamp, Value)> {
        link.ask(method, params).await?;
        for silences in 1..=SILENCES {
            if let Some(answer) = link.answer(method).await? {
                return Ok(answer);
            }
            if silences == 1 {
                self.report_down(format!("{:#}; still waiting for it", hang(method, PATIENCE)))
                    .await;
            }
        }
        Err(hang(method, PATIENCE * SILENCES))
    }

    async fn report_rows(&mut self, at: Timestamp, mirror: &mut Mirror, updates: TableUpdates) {
        let changes = mirror.apply(updates);
        self.publish(mirror);
        for change in changes {
            self.outbox.put(at, change).await;
        }
    }

    /// Tells the other sources at once: evidence must be armed before anything else is done.
    fn publish(&self, mirror: &Mirror) {
        let Config {
            socket: _,
            flag,
            bridges,
        } = &self.config;
        if let Some(flag) = flag {
            replace_if_other(flag, mirror.flow_restore_wait());
        }
        if let Some(bridges) = bridges {
            replace_if_other(bridges, mirror.bridges());
        }
    }

    async fn report_schema(&mut self, at: Timestamp, missing: &[String]) {
        let detail = if missing.is_empty() {
            String::new()
        } else {
            format!(
                "the schema of ovsdb-server lacks {}; upgrade OVS to see them",
                missing.join(", ")
            )
        };
        if missing.is_empty() != self.sound {
            self.sound = missing.is_empty();
            let kind = EventKind::Source {
                name: "ovsdb".to_owned(),
                ok: self.sound,
                detail,
            };
            self.outbox.put(at, kind).await;
        }
    }

    /// Reports a loss, and that it lasts only if the reason is another one now.
    async fn report_down(&mut self, error: String) {
        if self.down.as_ref() != Some(&error) {
            self.outbox
                .put(clock::now(), EventKind::OvsdbDown { error: error.clone() })
                .await;
            self.down = Some(error);
        }
    }
}

fn replace_if_other<T: PartialEq>(sender: &watch::Sender<T>, value: T) {
    sender.send_if_modified(|current| {
        let other = *current != value;
        *current = value;
        other
    });
}

/// `update` notifications (RFC 7047, 4.1.6): `[monitor id, table-updates]`.
fn updates_of(incoming: Incoming) -> anyhow::Result<Option<TableUpdates>> {
    match incoming {
        Incoming::Call {
            method,
            params: Value::Array(mut params),
            id: _,
        } if method == "update" => table_updates(params.pop().unwrap_or_default()).map(Some),
        Incoming::Call { .. } | Incoming::Reply { .. } => Ok(None),
    }
}

fn table_updates(value: Value) -> anyhow::Result<TableUpdates> {
    serde_json::from_value(value).context("ovsdb-server sent garbage: not table updates")
}

fn unreachable_server(socket: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            "start ovsdb-server, or name its socket with --db or --ovs-rundir"
        }
        io::ErrorKind::PermissionDenied => "run ovsgap as root",
        _ => "see whether ovsdb-server listens there",
    };
    format!("cannot connect to {}: {error}; {remedy}", socket.display())
}
