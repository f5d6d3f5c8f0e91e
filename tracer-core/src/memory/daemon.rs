//! The processes of ovs-vswitchd, and which of them serves the datapath.
//!
//! Must not depend on: disruptions. `ovs-vswitchd --detach` execs, forks the daemon and exits; with `--monitor` the
//! parent stays and forks anew after a crash. So an exit counts only when it is the exit of the process
//! that serves, and that is the one seen to command the kernel.

use std::collections::BTreeMap;

use crate::vocabulary::event::Process;
use crate::vocabulary::id::{DpIfindex, Pid};
use crate::vocabulary::time::Timestamp;

/// The `comm` of the daemon.
pub const VSWITCHD: &str = "ovs-vswitchd";

/// What it means that a process commands a datapath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing new.
    Known,
    /// A new ovs-vswitchd serves; when it was started.
    Started(Timestamp),
    /// Another one serves the same datapath at the same time.
    Contested,
}

/// Processes of ovs-vswitchd, living and dead.
#[derive(Clone, Debug, Default)]
pub struct Daemon {
    processes: BTreeMap<Pid, Known>,
    serving: Option<Pid>,
    /// The parent of the one that ended, which makes the next one.
    monitor: Option<Pid>,
    /// The datapath that it was last seen to command.
    commanded: Option<DpIfindex>,
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
            // A monitor is the parent of the one that serves. Of several (one in another network namespace), the first that
            // commands the datapath is ours.
            let parents: Vec<Pid> = self.processes.values().map(|known| known.parent).collect();
            let mut candidates = self.processes.keys().filter(|pid| !parents.contains(pid));
            self.serving = candidates.next().filter(|_| candidates.next().is_none()).copied();
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
        let was_there = self.processes.get(&pid).is_some_and(|known| known.born.is_none());
        let parent = self
            .processes
            .values()
            .any(|known| known.alive && known.parent == pid);
        // Of several that were there before the capture, none of which was seen to command anything, any may be ours.
        let served = self.serving == Some(pid) || self.serving.is_none() && was_there && !parent;
        if served {
            let parent = self.processes.get(&pid).map(|known| known.parent);
            self.monitor = parent.filter(|parent| parent.0 > 1);
            self.serving = None;
            self.last_exit = Some(at);
        }
        served
    }

    /// A process commands a datapath of the kernel.
    pub fn commands(&mut self, dp: DpIfindex, pid: Pid) -> Taken {
        if !self.processes.get(&pid).is_some_and(|known| known.alive) {
            return Taken::Known;
        }
        // An ovs-vswitchd that only looks for a datapath names none.
        let named = (dp != DpIfindex(0)).then_some(dp);
        if self.serving == Some(pid) {
            self.commanded = named.or(self.commanded);
            return Taken::Known;
        }
        let other = self.serving.and_then(|serving| self.processes.get(&serving));
        let contested = other.is_some_and(|other| other.alive) && !self.is_ancestor(pid);
        let same = named.is_some() && named == self.commanded;
        if contested && !same {
            // It commands another datapath, of another network namespace perhaps.
            return Taken::Known;
        }
        self.serving = Some(pid);
        self.commanded = named.or(self.commanded);
        if contested {
            return Taken::Contested;
        }
        self.started(pid).map_or(Taken::Known, Taken::Started)
    }

    /// Whether the one that serves is an ancestor of a process.
    fn is_ancestor(&self, pid: Pid) -> bool {
        let mut next = self.processes.get(&pid).map(|known| known.parent);
        for _ in 0..=self.processes.len() {
            if next.is_some() && next == self.serving {
                return true;
            }
            next = next
                .and_then(|pid| self.processes.get(&pid))
                .map(|known| known.parent);
        }
        false
    }

    /// Whether any ovs-vswitchd is known.
    pub fn is_known(&self) -> bool {
        !self.processes.is_empty()
    }

    /// Whether the one that ended had a parent that makes the next one (`--monitor`).
    pub fn is_monitored(&self) -> bool {
        self.serving.is_none() && self.monitor.is_some()
    }

    /// Takes a process in that binds upcalls and was not known; whether it is new.
    pub fn adopts(&mut self, at: Timestamp, pid: Pid) -> bool {
        if self.serving.is_some() || self.processes.contains_key(&pid) {
            return false;
        }
        let parent = self.monitor.unwrap_or_default();
        self.processes.insert(
            pid,
            Known {
                parent,
                born: Some(at),
                alive: true,
            },
        );
        true
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

    const DP: DpIfindex = DpIfindex(5);

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
            daemon.commands(DP, Pid(21)),
            Taken::Started(Timestamp(200)),
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
        assert_eq!(daemon.commands(DP, Pid(12)), Taken::Started(Timestamp(120)));
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
        daemon.commands(DP, Pid(30));
        assert!(!daemon.may_serve(Pid(21)), "another one serves");
    }

    #[test]
    fn a_stranger_that_commands_the_datapath_is_not_the_daemon() {
        let mut daemon = Daemon::default();
        assert_eq!(daemon.commands(DP, Pid(77)), Taken::Known);
        assert_eq!(daemon.serving(), None);
    }
}
