//! Recordings of real restarts under the faults that a log can suffer on its way.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use tracer_core::judge::Judge;
use tracer_core::log::{Entry, Header, Reader};
use tracer_core::report::{Report, Verdict};
use tracer_core::time::Timestamp;

/// The recording that ships with the repository: the wrong order of things, 300 ms.
const RESTART: &[u8] = include_bytes!("../../demo/restart.jsonl");

fn read(recording: &[u8]) -> (Header, Vec<Entry>) {
    let mut reader = Reader::new(recording).unwrap();
    let header = reader.header().clone();
    let entries = (&mut reader).map(Result::unwrap).collect();
    (header, entries)
}

fn judge(header: &Header, entries: Vec<Entry>) -> Report {
    let mut judge = Judge::new(header.clone());
    for entry in entries {
        judge.push(entry);
    }
    judge.finish(None)
}

/// What happened to some of the lines.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// So many in a row are gone.
    Drop(usize),
    /// One came twice.
    Duplicate,
    /// One came so many lines later.
    Delay(usize),
    /// Its clock was so many ns ahead when it was stamped.
    Stamp(u64),
}

fn faults() -> impl Strategy<Value = Vec<(prop::sample::Index, Fault)>> {
    let fault = prop_oneof![
        prop_oneof![1_usize..5, 1_usize..1000].prop_map(Fault::Drop),
        Just(Fault::Duplicate),
        (1_usize..1000).prop_map(Fault::Delay),
        (1_u64..400_000_000).prop_map(Fault::Stamp),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), fault), 1..6)
}

fn apply(entries: &mut Vec<Entry>, place: prop::sample::Index, fault: Fault) {
    if entries.is_empty() {
        return;
    }
    let index = place.index(entries.len());
    match fault {
        Fault::Drop(count) => {
            let end = (index + count).min(entries.len());
            drop(entries.drain(index..end));
        }
        Fault::Duplicate => entries.push(entries[index].clone()),
        Fault::Delay(by) => {
            let entry = entries.remove(index);
            entries.insert((index + by).min(entries.len()), entry);
        }
        Fault::Stamp(ahead) => entries[index].event.at = Timestamp(entries[index].event.at.0 + ahead),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever happens to its lines, a restart that failed is never said to have passed.
    #[test]
    fn faults_never_make_a_real_restart_pass(faults in faults()) {
        let (header, mut entries) = read(RESTART);
        for (place, fault) in faults {
            apply(&mut entries, place, fault);
        }
        let found = judge(&header, entries).verdict;
        prop_assert_ne!(found, Verdict::Pass);
    }

    /// Wherever a recording ends, what is said of it does not get better than what it is.
    #[test]
    fn a_recording_that_ends_early_does_not_pass(place in any::<prop::sample::Index>()) {
        let (header, mut entries) = read(RESTART);
        entries.truncate(place.index(entries.len()));
        prop_assert_ne!(judge(&header, entries).verdict, Verdict::Pass);
    }
}

#[test]
fn it_fails_as_it_is() {
    let (header, entries) = read(RESTART);
    assert_eq!(judge(&header, entries).verdict, Verdict::Fail);
}
