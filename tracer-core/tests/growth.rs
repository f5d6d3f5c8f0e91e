//! What the judge holds in memory, and how its work grows, on nodes of the sizes that there are: counted in bytes and as growth, never
//! in seconds.
//!
//! Must not depend on: how it is stored. One test at a time: the allocator counts for all threads.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints figures"
)]

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;
use tracer_core::engine::Engine;
use tracer_core::event::{
    BridgeRow, Change, Event, EventKind, InterfaceRow, OpenFlowChange, OpenFlowMatch, PortRow,
};
use tracer_core::id::{DpIfindex, OfPort, Pid, PortNo};
use tracer_core::judge::Judge;
use tracer_core::log::Entry;
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};
use tracer_core::time::{MILLISECOND, SECOND, Timestamp};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;
const DP: DpIfindex = DpIfindex(5);
const BRIDGE: &str = "br-int";

/// The heap is this test's alone.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The node's bridge with Pods, each with a port, a row and an address.
fn pods(pods: u16) -> Vec<EventKind> {
    let name = "ovs-system".to_owned();
    let row = BridgeRow {
        name: BRIDGE.to_owned(),
        ports: (1..=pods).map(|pod| format!("veth{pod}")).collect(),
        ..BridgeRow::default()
    };
    let uuid = "bridge".to_owned();
    let mut all = vec![EventKind::OvsdbUp, EventKind::Datapath { dp: DP, name }];
    all.push(EventKind::BridgeRow { uuid, row: Some(row) });
    all.extend((1..=pods).flat_map(pod));
    all.push(EventKind::OvsdbSnapshot);
    all
}

fn pod(pod: u16) -> [EventKind; 3] {
    let name = format!("veth{pod}");
    let (port, interface) = (name.clone(), name.clone());
    let external_ids = [
        ("pod-name", format!("web-{pod}")),
        ("pod-namespace", "default".to_owned()),
        ("ip-address", address(pod).to_string()),
    ];
    let row = PortRow {
        name: name.clone(),
        interfaces: vec![name.clone()],
        external_ids: external_ids.map(|(key, value)| (key.to_owned(), value)).into(),
    };
    let interface_row = InterfaceRow {
        name: name.clone(),
        ofport: Some(OfPort(pod.into())),
        ..InterfaceRow::default()
    };
    [
        EventKind::PortRow {
            uuid: port,
            row: Some(row),
        },
        EventKind::InterfaceRow {
            uuid: interface,
            row: Some(interface_row),
        },
        EventKind::Vport {
            dp: DP,
            port_no: PortNo(pod.into()),
            name,
            ifindex: None,
            kind: 1,
        },
    ]
}

fn address(pod: u16) -> IpAddr {
    let [high, low] = pod.to_be_bytes();
    IpAddr::from([10, 1, high, low])
}

/// A flow monitor that reports so many flows, every one of which names one of the Pods, in messages of 500.
fn monitor(flows: u32, pods: u16) -> Vec<EventKind> {
    let bridge = || BRIDGE.to_owned();
    let flow = |number: u32| {
        let pod = u16::try_from(number % u32::from(pods)).unwrap() + 1;
        OpenFlowChange {
            change: Change::Initial,
            table: 44,
            priority: 200,
            cookie: 0,
            matches: OpenFlowMatch {
                ip_dst: Some(address(pod)),
                wire: format!("000006020800000c04000e04{pod:08x}000001d208{number:016x}000012020050"),
                ..OpenFlowMatch::default()
            },
        }
    };
    let messages = (0..flows).step_by(500).map(|first| EventKind::OpenFlowFlows {
        bridge: bridge(),
        changes: (first..flows.min(first + 500)).map(flow).collect(),
    });
    let up = EventKind::OpenFlowUp {
        bridge: bridge(),
        version: 1,
    };
    let told = EventKind::OpenFlowSnapshot { bridge: bridge() };
    std::iter::once(up).chain(messages).chain([told]).collect()
}

fn flush() -> EventKind {
    EventKind::FlowFlush {
        dp: DP,
        tgid: Pid(100),
    }
}

/// Takes events in at a time, at most a nanosecond apart.
fn take(engine: &mut Engine, at: u64, kinds: impl IntoIterator<Item = EventKind>) {
    for (at, kind) in (at..).zip(kinds) {
        engine.step(&Event {
            at: Timestamp(at),
            kind,
        });
    }
}

