//! What the judge takes for each event by its kind, for a conclusion with 10, 100 and 500 Pods, and for a line of a recording,
//! read and written; and what a bridge of 200 000 flows costs when its monitor comes back, and a report after 400 disruptions.
//!
//! `cargo bench -p tracer --bench engine`. Fails where a conclusion with 500 Pods takes longer than [`FRAME`], the flows longer than
//! [`AT_ONCE`], or the report longer than [`REPORT`].
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints figures"
)]

#[path = "../tests/recorded/mod.rs"]
#[allow(dead_code, reason = "a bench tells one story")]
mod recorded;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use recorded::{Plot, events, header};
use rustix::time::{ClockId, clock_gettime};
use tracer_core::engine::Engine;
use tracer_core::event::{Change, Event, EventKind, OpenFlowChange, OpenFlowMatch};
use tracer_core::id::{DpIfindex, Pid};
use tracer_core::judge::Judge;
use tracer_core::log::{Entry, Reader, parse, write_entry};
use tracer_core::time::{MILLISECOND, SECOND, Timestamp};

const RESTART: &[u8] = include_bytes!("../../demo/restart.jsonl");

/// 60 frames a second.
const FRAME: Duration = Duration::from_millis(16);

/// Two hundred thousand flows are gone, remembered and reported again in less.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A report over a node that had 400 disruptions takes no longer.
const REPORT: Duration = Duration::from_millis(10);

/// A measurement goes on for so long, and is made so many times: the median is printed, and the least, which others on the
/// same machine have disturbed least.
const LONG: Duration = Duration::from_millis(20);
const TIMES: usize = 15;

/// What this thread has spent of its processor.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Prints what one of the `count` things that `work` does takes; the median. `prepare` is not measured.
fn measure<T>(name: &str, count: usize, prepare: impl Fn() -> T, work: impl Fn(&mut T)) -> Duration {
    let once = || {
        let mut state = prepare();
        let began = spent();
        let mut turns = 0;
        while spent().saturating_sub(began) < LONG {
            work(&mut state);
            turns += 1;
        }
        spent().saturating_sub(began) / turns
    };
    let mut times: Vec<Duration> = (0..TIMES).map(|_| once()).collect();
    times.sort();
    let each = |time: Duration| time / u32::try_from(count).unwrap();
    let (median, least) = (each(times[TIMES / 2]), each(times[0]));
    println!("{name:44} median {median:>10.3?}  least {least:>10.3?}");
    median
}

/// Steps of an engine that has seen a whole restart, kind by kind.
fn steps(all: &[Event]) {
    let mut engine = Engine::default();
    for event in all {
        engine.step(event);
    }
    let mut kinds: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in all {
        let kind = serde_json::to_value(&event.kind).unwrap();
        let name = kind
            .as_str()
            .or_else(|| kind.as_object()?.keys().next().map(String::as_str));
        kinds.entry(name.unwrap().to_owned()).or_default().push(event);
    }
    for (kind, events) in kinds {
        measure(
            &format!("step: {kind}"),
            events.len(),
            || engine.clone(),
            |engine| {
                for event in &events {
                    engine.step(event);
                }
            },
        );
    }
}

fn lines(all: &[Event]) {
    let body = &RESTART[RESTART.iter().position(|byte| *byte == b'\n').unwrap() + 1..];
    let read = |(): &mut ()| {
        for entry in Reader::new(RESTART).unwrap() {
            drop(black_box(entry));
        }
    };
    measure("a line read", all.len(), || (), read);
    let by_serde = |(): &mut ()| {
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            drop(black_box(parse(line).unwrap()));
        }
    };
    measure("a line read, by serde alone", all.len(), || (), by_serde);
    let write = |out: &mut Vec<u8>| {
        out.clear();
        for (seq, event) in (0..).zip(all) {
            write_entry(out, seq, event).unwrap();
        }
    };
    measure("a line written", all.len(), Vec::new, write);
}

/// A conclusion over a restart with so many Pods.
fn conclusion(pods: u16) -> Duration {
    let plot = Plot {
        pods,
        ..Plot::default()
    };
    let mut judge = Judge::new(header());
    for (seq, event) in (0..).zip(events(&plot)) {
        judge.push(Entry { seq, event });
    }
    let work = |judge: &mut Judge| drop(black_box(judge.report()));
    measure(&format!("a conclusion, {pods} Pods"), 1, || judge.clone(), work)
}

