//! The capabilities of this process: all that a command does not need are given up before it starts.
//!
//! Must not depend on: what a command does. Capabilities belong to threads, and new threads have those of the one that made them: to be
//! called while there is one thread.

use std::{fs, io};

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    remove_capability_from_bounding_set, set_capabilities,
};

/// What a command does that may take a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It reads and writes files.
    Files,
    /// It watches this node.
    Node,
    /// It watches this node while it runs somebody's program, which may need what ovsgap does not.
    NodeAndProgram,
}

/// To read recordings, write reports and connect to sockets that are another user's.
const OF_FILES: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER);

/// To load eBPF programs, and to attach them.
const OF_HOOKS: CapabilitySet = CapabilitySet::BPF.union(CapabilitySet::PERFMON);

/// What of this kernel decides which rights hooks take.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    /// It lets only `CAP_SYS_ADMIN` attach a probe.
    paranoid: bool,
    /// It counts maps as locked memory.
    counts_locked: bool,
}

/// Which of the capabilities that this process has the command needs.
fn needed(purpose: Use, has: CapabilitySet, kernel: Kernel) -> CapabilitySet {
    let mut needed = OF_FILES;
    if purpose != Use::Files {
        needed |= OF_HOOKS;
        // Hooks on packets are attached when a restart begins, and those on a module when it is loaded again.
        if kernel.paranoid || !has.contains(OF_HOOKS) {
            needed |= CapabilitySet::SYS_ADMIN;
        }
        if kernel.counts_locked {
            needed |= CapabilitySet::SYS_RESOURCE;
        }
    }
    if purpose == Use::NodeAndProgram {
        // To end it, should it be another user's.
        needed |= CapabilitySet::KILL;
    }
    needed & has
}

/// Gives up all capabilities that are of no use for this.
///
/// A program that is run gets what ovsgap was started with: for its sake they are only put out of force. Where none is run they are
/// given up for good, also for whatever this process might execute.
///
/// # Errors
/// The kernel refuses.
pub fn keep(purpose: Use) -> io::Result<()> {
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let kernel = Kernel {
        paranoid: crate::source::ebpf::is_paranoid(&paranoid),
        counts_locked: crate::source::ebpf::counts_as_locked(),
    };
    let has = capabilities(None)?;
    let keeps = needed(purpose, has.permitted, kernel);
    let sets = match purpose {
        Use::NodeAndProgram => CapabilitySets {
            effective: has.effective & keeps,
            ..has
        },
        Use::Files | Use::Node => {
            bound(has, keeps)?;
            CapabilitySets {
                effective: has.effective & keeps,
                permitted: has.permitted & keeps,
                inheritable: has.inheritable & keeps,
            }
        }
    };
    Ok(set_capabilities(None, sets)?)
}

