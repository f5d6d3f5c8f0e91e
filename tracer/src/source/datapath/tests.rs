//! The source against a kernel that is played from what Linux 6.1 sent: OVS 3.1 with bridge `br-int`, a
//! tunnel and two veths; then `del-port v2`, `add-port v3`, `exit --cleanup`. Fixtures are datagrams, each after
//! its length, in the byte order of the machine they were taken on.
#![cfg(target_endian = "little")]

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tracer_core::event::{Event, EventKind, UpcallTotals};
use tracer_core::id::{DpIfindex, PortNo};

use super::codec::{Body, CONTROL};
use super::table::Table;
use super::*;
use crate::source::{EventReceiver, channel};

const DP: DpIfindex = DpIfindex(2);
const DATAPATH_FAMILY: u16 = 32;
const VPORT_FAMILY: u16 = 33;

fn fixture(name: &str) -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/netlink-6.1/");
    let bytes = std::fs::read(format!("{path}{name}.bin")).unwrap();
    let mut rest = bytes.as_slice();
    let mut datagrams = Vec::new();
    while let Some((length, later)) = rest.split_first_chunk() {
        let (datagram, later) = later.split_at(usize::try_from(u32::from_ne_bytes(*length)).unwrap());
        datagrams.push(datagram.to_vec());
        rest = later;
    }
    datagrams
}

/// Where each message of a datagram begins.
fn starts(datagram: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at < datagram.len() {
        starts.push(at);
        let length = u32::from_ne_bytes(datagram[at..at + 4].try_into().unwrap());
        at += usize::try_from(length).unwrap().next_multiple_of(4);
    }
    starts
}

/// An `NLMSG_ERROR`.
fn refusal(errno: i32) -> Vec<u8> {
    let mut datagram = vec![20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    datagram.extend((-errno).to_ne_bytes());
    datagram
}

/// A notice of `nlctrl` about a family, cut out of the dump of all.
fn family_notice(name: &str, command: u8) -> Vec<u8> {
    for datagram in fixture("families") {
        for at in starts(&datagram) {
            let length =
                usize::try_from(u32::from_ne_bytes(datagram[at..at + 4].try_into().unwrap())).unwrap();
            let mut message = datagram[at..at + length].to_vec();
            if message.len() > 20 && codec::family(&message[20..]).is_ok_and(|family| family.name == name) {
                message[16] = command;
                return message;
            }
        }
    }
    panic!("no family {name}")
}

/// What the kernel is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Families,
    Datapaths,
    Vports,
    Stats,
}

type Answers = Arc<Mutex<Vec<(Asked, Vec<Vec<u8>>)>>>;

/// The source at work on a kernel that answers from the fixtures, unless told otherwise.
struct Bench {
    events: EventReceiver,
    notices: UnixDatagram,
    /// Answers to be given once instead, in order for each question.
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: watch::Sender<bool>,
    source: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Bench {
    fn start(answers: Vec<(Asked, Vec<Vec<u8>>)>) -> Self {
        let (requests, asking) = UnixDatagram::pair().unwrap();
        let (notices, listening) = UnixDatagram::pair().unwrap();
        let own = |socket: UnixDatagram| OwnedFd::from(socket.into_std().unwrap());
        let sockets = Mutex::new(vec![own(listening), own(asking)]);
        let open = move || Socket::pretend(sockets.lock().unwrap().pop().unwrap());
        let answers: Answers = Arc::new(Mutex::new(answers));
        let asked = Arc::default();
        tokio::spawn(kernel(requests, Arc::clone(&answers), Arc::clone(&asked)));
        let (sender, events) = channel(4);
        let (stop, stopped) = watch::channel(false);
        let calls = Mutex::new(0);
        let upcalls = Box::new(move |_| {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            Some(UpcallTotals {
                missed: *calls,
                failed: 0,
            })
        });
        let config = Config {
            upcalls: Some(upcalls),
            stop: Some(stopped),
        };
        let source = tokio::spawn(run_on(open, config, sender));
        Self {
            events,
            notices,
            answers,
            asked,
            stop,
            source,
        }
    }

    async fn next(&mut self) -> EventKind {
        self.events.recv().await.expect("the source runs").kind
    }

    /// The events before the first counters.
    async fn until_counters(&mut self) -> Vec<EventKind> {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                EventKind::DatapathStats { .. } => return seen,
                other => seen.push(other),
            }
        }
    }

    /// The events up to one of the source itself, and what it says.
    async fn until_finding(&mut self) -> (Vec<EventKind>, bool, String) {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                EventKind::Source { name, ok, detail } if name == "datapath" => return (seen, ok, detail),
                EventKind::DatapathStats { .. } => {}
                other => seen.push(other),
            }
        }
    }
}

