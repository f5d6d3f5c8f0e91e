//! What the judge takes for each event by its kind, for a conclusion with 10, 100 and 500 Pods, and for a line of a recording,
//! read and written.
//!
//! `cargo bench -p tracer --bench engine`. Fails where a conclusion with 500 Pods takes longer than [`FRAME`].
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
use std::time::Duration;

use recorded::{Plot, events, header};
use rustix::time::{ClockId, clock_gettime};
use tracer_core::engine::Engine;
use tracer_core::event::Event;
use tracer_core::judge::Judge;
use tracer_core::log::{Entry, Reader, parse, write_entry};

const RESTART: &[u8] = include_bytes!("../../demo/restart.jsonl");

/// 60 frames a second.
const FRAME: Duration = Duration::from_millis(16);

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
}
