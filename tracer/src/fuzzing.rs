//! Everything that reads bytes from outside, each as a function of bytes: what `cargo xtask fuzz` tries to break.
//!
//! Must not depend on: where the bytes come from. A target panics where an invariant breaks, and returns for all else.
//! Built with the feature `fuzzing` and for tests only; the corpus is in `tracer/fuzz/corpus`, a folder a target.

use std::sync::LazyLock;

use tracer_core::event::{Event, EventKind};
use tracer_core::judge::Judge;
use tracer_core::log::{self, Entry, Header, LogError, Reader};
use tracer_core::report::Report;
use tracer_core::time::Timestamp;

use crate::command::{compare, report};
use crate::sink::{self, Format, Style};
use crate::source::{datapath, ebpf, openflow, ovsdb};
use crate::{budget, comparison};

/// Something that reads bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What `cargo xtask fuzz` and the corpus call it.
    pub name: &'static str,
    /// Reads the bytes.
    pub take: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target_of("log", log),
    target_of("judge", judge),
    target_of("ovsdb", ovsdb::fuzzing::stream),
    target_of("openflow", openflow::fuzzing::stream),
    target_of("oxm", openflow::fuzzing::fields),
    target_of("record", ebpf::fuzzing::record),
    target_of("actions", ebpf::fuzzing::action_list),
    target_of("counters", ebpf::fuzzing::counters),
    target_of("btf", ebpf::fuzzing::types),
    target_of("netlink", datapath::fuzzing::datagram),
    target_of("budget", budget_file),
    target_of("compare", compared),
];

const fn target_of(name: &'static str, take: fn(&[u8])) -> Target {
    Target { name, take }
}

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// A recording, to the report and to one of its formats; each line as it is read means what it means to serde.
fn log(bytes: &[u8]) {
    let Ok(reader) = Reader::new(bytes) else { return };
    let header = reader.header().clone();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').skip(1);
    let entries = reader.zip(lines).map(|(entry, line)| {
        agree(&entry, line);
        entry
    });
    let (report, _) = report::judge_entries(header, entries);
    print(&report, bytes.len());
}

fn agree(entry: &Result<Entry, LogError>, line: &[u8]) {
    match (entry, log::parse(line)) {
        (Ok(entry), Ok(by_serde)) => assert_eq!(*entry, by_serde),
        // A kind by itself may be one deeper.
        (Ok(_), Err(error)) => assert!(error.to_string().contains("recursion limit"), "{error}"),
        (Err(LogError::CutOff { .. }), _) => {}
        (Err(error), by_serde) => assert!(by_serde.is_err(), "{error}"),
    }
}

/// Prints a report in one format, which one by `which`.
fn print(report: &Report, which: usize) {
    let style = Style {
        format: Format::ALL[which % Format::ALL.len()],
        utc: which & 1 == 1,
        explain: which & 2 == 2,
    };
    assert!(
        !sink::render(report, style).is_empty(),
        "a report prints something"
    );
}

/// Of each kind of event so many of the recording are taken for [`judge`].
const OF_A_KIND: usize = 24;

/// Of each message about OpenFlow flows so many changes: an input that repeats it shall not take long.
const CHANGES: usize = 8;

/// Events of a real disruption.
static EVENTS: LazyLock<(Header, Vec<Event>)> = LazyLock::new(|| {
    let mut events: Vec<Event> = Vec::new();
    let Ok(reader) = Reader::new(&include_bytes!("../../demo/restart.jsonl")[..]) else {
        return (Header::default(), events);
    };
    let header = reader.header().clone();
    for mut entry in reader.flatten() {
        if let EventKind::OpenFlowFlows { changes, .. } = &mut entry.event.kind {
            changes.truncate(CHANGES);
        }
        let same =
            |event: &&Event| std::mem::discriminant(&event.kind) == std::mem::discriminant(&entry.event.kind);
        if events.iter().filter(same).count() < OF_A_KIND {
            events.push(entry.event);
        }
    }
    (header, events)
});