async fn kernel(requests: UnixDatagram, answers: Answers, log: Arc<Mutex<Vec<Asked>>>) {
    let mut buffer = [0; 64];
    while let Ok(length @ 20..) = requests.recv(&mut buffer).await {
        let half = |at: usize| u16::from_ne_bytes([buffer[at], buffer[at + 1]]);
        assert_eq!(buffer[16], 3, "only GET is asked");
        assert_eq!(usize::from(half(0)), length);
        let (asked, name) = match (half(4), half(6)) {
            (CONTROL, 0x301) => (Asked::Families, "families"),
            (DATAPATH_FAMILY, 0x301) => (Asked::Datapaths, "datapaths"),
            (VPORT_FAMILY, 0x301) => (Asked::Vports, "vports"),
            (DATAPATH_FAMILY, 1) => (Asked::Stats, "datapath"),
            other => panic!("asked {other:?}"),
        };
        log.lock().unwrap().push(asked);
        let other = {
            let mut answers = answers.lock().unwrap();
            answers
                .iter()
                .position(|(question, _)| *question == asked)
                .map(|at| answers.remove(at).1)
        };
        for mut datagram in other.unwrap_or_else(|| fixture(name)) {
            for at in starts(&datagram) {
                datagram[at + 8..at + 12].copy_from_slice(&buffer[8..12]);
            }
            requests.send(&datagram).await.unwrap();
        }
    }
}

fn gone(port_no: u32) -> EventKind {
    EventKind::VportGone {
        dp: DP,
        port_no: PortNo(port_no),
    }
}

/// All families but those of OVS, as one datagram with its end.
fn families_without_ovs() -> Vec<Vec<u8>> {
    vec![
        family_notice("nlctrl", 1),
        vec![20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
}

#[tokio::test]
async fn what_exists_is_told_then_what_changes() {
    let mut bench = Bench::start(vec![]);
    let initial = bench.until_counters().await;
    insta::assert_json_snapshot!("initial", initial);
    for notice in fixture("notices") {
        bench.notices.send(&notice).await.unwrap();
    }
    let mut changes = Vec::new();
    while changes.last() != Some(&EventKind::DatapathGone { dp: DP }) {
        changes.push(bench.next().await);
    }
    insta::assert_json_snapshot!("changes", changes);
}

#[tokio::test(start_paused = true)]
async fn counters_are_read_every_second_and_when_the_capture_ends() {
    let mut bench = Bench::start(vec![]);
    let began = tokio::time::Instant::now();
    bench.until_counters().await;
    for second in 1..4 {
        let EventKind::DatapathStats {
            dp: DP,
            upcalls_before,
            upcalls_after,
            ..
        } = bench.next().await
        else {
            panic!("no counters")
        };
        let missed = |totals: Option<UpcallTotals>| totals.unwrap().missed;
        assert_eq!(
            (missed(upcalls_before), missed(upcalls_after)),
            (second * 2 + 1, second * 2 + 2)
        );
        assert_eq!(began.elapsed().as_secs(), second);
    }
    bench.stop.send_replace(true);
    assert!(matches!(
        bench.next().await,
        EventKind::DatapathStats { dp: DP, .. }
    ));
    assert!(bench.events.recv().await.is_none());
    bench.source.await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), 3, "the end is not waited for");
}

