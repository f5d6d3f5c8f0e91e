//! States of a node that lose packets although no restart is under way.
//!
//! May not know: Pods.

use crate::count;
use crate::event::Upcalls;
use crate::report::{Cause, Condition};
use crate::restart::{Restart, Restarts};
use crate::time::{SECOND, Timestamp};
use crate::traffic::NOBODY;

/// A start without the flag leaves some ten milliseconds between flush and binding; what lasts this long
/// is a state.
const LASTING: u64 = SECOND;

/// How long after its start an ovs-vswitchd that still waits for the flag to go is worth a word. Antrea's
/// agent polls for 2 s and retries three times (`FlowRestoreComplete`).
const STUCK: u64 = 10 * SECOND;

/// Conditions so far.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    deaf: Vec<Deaf>,
    stuck: Option<Condition>,
}

#[derive(Clone, Debug)]
struct Deaf {
    since: Timestamp,
    last: Timestamp,
    failed: u64,
    until: Option<Timestamp>,
}

impl Deaf {
    fn lasted(&self) -> bool {
        self.last.since(self.since) >= LASTING
    }
}

impl Conditions {
    /// Upcalls were counted.
    pub fn upcalls(&mut self, upcalls: &Upcalls, restarts: &Restarts) {
        let open = self.deaf.last_mut().filter(|deaf| deaf.until.is_none());
        if NOBODY.contains(&upcalls.result) {
            match (open, is_served(restarts) && !of_restart(upcalls, restarts)) {
                (Some(deaf), true) => {
                    deaf.last = deaf.last.max(upcalls.last);
                    count::add(&mut deaf.failed, upcalls.count);
                }
                (Some(deaf), false) => deaf.until = Some(deaf.last),
                (None, true) => {
                    let Upcalls {
                        first: since,
                        last,
                        count: failed,
                        ..
                    } = *upcalls;
                    self.deaf.push(Deaf {
                        since,
                        last,
                        failed,
                        until: None,
                    });
                }
                (None, false) => {}
            }
        } else if let Some(deaf) = open
            && upcalls.result == 0
            && upcalls.last > deaf.last
        {
            deaf.until = Some(upcalls.last);
        }
        // What was over so soon is no state: a node on which it happens all day has nothing to remember.
        self.deaf.pop_if(|deaf| deaf.until.is_some() && !deaf.lasted());
    }

    /// Time passed.
    pub fn tick(&mut self, now: Timestamp, restarts: &Restarts) {
        if restarts.flag() != Some(true) {
            if let Some(stuck) = &mut self.stuck {
                stuck.until_ns.get_or_insert(now);
            }
            return;
        }
        let Some(started) = waiting_since(restarts).filter(|started| now.since(*started) > STUCK) else {
            return;
        };
        if self.stuck.as_ref().is_none_or(|stuck| stuck.until_ns.is_some()) {
            self.stuck = Some(Condition {
                cause: Cause::FlagStuck,
                since_ns: started,
                until_ns: None,
                detail: "flow-restore-wait is set while ovs-vswitchd runs: it takes no upcalls, new traffic is lost; \
                         see why the agent does not remove it (`ovs-vsctl get open_vswitch . other_config`)"
                    .to_owned(),
            });
        }
    }

    /// All that lasted, oldest first.
    pub fn list(&self) -> Vec<Condition> {
        let deaf = self.deaf.iter().filter(|deaf| deaf.lasted()).map(|deaf| Condition {
            cause: Cause::HandlersDown,
            since_ns: deaf.since,
            until_ns: deaf.until,
            detail: format!(
                "{} upcalls found no socket although ovs-vswitchd runs and waits for no flag: it has bound no handler; \
                 look for `n-handler-threads` in its log, and restart it once",
                deaf.failed
            ),
        });
        deaf.chain(self.stuck.clone()).collect()
    }
}

/// Whether they were counted in part before the last restart's flush: what failed then is the restart's.
fn of_restart(upcalls: &Upcalls, restarts: &Restarts) -> bool {
    let flush = restarts
        .list
        .last()
        .and_then(|restart| restart.milestones.flush_ns);
    flush.is_some_and(|flush| upcalls.first < flush)
}

/// Whether upcalls should find a socket: an ovs-vswitchd is there and waits for nothing.
fn is_served(restarts: &Restarts) -> bool {
    let waiting = restarts.list.last().is_some_and(Restart::is_waiting);
    restarts.daemon.serving().is_some() && !waiting && restarts.flag() != Some(true)
}

/// Since when an ovs-vswitchd has been waiting for the flag to go.
fn waiting_since(restarts: &Restarts) -> Option<Timestamp> {
    restarts.daemon.serving()?;
    let restart = restarts.list.last().filter(|restart| restart.is_waiting())?;
    restart
        .milestones
        .vswitchd_start_ns
        .or(restart.flag_was_set.then_some(restart.began))
}
