//! The serial console: what on it ends a run, and its last lines for the error.
//!
//! Must not depend on: QEMU, frames. Pure over lines.

use std::collections::VecDeque;

use lab::words::wire;

/// How many lines an error shows.
const TAIL: usize = 100;

/// Texts with which a kernel says that the node is lost. A stall warning of RCU is not one of them: without
/// KVM, on a busy machine, a node stalls and recovers.
const FATAL: &[&str] = &[
    "Kernel panic - not syncing",
    "BUG: soft lockup",
    "BUG: kernel NULL pointer",
    "BUG: unable to handle",
    "general protection fault",
    "invoked oom-killer",
    "Oops: ",
];

/// What a line of the console means for the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Init runs.
    Alive,
    /// Init gave up, with its reason.
    Failed(String),
    /// The kernel is lost, with its message.
    Fatal(String),
    /// Anything else.
    Other,
}

/// Reads one line.
pub fn read(line: &str) -> Line {
    if line.contains(wire::ALIVE) {
        Line::Alive
    } else if let Some((_, reason)) = line.split_once(wire::FAILED) {
        Line::Failed(reason.trim().to_owned())
    } else if FATAL.iter().any(|text| line.contains(text)) {
        Line::Fatal(line.trim().to_owned())
    } else {
        Line::Other
    }
}

/// The last lines of the console.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    /// Takes the next line.
    pub fn push(&mut self, line: String) {
        if self.0.len() == TAIL {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    /// The lines, indented.
    pub fn show(&self) -> String {
        self.0.iter().flat_map(|line| ["  | ", line, "\n"]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(read("ovsgap-lab: alive\r"), Line::Alive);
        assert_eq!(
            read("[ 1.0] ovsgap-lab: failed: no root drive\r"),
            Line::Failed("no root drive".into())
        );
        for text in [
            "[    1.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200",
            "[   48.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [swapper/0:1]",
            "[    3.9] BUG: kernel NULL pointer dereference, address: 0000000000000010",
        ] {
            assert_eq!(read(text), Line::Fatal(text.into()));
        }
        assert_eq!(
            read("[    0.5] openvswitch: Open vSwitch switching datapath"),
            Line::Other
        );
        assert_eq!(
            read("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks"),
            Line::Other
        );
    }

    #[test]
    fn the_tail_keeps_the_last_lines() {
        let mut tail = Tail::default();
        for at in 0..160 {
            tail.push(at.to_string());
        }
        let shown = tail.show();
        assert!(shown.starts_with("  | 60\n") && shown.ends_with("  | 159\n"));
    }
}