#[tokio::test]
async fn a_module_that_is_absent_is_told_and_found_when_it_comes() {
    let mut bench = Bench::start(vec![(Asked::Families, families_without_ovs())]);
    let (seen, ok, detail) = bench.until_finding().await;
    assert!(
        seen.is_empty() && !ok && detail.contains("modprobe openvswitch"),
        "{detail}"
    );

    bench.notices.send(&family_notice("ovs_vport", 1)).await.unwrap();
    let (seen, ok, _) = bench.until_finding().await;
    assert!(ok, "it is there");
    assert_eq!(seen.len(), 6, "a datapath and five vports: {seen:?}");

    bench
        .answers
        .lock()
        .unwrap()
        .push((Asked::Families, families_without_ovs()));
    bench
        .notices
        .send(&family_notice("ovs_datapath", 2))
        .await
        .unwrap();
    let (seen, ok, _) = bench.until_finding().await;
    assert!(!ok, "it is gone");
    assert_eq!(
        seen,
        [
            gone(0),
            gone(1),
            gone(2),
            gone(3),
            gone(4),
            EventKind::DatapathGone { dp: DP }
        ]
    );
}

#[tokio::test]
async fn families_of_others_do_not_concern_us() {
    let mut bench = Bench::start(vec![]);
    bench.until_counters().await;
    let before = bench.asked.lock().unwrap().len();
    bench.notices.send(&family_notice("ovs_meter", 2)).await.unwrap();
    bench.notices.send(&fixture("notices")[0]).await.unwrap();
    assert_eq!(bench.next().await, gone(3));
    let later = bench.asked.lock().unwrap()[before..].to_vec();
    assert!(!later.contains(&Asked::Families), "{later:?}");
}

#[tokio::test]
async fn a_new_datapath_is_read_whole() {
    let mut notice = fixture("datapath").swap_remove(0);
    notice[16] = 1; // OVS_DP_CMD_NEW
    let none = vec![vec![20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]];
    let mut bench = Bench::start(vec![(Asked::Datapaths, none)]);
    while !bench.asked.lock().unwrap().contains(&Asked::Datapaths) {
        tokio::task::yield_now().await;
    }
    bench.notices.send(&notice).await.unwrap();
    let seen = bench.until_counters().await;
    let names: Vec<_> = seen
        .iter()
        .filter_map(|kind| match kind {
            EventKind::Vport { name, .. } | EventKind::Datapath { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        names,
        ["ovs-system", "ovs-system", "br-int", "genev_sys_6081", "v2", "v1"]
    );
}

#[tokio::test]
async fn an_interrupted_dump_is_made_again() {
    let mut interrupted = fixture("vports");
    for at in starts(&interrupted[0].clone()) {
        interrupted[0][at + 6] |= 0x10;
    }
    let mut bench = Bench::start(vec![(Asked::Vports, interrupted)]);
    assert_eq!(bench.until_counters().await.len(), 6);
    let asked = bench.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|asked| **asked == Asked::Vports).count(), 2);
}

