//! The OpenFlow source against switches that stop: a process that gets SIGSTOP, or hangs, keeps its sockets open.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tracer_core::event::EventKind;

use switch::{Bench, OF10, Peer, is_snapshot, replies};

mod seen;
mod switch;

#[tokio::test(start_paused = true)]
async fn a_switch_that_says_nothing_is_dropped() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let _peer = Peer::accept(&listener).await;
    let error = bench.down().await;
    assert!(error.contains("hangs"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_is_stopped_is_noticed_after_its_flows_are_known_and_while_they_come() {
    for whole in [true, false] {
        let mut bench = Bench::start(&[]);
        let listener = bench.listen("br-int");
        let mut peer = Peer::accept(&listener).await;
        peer.negotiate(0x7e).await;
        let mut flows = replies(OF10).swap_remove(0);
        if !whole {
            // OFPSF_REPLY_MORE: the last part is still to come.
            flows[11] = 1;
        }
        peer.send(&flows).await;
        bench
            .events
            .until(|kind| matches!(kind, EventKind::OpenFlowFlows { .. }))
            .await;
        let stopped = tokio::time::Instant::now();
        let error = tokio::time::timeout(Duration::from_mins(1), bench.down())
            .await
            .unwrap_or_else(|_| panic!("not noticed; all flows known: {whole}"));
        assert!(error.contains("hangs"), "{error}");
        assert!(
            stopped.elapsed() < Duration::from_secs(30),
            "{:?}",
            stopped.elapsed()
        );
    }
}

/// It asks for signs of life and does not read them: what is written to it ends up nowhere.
#[tokio::test(start_paused = true)]
async fn a_switch_that_reads_nothing_more_is_noticed() {
    let mut bench = Bench::start(&[]);
    let listener = bench.listen("br-int");
    let mut peer = Peer::accept(&listener).await;
    peer.negotiate(0x7e).await;
    peer.send(&replies(OF10)[0]).await;
    bench.events.until(is_snapshot).await;
    // The longest echo that there is, so that the answers soon fill the socket.
    let mut echo = vec![0; 0xfff8];
    echo[..4].copy_from_slice(&[1, 2, 0xff, 0xf8]);
    let asks = async { while peer.0.write_all(&echo).await.is_ok() {} };
    let error = tokio::select! {
        () = asks => bench.down().await,
        error = bench.down() => error,
        () = tokio::time::sleep(Duration::from_mins(1)) => panic!("not noticed"),
    };
    assert!(error.contains("hangs"), "{error}");
}
