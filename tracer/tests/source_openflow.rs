//! The OpenFlow source against switches that come, go and refuse, over real sockets.
//!
//! `fixtures/openflow-3.1.0` holds what ovs-vswitchd 3.1.0 sent, in each version that has a flow monitor, to a
//! client that asked for it: the flows that were there, a bundle of two, a change, a removal, an echo reply.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;
use tracer::source::clock;
use tracer_core::event::{Change, EventKind};

use switch::{Bench, OF10, Peer, REQUEST, is_snapshot, named, replies};

mod seen;
mod switch;

const OF13: &[u8] = include_bytes!("fixtures/openflow-3.1.0/of1.3.bin");
const OF14: &[u8] = include_bytes!("fixtures/openflow-3.1.0/of1.4.bin");
const OF15: &[u8] = include_bytes!("fixtures/openflow-3.1.0/of1.5.bin");

/// `(change, how many)` of each event about flows.
fn changes(events: &[EventKind]) -> Vec<(Change, usize)> {
    let flows = |kind: &EventKind| match kind {
        EventKind::OpenFlowFlows { changes, .. } => Some((changes[0].change, changes.len())),
        _ => None,
    };
    events.iter().filter_map(flows).collect()
}

#[tokio::test]
async fn a_bundle_is_one_event_in_every_version() {
    for (version, speaks, capture) in [
        (1, 0x7e, OF10),
        (6, 1 << 6, OF15),
        (5, 0b11_1000, OF14),
        (4, 0b1_1100, OF13),
    ] {
        let mut bench = Bench::start(&[]);
        let listener = bench.listen("br-int");
        let mut peer = Peer::accept(&listener).await;
        let (hello, request) = peer.negotiate(speaks).await;
        assert_eq!((hello[0], request[0]), (version, version));
        assert_eq!(
            hello[12..],
            (1_u32 << version).to_be_bytes(),
            "one version is offered"
        );
        assert_eq!(request[4..8], REQUEST);
        peer.send(&replies(capture).concat()).await;
        let initial = bench.events.until(is_snapshot).await;
        let up = EventKind::OpenFlowUp {
            bridge: "br-int".into(),
            version,
        };
        assert!(initial.contains(&up), "{initial:?}");
        assert_eq!(changes(&initial), [(Change::Initial, 13)]);
        drop(peer);
        let live = bench
            .events
            .until(|kind| matches!(kind, EventKind::OpenFlowDown { .. }))
            .await;
        assert_eq!(
            changes(&live),
            [(Change::Added, 2), (Change::Modified, 1), (Change::Removed, 1)]
        );
    }
}

#[tokio::test]
async fn one_byte_at_a_time_gives_the_same() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    let server = async {
        for byte in replies(OF10).concat() {
            peer.send(&[byte]).await;
            tokio::task::yield_now().await;
        }
        drop(peer);
    };
    let (events, ()) = tokio::join!(
        bench
            .events
            .until(|kind| matches!(kind, EventKind::OpenFlowDown { error, .. } if error.contains("closed"))),
        server
    );
    let expected = [
        (Change::Initial, 13),
        (Change::Added, 2),
        (Change::Modified, 1),
        (Change::Removed, 1),
    ];
    assert_eq!(changes(&events), expected);
}

#[tokio::test]
async fn initial_flows_are_streamed_and_end_with_the_last_part() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    let last = replies(OF10).swap_remove(0);
    let mut more = last.clone();
    more[11] = 1;
    for _ in 0..3 {
        peer.send(&more).await;
        bench
            .events
            .until(|kind| matches!(kind, EventKind::OpenFlowFlows { .. }))
            .await;
    }
    peer.send(&last).await;
    let end = bench.events.until(is_snapshot).await;
    assert_eq!(changes(&end), [(Change::Initial, 13)]);
    assert_eq!(end.len(), 2, "{end:?}");
}

#[tokio::test]
async fn a_bridge_without_flows_is_a_snapshot_too() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    let mut empty = replies(OF10).swap_remove(0);
    empty.truncate(24);
    empty[2..4].copy_from_slice(&[0, 24]);
    peer.send(&empty).await;
    let seen = bench.events.until(is_snapshot).await;
    assert!(changes(&seen).is_empty(), "{seen:?}");
}

