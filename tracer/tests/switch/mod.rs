//! A pretended switch on a real socket, and the OpenFlow source that watches it.
#![allow(dead_code, reason = "each test needs another part of it")]

use std::collections::{BTreeMap, BTreeSet};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tracer::source::openflow::{self, Config};
use tracer_core::event::{BridgeRow, EventKind};

use super::seen::{Seen, seen};

/// What ovs-vswitchd 3.1.0 sent over OpenFlow 1.0.
pub const OF10: &[u8] = include_bytes!("../fixtures/openflow-3.1.0/of1.0.bin");

/// The id the source gives its request, which the captures' client did not use.
pub const REQUEST: [u8; 4] = [0, 0, 0, 1];

/// The source at work on a run directory of its own.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub events: Seen,
    pub bridges: watch::Sender<BTreeMap<String, BridgeRow>>,
    pub source: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Bench {
    pub fn start(only: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (sender, events) = seen();
        let (bridges, receiver) = watch::channel(named(&["br-int"]));
        let only: BTreeSet<String> = only.iter().map(|&name| name.to_owned()).collect();
        let config = Config {
            rundir: dir.path().to_owned(),
            bridges: receiver,
            only,
        };
        let source = tokio::spawn(openflow::run(config, sender));
        Self {
            dir,
            events,
            bridges,
            source,
        }
    }

    pub fn listen(&self, bridge: &str) -> UnixListener {
        let socket = self.dir.path().join(format!("{bridge}.mgmt"));
        let _none_before = std::fs::remove_file(&socket);
        UnixListener::bind(socket).unwrap()
    }

    /// Why the monitor is off, once it is for another reason than that there is no switch yet.
    pub async fn down(&mut self) -> String {
        loop {
            match self.events.next().await {
                EventKind::OpenFlowDown { error, .. } if !error.contains("cannot connect") => return error,
                _ => {}
            }
        }
    }
}

pub fn named(names: &[&str]) -> BTreeMap<String, BridgeRow> {
    let row = |name: &str| BridgeRow {
        name: name.to_owned(),
        ..BridgeRow::default()
    };
    names.iter().map(|name| ((*name).to_owned(), row(name))).collect()
}

/// One connection as the switch sees it.
pub struct Peer(pub UnixStream);

impl Peer {
    pub async fn accept(listener: &UnixListener) -> Self {
        Self(listener.accept().await.unwrap().0)
    }

    pub async fn message(&mut self) -> Vec<u8> {
        let mut message = vec![0; 8];
        self.0.read_exact(&mut message).await.unwrap();
        message.resize(usize::from(u16::from_be_bytes([message[2], message[3]])), 0);
        self.0.read_exact(&mut message[8..]).await.unwrap();
        message
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Says which versions it speaks; what the source offers and asks for then.
    pub async fn negotiate(&mut self, versions: u32) -> (Vec<u8>, Vec<u8>) {
        self.send(
            &[
                [6, 0, 0, 16, 0, 0, 0, 9, 0, 1, 0, 8].as_slice(),
                &versions.to_be_bytes(),
            ]
            .concat(),
        )
        .await;
        (self.message().await, self.message().await)
    }
}

/// A capture's messages after the hello, as answers to the source's own request.
pub fn replies(capture: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &capture[8..];
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (message, later) = rest.split_at(usize::from(u16::from_be_bytes([rest[2], rest[3]])));
        let mut message = message.to_vec();
        if message[4..8] == [0, 0, 0, 7] {
            message[4..8].copy_from_slice(&REQUEST);
        }
        messages.push(message);
        rest = later;
    }
    messages
}

pub fn is_snapshot(kind: &EventKind) -> bool {
    matches!(kind, EventKind::OpenFlowSnapshot { .. })
}