#[tokio::test]
async fn a_datapath_that_vanishes_while_it_is_read_is_no_fault() {
    let mut bench = Bench::start(vec![
        (Asked::Vports, vec![refusal(19)]),
        (Asked::Stats, vec![refusal(19)]),
    ]);
    assert_eq!(bench.until_counters().await.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_a_remedy_and_tried_again() {
    let mut bench = Bench::start(vec![(Asked::Datapaths, vec![refusal(1)])]);
    let (_, ok, detail) = bench.until_finding().await;
    assert!(!ok && detail.contains("run ovsgap as root"), "{detail}");
    let (seen, ok, _) = bench.until_finding().await;
    assert!(ok);
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn lost_notices_are_told_and_what_exists_is_read_anew() {
    let (sender, mut events) = channel(64);
    let (requests, asking) = UnixDatagram::pair().unwrap();
    let (_notices, listening) = UnixDatagram::pair().unwrap();
    tokio::spawn(kernel(requests, Arc::default(), Arc::default()));
    let own = |socket: UnixDatagram| OwnedFd::from(socket.into_std().unwrap());
    let sockets = Mutex::new(vec![own(listening), own(asking)]);
    let kernel = Kernel::open(|| Socket::pretend(sockets.lock().unwrap().pop().unwrap())).unwrap();
    let outbox = Outbox::new(sender);
    let mut source = Source::new(kernel, None, outbox);
    source.recover(clock::now()).await;
    drop(source);
    let mut seen = Vec::new();
    while let Some(event) = events.recv().await {
        seen.push(event.kind);
    }
    let [
        EventKind::Source {
            ok: false, detail, ..
        },
        rows @ ..,
        EventKind::Source { ok: true, .. },
    ] = seen.as_slice()
    else {
        panic!("{seen:?}")
    };
    assert!(detail.contains("ENOBUFS"), "{detail}");
    assert_eq!(rows.len(), 6);
}

#[tokio::test]
async fn a_kernel_that_cannot_be_heard_ends_the_source() {
    let mut bench = Bench::start(vec![]);
    bench.until_counters().await;
    bench.notices.send(&[]).await.unwrap();
    let (_, ok, detail) = bench.until_finding().await;
    assert!(!ok && !detail.is_empty());
    let Bench {
        mut events, source, ..
    } = bench;
    while events.recv().await.is_some() {}
    assert!(source.await.unwrap().is_err());
}

#[tokio::test]
async fn the_source_ends_when_nobody_listens() {
    let mut bench = Bench::start(vec![]);
    bench.until_counters().await;
    let Bench { events, source, .. } = bench;
    drop(events);
    source.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_socket_the_reason_is_told_and_the_end_awaited() {
    let (sender, mut events) = channel(4);
    let (stop, stopped) = watch::channel(false);
    let config = Config {
        upcalls: None,
        stop: Some(stopped),
    };
    let denied = || Err(io::Error::from(io::ErrorKind::PermissionDenied));
    let source = tokio::spawn(run_on(denied, config, sender));
    let Some(Event {
        kind: EventKind::Source {
            ok: false, detail, ..
        },
        ..
    }) = events.recv().await
    else {
        panic!("nothing is told")
    };
    assert!(detail.contains("run ovsgap as root"), "{detail}");
    stop.send_replace(true);
    source.await.unwrap().unwrap();
}

#[test]
fn a_refusal_is_read() {
    let datagram = &fixture("no-datapath")[0];
    let bodies: Vec<_> = codec::messages(datagram)
        .map(|message| message.unwrap().body)
        .collect();
    assert_eq!(bodies, [Body::End(-19)]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for message in codec::messages(&bytes) {
            let _ = message;
        }
        let _ = (codec::family(&bytes), codec::datapath(&bytes), codec::vport(&bytes));
    }

    #[test]
    fn captured_bytes_changed_are_survived(changed: [(u16, u8); 4], which in 0_usize..4) {
        let mut datagrams = fixture(["families", "vports", "datapath", "notices"][which]);
        let mut table = Table::default();
        for datagram in &mut datagrams {
            for (at, value) in changed {
                let at = usize::from(at) % datagram.len();
                datagram[at] = value;
            }
            for message in codec::messages(datagram) {
                if let Ok(codec::Message { body: Body::Generic { command, payload, .. }, .. }) = message {
                    let _ = codec::family(payload);
                    let _ = (table.datapath_notice(command, payload), table.vport_notice(command, payload));
                }
            }
        }
    }
}