#[tokio::test]
async fn an_echo_is_answered_with_what_it_held() {
    let bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    peer.send(&[1, 2, 0, 11, 1, 2, 3, 4, b'a', b'b', b'c']).await;
    assert_eq!(peer.message().await, [1, 3, 0, 11, 1, 2, 3, 4, b'a', b'b', b'c']);
    drop(bench);
}

#[tokio::test]
async fn a_monitor_that_answers_is_alive() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    peer.send(&replies(OF10)[0]).await;
    bench.events.until(is_snapshot).await;
    let mut asked = peer.message().await;
    assert_eq!(asked, [1, 2, 0, 8, 0, 0, 0, 2]);
    asked[1] = 3;
    peer.send(&asked).await;
    let alive = EventKind::OpenFlowAlive {
        bridge: "br-int".into(),
    };
    bench.events.until(|kind| *kind == alive).await;
}

#[tokio::test]
async fn a_paused_monitor_is_told() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    peer.send(&replies(OF10)[0]).await;
    bench.events.until(is_snapshot).await;
    for (subtype, paused) in [(22, true), (23, false)] {
        peer.send(&[1, 4, 0, 16, 0, 0, 0, 0, 0, 0, 0x23, 0x20, 0, 0, 0, subtype])
            .await;
        let expected = EventKind::OpenFlowPaused {
            bridge: "br-int".into(),
            paused,
        };
        assert_eq!(bench.events.next().await, expected);
    }
}

#[tokio::test]
async fn a_pause_in_a_standard_reply_splits_it() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(1 << 6).await;
    peer.send(&replies(OF15)[0]).await;
    bench.events.until(is_snapshot).await;
    let mut live = replies(OF15).swap_remove(1);
    live.splice(16..16, [0, 8, 0, 5, 0, 0, 0, 0]);
    live.extend([0, 8, 0, 6, 0, 0, 0, 0]);
    live[3] = u8::try_from(live.len()).unwrap();
    peer.send(&live).await;
    let pause = |paused| EventKind::OpenFlowPaused {
        bridge: "br-int".into(),
        paused,
    };
    assert_eq!(bench.events.next().await, pause(true));
    assert_eq!(changes(&[bench.events.next().await]), [(Change::Added, 2)]);
    assert_eq!(bench.events.next().await, pause(false));
}

/// How soon a switch's return is to be noticed. The quickest of several counts: on a busy machine the others say how long
/// this test had to wait for a processor.
const BACK_WITHIN: u64 = 10_000_000;

#[tokio::test]
async fn a_switch_that_restarts_is_watched_again_from_the_start() {
    let mut bench = Bench::start(&[]);
    let mut listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    peer.send(&replies(OF10)[0]).await;
    let first = bench.events.until(is_snapshot).await;
    let mut waits = Vec::new();
    for _ in 0..5 {
        drop((peer, listener));
        assert_eq!(bench.down().await, "ovs-vswitchd closed the connection");
        // Killed, it leaves its socket behind, which refuses; long enough for the back-off to grow.
        bench
            .events
            .until(|kind| matches!(kind, EventKind::OpenFlowDown { error, .. } if error.contains("refused")))
            .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        listener = bench.listen("br-int");
        let back = clock::now();
        peer = Peer::accept(&listener).await;
        waits.push(clock::now().since(back));
        peer.negotiate(0x7e).await;
        peer.send(&replies(OF10)[0]).await;
        let again = bench.events.until(is_snapshot).await;
        assert_eq!(changes(&again), changes(&first));
    }
    assert!(
        waits.iter().any(|wait| *wait < BACK_WITHIN),
        "found after {waits:?} ns"
    );
}