/// A message of the flow monitor: flows from `first` on, each of which names one of 250 addresses.
fn message(first: u32, flows: u32) -> EventKind {
    let flow = |number: u32| {
        let [.., last] = (number % 250 + 1).to_be_bytes();
        OpenFlowChange {
            change: Change::Initial,
            table: 44,
            priority: 200,
            cookie: 0,
            matches: OpenFlowMatch {
                ip_dst: Some(IpAddr::from([10, 0, 0, last])),
                wire: format!("000006020800000c04000e040a0000{last:02x}000001d208{number:016x}000012020050"),
                ..OpenFlowMatch::default()
            },
        }
    };
    EventKind::OpenFlowFlows {
        bridge: "br-int".to_owned(),
        changes: (first..first + flows).map(flow).collect(),
    }
}

/// So many flows are reported, go with a disruption, and are reported again: the latter two.
fn crowd(flows: u32) -> Duration {
    let step = |engine: &mut Engine, at: u64, kind: EventKind| {
        let at = Timestamp(at);
        engine.step(&Event { at, kind });
    };
    let plot = Plot {
        pods: 250,
        ..Plot::default()
    };
    let mut engine = Engine::default();
    for event in events(&plot)
        .iter()
        .filter(|event| event.at < Timestamp(900 * MILLISECOND))
    {
        engine.step(event);
    }
    let messages: Vec<EventKind> = (0..flows).step_by(500).map(|first| message(first, 500)).collect();
    for message in &messages {
        step(&mut engine, SECOND, message.clone());
    }
    let began = spent();
    let tgid = Pid(100);
    step(
        &mut engine,
        10 * SECOND,
        EventKind::FlowFlush {
            dp: DpIfindex(5),
            tgid,
        },
    );
    let remembered = spent();
    let bridge = "br-int".to_owned();
    step(
        &mut engine,
        11 * SECOND,
        EventKind::OpenFlowUp { bridge, version: 1 },
    );
    let gone = spent();
    for message in messages {
        step(&mut engine, 11 * SECOND, message);
    }
    let again = spent();
    println!(
        "{flows:>6} flows: a disruption begins {:>9.3?}, the monitor comes on {:>9.3?}, all are reported again {:>9.3?}",
        remembered.saturating_sub(began),
        gone.saturating_sub(remembered),
        again.saturating_sub(gone)
    );
    again.saturating_sub(began)
}

/// A report after so many disruptions with 250 Pods and 5 000 flows.
fn many(disruptions: u64) -> Duration {
    let plot = Plot {
        pods: 250,
        ..Plot::default()
    };
    let mut judge = Judge::new(header());
    let mut seq = 0;
    let mut push = |judge: &mut Judge, at: u64, kind: EventKind| {
        let event = Event {
            at: Timestamp(at),
            kind,
        };
        judge.push(Entry { seq, event });
        seq += 1;
    };
    for event in events(&plot)
        .into_iter()
        .filter(|event| event.at < Timestamp(900 * MILLISECOND))
    {
        push(&mut judge, event.at.0, event.kind);
    }
    for first in (0..5000).step_by(500) {
        push(&mut judge, SECOND, message(first, 500));
    }
    for turn in 1..=disruptions {
        let at = 60 * SECOND * turn;
        let tgid = Pid(100);
        push(
            &mut judge,
            at,
            EventKind::FlowFlush {
                dp: DpIfindex(5),
                tgid,
            },
        );
        for tick in 1..110 {
            push(&mut judge, at + tick * SECOND / 2, EventKind::Tick);
        }
    }
    let work = |judge: &mut Judge| drop(black_box(judge.report()));
    measure(
        &format!("a report after {disruptions} disruptions"),
        1,
        || judge.clone(),
        work,
    )
}

fn main() {
    let all: Vec<Event> = Reader::new(RESTART)
        .unwrap()
        .map(|entry| entry.unwrap().event)
        .collect();
    steps(&all);
    lines(&all);
    let longest = [10, 100, 500].map(conclusion).into_iter().max().unwrap();
    assert!(
        longest < FRAME,
        "a conclusion took {longest:?}, more than {FRAME:?}"
    );
    let [least, most] = [50_000, 200_000].map(crowd);
    assert!(most < AT_ONCE, "200 000 flows took {most:?}");
    assert!(
        most < 8 * least,
        "four times the flows took {most:?} instead of {least:?}"
    );
    let report = many(400);
    assert!(report < REPORT, "a report took {report:?}");
}
