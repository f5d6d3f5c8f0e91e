//! In which ways Open vSwitch is restarted, and in which order its flag and its flows come.
//!
//! Must not depend on: how it is done, what follows.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How ovs-vswitchd goes and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Way {
    /// `ovs-appctl exit`, then a start with flow-restore-wait=true.
    Flag,
    /// SIGKILL, then a start with flow-restore-wait=true.
    Kill,
    /// `ovs-appctl exit`, then a start without the flag: the start itself flushes.
    Noflag,
    /// SIGTERM, then a start with flow-restore-wait=true.
    Term,
    /// `ovs-appctl exit --cleanup`, which deletes the datapath, then a start with flow-restore-wait=true.
    Cleanup,
    /// As [`Self::Flag`], and once more when the traffic flows again.
    Twice,
    /// As [`Self::Flag`], and ended again when it had just started.
    Interrupted,
    /// As [`Self::Flag`], but nobody removes the flag.
    Stuck,
    /// As [`Self::Flag`], and the flag is removed once more, when it is gone already.
    Removed,
    /// `ovs-ctl restart`: the package's own script, which saves and restores flows.
    Script,
    /// `ovs-ctl force-reload-kmod`: the same, with the kernel's module.
    Module,
    /// ovsdb-server alone.
    Database,
    /// The bridge alone: deleted, made again, while ovs-vswitchd runs.
    Bridge,
    /// As [`Self::Flag`], and the bridge's rows are deleted and made anew meanwhile.
    BridgeAway,
    /// As [`Self::Flag`], and each Pod gets the numbers that another one had.
    Renumbered,
}

impl Way {
    /// Whether the datapath, or ports of Pods in it, are away for a time: what comes then meets nothing that could count it.
    pub fn takes_ports_away(self) -> bool {
        matches!(
            self,
            Self::Cleanup | Self::Module | Self::Bridge | Self::Renumbered
        )
    }

    /// Whether Pods have other `ofport`s afterwards.
    pub fn renumbers(self) -> bool {
        matches!(self, Self::Bridge | Self::BridgeAway | Self::Renumbered)
    }
}

/// When the flag goes: before the Pods' flows are there (the bug), or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Order {
    /// Flag first, flows after the hole.
    Bug,
    /// Flows first, then the flag.
    Fixed,
}
