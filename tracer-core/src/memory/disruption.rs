//! Disruptions and their milestones, from the flag, the processes and the kernel.
//!
//! Must not depend on: Pods' fate, packets. Signs of one disruption come in many orders (Antrea: exit, flag,
//! start, flag removed; `ovs-ctl`: flag after exit; a crash: no flag), so a sign opens a new disruption only
//! where the current one can no longer take it.

use std::collections::BTreeSet;

use crate::memory::daemon::{Daemon, Taken};
use crate::memory::latency::Latencies;
use crate::memory::megaflow::Converging;
use crate::memory::openflow::Baseline;
use crate::vocabulary::event::{Portids, Process};
use crate::vocabulary::id::{DpIfindex, Pid};
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::{Kind, Milestones};

/// `exit --cleanup` and the deletion of the last bridge flush the datapath on its way out: an exit or a deletion this soon
/// after a flush by the same process, or of the same datapath, is the same disruption.
const LEAVING: u64 = 5 * SECOND;

/// One disruption, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Disruption {
    /// When its first sign was seen.
    pub began: Timestamp,
    /// The datapath that was flushed.
    pub dp: Option<DpIfindex>,
    /// Milestones, but for those that need Pods.
    pub milestones: Milestones,
    /// The signal that ended ovs-vswitchd (0: it left by itself), where it could be read.
    pub signal: Option<i32>,
    /// The flag was set when the capture began, so when it was set is not known.
    pub flag_was_set: bool,
    /// The datapath was emptied before it went, or before ovs-vswitchd left (a bridge deleted, `exit --cleanup`).
    pub emptied: Option<Timestamp>,
    /// The module was unloaded, or loaded again.
    pub module_gone: Option<Timestamp>,
    /// Since when there was no datapath, and when there was one again.
    pub without_datapath: Option<(Timestamp, Option<Timestamp>)>,
    /// Endpoints whose flows were removed while ovs-vswitchd kept running.
    pub cut: BTreeSet<String>,
    /// Endpoints whose ports went while ovs-vswitchd kept running.
    pub unplugged: BTreeSet<String>,
    /// Two instances of ovs-vswitchd command the datapath.
    pub taken_over: bool,
    /// When the second one last did.
    pub contested: Timestamp,
    /// The process that flushed.
    flusher: Option<Pid>,
    /// Portids were given and none of them is bound.
    pub bound_nobody: bool,
    /// Megaflows since the flush.
    pub converging: Converging,
    /// OpenFlow flows before the disruption.
    pub baseline: Baseline,
    /// How long upcalls waited since it began.
    pub latencies: Latencies,
}

impl Disruption {
    /// Whether the datapath still waits for the flush of the ovs-vswitchd that comes.
    pub fn is_waiting(&self) -> bool {
        let seen = &self.milestones;
        let flagged = (seen.flag_set_ns.is_some() || self.flag_was_set) && seen.flag_removed_ns.is_none();
        let emptied = self.emptied.is_some() && self.emptied == seen.flush_ns;
        seen.flush_ns.is_none() || emptied && (seen.vswitchd_start_ns.is_none() || flagged)
    }

    /// From when on nothing was forwarded whatever a flush did: ovs-vswitchd had emptied the datapath before it left, or the
    /// datapath went with its module.
    pub fn dark(&self) -> Option<Timestamp> {
        let gone = self.module_gone.map(|unloaded| {
            self.without_datapath
                .map_or(unloaded, |(gone, _)| gone.min(unloaded))
        });
        self.emptied.into_iter().chain(gone).min()
    }

    /// Whether it is over only once the datapath has been flushed.
    pub fn needs_flush(&self) -> bool {
        !matches!(
            self.kind(),
            Kind::FlowsRemoved | Kind::PortsRemoved | Kind::HandlersStuck | Kind::DatapathTakenOver
        )
    }

    /// Whether it needs a flush that has not come.
    pub fn is_unfinished(&self) -> bool {
        self.needs_flush() && self.is_waiting()
    }

