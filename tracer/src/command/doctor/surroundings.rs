//! What surrounds ovsgap on a node and decides what it can see: namespaces, lockdown, the kind of kernel.
//!
//! Must not depend on: hooks, Open vSwitch. Each check is a pure function of what the kernel says about itself.

use std::fs;
use std::path::Path;

use super::check::{Check, check};
use crate::source::process;

/// The daemon that commands the datapath.
const DAEMON: &str = "ovs-vswitchd";
/// The device that every datapath of `ovs-vswitchd` brings into its network namespace (`dpif_netlink_open` in lib/dpif-netlink.c,
/// named by `open_dpif_backer` in ofproto/ofproto-dpif.c).
const DEVICE: &str = "ovs-system";

/// All of them, as the kernel of this node answers.
pub(super) fn checks() -> Vec<Check> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let system = rustix::system::uname();
    vec![
        pid_namespace(&read("/proc/2/stat")),
        network_namespace(&read("/proc/self/net/dev"), &of_daemons()),
        lockdown(&read("/sys/kernel/security/lockdown")),
        preemption(&read("/sys/kernel/realtime"), &system.version().to_string_lossy()),
        hidden_addresses(&read("/proc/sys/kernel/kptr_restrict")),
    ]
}

/// The network devices (`/proc/PID/net/dev`) that each ovs-vswitchd sees. Anybody may ask for them, and for the namespace itself only
/// who has as many capabilities as that process (`proc_ns_readlink` in fs/proc/namespaces.c).
fn of_daemons() -> Vec<String> {
    let running = process::running(Path::new("/proc")).unwrap_or_default();
    let daemons = running.iter().filter(|process| process.comm == DAEMON);
    daemons
        .filter_map(|process| fs::read_to_string(format!("/proc/{}/net/dev", process.pid.0)).ok())
        .collect()
}

/// Hooks tell processes by their numbers in the first PID namespace. There, and only there, process 2 is the kernel's `kthreadd`.
fn pid_namespace(second: &str) -> Check {
    let first = is_kthreadd(second);
    let detail = if first {
        "the node's own"
    } else {
        "/proc is not that of the node's PID namespace: hooks tell processes by the node's numbers, so ovs-vswitchd would not be \
         recognised; run ovsgap on the node, or in a Pod with `hostPID: true` (a container: `--pid=host`)"
    };
    check("PID namespace", first, detail)
}

/// `2 (kthreadd) S 0 0 0 0 -1 2129984 …`, proc(5): by its name, without a parent, and a thread of the kernel.
fn is_kthreadd(stat: &str) -> bool {
    /// `PF_KTHREAD`, include/linux/sched.h.
    const KTHREAD: u64 = 0x0020_0000;
    let Some((head, rest)) = stat.rsplit_once(") ") else {
        return false;
    };
    let mut fields = rest.split_ascii_whitespace();
    let parent = fields.nth(1);
    let flags = fields.nth(4).and_then(|flags| flags.parse::<u64>().ok());
    head == "2 (kthreadd" && parent == Some("0") && flags.is_some_and(|flags| flags & KTHREAD != 0)
}

/// By the devices that ovsgap sees, and those that each ovs-vswitchd sees.
fn network_namespace(own: &str, daemons: &[String]) -> Check {
    let (ok, detail) = if has_datapath(own) {
        (true, format!("that of the datapath ({DEVICE} is in it)"))
    } else if daemons.iter().any(|devices| has_datapath(devices)) {
        let detail = format!(
            "the datapath of {DAEMON} is in another one ({DEVICE} is there and not here): ports and counters would not be seen; run \
             ovsgap on the node, or in a Pod with `hostNetwork: true` (a container: `--network=host`)"
        );
        (false, detail)
    } else {
        (
            true,
            format!("no datapath in it, nor where {DAEMON} runs ({DEVICE} is not there)"),
        )
    };
    check("network namespace", ok, detail)
}

fn has_datapath(devices: &str) -> bool {
    let mut names = devices.lines().filter_map(|line| line.split_once(':'));
    names.any(|(name, _)| name.trim() == DEVICE)
}

/// `[none] integrity confidentiality`, the mode in force in brackets (security/lockdown/lockdown.c); empty: no such thing.
fn lockdown(modes: &str) -> Check {
    let mode = modes
        .split_ascii_whitespace()
        .find_map(|mode| mode.strip_prefix('[')?.strip_suffix(']'));
    let (ok, detail) = match mode {
        None | Some("none") => (true, "none".to_owned()),
        Some("confidentiality") => (
            false,
            "confidentiality: no program may be put on kernel functions or read kernel memory; boot with lockdown=integrity, or \
             without lockdown"
                .to_owned(),
        ),
        Some(other) => (true, format!("{other}: hooks are allowed")),
    };
    check("lockdown", ok, detail)
}

