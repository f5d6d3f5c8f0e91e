//! A month on a node: a real restart four hundred times, and a hundred thousand Pods that come and go between. What is over is forgotten,
//! and each restart is judged as if it were alone.
//!
//! Must not depend on: how anything is stored. One test: the allocator counts for all threads.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints figures"
)]

#[allow(dead_code, reason = "a month needs some of it")]
mod recorded;

use peak_alloc::PeakAlloc;
use recorded::Recording;
use tracer_core::event::{BridgeRow, Event, EventKind, InterfaceRow, PortRow, Process};
use tracer_core::id::{DpIfindex, OfPort, Pid, PortNo};
use tracer_core::judge::Judge;
use tracer_core::log::Entry;
use tracer_core::report::{DISRUPTIONS, Disruption};
use tracer_core::time::{SECOND, Timestamp};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Four hundred in thirty days.
const RESTARTS: u32 = 400;
const APART: u64 = 30 * 86_400 / 400 * SECOND;
/// Pods that come and go between two restarts.
const JOBS: u16 = 250;
const KIB: usize = 1 << 10;

/// The ovs-vswitchd of the recording before its restart, and the one after it.
const OLD: Pid = Pid(155);
const NEW: Pid = Pid(212);

/// The same in another turn: the one that a turn starts is the one that the next turn ends.
fn pid(pid: &mut Pid, turn: u32) {
    *pid = match *pid {
        OLD => Pid(100_000 + turn),
        NEW => Pid(100_001 + turn),
        Pid(other) => Pid(200_000 + 1000 * turn + other),
    };
}

fn process(process: &mut Process, turn: u32) {
    pid(&mut process.pid, turn);
    if process.parent != Pid(1) {
        pid(&mut process.parent, turn);
    }
}

fn later(event: &Event, turn: u32) -> Event {
    let by = APART * u64::from(turn);
    let mut event = event.clone();
    let shift = |at: &mut Timestamp| *at = at.plus(by);
    shift(&mut event.at);
    match &mut event.kind {
        EventKind::ProcessSeen(one) | EventKind::ProcessExec(one) | EventKind::ProcessFork(one) => {
            process(one, turn);
        }
        EventKind::ProcessExit { process: one, .. } => process(one, turn),
        EventKind::DpChange { tgid, .. }
        | EventKind::VportPortids { tgid, .. }
        | EventKind::FlowFlush { tgid, .. }
        | EventKind::FlowInsert { tgid, .. }
        | EventKind::FlowRemove { tgid, .. } => pid(tgid, turn),
        EventKind::FlowSet { tgid, entered, .. } => {
            pid(tgid, turn);
            shift(entered);
        }
        EventKind::Packets(run) => [&mut run.first, &mut run.last].into_iter().for_each(shift),
        EventKind::Upcalls(upcalls) => [&mut upcalls.first, &mut upcalls.last]
            .into_iter()
            .for_each(shift),
        _ => {}
    }
    event
}

/// A node's judge.
struct Node {
    judge: Judge,
    seq: u64,
    bridge: (String, BridgeRow),
    dp: DpIfindex,
}

impl Node {
    fn new(recording: &Recording) -> Self {
        let found = recording
            .entries
            .iter()
            .find_map(|entry| match &entry.event.kind {
                EventKind::BridgeRow { uuid, row } => Some((uuid.clone(), row.clone()?)),
                _ => None,
            });
        let dp = recording.entries.iter().find_map(|entry| match entry.event.kind {
            EventKind::Datapath { dp, .. } => Some(dp),
            _ => None,
        });
        Self {
            judge: Judge::new(recording.header.clone()),
            seq: 0,
            bridge: found.unwrap(),
            dp: dp.unwrap(),
        }
    }

    fn push(&mut self, event: Event) {
        self.judge.push(Entry { seq: self.seq, event });
        self.seq += 1;
    }

    fn bridge(&mut self, at: Timestamp, jobs: &[String]) {
        let (uuid, mut row) = self.bridge.clone();
        row.ports.extend(jobs.iter().cloned());
        self.push(Event {
            at,
            kind: EventKind::BridgeRow { uuid, row: Some(row) },
        });
    }

