//! Hits of hooks that the kernel passed over, as it counts them itself.
//!
//! May not know: what the hooks tell, aya.
//!
//! The kernel runs no kprobe on a CPU that is inside one (`kprobe_running()` in `arch/x86/kernel/kprobes/ftrace.c`): packets of a softirq
//! that interrupts the handler of a probe on ovs-vswitchd's calls go by unseen. It counts them, and newer kernels tell the count in the fdinfo
//! of the probe's link (`bpf_perf_link_fdinfo_kprobe()` in `kernel/bpf/syscall.c`; Linux 7.2 does, 6.12 does not yet).

use std::collections::BTreeMap;
use std::fs;

use tracer_common::hook::Hook;
use tracer_core::event::EventKind;
use tracer_core::time::{SECOND, Timestamp};

const DIRECTORY: &str = "/proc/self/fdinfo";

/// What passes one of these has passed [`Hook::Execute`] before, in the same softirq.
const AFTER_OTHERS: [Hook; 3] = [Hook::Send, Hook::PacketExtract, Hook::PacketExecute];

/// The counts that were read last.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    /// By link.
    seen: BTreeMap<u64, u64>,
    due: Timestamp,
    /// Whether this kernel tells no counts.
    silent: bool,
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

    /// What was passed over since it was last asked.
    pub(super) fn read(&mut self) -> Vec<EventKind> {
        if self.silent {
            return Vec::new();
        }
        let probes = probes();
        self.silent = probes.is_empty();
        let mut new: BTreeMap<&'static str, u64> = BTreeMap::new();
        for Probe { link, hook, missed } in probes {
            let before = self.seen.insert(link, missed).unwrap_or(0);
            let count = missed.saturating_sub(before);
            if count > 0 {
                *new.entry(hook).or_default() += count;
            }
        }
        new.into_iter()
            .map(|(hook, count)| skipped(hook, count))
            .collect()
    }
}

fn skipped(hook: &str, count: u64) -> EventKind {
    EventKind::HitsSkipped {
        hook: hook.to_owned(),
        count,
    }
}

/// A probe at a function's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    link: u64,
    hook: &'static str,
    missed: u64,
}

/// Those of this process whose counts the kernel tells.
fn probes() -> Vec<Probe> {
    let files = fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    files
        .filter_map(|file| probe(&fs::read_to_string(file.path()).ok()?))
        .collect()
}

/// Reads one descriptor's fdinfo; `None`: it is of something else.
fn probe(text: &str) -> Option<Probe> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.strip_prefix(':').map(str::trim)
    };
    // What is missed at an entry is missed at its return, too.
    let name = value("name").filter(|_| value("event_type") == Some("kprobe"))?;
    let hook = Hook::ALL.iter().find(|hook| hook.name() == name)?;
    (!AFTER_OTHERS.contains(hook)).then_some(Probe {
        link: value("link_id")?.parse().ok()?,
        hook: hook.name(),
        missed: value("missed")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 7.2 tells it.
    const TOLD: &str = "pos:\t0\nflags:\t02000000\nmnt_id:\t19\nino:\t1039\nlink_type:\tperf\nlink_id:\t24\nprog_tag:\t6822e3a93134f2a1\n\
        prog_id:\t32\nname:\tovs_execute_actions\noffset:\t0x0\nmissed:\t7\naddr:\t0xffffffffc042b724\nevent_type:\tkprobe\ncookie:\t0\n";

    #[test]
    fn the_kernel_tells_what_it_passed_over() {
        let expected = Probe {
            link: 24,
            hook: "ovs_execute_actions",
            missed: 7,
        };
        assert_eq!(probe(TOLD), Some(expected));
    }

    #[test]
    fn returns_other_hooks_and_other_descriptors_do_not_count() {
        assert_eq!(probe(&TOLD.replace("\tkprobe", "\tkretprobe")), None);
        assert_eq!(
            probe(&TOLD.replace("ovs_execute_actions", "ovs_vport_send")),
            None
        );
        assert_eq!(probe(&TOLD.replace("ovs_execute_actions", "tcp_connect")), None);
        assert_eq!(probe("pos:\t0\nflags:\t02\n"), None);
        // Before the kernel told them.
        assert_eq!(probe("link_type:\tperf\nlink_id:\t24\nprog_id:\t32\n"), None);
    }
}