/// Takes out of the bounding set what is not kept, where this process may (`cap_prctl_drop` in security/commoncap.c).
fn bound(has: CapabilitySets, keeps: CapabilitySet) -> io::Result<()> {
    if !has.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        // Numbers that this kernel does not know are refused.
        if !keeps.contains(one) && capability_is_in_bounding_set(one).unwrap_or(false) {
            remove_capability_from_bounding_set(one)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::*;

    const ALL: CapabilitySet = CapabilitySet::from_bits_retain(!0);
    const USUAL: Kernel = Kernel {
        paranoid: false,
        counts_locked: false,
    };

    #[test]
    fn hooks_take_two_rights_and_the_great_one_only_where_the_kernel_insists() {
        assert_eq!(needed(Use::Files, ALL, USUAL), OF_FILES);
        assert_eq!(needed(Use::Node, ALL, USUAL), OF_FILES | OF_HOOKS);
        let paranoid = Kernel {
            paranoid: true,
            ..USUAL
        };
        let great = CapabilitySet::SYS_ADMIN;
        assert_eq!(needed(Use::Node, ALL, paranoid), OF_FILES | OF_HOOKS | great);
        assert_eq!(needed(Use::Node, great, USUAL), great, "it is all that there is");
        assert_eq!(
            needed(Use::Node, OF_HOOKS, paranoid),
            OF_HOOKS,
            "nothing is gained"
        );
        let old = Kernel {
            counts_locked: true,
            ..USUAL
        };
        let with_memory = OF_FILES | OF_HOOKS | CapabilitySet::SYS_RESOURCE;
        assert_eq!(needed(Use::Node, ALL, old), with_memory);
        assert_eq!(
            needed(Use::NodeAndProgram, ALL, old),
            with_memory | CapabilitySet::KILL
        );
    }

    /// Capabilities as the kernel has them of a thread that gave up what it does not need, and of a program that it then runs: effective,
    /// permitted, bounding.
    fn given_up(purpose: Use) -> [[u64; 3]; 2] {
        let status = move || {
            keep(purpose).unwrap();
            let own = fs::read_to_string("/proc/thread-self/status").unwrap();
            let program = Command::new("cat").arg("/proc/self/status").output().unwrap();
            [own, String::from_utf8(program.stdout).unwrap()]
        };
        thread::spawn(status).join().unwrap().map(|status| {
            ["CapEff:", "CapPrm:", "CapBnd:"].map(|set| {
                let mut lines = status.lines();
                let set = lines.find_map(|line| line.strip_prefix(set)).unwrap();
                u64::from_str_radix(set.trim(), 16).unwrap()
            })
        })
    }

    #[test]
    fn what_is_not_needed_is_given_up_for_good_where_no_program_is_run() {
        let before = capabilities(None).unwrap();
        let keeps = (OF_FILES & before.permitted).bits();
        let [own, program] = given_up(Use::Files);
        assert_eq!(own[..2], [before.effective.bits() & keeps, keeps]);
        if before.effective.contains(CapabilitySet::SETPCAP) {
            assert_eq!(own[2] & !OF_FILES.bits(), 0, "bounding set {:x}", own[2]);
            assert_eq!(program[1] & !OF_FILES.bits(), 0, "a program has {:x}", program[1]);
        }
        assert_eq!(
            capabilities(None).unwrap(),
            before,
            "other threads are as they were"
        );
    }

    #[test]
    fn a_program_that_is_run_has_what_ovsgap_was_started_with() {
        let before = capabilities(None).unwrap();
        let as_it_is = Command::new("cat").arg("/proc/self/status").output().unwrap();
        let as_it_is = String::from_utf8(as_it_is.stdout).unwrap();
        let [own, program] = given_up(Use::NodeAndProgram);
        let beyond = !(OF_FILES
            | OF_HOOKS
            | CapabilitySet::SYS_ADMIN
            | CapabilitySet::SYS_RESOURCE
            | CapabilitySet::KILL)
            .bits();
        assert_eq!(own[0] & beyond, 0, "in force: {:x}", own[0]);
        assert_eq!(own[1], before.permitted.bits());
        let same = |name: &str, set: u64| as_it_is.contains(&format!("{name}\t{set:016x}"));
        assert!(same("CapEff:", program[0]) && same("CapPrm:", program[1]) && same("CapBnd:", program[2]));
    }

    #[test]
    fn what_was_given_up_cannot_be_used() {
        let refused = thread::spawn(|| {
            keep(Use::Node).unwrap();
            rustix::system::sethostname(rustix::system::uname().nodename().to_bytes())
        });
        let refused = refused.join().unwrap();
        let before = capabilities(None).unwrap().effective;
        let paranoid = crate::source::ebpf::is_paranoid(
            &fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default(),
        );
        // Setting the name of the host takes CAP_SYS_ADMIN.
        let kept = paranoid && before.contains(CapabilitySet::SYS_ADMIN);
        assert_eq!(refused.is_ok(), kept, "{refused:?}");
    }
}
