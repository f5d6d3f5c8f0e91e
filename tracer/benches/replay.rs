//! How fast a recording is judged, and how much memory that takes: a real restart, then everyday life until there are
//! so many events; and the same with 10, 100 and 500 Pods.
//!
//! `cargo bench -p tracer --bench replay [-- EVENTS…]`. Fails where memory grows with events, where 500 Pods take more than
//! [`MOST`], or where fewer than [`LEAST`] events are judged in a second of processor time.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints figures"
)]

#[path = "../tests/recorded/mod.rs"]
#[allow(dead_code, reason = "a bench tells one story")]
mod recorded;

use std::io::{BufReader, BufWriter, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use recorded::{Plot, events, header};
use rustix::time::{ClockId, clock_gettime};
use tracer_core::event::{Event, EventKind};
use tracer_core::judge::Judge;
use tracer_core::log::{Header, Reader, write_entry, write_header};
use tracer_core::packet::PacketFate;
use tracer_core::time::SECOND;

const RESTART: &[u8] = include_bytes!("../../demo/restart.jsonl");

/// Events judged in a second, at least.
const LEAST: u64 = 1_000_000;

/// So much memory may the longest recording take beyond the shortest, in KiB: what allocators do not give back.
const GROWTH: u64 = 4096;

/// So much memory may 500 Pods take, in KiB, this program's own included: what a node's agents are given starts at 32 MiB.
const MOST: u64 = 32 << 10;

/// What happens on a node whether it restarts or not.
fn is_everyday(event: &Event) -> bool {
    match &event.kind {
        EventKind::Tick
        | EventKind::Upcalls(_)
        | EventKind::FlowInsert { .. }
        | EventKind::FlowRemove { .. }
        | EventKind::DatapathStats { .. } => true,
        EventKind::Packets(run) => matches!(run.fate, PacketFate::Delivered(_)),
        _ => false,
    }
}

fn later(event: &Event, by: u64) -> Event {
    let mut event = event.clone();
    event.at = event.at.plus(by);
    match &mut event.kind {
        EventKind::Upcalls(upcalls) => {
            (upcalls.first, upcalls.last) = (upcalls.first.plus(by), upcalls.last.plus(by));
        }
        EventKind::Packets(run) => (run.first, run.last) = (run.first.plus(by), run.last.plus(by)),
        _ => {}
    }
    event
}

/// What a recording is made of.
#[derive(Clone, Copy)]
struct Case {
    /// So many made-up Pods; `None`: a real node's recording.
    pods: Option<u16>,
    events: u64,
}

/// The header and the events of a restart.
fn restart(pods: Option<u16>) -> (Header, Vec<Event>) {
    let Some(pods) = pods else {
        let mut reader = Reader::new(RESTART).unwrap();
        let header = reader.header().clone();
        return (header, (&mut reader).map(|entry| entry.unwrap().event).collect());
    };
    let plot = Plot {
        pods,
        ..Plot::default()
    };
    (header(), events(&plot))
}

/// Writes a recording of at least so many events; how many, and how many bytes.
fn write(case: Case, out: impl Write) -> (u64, u64) {
    let (header, mut restart) = restart(case.pods);
    let last = restart
        .iter()
        .position(|event| event.kind == EventKind::CaptureEnded);
    let end = restart.remove(last.unwrap());
    let everyday: Vec<Event> = restart
        .iter()
        .filter(|event| is_everyday(event))
        .cloned()
        .collect();
    let first = everyday.iter().map(|event| event.at).min().unwrap();
    let span = end.at.since(first) + SECOND;
    let mut out = Counted(BufWriter::with_capacity(1 << 20, out), 0);
    write_header(&mut out, &header).unwrap();
    let mut seq = 0;
    let mut put = |event: &Event| {
        write_entry(&mut out, seq, event).unwrap();
        seq += 1;
        seq
    };
    let mut written = restart.iter().map(&mut put).last().unwrap();
    let mut by = span;
    while written < case.events {
        written = everyday
            .iter()
            .map(|event| put(&later(event, by)))
            .last()
            .unwrap();
        by += span;
    }
    put(&later(&end, by));
    out.flush().unwrap();
    (written + 1, out.1)
}

/// Counts what it passes on.
struct Counted<Out>(Out, u64);

impl<Out: Write> Write for Counted<Out> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1 += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// What this process has spent of its processor.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// The most memory this process ever had, in KiB (`VmHWM`).
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Judges the recording on standard input, and prints how many events it has, and the time and memory it took.
fn judge() {
    let began = spent();
    let input = BufReader::with_capacity(1 << 20, std::io::stdin().lock());
    let mut reader = Reader::new(input).unwrap();
    let mut judge = Judge::new(reader.header().clone());
    (&mut reader).for_each(|entry| judge.push(entry.unwrap()));
    let report = judge.finish(None);
    let time = spent().saturating_sub(began);
    assert_eq!(report.disruptions.len(), 1);
    println!("{} {} {}", report.capture.events, time.as_micros(), most_memory());
}

/// Judges a case in a process of its own, whose time and memory are this recording's; events in a second, KiB at most.
fn measure(case: Case) -> (u64, u64) {
    let mut run = Command::new(std::env::current_exe().unwrap())
        .arg("judge")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (written, bytes) = write(case, run.stdin.take().unwrap());
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<u64> = text
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    let [events, micros, most] = figures[..] else {
        panic!("{text}")
    };
    assert_eq!(events, written);
    let rate = events * 1_000_000 / micros;
    let of = case
        .pods
        .map_or_else(|| "a real node".to_owned(), |pods| format!("{pods} Pods"));
    println!(
        "{of:>12}: {events:>9} events, {:>5} MB: {rate:>8} events/s, {:>4} MB/s, at most {most:>6} KiB",
        bytes / 1_000_000,
        bytes / micros,
    );
    (rate, most)
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if arguments == ["judge"] {
        return judge();
    }
    let sizes: Vec<u64> = match arguments.as_slice() {
        [] => vec![100_000, 1_000_000, 10_000_000],
        given => given.iter().map(|size| size.parse().unwrap()).collect(),
    };
    let by_events: Vec<(u64, u64)> = sizes
        .into_iter()
        .map(|events| measure(Case { pods: None, events }))
        .collect();
    let by_pods = [10, 100, 500].map(|pods| {
        measure(Case {
            pods: Some(pods),
            events: 1_000_000,
        })
    });
    // The best of them: what others do on the same machine slows all down, and nothing speeds one up.
    let best = by_events.iter().map(|(rate, _)| *rate).max().unwrap();
    assert!(best >= LEAST, "at most {best} events/s, fewer than {LEAST}");
    let (shortest, longest) = (by_events.first().unwrap().1, by_events.last().unwrap().1);
    assert!(
        longest <= shortest + GROWTH,
        "memory grew from {shortest} to {longest} KiB"
    );
    let (_, most) = by_pods[2];
    assert!(most < MOST, "500 Pods take {most} KiB, more than {MOST}");
}
