//! What went wrong with a program or a map, and what the user can do about it.
//!
//! Must not depend on: which hooks there are.

use std::error::Error;
use std::{fs, io};

use aya::EbpfError;
use aya::programs::ProgramError;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::release::{self, Version};

/// How much of the verifier's log is of use to a reader: its end says what it did not like.
const VERIFIER_LINES: usize = 12;

/// The error of loading or attaching the program of `function`.
pub(super) fn of_program(error: &EbpfError, function: &str) -> String {
    if let EbpfError::ProgramError(ProgramError::LoadError {
        io_error,
        verifier_log,
    }) = error
    {
        return match Errno::from_io_error(io_error) {
            Some(Errno::PERM) => format!("the kernel refused the program: {}", permission()),
            _ => format!(
                "the kernel's verifier refused the program ({io_error}); please report this with `uname -r`: {}",
                last_lines(&verifier_log.to_string())
            ),
        };
    }
    match errno(error) {
        Some(Errno::PERM | Errno::ACCESS) => format!("not allowed: {}", permission()),
        Some(Errno::NOENT) => format!(
            "this kernel has no function {function} that can be hooked; see whether /proc/kallsyms lists it"
        ),
        Some(Errno::ADDRNOTAVAIL) => format!("this kernel has several functions called {function}"),
        Some(Errno::OPNOTSUPP | Errno::INVAL) => format!(
            "{}; the kernel has to be built with CONFIG_KPROBES, CONFIG_KPROBE_EVENTS and CONFIG_BPF_EVENTS",
            chain(error)
        ),
        _ => chain(error),
    }
}

/// The error of loading the object: its maps are made then.
pub(super) fn of_object(error: &EbpfError) -> String {
    match errno(error) {
        Some(Errno::PERM | Errno::ACCESS) => {
            format!("eBPF maps cannot be made: {}", permission())
        }
        Some(Errno::NOMEM) => format!(
            "{}; give the process more memory or a higher `ulimit -l` (Linux before 5.11)",
            chain(error)
        ),
        Some(Errno::NOSYS | Errno::INVAL) => {
            format!(
                "{}; Linux 5.8 or later with CONFIG_BPF_SYSCALL is needed",
                chain(error)
            )
        }
        _ => chain(error),
    }
}

/// Whether the kernel has nothing of that name.
pub(super) fn is_absent(error: &EbpfError) -> bool {
    errno(error) == Some(Errno::NOENT)
}

fn errno(error: &EbpfError) -> Option<Errno> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Errno::from_io_error(error);
        }
        next = error.source();
    }
    None
}

/// The error with what caused it, without saying anything twice.
fn chain(error: &EbpfError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(VERIFIER_LINES)..].join(" | ")
}

/// Why the kernel may have said no to this process.
fn permission() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    permission_from(
        &read("/proc/self/status"),
        &read("/sys/kernel/security/lockdown"),
        &read(PARANOID_LEVEL),
        lockable(),
    )
}

/// How much memory, in bytes, programs and maps may take; `None`: they are not counted, or not limited. Before Linux 5.11
/// they count as locked memory (`bpf_map_charge_init`, kernel/bpf/syscall.c), from then on as the memory cgroup's.
fn lockable() -> Option<u64> {
    let limit = getrlimit(Resource::Memlock).current;
    limit.filter(|_| counts_as_locked())
}

/// Whether this kernel counts maps and programs as locked memory.
pub fn counts_as_locked() -> bool {
    counts(release::running())
}

fn counts(version: Option<Version>) -> bool {
    version.is_some_and(|version| version < (5, 11))
}

const SYS_ADMIN: u64 = 21;
/// Which capability is for what; `CAP_SYS_ADMIN` includes both.
const NEEDED: [(u64, &str); 2] = [
    (39, "CAP_BPF (to load programs and maps)"),
    (38, "CAP_PERFMON (to attach them and to read kernel memory)"),
];

/// What is lacking where Debian's and Ubuntu's kernels are as they come: they know a level above Linux's, at which
/// `perf_event_open` is refused to all but `CAP_SYS_ADMIN` (their patch "security,perf: Allow further restriction of
/// `perf_event_open`").
const PARANOID: &str = "CAP_SYS_ADMIN (kernel.perf_event_paranoid is above 2, where this kernel lets nobody else attach a \
                        probe; or `sysctl kernel.perf_event_paranoid=2`)";

/// What this process lacks of the capabilities that hooks need.
pub fn missing_rights() -> Vec<&'static str> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    missing_from(&read("/proc/self/status"), &read(PARANOID_LEVEL))
}