#[test]
fn two_hundred_thousand_flows_take_forty_megabytes_once() {
    let _alone = alone();
    let before = HEAP.current_usage();
    let held = || HEAP.current_usage() - before;
    let mut engine = Engine::default();
    take(&mut engine, 1, pods(100));
    for kind in monitor(200_000, 100) {
        take(&mut engine, SECOND, [kind]);
    }
    let once = held();
    println!("200 000 flows: {} KiB", once >> 10);
    assert!(once < 40 * MIB, "{once} bytes");
    let copies: Vec<Engine> = (0..25).map(|_| engine.clone()).collect();
    let more = held() - once;
    println!("25 copies: {} KiB more", more >> 10);
    assert!(more < 8 * MIB, "{more} bytes");
    drop(copies);
    HEAP.reset_peak_usage();
    take(&mut engine, 10 * SECOND, [flush()]);
    println!("a disruption begins: {} KiB", held() >> 10);
    take(&mut engine, 11 * SECOND, monitor(200_000, 100));
    let most = HEAP.peak_usage() - before;
    println!("at most, while all are reported again: {} KiB", most >> 10);
    // Those before, those after, and what the disruption remembers.
    assert!(most < 150 * MIB, "{most} bytes");
    take(
        &mut engine,
        30 * SECOND,
        [EventKind::OpenFlowFlows {
            bridge: BRIDGE.to_owned(),
            changes: Vec::new(),
        }],
    );
    println!("half a minute later: {} KiB", held() >> 10);
    assert!(held() < 60 * MIB, "{} bytes", held());
}

/// A judge that is given events in order.
#[derive(Default)]
struct Bench {
    judge: Judge,
    seq: u64,
}

impl Bench {
    fn push(&mut self, at: u64, kind: EventKind) {
        let event = Event {
            at: Timestamp(at),
            kind,
        };
        self.judge.push(Entry { seq: self.seq, event });
        self.seq += 1;
    }

    fn push_all(&mut self, at: u64, kinds: impl IntoIterator<Item = EventKind>) {
        for kind in kinds {
            self.push(at, kind);
        }
    }

    /// Nothing happens, and the clock ticks.
    fn wait(&mut self, from: u64, to: u64) {
        for at in (from..to).step_by(usize::try_from(SECOND / 2).unwrap()) {
            self.push(at, EventKind::Tick);
        }
    }
}

#[test]
fn four_hundred_disruptions_take_no_more_than_forty() {
    let _alone = alone();
    let before = HEAP.current_usage();
    let mut bench = Bench::default();
    bench.push_all(1, pods(250));
    bench.push_all(SECOND, monitor(5000, 250));
    let mut held = Vec::new();
    for turn in 1..=400_u64 {
        let at = 60 * SECOND * turn;
        bench.push(at, flush());
        bench.wait(at + 1, at + 59 * SECOND);
        if [100, 200, 400].contains(&turn) {
            held.push(HEAP.current_usage() - before);
        }
    }
    let report = bench.judge.report();
    assert_eq!(
        report.disruptions.len() + usize::try_from(report.omitted).unwrap(),
        400
    );
    println!("after 100, 200 and 400 disruptions: {held:?} bytes");
    assert!(held[2] < 24 * MIB, "{held:?}");
    assert!(held[2] < held[0] + MIB, "{held:?}");
}

fn refused(at: u64, number: u32) -> EventKind {
    let key = TrafficKey {
        dp: DP,
        in_port: PortNo(1),
        eth_type: 0x800,
        dst: Destination::Ip(IpAddr::from(number.to_be_bytes())),
        proto: 6,
        port: 443,
    };
    EventKind::Packets(Run {
        key,
        fate: PacketFate::UpcallFailed(-11),
        executed: false,
        cpu: 0,
        first: Timestamp(at),
        last: Timestamp(at),
        packets: 1,
        bytes: 60,
        closed: true,
    })
}

#[test]
fn traffic_keys_that_are_long_over_are_forgotten_and_what_they_lost_is_not() {
    let _alone = alone();
    let before = HEAP.current_usage();
    let mut bench = Bench::default();
    bench.push_all(1, pods(3));
    HEAP.reset_peak_usage();
    for number in 0..300_000_u32 {
        let at = SECOND + u64::from(number) * MILLISECOND;
        bench.push(at, refused(at, number));
    }
    let most = HEAP.peak_usage() - before;
    bench.wait(302 * SECOND, 400 * SECOND);
    let held = HEAP.current_usage() - before;
    println!(
        "300 000 keys in five minutes: at most {} KiB, {} KiB when they are over",
        most >> 10,
        held >> 10
    );
    assert!(most < 48 * MIB, "{most} bytes");
    assert!(held < MIB, "{held} bytes");
    let report = bench.judge.report();
    let outside: Vec<&str> = report.coverage.iter().map(|one| one.detail.as_str()).collect();
    assert!(
        outside.iter().any(|detail| detail.starts_with("300000 packets")),
        "{outside:?}"
    );
}