/// `1` in `/sys/kernel/realtime`, or `PREEMPT_RT` in the kernel's build (`uname -v`; `PREEMPT RT` where it was patched in).
fn preemption(realtime: &str, build: &str) -> Check {
    let named = build.contains("PREEMPT_RT ") || build.contains("PREEMPT RT ");
    let realtime = realtime.trim() == "1" || named;
    let detail = if realtime {
        "real-time (PREEMPT_RT): ovsgap is not tested there. The kernel may interrupt one packet by another, so figures of single packets \
         may be wrong; windows that rest on flows are not concerned"
    } else {
        "not real-time"
    };
    check("preemption", true, detail)
}

/// `/proc/sys/kernel/kptr_restrict`. Hooks are attached by name, which the kernel resolves itself.
fn hidden_addresses(level: &str) -> Check {
    let detail = match level.trim() {
        "" => "not known whether kernel addresses are hidden; ovsgap needs none".to_owned(),
        "0" => "kernel addresses are not hidden; ovsgap needs none".to_owned(),
        level => format!("kernel addresses are hidden (kernel.kptr_restrict is {level}); ovsgap needs none"),
    };
    check("kptr_restrict", true, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KTHREADD: &str = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 12 0 0 20 0 1 0 5 0 0\n";

    #[test]
    fn only_the_nodes_own_pid_namespace_has_kthreadd() {
        assert!(pid_namespace(KTHREADD).ok);
        for other in [
            "",
            "2 (sleep) S 1 1 1 0 -1 4194560 0 0\n",
            // Somebody's process of that name.
            "2 (kthreadd) S 1 1 1 0 -1 4194560 0 0\n",
            "2 (kthreadd) S 0 1 1 0 -1 4194560 0 0\n",
            "2 (kthreadd) S 1 0 0 0 -1 2129984 0 0\n",
            "2 (kthreadd",
        ] {
            let found = pid_namespace(other);
            assert!(!found.ok && found.detail.contains("hostPID"), "{other}");
        }
    }

    const DEVICES: &str = "Inter-|   Receive\n face |bytes    packets\n    lo: 1 2\n";

    #[test]
    fn the_network_namespace_is_the_datapaths_or_that_is_said() {
        let with_device = format!("{DEVICES}ovs-system: 0 0\n");
        let [with, without] = [&with_device, DEVICES].map(str::to_owned);
        for daemons in [vec![], vec![with.clone()], vec![without.clone()]] {
            assert!(network_namespace(&with, &daemons).ok, "{daemons:?}");
        }
        for daemons in [vec![], vec![without.clone()]] {
            let found = network_namespace(&without, &daemons);
            assert!(found.ok && found.detail.contains("no datapath"), "{daemons:?}");
        }
        let elsewhere = network_namespace(&without, &[without.clone(), with]);
        assert!(!elsewhere.ok && elsewhere.detail.contains("hostNetwork"));
    }

    #[test]
    fn lockdown_is_named_where_it_forbids_hooks() {
        let found = lockdown("none integrity [confidentiality]\n");
        assert!(!found.ok && found.detail.contains("lockdown=integrity"));
        assert!(
            lockdown("none [integrity] confidentiality\n")
                .detail
                .contains("integrity")
        );
        assert!(lockdown("[none] integrity confidentiality\n").ok && lockdown("").ok);
    }

    #[test]
    fn a_real_time_kernel_is_named() {
        let is_realtime =
            |realtime: &str, build: &str| preemption(realtime, build).detail.contains("PREEMPT_RT");
        assert!(is_realtime("1\n", "#1 SMP"));
        assert!(is_realtime("", "#1 SMP PREEMPT_RT Debian 6.12.94-1 (2026-06-20)"));
        assert!(is_realtime("", "#1 SMP PREEMPT RT Tue May 21 16:52:24 UTC 2024"));
        assert!(!is_realtime(
            "",
            "#1 SMP PREEMPT_DYNAMIC Debian 6.12.94-1 (2026-06-20)"
        ));
        assert!(!is_realtime("0\n", "#1 SMP PREEMPT"));
    }

    #[test]
    fn hidden_addresses_are_no_hindrance() {
        for (level, said) in [("0\n", "not hidden"), ("2\n", "is 2"), ("", "not known")] {
            let found = hidden_addresses(level);
            assert!(found.ok && found.detail.contains(said), "{}", found.detail);
        }
    }
}