const PARANOID_LEVEL: &str = "/proc/sys/kernel/perf_event_paranoid";

/// Whether `kernel.perf_event_paranoid` is at a level at which probes are `CAP_SYS_ADMIN`'s alone.
pub fn is_paranoid(level: &str) -> bool {
    level.trim().parse::<i32>().is_ok_and(|level| level > 2)
}

fn missing_from(status: &str, paranoid: &str) -> Vec<&'static str> {
    let effective = effective(status);
    let has = |bit: u64| effective >> bit & 1 == 1;
    if has(SYS_ADMIN) {
        return Vec::new();
    }
    let missing = NEEDED.into_iter().filter(|(bit, _)| !has(*bit));
    let forbidden = is_paranoid(paranoid);
    missing
        .map(|(_, name)| name)
        .chain(forbidden.then_some(PARANOID))
        .collect()
}

fn effective(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn permission_from(status: &str, lockdown: &str, paranoid: &str, lockable: Option<u64>) -> String {
    if lockdown.contains("[confidentiality]") {
        return "kernel lockdown is in confidentiality mode, in which no program may read kernel memory; boot with \
                lockdown=integrity or without lockdown"
            .to_owned();
    }
    let missing = missing_from(status, paranoid);
    if !missing.is_empty() {
        return format!(
            "the process lacks {}; run it as root, or in a Pod with these capabilities or `securityContext: {{privileged: true}}`",
            missing.join(" and ")
        );
    }
    if let Some(bytes) = lockable {
        return format!(
            "before Linux 5.11 maps and programs count as locked memory, of which this process may have {} KiB: give it \
             CAP_SYS_RESOURCE, or a higher limit (`ulimit -l unlimited`; of systemd, LimitMEMLOCK=infinity)",
            bytes >> 10
        );
    }
    let held = if effective(status) >> SYS_ADMIN & 1 == 1 {
        "CAP_SYS_ADMIN"
    } else {
        "CAP_BPF and CAP_PERFMON"
    };
    format!(
        "the process has {held}, so a security module or a seccomp filter (of a container) forbids it; run it \
         privileged and unconfined (kernel.perf_event_paranoid is {})",
        paranoid.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lockdown_is_named_first() {
        let told = permission_from(
            "CapEff:\t0000000000000000\n",
            "none integrity [confidentiality]",
            "2",
            Some(65536),
        );
        assert!(told.contains("lockdown"), "{told}");
    }

    #[test]
    fn the_lacking_capabilities_are_named() {
        let told = permission_from(
            "Name:\tx\nCapEff:\t0000004000000000\n",
            "[none] integrity",
            "2",
            Some(65536),
        );
        assert!(
            told.contains("lacks CAP_BPF (to load programs and maps);"),
            "{told}"
        );
    }

    #[test]
    fn the_old_great_capability_includes_the_two_new_ones() {
        assert_eq!(missing_from("CapEff:\t0000000000200000\n", "3\n"), [""; 0]);
        assert_eq!(missing_from("CapEff:\t000000c000000000\n", "2\n"), [""; 0]);
        assert_eq!(missing_from("", "").len(), 2);
    }

    #[test]
    fn debians_level_forbids_what_the_new_capabilities_allow() {
        let told = permission_from("CapEff:\t000000c000000000\n", "", "3\n", None);
        assert!(
            told.contains("lacks CAP_SYS_ADMIN") && told.contains("sysctl kernel.perf_event_paranoid=2"),
            "{told}"
        );
    }

    #[test]
    fn a_container_is_suspected_when_no_capability_is_lacking() {
        let told = permission_from("CapEff:\t000001ffffffffff\n", "", "4\n", None);
        assert!(told.contains("seccomp") && told.contains("is 4"), "{told}");
    }

    #[test]
    fn locked_memory_is_named_where_it_is_limited() {
        let told = permission_from("CapEff:\t000000c000000000\n", "", "2\n", Some(65536));
        assert!(
            told.contains("64 KiB") && told.contains("CAP_SYS_RESOURCE"),
            "{told}"
        );
        assert!(counts(Some((5, 10))) && counts(Some((4, 19))));
        assert!(!counts(Some((5, 11))) && !counts(Some((6, 1))));
        assert!(!counts(None), "a release that names no version");
    }

    #[test]
    fn an_error_tells_its_cause_once() {
        let io_error = io::Error::from_raw_os_error(7);
        let error = EbpfError::from(ProgramError::SyscallError(aya::sys::SyscallError {
            call: "perf_event_open",
            io_error,
        }));
        assert_eq!(
            chain(&error),
            "program error: `perf_event_open` failed: Argument list too long (os error 7)"
        );
    }
}
