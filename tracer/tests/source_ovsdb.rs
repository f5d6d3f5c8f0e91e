//! The OVSDB source against servers that misbehave in every way a real one can, over real sockets.
//!
//! `fixtures/ovsdb-3.1.0` holds what ovsdb-server 3.1.0 answered to the source's own requests, and the updates
//! it sent while a port came and went and the flag was set and removed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tracer::source::ovsdb::{self, Config};
use tracer_core::event::{BridgeRow, EventKind};
use tracer_core::id::OfPort;

use seen::{Seen, seen};

mod seen;

const SCHEMA: &str = include_str!("fixtures/ovsdb-3.1.0/get_schema.json");
const MONITOR: &str = include_str!("fixtures/ovsdb-3.1.0/monitor.json");
const UPDATES: &str = include_str!("fixtures/ovsdb-3.1.0/updates.json");

/// The source at work on a socket in a directory of its own.
struct Bench {
    dir: tempfile::TempDir,
    events: Seen,
    flag: watch::Receiver<bool>,
    bridges: watch::Receiver<BTreeMap<String, BridgeRow>>,
    source: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Bench {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (sender, events) = seen();
        let (flag_sender, flag) = watch::channel(false);
        let (bridges_sender, bridges) = watch::channel(BTreeMap::new());
        let socket = dir.path().join("db.sock");
        let config = Config {
            socket,
            flag: Some(flag_sender),
            bridges: Some(bridges_sender),
        };
        let source = tokio::spawn(ovsdb::run(config, sender));
        Self {
            dir,
            events,
            flag,
            bridges,
            source,
        }
    }

    fn listen(&self) -> UnixListener {
        let socket = self.dir.path().join("db.sock");
        let _none_before = std::fs::remove_file(&socket);
        UnixListener::bind(socket).unwrap()
    }

    async fn snapshot(&mut self) -> Vec<EventKind> {
        self.events.until(|kind| *kind == EventKind::OvsdbSnapshot).await
    }

    async fn down(&mut self) -> String {
        let seen = self
            .events
            .until(|kind| matches!(kind, EventKind::OvsdbDown { .. }))
            .await;
        match seen.into_iter().next_back() {
            Some(EventKind::OvsdbDown { error }) => error,
            other => panic!("{other:?}"),
        }
    }
}

/// One connection as a server sees it.
struct Peer(UnixStream);

impl Peer {
    async fn accept(listener: &UnixListener) -> Self {
        Self(listener.accept().await.unwrap().0)
    }

    /// The next request.
    async fn request(&mut self) -> Value {
        let mut received = Vec::new();
        loop {
            received.push(self.0.read_u8().await.expect("the source asks"));
            if let Ok(request) = serde_json::from_slice(&received) {
                return request;
            }
        }
    }

