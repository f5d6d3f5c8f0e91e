//! Whatever evidence is taken away, what failed or could not be told does not pass; and the report and the gate agree.
//!
//! Must not depend on: how the judge weighs. Runs the same cases every time; `OVSGAP_CASES` says how many of each recording.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod recorded;
mod story;
mod taken;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use recorded::{Recording, judge, verdict};
use story::{Plot, Story};
use taken::{Taking, is_read, renumber, taking};
use tracer_core::event::{Event, EventKind};
use tracer_core::log::{Entry, Header};
use tracer_core::report::Verdict;
use tracer_core::time::{MILLISECOND, SECOND, Timestamp};

/// What a clock that is read late is late by at most.
const LATE: u64 = 100 * MILLISECOND;

/// Cases of each recording, and how many stories: few by default, more where asked for.
fn cases(few: usize) -> usize {
    let asked = std::env::var("OVSGAP_CASES").ok();
    asked.map_or(few, |asked| asked.parse().unwrap())
}

fn recordings() -> Vec<Recording> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings");
    let only = std::env::var("OVSGAP_ONLY").unwrap_or_default();
    let mut paths: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .map(|name| format!("tests/recordings/{name}"))
        .collect();
    paths.push("../demo/restart.jsonl".to_owned());
    paths.sort();
    let whole = paths
        .iter()
        .filter(|path| path.contains(&only))
        .map(|path| Recording::read(path));
    whole.flat_map(|whole| [idle(&whole), whole]).collect()
}

/// The same with Pods that send nothing.
fn idle(recording: &Recording) -> Recording {
    let events = recording.entries.iter().map(|entry| entry.event.clone());
    let events = events.filter(|event| !matches!(event.kind, EventKind::Packets(_)));
    Recording {
        name: format!("{} without packets", recording.name),
        header: recording.header.clone(),
        entries: renumber(events),
    }
}

fn plot() -> impl Strategy<Value = (Plot, bool)> {
    let after = prop_oneof![
        1 => Just(None),
        2 => (-300_i64..0).prop_map(Some),
        2 => (1_i64..2000).prop_map(Some)
    ];
    let straggling = prop_oneof![Just(0_u64), 1_u64..900];
    (1_u16..4, after, 1_u64..50, straggling, any::<[bool; 5]>()).prop_map(
        |(
            pods,
            flows_after_flush,
            revalidation,
            straggling,
            [monitored, traffic, flag, followed, killed],
        )| {
            let plot = Plot {
                pods,
                flows_after_flush,
                revalidation,
                straggling,
                monitored,
                traffic,
                flag,
                followed: followed || traffic,
            };
            (plot, killed)
        },
    )
}

fn told((plot, killed): &(Plot, bool)) -> Recording {
    let mut events = Story::tell(plot);
    for event in &mut events {
        if let EventKind::ProcessExit { signal, .. } = &mut event.kind
            && *killed
        {
            *signal = Some(9);
        }
    }
    Recording {
        name: format!("{plot:?} killed {killed}"),
        header: Header {
            ovsgap_log: 1,
            ..Header::default()
        },
        entries: renumber(events),
    }
}

/// What was found to be wrong, each kind of it once, and how often.
#[derive(Default)]
struct Wrong(BTreeMap<String, (u64, String)>);

impl Wrong {
    fn add(&mut self, kind: String, what: String) {
        self.0.entry(kind).or_insert((0, what)).0 += 1;
    }

    #[track_caller]
    fn none(&self) {
        let lines = self
            .0
            .iter()
            .map(|(kind, (count, what))| format!("{count:5} × {kind}: {what}"));
        assert!(self.0.is_empty(), "\n{}", lines.collect::<Vec<_>>().join("\n"));
    }
}

/// The name of a way without its figures, to tell ways apart.
fn kind(taking: &Taking, what: &str) -> String {
    let letters = what.chars().filter(|letter| !letter.is_ascii_digit());
    match taking {
        Taking::Lost { .. } => what
            .split(" within")
            .next()
            .unwrap_or(what)
            .trim_start_matches(char::is_numeric)
            .to_owned(),
        _ => letters.collect(),
    }
}

/// Takes something from a recording. What it said before: `whole`.
fn take(recording: &Recording, whole: Verdict, taking: &Taking, wrong: &mut Wrong) {
    let (left, what) = taking.from(&recording.entries);
    let label = |found: &str| format!("{} ({found}) {}", recording.name, kind(taking, &what));
    match verdict(&judge(&recording.header, left)) {
        Err(disagreement) => wrong.add(label("disagreement"), format!("{what}: {disagreement}")),
        Ok(Verdict::Pass) if whole > Verdict::Pass => {
            wrong.add(label("pass"), format!("{what}: {whole:?} became pass"));
        }
        Ok(_) => {}
    }
}

#[test]
fn what_is_taken_from_a_recording_makes_no_pass() {
    let mut runner = TestRunner::deterministic();
    let mut wrong = Wrong::default();
    for recording in recordings() {
        let whole = verdict(&recording.report()).unwrap();
        for _ in 0..cases(12) {
            let taking = taking().new_tree(&mut runner).unwrap().current();
            take(&recording, whole, &taking, &mut wrong);
        }
    }
    wrong.none();
}