    /// From when on traffic may have been lost that megaflows forwarded before. `None`: nothing was taken from them.
    pub fn risk(&self) -> Option<Timestamp> {
        let removed = self
            .milestones
            .flows_removed_ns
            .filter(|_| self.kind() == Kind::FlowsRemoved);
        let unplugged = (!self.unplugged.is_empty()).then_some(self.began);
        let taken = self.taken_over.then_some(self.began);
        let flush = self.milestones.flush_ns;
        [self.dark(), flush, removed, unplugged, taken]
            .into_iter()
            .flatten()
            .min()
    }

    /// What began it, and how it went.
    pub fn kind(&self) -> Kind {
        let Milestones {
            vswitchd_exit_ns,
            vswitchd_start_ns,
            flag_set_ns,
            flag_removed_ns,
            ..
        } = &self.milestones;
        if self.module_gone.is_some() {
            return Kind::ModuleReload;
        }
        if self.taken_over {
            return Kind::DatapathTakenOver;
        }
        match (vswitchd_exit_ns, self.signal) {
            (Some(_), Some(0)) => Kind::Graceful,
            (Some(_), Some(_)) => Kind::Killed,
            (Some(_), None) => Kind::Restarted,
            (None, _) if vswitchd_start_ns.is_some() => Kind::Restarted,
            (None, _) if flag_set_ns.or(*flag_removed_ns).is_some() || self.flag_was_set => Kind::FlagOnly,
            (None, _) if self.milestones.flush_ns.is_some() => Kind::FlushOnly,
            (None, _) if !self.cut.is_empty() => Kind::FlowsRemoved,
            (None, _) if !self.unplugged.is_empty() => Kind::PortsRemoved,
            (None, _) => Kind::FlushOnly,
        }
    }
}

/// What a sign did to the list of disruptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A new disruption began with it.
    Began,
    /// The datapath was flushed (in the current disruption, perhaps a new one).
    Flushed,
    /// Nothing that others must act on.
    None,
}

/// All disruptions and what tells them apart.
#[derive(Clone, Debug, Default)]
pub struct Disruptions {
    /// Oldest first.
    pub list: Vec<Disruption>,
    /// Processes of ovs-vswitchd.
    pub daemon: Daemon,
    /// flow-restore-wait as OVSDB last said; `None`: not yet heard.
    flag: Option<bool>,
}

impl Disruptions {
    /// The disruption that is under way or was the last.
    pub fn current(&mut self) -> Option<&mut Disruption> {
        self.list.last_mut()
    }

    /// flow-restore-wait, as OVSDB last said.
    pub fn flag(&self) -> Option<bool> {
        self.flag
    }

    /// OVSDB says what flow-restore-wait is.
    pub fn flag_is(&mut self, at: Timestamp, value: bool) -> Effect {
        let before = self.flag.replace(value);
        match (before, value) {
            (Some(false), true) => {
                let (disruption, effect) = self.take(at, |now| {
                    now.flag_set_ns.is_none() && now.flag_removed_ns.is_none()
                });
                disruption.milestones.flag_set_ns = Some(at);
                effect
            }
            (None, true) => {
                let (disruption, effect) = self.take(at, |now| now.flag_set_ns.is_none());
                disruption.flag_was_set = true;
                effect
            }
            (Some(true), false) => self.flag_removed(at),
            (Some(false) | None, false) | (Some(true), true) => Effect::None,
        }
    }

    fn flag_removed(&mut self, at: Timestamp) -> Effect {
        let (disruption, effect) = self.latest(at);
        disruption.milestones.flag_removed_ns.get_or_insert(at);
        effect
    }