    /// Pods that come and go.
    fn jobs(&mut self, at: Timestamp, turn: u32) {
        let names: Vec<String> = (0..JOBS).map(|job| format!("job{turn}-{job}")).collect();
        self.bridge(at, &names);
        for (number, name) in (1000..).zip(&names) {
            self.comes(at, number, name);
        }
        let after = at.plus(30 * SECOND);
        self.bridge(after, &[]);
        for (number, name) in (1000..).zip(&names) {
            let (dp, port_no) = (self.dp, PortNo(number));
            self.push(Event {
                at: after,
                kind: EventKind::VportGone { dp, port_no },
            });
            let uuid = name.clone();
            self.push(Event {
                at: after,
                kind: EventKind::PortRow { uuid, row: None },
            });
            let uuid = name.clone();
            self.push(Event {
                at: after,
                kind: EventKind::InterfaceRow { uuid, row: None },
            });
        }
    }

    fn comes(&mut self, at: Timestamp, number: u32, name: &str) {
        let [.., high, low] = number.to_be_bytes();
        let external_ids = [
            ("pod-name", name.to_owned()),
            ("pod-namespace", "jobs".to_owned()),
            ("ip-address", format!("10.9.{high}.{low}")),
        ];
        let row = PortRow {
            name: name.to_owned(),
            interfaces: vec![name.to_owned()],
            external_ids: external_ids.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        let uuid = name.to_owned();
        self.push(Event {
            at,
            kind: EventKind::PortRow { uuid, row: Some(row) },
        });
        let row = InterfaceRow {
            name: name.to_owned(),
            ofport: Some(OfPort(number)),
            ..InterfaceRow::default()
        };
        let uuid = name.to_owned();
        self.push(Event {
            at,
            kind: EventKind::InterfaceRow { uuid, row: Some(row) },
        });
        let (dp, port_no, name) = (self.dp, PortNo(number), name.to_owned());
        self.push(Event {
            at,
            kind: EventKind::Vport {
                dp,
                port_no,
                name,
                ifindex: None,
                kind: 1,
            },
        });
    }

    /// Nothing happens but the clock.
    fn wait(&mut self, from: Timestamp, seconds: u64) {
        for tick in 1..=2 * seconds {
            self.push(Event {
                at: from.plus(tick * SECOND / 2),
                kind: EventKind::Tick,
            });
        }
    }
}

/// What must be the same of a restart wherever it is in a month: its verdict, and what each Pod lost and for how long.
fn said(disruption: &Disruption) -> String {
    let began = disruption.began_ns;
    let pods = disruption.pods.iter().map(|pod| {
        let exposed = pod.exposed.as_ref();
        let end = exposed
            .and_then(|exposed| exposed.end_ns)
            .map(|end| end.since(began));
        let losses = [&pod.observed.to_pod, &pod.observed.from_pod]
            .map(|loss| loss.as_ref().map(|loss| loss.lost_packets));
        format!(
            "{} {:?} {:?} {end:?} {losses:?}",
            pod.name, pod.verdict, pod.cause
        )
    });
    let pods: Vec<String> = pods.collect();
    format!("{:?} {:?} {pods:#?}", disruption.kind, disruption.verdict)
}

#[test]
fn a_month_is_judged_as_its_restarts_are_and_takes_no_more_memory_than_a_day() {
    let recording = Recording::read("../demo/restart.jsonl");
    let alone = recording.report();
    let alone = said(&alone.disruptions[0]);
    let events: Vec<&Event> = recording.entries.iter().map(|entry| &entry.event).collect();
    let (end, events) = events.split_last().unwrap();
    assert_eq!(end.kind, EventKind::CaptureEnded);
    let mut node = Node::new(&recording);
    let before = HEAP.current_usage();
    let mut held = Vec::new();
    for turn in 0..RESTARTS {
        for event in events {
            node.push(later(event, turn));
        }
        let end = later(end, turn).at;
        node.wait(end, 60);
        let report = node.judge.report();
        assert_eq!(said(report.disruptions.last().unwrap()), alone, "restart {turn}");
        assert!(report.disruptions.len() <= DISRUPTIONS + 1);
        assert_eq!(
            report.disruptions.len() + report.omitted as usize,
            turn as usize + 1
        );
        node.jobs(end.plus(1000 * SECOND), turn);
        node.wait(end.plus(1030 * SECOND), 90);
        if [20, 100, 200, RESTARTS - 1].contains(&turn) {
            held.push((HEAP.current_usage() - before) / KIB);
            let bytes = serde_json::to_string(&report).unwrap().len();
            println!("after {turn} restarts: {held:?} KiB, the report has {bytes} bytes");
            assert!(bytes < 2 << 20, "{bytes} bytes");
        }
    }
    assert!(held[3] < 24 * KIB, "{held:?} KiB");
    assert!(held[3] < held[1] + KIB, "{held:?} KiB");
}