/// A real disruption's events left out, repeated, and put in another order and at other times: four bytes are one entry,
/// namely which event (two), by how much its time or number differs, and in which way. Where bytes are left over there is
/// also a report before the end.
fn judge(bytes: &[u8]) {
    let (header, events) = &*EVENTS;
    let mut judge = Judge::new(header.clone());
    let (mut next, mut at) = (0_u64, header.started_ns);
    for &[low, high, much, how] in bytes.as_chunks::<4>().0 {
        let index = usize::from(u16::from_le_bytes([low, high]));
        let Some(event) = events.get(index % events.len().max(1)) else {
            return;
        };
        // One bit in 2^15 ns to 2^46 ns (20 h), or beyond all times there are.
        let shift = u64::from(much) << (15 + u32::from(how >> 3 & 0b111) * 6);
        at = match how & 0b111 {
            0..=3 => event.at,
            4 => at.plus(shift),
            5 => Timestamp(at.0.saturating_sub(shift)),
            6 => Timestamp(shift),
            _ => Timestamp(u64::MAX - shift),
        };
        let seq = match how >> 6 {
            0 | 1 => next,
            2 => next.saturating_add(u64::from(much)),
            _ => shift.wrapping_mul(u64::from(high)),
        };
        next = seq.saturating_add(1);
        let kind = event.kind.clone();
        judge.push(Entry {
            seq,
            event: Event { at, kind },
        });
    }
    let seen = |report: &Report| report.disruptions.len() + report.omitted as usize;
    let so_far = (!bytes.len().is_multiple_of(4)).then(|| judge.report());
    let report = judge.finish(None);
    assert!(
        so_far.is_none_or(|so_far| seen(&so_far) <= seen(&report)),
        "disruptions are not forgotten"
    );
    print(&report, bytes.len() / 4);
}

/// A budget's file.
fn budget_file(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(budget) = budget::parse(text)
    {
        assert!(!budget.is_unlimited(), "a budget limits something");
    }
}

/// What `ovsgap compare` reads, beside itself.
fn compared(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(runs) = compare::document(text, "fuzz")
    {
        let half = runs.len() / 2;
        let comparison = comparison::compare(&runs[..half], &runs[half..]);
        sink::comparison::text(&comparison);
        sink::comparison::json(&comparison);
        sink::runs::text(&runs);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(target);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let read = |entry: fs::DirEntry| {
            (
                entry.path().display().to_string(),
                fs::read(entry.path()).unwrap(),
            )
        };
        files.map(|entry| read(entry.unwrap())).collect()
    }

    #[test]
    fn the_corpus_is_survived_and_so_is_every_beginning_of_it() {
        const CUTS: usize = 16;
        for target in TARGETS {
            let files = corpus(target.name);
            assert!(!files.is_empty(), "{}: its corpus is empty", target.name);
            for (name, bytes) in files {
                eprintln!("{name}");
                for cut in 0..=CUTS {
                    (target.take)(&bytes[..bytes.len() * cut / CUTS]);
                }
            }
        }
    }

    /// A quick look at what `cargo xtask fuzz` looks at for long, without its compiler and always the same: so many inputs each,
    /// made of the corpus by flipping, setting, repeating, removing, and crossing.
    #[test]
    fn what_is_made_of_the_corpus_is_survived() {
        const INPUTS: usize = 2_000;
        // A debug build judges some thousand events in a second.
        const SLOW: [(&str, usize); 2] = [("judge", 256), ("log", 512)];
        for target in TARGETS {
            let files = corpus(target.name);
            let slow = SLOW.iter().find(|(name, _)| *name == target.name);
            let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
            for _ in 0..slow.map_or(INPUTS, |(_, inputs)| *inputs) {
                let (name, bytes) = &files[chance.below(files.len())];
                let (_, other) = &files[chance.below(files.len())];
                let mut bytes = bytes.clone();
                for _ in 0..=chance.below(4) {
                    chance.mutate(&mut bytes, other);
                }
                bytes.truncate(8 << 10);
                let taken = std::panic::catch_unwind(|| (target.take)(&bytes));
                assert!(
                    taken.is_ok(),
                    "{}: broken by what was made of {name}: {bytes:?}",
                    target.name
                );
            }
        }
    }

    /// Marsaglia's xorshift: the same numbers in every run.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 11).unwrap() % bound.max(1)
        }

        fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(64)).min(bytes.len());
            match self.below(5) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                2 => {
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(256)).min(other.len());
                    bytes.splice(at..end, other[from..to].iter().copied());
                }
                way => {
                    const ODD: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
                    let (bit, odd) = (1 << self.below(8), ODD[self.below(ODD.len())]);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = if way == 3 { *byte ^ bit } else { odd };
                    }
                }
            }
        }
    }

    #[test]
    fn every_folder_of_the_corpus_is_a_targets() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let folders: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| name(entry.unwrap()))
            .collect();
        let targets = TARGETS.iter().map(|target| target.name.to_owned()).collect();
        assert_eq!(folders, targets);
    }

    #[test]
    fn the_corpus_of_recordings_reads_to_its_end() {
        let whole = corpus("log")
            .into_iter()
            .filter(|(name, _)| name.contains("restart-"));
        let mut entries = 0;
        for (name, bytes) in whole {
            let (report, flaw) = report::judge(&bytes[..]).unwrap();
            assert!(flaw.is_none_or(|flaw| flaw.contains("end mark")), "{name}");
            entries += report.capture.events;
        }
        assert!(entries > 0);
    }

    #[test]
    fn a_real_disruption_is_among_what_is_judged() {
        let (header, events) = &*EVENTS;
        let report = tracer_core::judge::judge(header.clone(), events.clone());
        assert_eq!(report.disruptions.len(), 1);
    }
}