/// A recorder that was stopped for a while numbers on, and its clock does not tick meanwhile.
#[test]
fn seconds_that_are_gone_without_a_trace_make_no_pass() {
    let mut wrong = Wrong::default();
    for recording in recordings() {
        let whole = verdict(&recording.report()).unwrap();
        let entries = &recording.entries;
        let starts = (0..entries.len()).step_by(10);
        for (start, seconds) in starts.flat_map(|start| [1, 3].map(|seconds| (start, seconds))) {
            let until = entries[start].event.at.plus(seconds * SECOND);
            let gone = |(place, entry): &(usize, &Entry)| *place >= start && entry.event.at < until;
            let arrived = entries.iter().enumerate();
            let left = arrived.filter(|entry| !gone(entry) || entry.1.event.kind == EventKind::CaptureEnded);
            let left = renumber(left.map(|(_, entry)| entry.event.clone()));
            let found = judge(&recording.header, left).verdict;
            if found == Verdict::Pass && whole > Verdict::Pass {
                let what = format!("{whole:?} became pass without {seconds} s from seq {start} on");
                wrong.add(recording.name.clone(), what);
            }
        }
    }
    wrong.none();
}

/// That they are lost takes nothing from what the others say.
#[test]
fn records_of_any_hook_that_did_not_fit_make_no_pass() {
    let mut wrong = Wrong::default();
    for recording in recordings() {
        let whole = verdict(&recording.report()).unwrap();
        for place in (0..recording.entries.len()).step_by(16) {
            let at = recording.entries[place].event.at;
            for hook in [
                "ovs_flow_tbl_insert",
                "ovs_dp_upcall",
                "ovs_packet_cmd_execute",
                "sched_process_exec",
            ] {
                let (hook, count) = (hook.to_owned(), 1);
                let mut events: Vec<_> = recording
                    .entries
                    .iter()
                    .map(|entry| entry.event.clone())
                    .collect();
                let kind = EventKind::RecordsLost {
                    hook: hook.clone(),
                    count,
                    why: None,
                };
                events.insert(place, Event { at, kind });
                let found = judge(&recording.header, renumber(events)).verdict;
                if found == Verdict::Pass && whole > Verdict::Pass {
                    wrong.add(
                        format!("{} {hook}", recording.name),
                        format!("{whole:?} became pass at {at:?}"),
                    );
                }
            }
        }
    }
    wrong.none();
}

#[test]
fn what_is_taken_from_a_story_makes_no_pass() {
    let mut runner = TestRunner::deterministic();
    let mut wrong = Wrong::default();
    for _ in 0..cases(24) {
        let story = told(&plot().new_tree(&mut runner).unwrap().current());
        let whole = verdict(&story.report()).unwrap();
        for _ in 0..4 {
            let taking = taking().new_tree(&mut runner).unwrap().current();
            take(&story, whole, &taking, &mut wrong);
        }
    }
    wrong.none();
}

/// Reads some of the events of the sources that are read earlier or later; those that arrived in order arrive so still.
fn misread(entries: &[Entry], which: &[(Index, i64)], all: bool) -> (Vec<Entry>, String) {
    let mut moved = entries.to_vec();
    let read: Vec<usize> = (0..entries.len())
        .filter(|place| is_read(&entries[*place].event.kind))
        .collect();
    let mut words = Vec::new();
    for (place, by) in which {
        let chosen = read[place.index(read.len())];
        for entry in &mut moved {
            let same = std::mem::discriminant(&entry.event.kind)
                == std::mem::discriminant(&entries[chosen].event.kind);
            if entry.seq == entries[chosen].seq || all && same {
                entry.event.at = Timestamp(entry.event.at.0.saturating_add_signed(*by));
            }
        }
        words.push(format!("seq {chosen} by {by} ns"));
    }
    (moved, format!("{} (all of their kind: {all})", words.join(", ")))
}

#[test]
fn what_is_read_a_little_earlier_or_later_turns_no_fail_into_a_pass() {
    let late = i64::try_from(LATE).unwrap();
    let moves = (
        prop::collection::vec((any::<Index>(), -late..=late), 1..4),
        any::<bool>(),
    );
    let mut runner = TestRunner::deterministic();
    let mut wrong = Wrong::default();
    let mut recordings = recordings();
    for _ in 0..cases(12).min(200) {
        recordings.push(told(&plot().new_tree(&mut runner).unwrap().current()));
    }
    for recording in recordings {
        let whole = verdict(&recording.report()).unwrap();
        for _ in 0..cases(4).min(300) {
            let (which, all) = moves.new_tree(&mut runner).unwrap().current();
            let (left, what) = misread(&recording.entries, &which, all);
            match verdict(&judge(&recording.header, left)) {
                Err(disagreement) => wrong.add(
                    format!("{} disagreement", recording.name),
                    format!("{what}: {disagreement}"),
                ),
                Ok(Verdict::Pass) if whole == Verdict::Fail => wrong.add(recording.name.clone(), what),
                Ok(_) => {}
            }
        }
    }
    wrong.none();
}