    /// A process of OVS ended.
    pub fn exited(&mut self, at: Timestamp, process: &Process, signal: Option<i32>) -> Effect {
        if self.daemon.may_serve(process.pid) {
            // It came up while openvswitch was not watched, and has had nothing to command since.
            self.commands(at, DpIfindex(0), process.pid);
        }
        if !self.daemon.exited(at, process.pid) {
            return Effect::None;
        }
        let leaving = self.list.last().is_some_and(|now| {
            now.flusher == Some(process.pid)
                && now.milestones.vswitchd_exit_ns.is_none()
                && now
                    .milestones
                    .flush_ns
                    .is_some_and(|flush| at.since(flush) < LEAVING)
        });
        let (disruption, effect) = if leaving {
            self.latest(at)
        } else {
            self.take(at, |now| now.vswitchd_exit_ns.is_none())
        };
        disruption.milestones.vswitchd_exit_ns = Some(at);
        if leaving {
            disruption.emptied = disruption.milestones.flush_ns;
        }
        disruption.signal = signal;
        effect
    }

    /// A process commands the kernel's datapath: the sign that a new ovs-vswitchd is there.
    pub fn commands(&mut self, at: Timestamp, dp: DpIfindex, pid: Pid) -> Effect {
        match self.daemon.commands(dp, pid) {
            Taken::Known => Effect::None,
            Taken::Started(started) => {
                let (disruption, effect) = self.take(at, |now| now.vswitchd_start_ns.is_none());
                disruption.milestones.vswitchd_start_ns = Some(started);
                effect
            }
            Taken::Contested => {
                let open = self.list.last().is_some_and(|now| now.taken_over);
                let (disruption, effect) = self.latest_or_new(at, open);
                disruption.taken_over = true;
                disruption.contested = at;
                disruption.dp = Some(dp);
                effect
            }
        }
    }

    /// The datapath is commanded by a process that was not known: the next child of a monitor, whose birth goes by another name.
    pub fn adopts(&mut self, at: Timestamp, pid: Pid) {
        if self.daemon.is_monitored() {
            self.daemon.adopts(at, pid);
        }
    }

    /// Whether a process is none of the instances of ovs-vswitchd: their births are seen, and it is none of them.
    pub fn is_stranger(&self, pid: Pid) -> bool {
        self.daemon.is_known() && !self.daemon.knows(pid)
    }

    /// Flows without which endpoints cannot be reached were removed.
    pub fn flows_removed(&mut self, at: Timestamp, dp: Option<DpIfindex>, cut: BTreeSet<String>) -> Effect {
        let restarting = self.list.last().is_some_and(|now| {
            let flushed = now.milestones.flush_ns.map(|flush| at.since(flush));
            now.needs_flush() && flushed.is_none_or(|since| since < LEAVING)
        });
        if restarting && self.list.last().is_some_and(|now| now.cut.is_empty()) {
            return Effect::None;
        }
        let open = self
            .list
            .last()
            .is_some_and(|now| !now.cut.is_empty() && at.since(now.began) < LEAVING);
        let (disruption, effect) = self.latest_or_new(at, open);
        disruption.milestones.flows_removed_ns.get_or_insert(at);
        disruption.cut.extend(cut);
        disruption.dp = disruption.dp.or(dp);
        effect
    }

    /// Ports went that should be there.
    pub fn unplugged(&mut self, since: Timestamp, dp: DpIfindex, device: &str) -> Effect {
        let explained = self
            .list
            .last()
            .is_some_and(|now| now.began <= since && now.unplugged.is_empty());
        if explained {
            return Effect::None;
        }
        let open = self.list.last().is_some_and(|now| !now.unplugged.is_empty());
        let (disruption, effect) = self.latest_or_new(since, open);
        disruption.unplugged.insert(device.to_owned());
        disruption.dp = disruption.dp.or(Some(dp));
        effect
    }

    /// An endpoint was deleted: what was taken from it alone is no disruption.
    pub fn deleted(&mut self, device: &str) {
        let alone = |now: &Disruption| {
            let kind = now.kind();
            let mut whom = now.cut.iter().chain(&now.unplugged);
            matches!(kind, Kind::FlowsRemoved | Kind::PortsRemoved) && whom.all(|other| other == device)
        };
        self.list.pop_if(|now| alone(now));
    }

    /// Forgets the oldest: it is over.
    pub fn forget_oldest(&mut self) {
        if !self.list.is_empty() {
            self.list.remove(0);
        }
    }

