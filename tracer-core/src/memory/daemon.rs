//! The processes of ovs-vswitchd, and which of them serves the datapath.
//!
//! Must not depend on: disruptions. `ovs-vswitchd --detach` execs, forks the daemon and exits; with `--monitor` the
//! parent stays and forks anew after a crash. So an exit counts only when it is the exit of the process
//! that serves, and that is the one seen to command the kernel.

use std::collections::BTreeMap;

use crate::vocabulary::event::Process;
use crate::vocabulary::id::Pid;
use crate::vocabulary::time::Timestamp;

/// The `comm` of the daemon.
pub const VSWITCHD: &str = "ovs-vswitchd";

/// Processes of ovs-vswitchd, living and dead.
#[derive(Clone, Debug, Default)]
pub struct Daemon {
    processes: BTreeMap<Pid, Known>,
    serving: Option<Pid>,
    last_exit: Option<Timestamp>,
    /// Since when commands are seen (again).
    watched: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Known {
    parent: Pid,
    /// When it was forked or became ovs-vswitchd; `None`: before the capture.
    born: Option<Timestamp>,
    alive: bool,
}

impl Daemon {
    /// It was there when the capture began.
    pub fn seen(&mut self, process: &Process) {
        if process.comm == VSWITCHD {
            self.insert(process, None);
            // A monitor is the parent of the one that serves.
            let parents: Vec<Pid> = self.processes.values().map(|known| known.parent).collect();
            self.serving = self.processes.keys().rfind(|pid| !parents.contains(pid)).copied();
        }
    }

    /// It was born by exec or fork.
    pub fn born(&mut self, at: Timestamp, process: &Process) {
        if process.comm == VSWITCHD {
            self.insert(process, Some(at));
        }
    }

    fn insert(&mut self, process: &Process, born: Option<Timestamp>) {
        // An exec in a process already known (the shell wrapper forks, then execs) keeps its first birth.
        let Process { pid, parent, comm: _ } = process;
        self.processes
            .retain(|_, known| known.alive || known.born >= self.last_exit);
        self.processes
            .entry(*pid)
            .and_modify(|known| known.alive = true)
            .or_insert(Known {
                parent: *parent,
                born,
                alive: true,
            });
    }

    /// A process exited; whether it was the one that served.
    pub fn exited(&mut self, at: Timestamp, pid: Pid) -> bool {
        if let Some(known) = self.processes.get_mut(&pid) {
            known.alive = false;
        }
        let served = self.serving == Some(pid);
        if served {
            self.serving = None;
            self.last_exit = Some(at);
        }
        served
    }

    /// A process commands the kernel's datapath. When it is a new ovs-vswitchd: when that was started.
    pub fn commands(&mut self, pid: Pid) -> Option<Timestamp> {
        if self.serving == Some(pid) || !self.processes.get(&pid).is_some_and(|known| known.alive) {
            return None;
        }
        self.serving = Some(pid);
        self.started(pid)
    }

    /// The earliest birth in the line of ancestors since the last exit.
    fn started(&self, pid: Pid) -> Option<Timestamp> {
        let mut earliest = None;
        let mut next = Some(pid);
        // Bounded: a line of ancestors that is longer than the table would be a loop of reused ids.
        for _ in 0..=self.processes.len() {
            let Some(known) = next.and_then(|pid| self.processes.get(&pid)) else {
                break;
            };
            let Some(born) = known
                .born
                .filter(|born| self.last_exit.is_none_or(|exit| *born >= exit))
            else {
                break;
            };
            earliest = Some(born);
            next = Some(known.parent);
        }
        earliest
    }

    /// From now on it is seen who commands the kernel's datapath.
    pub fn watched(&mut self, at: Timestamp) {
        self.watched = Some(at);
    }

    /// Whether a process may be the one that serves, although it was not seen to command anything: nobody else was, it was there
    /// before commands were seen, and it has left the work to no child.
    pub fn may_serve(&self, pid: Pid) -> bool {
        let unseen = |known: &Known| known.alive && known.born.is_some_and(|born| Some(born) < self.watched);
        self.serving.is_none()
            && self.processes.get(&pid).is_some_and(unseen)
            && self.processes.values().all(|known| known.parent != pid)
    }

    /// Whether a process is an ovs-vswitchd that we know.
    pub fn knows(&self, pid: Pid) -> bool {
        self.processes.contains_key(&pid)
    }

    /// The process that serves the datapath.
    pub fn serving(&self) -> Option<Pid> {
        self.serving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32) -> Process {
        Process {
            pid: Pid(pid),
            parent: Pid(parent),
            comm: VSWITCHD.to_owned(),
        }
    }

    #[test]
    fn the_detaching_parent_is_not_the_daemon() {
        let mut daemon = Daemon::default();
        daemon.seen(&process(10, 1));
        assert!(daemon.exited(Timestamp(100), Pid(10)));
        daemon.born(Timestamp(200), &process(20, 5));
        daemon.born(Timestamp(210), &process(21, 20));
        assert_eq!(
            daemon.commands(Pid(21)),
            Some(Timestamp(200)),
            "started at the exec, not at the fork"
        );
        assert!(
            !daemon.exited(Timestamp(250), Pid(20)),
            "the parent leaves once the daemon is up"
        );
        assert!(daemon.exited(Timestamp(300), Pid(21)));
    }

    #[test]
    fn a_monitor_forks_the_next_one() {
        let mut daemon = Daemon::default();
        daemon.seen(&process(10, 1));
        daemon.seen(&process(11, 10));
        assert_eq!(daemon.serving(), Some(Pid(11)));
        assert!(!daemon.exited(Timestamp(5), Pid(99)));
        assert!(daemon.exited(Timestamp(100), Pid(11)));
        daemon.born(Timestamp(120), &process(12, 10));
        assert_eq!(daemon.commands(Pid(12)), Some(Timestamp(120)));
    }

    #[test]
    fn one_that_came_up_unwatched_may_serve_but_no_parent_and_no_latecomer() {
        let mut daemon = Daemon::default();
        daemon.seen(&process(10, 1));
        assert!(daemon.exited(Timestamp(100), Pid(10)));
        daemon.born(Timestamp(120), &process(20, 5));
        daemon.born(Timestamp(130), &process(21, 20));
        assert!(!daemon.may_serve(Pid(21)), "its commands would have been seen");
        daemon.watched(Timestamp(200));
        assert!(daemon.may_serve(Pid(21)));
        assert!(!daemon.may_serve(Pid(20)), "it has left the work to its child");
        daemon.born(Timestamp(210), &process(30, 5));
        assert!(!daemon.may_serve(Pid(30)));
        daemon.commands(Pid(30));
        assert!(!daemon.may_serve(Pid(21)), "another one serves");
    }

    #[test]
    fn a_stranger_that_commands_the_datapath_is_not_the_daemon() {
        let mut daemon = Daemon::default();
        assert_eq!(daemon.commands(Pid(77)), None);
        assert_eq!(daemon.serving(), None);
    }
}