#[tokio::test]
async fn a_switch_without_a_monitor_is_told_with_a_remedy() {
    let hello_13_only_old = [4, 0, 0, 16, 0, 0, 0, 9, 0, 1, 0, 8, 0, 0, 0, 0b1100];
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.send(&hello_13_only_old).await;
    let seen = bench
        .events
        .until(|kind| matches!(kind, EventKind::Source { .. }))
        .await;
    let Some(EventKind::Source {
        name,
        ok: false,
        detail,
    }) = seen.last()
    else {
        panic!("{seen:?}")
    };
    assert_eq!(name, "openflow br-int");
    assert!(
        detail.contains("ovs-vsctl add bridge br-int protocols OpenFlow10"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_refused_monitor_is_told_until_it_is_given() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(1 << 6).await;
    // OVS 2.17 takes the body for Nicira's: OFPET_FLOW_MONITOR_FAILED (16), OFPMOFC_BAD_FLAGS (4).
    peer.send(&[6, 1, 0, 12, 0, 0, 0, 1, 0, 16, 0, 4]).await;
    let seen = bench
        .events
        .until(|kind| matches!(kind, EventKind::Source { .. }))
        .await;
    let Some(EventKind::Source {
        ok: false, detail, ..
    }) = seen.last()
    else {
        panic!("{seen:?}")
    };
    assert!(
        detail.contains("type 16, code 4") && detail.contains("OVS 3.0"),
        "{detail}"
    );
    drop((peer, listener));
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(1 << 6).await;
    peer.send(&replies(OF15)[0]).await;
    let seen = bench.events.until(is_snapshot).await;
    let well = EventKind::Source {
        name: "openflow br-int".into(),
        ok: true,
        detail: String::new(),
    };
    assert!(seen.contains(&well), "{seen:?}");
}

#[tokio::test]
async fn garbage_ends_the_connection_and_is_told() {
    for garbage in [&b"{\"method\""[..], &[1, 17, 0, 7], &[6, 3, 0, 8, 0, 0, 0, 0]] {
        let mut bench = Bench::start(&[]);
        let listener = bench.listen("br-int");
        let mut peer = Peer::accept(&listener).await;
        peer.send(garbage).await;
        drop(peer);
        let error = bench.down().await;
        assert!(!error.is_empty(), "{garbage:?}");
    }
}

/// Whoever may write to OVSDB must not have root connect to a socket of their own.
#[tokio::test]
async fn a_bridge_whose_name_leads_elsewhere_is_told_and_not_dialled() {
    let elsewhere = tempfile::tempdir().unwrap();
    let socket = elsewhere.path().join("x.mgmt");
    let listener = UnixListener::bind(&socket).unwrap();
    let name = socket.with_extension("").display().to_string();
    let up = format!("../../../../../../../..{name}");
    for name in [name.as_str(), up.as_str(), "..", "br\0x"] {
        let mut bench = Bench::start(&[name]);
        bench.bridges.send_replace(named(&[name]));
        let error = bench.down().await;
        assert!(error.contains("no bridge can be called"), "{error}");
        let dialled = tokio::time::timeout(Duration::from_millis(50), listener.accept());
        assert!(dialled.await.is_err(), "{name} was dialled");
        bench.bridges.send_replace(named(&[]));
        assert_eq!(bench.down().await, "the bridge was deleted");
    }
}

#[tokio::test]
async fn bridges_are_followed_as_they_come_and_go() {
    let mut bench = Bench::start(&["br-int", "br-ex"]);
    let int = bench.listen("br-int");
    let _int = Peer::accept(&int).await;
    let ex = bench.listen("br-ex");
    bench
        .bridges
        .send_replace(named(&["br-int", "br-ex", "br-other"]));
    let mut peer = Peer::accept(&ex).await;
    peer.negotiate(0x7e).await;
    peer.send(&replies(OF10)[0]).await;
    bench.events.until(is_snapshot).await;
    bench.bridges.send_replace(named(&["br-int"]));
    assert_eq!(bench.down().await, "the bridge was deleted");
    assert_eq!(
        peer.0.read(&mut [0]).await.unwrap(),
        0,
        "the connection is closed"
    );

    bench.bridges.send_replace(named(&["br-int", "br-ex"]));
    Peer::accept(&ex).await;
    let Bench { events, source, .. } = bench;
    drop(events);
    source.await.unwrap().unwrap();
}