    async fn expect(&mut self, method: &str) -> Value {
        let request = self.request().await;
        assert_eq!(request["method"], method, "{request}");
        request
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn serve_snapshot(&mut self) {
        self.expect("get_schema").await;
        self.send(SCHEMA).await;
        self.expect("monitor").await;
        self.send(MONITOR).await;
    }
}

#[tokio::test]
async fn a_real_transcript_becomes_a_snapshot_and_changes() {
    let mut bench = Bench::start();
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.serve_snapshot().await;
    let snapshot = bench.snapshot().await;
    insta::assert_json_snapshot!("snapshot", snapshot);
    assert!(bench.bridges.borrow_and_update().contains_key("br-int"));
    assert!(!bench.flag.has_changed().unwrap(), "the flag was never set");

    peer.send(UPDATES).await;
    let changes = bench
        .events
        .until(|kind| matches!(kind, EventKind::BridgeRow { row: Some(row), .. } if row.ports.len() == 4))
        .await;
    assert!(
        bench.flag.has_changed().unwrap(),
        "set and removed: a change all the same"
    );
    drop(peer);
    let mut rest = bench
        .events
        .until(|kind| matches!(kind, EventKind::OvsdbDown { .. }))
        .await;
    assert_eq!(
        rest.pop(),
        Some(EventKind::OvsdbDown {
            error: "ovsdb-server closed the connection".into()
        })
    );
    insta::assert_json_snapshot!("changes", [changes, rest].concat());
}

#[tokio::test]
async fn one_byte_at_a_time_gives_the_same() {
    let mut bench = Bench::start();
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    let server = async {
        peer.expect("get_schema").await;
        for byte in SCHEMA.as_bytes() {
            peer.0.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        peer.expect("monitor").await;
        for byte in MONITOR.as_bytes() {
            peer.0.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (snapshot, ()) = tokio::join!(bench.snapshot(), server);
    let veth1 = snapshot.iter().find_map(|kind| match kind {
        EventKind::InterfaceRow { row: Some(row), .. } if row.name == "veth1" => Some(row.clone()),
        _ => None,
    });
    assert_eq!(veth1.expect("veth1 is there").ofport, Some(OfPort(1)));
}

#[tokio::test]
async fn an_echo_is_answered_with_what_it_held() {
    let bench = Bench::start();
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.expect("get_schema").await;
    peer.send(r#"{"id":"echo","method":"echo","params":["abc",{"d":1}]}"#)
        .await;
    assert_eq!(
        peer.request().await,
        json!({"id": "echo", "result": ["abc", {"d": 1}], "error": null})
    );
    drop(bench);
}

#[tokio::test]
async fn only_reading_calls_are_made_and_only_columns_of_the_schema() {
    let mut bench = Bench::start();
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    assert_eq!(peer.expect("get_schema").await["params"], json!(["Open_vSwitch"]));
    let columns = json!({"columns": {"name": {}, "external_ids": {}}});
    let schema = json!({"tables": {"Port": columns, "Open_vSwitch": {"columns": {"other_config": {}}}}});
    peer.send(&json!({"id": "get_schema", "result": schema, "error": null}).to_string())
        .await;
    let asked = peer.expect("monitor").await;
    let requests = json!({
        "Port": [{"columns": ["name", "external_ids"]}],
        "Open_vSwitch": [{"columns": ["other_config"]}],
    });
    assert_eq!(asked["params"], json!(["Open_vSwitch", "ovsgap", requests]));
    peer.send(r#"{"id":"monitor","result":{},"error":null}"#).await;
    assert_eq!(
        bench.snapshot().await,
        [EventKind::OvsdbUp, EventKind::OvsdbSnapshot]
    );
    let EventKind::Source {
        ok: false, detail, ..
    } = bench.events.next().await
    else {
        panic!("no finding")
    };
    assert!(
        detail.contains("Interface:ofport") && !detail.contains("Port:name"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_server_that_restarts_is_mirrored_again_whole() {
    let mut bench = Bench::start();
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.serve_snapshot().await;
    let first = bench.snapshot().await;
    drop((peer, listener));
    assert_eq!(bench.down().await, "ovsdb-server closed the connection");
    assert!(
        bench.bridges.borrow().contains_key("br-int"),
        "bridges outlive the connection"
    );

    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.serve_snapshot().await;
    let second = bench.snapshot().await;
    let rows = |seen: &[EventKind]| {
        seen.iter()
            .filter(|kind| !is_down(kind))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&second), rows(&first));
}

fn is_down(kind: &EventKind) -> bool {
    matches!(kind, EventKind::OvsdbDown { .. })
}

#[tokio::test(start_paused = true)]
async fn no_server_is_told_once_with_a_remedy() {
    let mut bench = Bench::start();
    let error = bench.down().await;
    assert!(
        error.contains("No such file") && error.contains("--ovs-rundir"),
        "{error}"
    );
    tokio::time::sleep(Duration::from_mins(1)).await;
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.serve_snapshot().await;
    let seen = bench.snapshot().await;
    assert!(
        seen.iter().filter(|kind| is_down(kind)).count() <= 1,
        "retries are not reported: {seen:?}"
    );
}

#[tokio::test]
async fn garbage_is_told_with_what_was_received() {
    let cases = [
        ("HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400"),
        ("{\"id\": nonsense}", "nonsense"),
        (
            r#"{"id":"get_schema","result":null,"error":"unknown database"}"#,
            "unknown database",
        ),
    ];
    for (sent, told) in cases {
        let mut bench = Bench::start();
        let listener = bench.listen();
        let mut peer = Peer::accept(&listener).await;
        peer.send(sent).await;
        let error = loop {
            let error = bench.down().await;
            if !error.contains("cannot connect") {
                break error;
            }
        };
        assert!(error.contains(told), "{error}");
    }
}

/// A peer that has been asked for its tables and has not answered, and since when.
async fn asked(bench: &mut Bench) -> (Peer, tokio::time::Instant) {
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.expect("get_schema").await;
    peer.send(SCHEMA).await;
    peer.expect("monitor").await;
    (peer, tokio::time::Instant::now())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_told_after_five_seconds_and_dropped_after_a_minute() {
    let mut bench = Bench::start();
    let (_peer, asked) = asked(&mut bench).await;
    for (told, seconds) in [("still waiting", 5), ("within 60s", 60)] {
        let error = loop {
            let error = bench.down().await;
            if !error.contains("cannot connect") {
                break error;
            }
        };
        assert!(
            error.contains("hangs") && error.contains("monitor") && error.contains(told),
            "{error}"
        );
        assert_eq!(asked.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_database_on_a_busy_node_may_take_as_long_as_it_comes() {
    let mut bench = Bench::start();
    let (mut peer, _asked) = asked(&mut bench).await;
    // Before the first byte it works out the whole reply; then it is as slow as the node lets it be.
    tokio::time::sleep(Duration::from_secs(40)).await;
    for piece in MONITOR.as_bytes().chunks(MONITOR.len() / 20) {
        peer.0.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    let seen = bench.snapshot().await;
    let lost = |kind: &&EventKind| matches!(kind, EventKind::OvsdbDown { error } if !error.contains("cannot connect"));
    let told: Vec<&EventKind> = seen.iter().filter(lost).collect();
    assert!(
        matches!(told[..], [EventKind::OvsdbDown { error }] if error.contains("still waiting")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_for_a_sign_of_life() {
    let mut bench = Bench::start();
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.serve_snapshot().await;
    bench.snapshot().await;
    for _ in 0..3 {
        let echo = peer.expect("echo").await;
        peer.send(&json!({"id": echo["id"], "result": [], "error": null}).to_string())
            .await;
    }
    peer.expect("echo").await;
    let error = bench.down().await;
    assert!(error.contains("hangs") && error.contains("echo"), "{error}");
}

#[tokio::test]
async fn the_source_ends_when_nobody_listens() {
    let bench = Bench::start();
    let listener = bench.listen();
    let mut peer = Peer::accept(&listener).await;
    peer.serve_snapshot().await;
    let Bench {
        events, source, dir, ..
    } = bench;
    drop(events);
    source.await.unwrap().unwrap();
    assert!(Path::new(dir.path()).exists());
}
