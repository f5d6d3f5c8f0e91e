//! States of a node that lose packets although no disruption is under way.
//!
//! Must not depend on: Pods.

use crate::memory::disruption::{Disruption, Disruptions};
use crate::vocabulary::count;
use crate::vocabulary::event::Upcalls;
use crate::vocabulary::packet::NOBODY;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::{Cause, Condition};

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
    /// When an upcall was taken last.
    taken: Option<Timestamp>,
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
    pub fn upcalls(&mut self, upcalls: &Upcalls, disruptions: &Disruptions) {
        if upcalls.result == 0 {
            self.taken = self.taken.max(Some(upcalls.last));
        }
        let open = self.deaf.last_mut().filter(|deaf| deaf.until.is_none());
        if NOBODY.contains(&upcalls.result) {
            match (open, is_served(disruptions) && !of_restart(upcalls, disruptions)) {
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

    /// When an upcall was taken last.
    pub fn taken(&self) -> Option<Timestamp> {
        self.taken
    }

    /// Time passed.
    pub fn tick(&mut self, now: Timestamp, disruptions: &Disruptions) {
        if disruptions.flag() != Some(true) {
            if let Some(stuck) = &mut self.stuck {
                stuck.until_ns.get_or_insert(now);
            }
            return;
        }
        let Some(started) = waiting_since(disruptions).filter(|started| now.since(*started) > STUCK) else {
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

/// Whether they were counted in part before the last disruption's flush: what failed then is the disruption's.
fn of_restart(upcalls: &Upcalls, disruptions: &Disruptions) -> bool {
    let flush = disruptions
        .list
        .last()
        .and_then(|disruption| disruption.milestones.flush_ns);
    flush.is_some_and(|flush| upcalls.first < flush)
}

/// Whether upcalls should find a socket: an ovs-vswitchd is there and waits for nothing.
fn is_served(disruptions: &Disruptions) -> bool {
    let waiting = disruptions.list.last().is_some_and(Disruption::is_waiting);
    disruptions.daemon.serving().is_some() && !waiting && disruptions.flag() != Some(true)
}

/// Since when an ovs-vswitchd has been waiting for the flag to go.
fn waiting_since(disruptions: &Disruptions) -> Option<Timestamp> {
    disruptions.daemon.serving()?;
    let disruption = disruptions
        .list
        .last()
        .filter(|disruption| disruption.is_waiting())?;
    disruption
        .milestones
        .vswitchd_start_ns
        .or(disruption.flag_was_set.then_some(disruption.began))
}
