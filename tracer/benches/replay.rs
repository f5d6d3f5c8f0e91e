//! How fast a recording is judged, and how much memory that takes: a real restart, then everyday life until there are
//! so many events.
//!
//! `cargo bench -p tracer --bench replay [-- EVENTS…]`. Fails where memory grows with events, or where fewer than
//! [`LEAST`] events are judged in a second of processor time.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints figures"
)]

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tracer_core::event::{Event, EventKind};
use tracer_core::judge::Judge;
use tracer_core::log::{Reader, write_entry, write_header};
use tracer_core::packet::PacketFate;
use tracer_core::time::SECOND;

const RESTART: &[u8] = include_bytes!("../../demo/restart.jsonl");

/// Events judged in a second, at least.
const LEAST: u64 = 1_000_000;

/// So much memory may the longest recording take beyond the shortest, in KiB: what allocators do not give back.
const GROWTH: u64 = 4096;

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

/// Writes a recording of at least `events` events; how many, and how many bytes.
fn write(path: &Path, events: u64) -> (u64, u64) {
    let mut reader = Reader::new(RESTART).unwrap();
    let header = reader.header().clone();
    let mut restart: Vec<Event> = (&mut reader).map(|entry| entry.unwrap().event).collect();
    let end = restart
        .pop_if(|event| event.kind == EventKind::CaptureEnded)
        .unwrap();
    let everyday: Vec<Event> = restart
        .iter()
        .filter(|event| is_everyday(event))
        .cloned()
        .collect();
    let first = everyday.iter().map(|event| event.at).min().unwrap();
    let span = end.at.since(first) + SECOND;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    write_header(&mut out, &header).unwrap();
    let mut seq = 0;
    let mut put = |event: &Event| {
        write_entry(&mut out, seq, event).unwrap();
        seq += 1;
        seq
    };
    let mut written = restart.iter().map(&mut put).last().unwrap();
    let mut by = span;
    while written < events {
        written = everyday
            .iter()
            .map(|event| put(&later(event, by)))
            .last()
            .unwrap();
        by += span;
    }
    put(&later(&end, by));
    out.flush().unwrap();
    (written + 1, out.get_ref().metadata().unwrap().len())
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

/// Judges a recording in this process, and prints the time and memory it took.
fn judge(path: &Path) {
    let began = spent();
    let mut reader = Reader::new(BufReader::with_capacity(1 << 20, File::open(path).unwrap())).unwrap();
    let mut judge = Judge::new(reader.header().clone());
    (&mut reader).for_each(|entry| judge.push(entry.unwrap()));
    let report = judge.finish(None);
    let time = spent().saturating_sub(began);
    assert_eq!(report.restarts.len(), 1);
    println!("{} {} {}", report.capture.events, time.as_micros(), most_memory());
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if let [flag, path] = arguments.as_slice()
        && flag == "judge"
    {
        return judge(Path::new(path));
    }
    let sizes: Vec<u64> = match arguments.as_slice() {
        [] => vec![100_000, 1_000_000, 4_000_000],
        given => given.iter().map(|size| size.parse().unwrap()).collect(),
    };
    let directory = tempfile::tempdir().unwrap();
    let mut memory = Vec::new();
    for size in sizes {
        let path = directory.path().join("recording.jsonl");
        let (written, bytes) = write(&path, size);
        // A process of its own, whose memory is this recording's.
        let run = Command::new(std::env::current_exe().unwrap())
            .arg("judge")
            .arg(&path)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let text = String::from_utf8(run.stdout).unwrap();
        let figures: Vec<u64> = text
            .split_whitespace()
            .map(|figure| figure.parse().unwrap())
            .collect();
        let [events, micros, most] = figures[..] else {
            panic!("{text}")
        };
        assert_eq!(events, written);
        let rate = events * 1_000_000 / micros;
        println!(
            "{events:>10} events, {:>6} MB: {rate:>9} events/s, {:>6} MB/s, at most {most:>7} KiB",
            bytes / 1_000_000,
            bytes / micros,
        );
        memory.push((rate, most));
    }
    let least = memory.iter().map(|(rate, _)| *rate).max().unwrap();
    assert!(least >= LEAST, "at most {least} events/s, fewer than {LEAST}");
    let (shortest, longest) = (memory.first().unwrap().1, memory.last().unwrap().1);
    assert!(
        longest <= shortest + GROWTH,
        "memory grew from {shortest} to {longest} KiB"
    );
}