    /// Portids that get upcalls were set by a process.
    pub fn portids(&mut self, at: Timestamp, dp: DpIfindex, pid: Pid, pids: &Portids) {
        // Nobody but an ovs-vswitchd binds upcalls: one whose birth was not seen (under `--monitor` it has another name then).
        if pids.bound > 0 {
            self.adopts(at, pid);
            self.commands(at, dp, pid);
        }
        if !self.daemon.knows(pid) {
            return;
        }
        let Some(now) = self.list.last_mut() else { return };
        now.bound_nobody = pids.given > 0 && pids.bound == 0;
        // What the leaving ovs-vswitchd sets is no binding: it must have exited, or never have been there.
        let leaving = now.milestones.vswitchd_exit_ns.is_none() && now.milestones.vswitchd_start_ns.is_none();
        if pids.bound > 0 && !leaving {
            now.milestones.upcalls_bound_ns.get_or_insert(at);
        }
    }

    /// The datapath was flushed.
    pub fn flushed(&mut self, at: Timestamp, dp: DpIfindex, pid: Pid) -> Effect {
        let new = |now: &Disruption| {
            let contested = now.taken_over && at.since(now.contested) < LEAVING;
            contested || now.is_waiting() || now.emptied.is_some() && now.emptied == now.milestones.flush_ns
        };
        let open = self.list.last().is_some_and(new);
        let (disruption, _) = self.latest_or_new(at, open);
        disruption.milestones.flush_ns = Some(at);
        disruption.dp = Some(dp);
        disruption.flusher = Some(pid);
        disruption.converging = Converging::default();
        Effect::Flushed
    }

    /// A datapath was deleted; `entered`: when it was told to go.
    pub fn datapath_gone(&mut self, entered: Timestamp, dp: DpIfindex) {
        let Some(now) = self.list.last_mut() else { return };
        let emptied = now
            .milestones
            .flush_ns
            .filter(|flush| now.dp == Some(dp) && entered.since(*flush) < LEAVING);
        if emptied.is_some() && now.milestones.vswitchd_start_ns.is_none() {
            now.emptied = emptied;
        }
        if now.is_waiting() {
            // Netlink may tell first; when the command was entered comes with its return.
            let (gone, _) = now.without_datapath.get_or_insert((entered, None));
            *gone = entered.min(*gone);
        }
    }

    /// There is a datapath, perhaps again.
    pub fn datapath(&mut self, at: Timestamp, dp: DpIfindex) {
        let Some(now) = self.list.last_mut() else { return };
        if let Some((_, again @ None)) = &mut now.without_datapath {
            *again = Some(at);
            // Where the hooks come after the flush, its megaflows and packets still tell.
            now.dp.get_or_insert(dp);
        }
    }

    /// The module was unloaded.
    pub fn module_gone(&mut self, at: Timestamp) -> Effect {
        let (disruption, effect) = self.take(at, |_| true);
        disruption.module_gone.get_or_insert(at);
        effect
    }

    /// The current disruption if it has not been flushed yet and `fits`, else a new one.
    fn take(&mut self, at: Timestamp, fits: impl Fn(&Milestones) -> bool) -> (&mut Disruption, Effect) {
        let open = self
            .list
            .last()
            .is_some_and(|now| now.is_waiting() && fits(&now.milestones));
        self.latest_or_new(at, open)
    }

    /// The latest disruption, whatever its state; a new one if there was none.
    fn latest(&mut self, at: Timestamp) -> (&mut Disruption, Effect) {
        let any = !self.list.is_empty();
        self.latest_or_new(at, any)
    }

    fn latest_or_new(&mut self, at: Timestamp, latest: bool) -> (&mut Disruption, Effect) {
        if !latest {
            self.list.push(Disruption {
                began: at,
                ..Disruption::default()
            });
        }
        let index = self.list.len() - 1;
        (
            &mut self.list[index],
            if latest { Effect::None } else { Effect::Began },
        )
    }
}

#[cfg(test)]
mod tests;
