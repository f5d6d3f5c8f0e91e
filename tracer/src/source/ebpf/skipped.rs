//! Hits of hooks that the kernel passed over, as it counts them itself.
//!
//! Must not depend on: what the hooks tell, aya.
//!
//! The kernel runs no probe where it might meet itself: none on a CPU that is inside one (`kprobe_running()` in `arch/x86/kernel/kprobes/ftrace.c`): packets of a softirq
//! that interrupts the handler of a probe on ovs-vswitchd's calls go by unseen; and no program on a CPU where a map is being read
//! (`bpf_disable_instrumentation()` in `include/linux/bpf.h`, `trace_call_bpf()` in `kernel/trace/bpf_trace.c`). It counts both, and since
//! Linux 6.7 it tells them: of the probe that a link holds to (`bpf_perf_link_fill_kprobe()` in `kernel/bpf/syscall.c`), and in the fdinfo of
//! a program (`bpf_prog_show_fdinfo()` there).

use std::collections::BTreeMap;
use std::fs;

use tracer_common::hook::Hook;
use tracer_core::event::EventKind;
use tracer_core::time::{SECOND, Timestamp};

use super::perf_link::{self, Probe};
use super::release::{self, Version};

const DIRECTORY: &str = "/proc/self/fdinfo";

/// What passes one of these has passed [`Hook::Execute`] before, in the same softirq.
const AFTER_OTHERS: [Hook; 3] = [Hook::Send, Hook::PacketExtract, Hook::PacketExecute];

/// The first kernel that tells.
const TELLS: Version = (6, 7);

/// What the kernel counts at, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counter {
    Link(u32),
    Program(u32),
}

/// The counts that were read last.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    seen: BTreeMap<Counter, u64>,
    due: Timestamp,
    /// That this kernel tells nothing was said.
    untold: bool,
}

impl Skipped {
    /// What was passed over since it was last asked, once a second at most.
    pub(super) fn read_if_due(&mut self, now: Timestamp) -> Vec<EventKind> {
        if now < self.due {
            return Vec::new();
        }
        self.due = now.plus(SECOND);
        self.read()
    }

    /// What was passed over since it was last asked; once, that this kernel does not tell it.
    pub(super) fn read(&mut self) -> Vec<EventKind> {
        if tells(release::running()) {
            let (probes, programs) = read();
            self.counted(&probes, &programs)
        } else if std::mem::replace(&mut self.untold, true) {
            Vec::new()
        } else {
            vec![EventKind::SkipsUntold]
        }
    }

    /// `programs`: what each passed over.
    fn counted(&mut self, probes: &[Probe], programs: &BTreeMap<u32, u64>) -> Vec<EventKind> {
        let mut new: BTreeMap<&'static str, u64> = BTreeMap::new();
        for probe in probes {
            let Some(hook) = told_by(&probe.function) else {
                continue;
            };
            // A probe that is missed at an entry is missed at its return, too, and counted there once more.
            let missed = if probe.at_return { 0 } else { probe.missed };
            let passed = programs.get(&probe.program).copied().unwrap_or_default();
            let count = self.grown(Counter::Link(probe.link), missed)
                + self.grown(Counter::Program(probe.program), passed);
            if count > 0 {
                *new.entry(hook.name()).or_default() += count;
            }
        }
        new.into_iter()
            .map(|(hook, count)| skipped(hook, count))
            .collect()
    }

    fn grown(&mut self, counter: Counter, now: u64) -> u64 {
        now.saturating_sub(self.seen.insert(counter, now).unwrap_or(0))
    }
}

/// Whether a kernel of this version tells what it passed over.
fn tells(version: Option<Version>) -> bool {
    version.is_some_and(|version| version >= TELLS)
}

/// The hook on a function whose misses are packets of their own; the compiler may have appended something to its name.
fn told_by(function: &str) -> Option<&'static Hook> {
    let (name, _) = function.split_once('.').unwrap_or((function, ""));
    let hook = Hook::ALL.iter().find(|hook| hook.name() == name)?;
    (!AFTER_OTHERS.contains(hook)).then_some(hook)
}

fn skipped(hook: &str, count: u64) -> EventKind {
    EventKind::HitsSkipped {
        hook: hook.to_owned(),
        count,
    }
}

/// The probes that links of this process hold to, and how often each of its programs was passed over.
fn read() -> (Vec<Probe>, BTreeMap<u32, u64>) {
    let (mut probes, mut programs) = (Vec::new(), BTreeMap::new());
    for file in fs::read_dir(DIRECTORY).into_iter().flatten().flatten() {
        let Ok(text) = fs::read_to_string(file.path()) else {
            continue;
        };
        programs.extend(program(&text));
        if value(&text, "link_type") == Some("perf") {
            let name = file.file_name();
            let descriptor = name.to_str().and_then(|name| name.parse().ok());
            probes.extend(descriptor.and_then(|descriptor| perf_link::probe(descriptor).ok()?));
        }
    }
    (probes, programs)
}

/// A program's number, and how often it was passed over, from its descriptor's fdinfo; `None`: it is of something else.
fn program(fdinfo: &str) -> Option<(u32, u64)> {
    value(fdinfo, "prog_type")?;
    let number = value(fdinfo, "prog_id")?.parse().ok()?;
    Some((number, value(fdinfo, "recursion_misses")?.parse().ok()?))
}

fn value<'a>(fdinfo: &'a str, key: &str) -> Option<&'a str> {
    let line = fdinfo.lines().find_map(|line| line.strip_prefix(key))?;
    line.strip_prefix(':').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(link: u32, function: &str, missed: u64) -> Probe {
        Probe {
            link,
            program: link + 100,
            at_return: false,
            function: function.to_owned(),
            missed,
        }
    }

    #[test]
    fn what_was_passed_over_since_the_last_time_is_told_by_hook() {
        let (mut skipped, none) = (Skipped::default(), BTreeMap::new());
        let first = [probe(24, "ovs_execute_actions", 7), probe(25, "ovs_dp_upcall", 0)];
        assert_eq!(
            skipped.counted(&first, &none),
            [super::skipped("ovs_execute_actions", 7)]
        );
        assert_eq!(skipped.counted(&first, &none), []);
        let then = [probe(24, "ovs_execute_actions", 9), probe(26, "ovs_dp_upcall", 1)];
        let told = [
            super::skipped("ovs_dp_upcall", 1),
            super::skipped("ovs_execute_actions", 2),
        ];
        assert_eq!(skipped.counted(&then, &none), told);
        let renamed = [probe(30, "ovs_dp_upcall.lto_priv.0", 4)];
        assert_eq!(
            skipped.counted(&renamed, &none),
            [super::skipped("ovs_dp_upcall", 4)]
        );
    }

    #[test]
    fn programs_that_were_passed_over_are_told_and_returns_count_for_them_alone() {
        let mut skipped = Skipped::default();
        let at_return = Probe {
            at_return: true,
            ..probe(2, "ovs_flow_tbl_flush", 5)
        };
        let probes = [probe(1, "ovs_flow_tbl_flush", 1), at_return];
        let programs = BTreeMap::from([(101, 2), (102, 3)]);
        assert_eq!(
            skipped.counted(&probes, &programs),
            [super::skipped("ovs_flow_tbl_flush", 6)]
        );
        assert_eq!(skipped.counted(&probes, &programs), []);
    }

    #[test]
    fn what_passed_another_hook_before_and_what_is_none_of_ours_does_not_count() {
        let mut skipped = Skipped::default();
        let others = [probe(1, "ovs_vport_send", 3), probe(2, "tcp_connect", 4)];
        assert_eq!(skipped.counted(&others, &BTreeMap::from([(101, 4)])), []);
    }

    #[test]
    fn a_programs_fdinfo_tells_what_was_passed_over() {
        // In the form of `bpf_prog_show_fdinfo()`.
        let told = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1057\nprog_type:\t2\nprog_jited:\t1\nprog_tag:\tc1f1d2c7f3a0b5aa\nmemlock:\t4096\n\
            prog_id:\t32\nrun_time_ns:\t0\nrun_cnt:\t0\nrecursion_misses:\t3\nverified_insns:\t100\n";
        assert_eq!(program(told), Some((32, 3)));
        assert_eq!(program("link_type:\tperf\nlink_id:\t24\nprog_id:\t32\n"), None);
        assert_eq!(value("link_type:\tperf\n", "link_type"), Some("perf"));
    }

    #[test]
    fn kernels_tell_since_6_7() {
        assert!(tells(Some((6, 7))) && tells(Some((7, 2))) && tells(Some((10, 0))));
        assert!(!tells(Some((6, 6))) && !tells(Some((5, 10))) && !tells(None));
    }
}
