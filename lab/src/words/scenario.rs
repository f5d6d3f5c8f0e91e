//! The table of scenarios: what is done to a node, known to the host (which judges) and the guest (which does it).
//!
//! Must not depend on: how it is done, what ovsgap answers.

use anyhow::{Context as _, Result};

use super::rates::{RATES, Rates};
use super::way::{Order, Way};

/// One restart under traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name, also that of its folder below `/out`.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// How ovs-vswitchd goes and comes back.
    pub way: Way,
    /// Pods on the node; all but the first [`BUSY`] are idle.
    pub pods: u16,
    /// When the flag goes.
    pub order: Order,
    /// Milliseconds between the flag's removal and the first Pod's flows.
    pub hole_ms: u64,
    /// Pods that never get their flows back.
    pub without: &'static [&'static str],
    /// Pods without traffic.
    pub idle: &'static [&'static str],
    /// Whether IP packets pass through conntrack and are recirculated.
    pub conntrack: bool,
    /// What is sent.
    pub rates: Rates,
    /// Whether Pods find each other's IPv6 addresses by neighbour discovery.
    pub discovery: bool,
    /// Pods on a second bridge, behind a patch.
    pub behind_patch: &'static [&'static str],
    /// A Pod that is made inside the window.
    pub added: Option<&'static str>,
    /// A Pod that is deleted inside the window.
    pub deleted: Option<&'static str>,
    /// The cause that the report must name for each Pod with a window.
    pub cause: Option<&'static str>,
    /// The format in which `ovsgap record` prints its report; both formats are to be the same live and replayed.
    pub format: &'static str,
    /// What its report says whatever the run (the host's judge compares it).
    pub golden: &'static str,
    /// Whether every `cargo xtask test` has it, and not only one with `--all`.
    pub core: bool,
}

/// Pods that a node has and that have traffic.
pub const BUSY: u16 = 3;

const BUG: Scenario = Scenario {
    name: "bug-300",
    about: "`ovs-appctl exit`, start with flow-restore-wait, flag removed 300 ms before the Pods' flows",
    way: Way::Flag,
    pods: BUSY,
    order: Order::Bug,
    hole_ms: 300,
    without: &[],
    idle: &[],
    conntrack: false,
    rates: RATES,
    discovery: false,
    behind_patch: &[],
    added: None,
    deleted: None,
    cause: Some("flag_before_flows"),
    format: "text",
    golden: include_str!("../../goldens/bug.txt"),
    core: true,
};

/// The same, but not one of the core ones.
const MORE: Scenario = Scenario { core: false, ..BUG };

/// What is sent where taps listen: each frame is taken in twice more, and a node without KVM has few to give.
const TAPPED: Rates = Rates {
    udp4: 200,
    udp6: 100,
    arp: 20,
    ..RATES
};

/// All of them. They share one boot, so each leaves a node that the next one can heal.
pub const ALL: &[Scenario] = &[
    BUG,
    Scenario {
        name: "fixed",
        about: "the same in the right order: flows first, then the flag",
        order: Order::Fixed,
        cause: None,
        format: "json",
        golden: include_str!("../../goldens/fixed.txt"),
        ..BUG
    },
    Scenario {
        name: "kill-100",
        about: "SIGKILL, start with flow-restore-wait, flag removed 100 ms before the flows",
        way: Way::Kill,
        hole_ms: 100,
        format: "json",
        golden: include_str!("../../goldens/killed.txt"),
        ..BUG
    },
    Scenario {
        name: "bug-1",
        about: "flag removed 1 ms before the flows",
        hole_ms: 1,
        ..MORE
    },
    Scenario {
        name: "bug-10",
        about: "flag removed 10 ms before the flows",
        hole_ms: 10,
        ..MORE
    },
    Scenario {
        name: "bug-50",
        about: "flag removed 50 ms before the flows",
        hole_ms: 50,
        ..MORE
    },
    Scenario {
        name: "bug-1000",
        about: "flag removed 1 s before the flows",
        hole_ms: 1000,
        format: "json",
        ..MORE
    },
    Scenario {
        name: "noflag-100",
        about: "start without the flag; flows 100 ms after it",
        way: Way::Noflag,
        hole_ms: 100,
        cause: Some("no_flag"),
        golden: include_str!("../../goldens/noflag.txt"),
        ..MORE
    },
    Scenario {
        name: "conntrack",
        about: "IP packets pass conntrack and are recirculated: each counts once",
        conntrack: true,
        ..BUG
    },
    Scenario {
        name: "tcp",
        about: "beside UDP and ARP one TCP connection with a message each millisecond",
        rates: Rates { tcp: 1000, ..TAPPED },
        ..BUG
    },
    Scenario {
        name: "ipv6",
        about: "Pods find each other by neighbour discovery, which is lost too",
        rates: TAPPED,
        discovery: true,
        ..MORE
    },
    Scenario {
        name: "added",
        about: "a Pod is made in the window, with its own flows at once",
        hole_ms: 1500,
        added: Some("pod-4"),
        golden: include_str!("../../goldens/added.txt"),
        ..BUG
    },
    Scenario {
        name: "deleted",
        about: "a Pod is deleted in the window",
        hole_ms: 1500,
        deleted: Some("pod-3"),
        ..BUG
    },
    Scenario {
        name: "patch",
        about: "one Pod is on a second bridge behind a patch port",
        behind_patch: &["pod-3"],
        ..BUG
    },
    Scenario {
        name: "idle",
        about: "one Pod has no traffic: its window is known all the same",
        idle: &["pod-3"],
        ..BUG
    },
    Scenario {
        name: "never",
        about: "one Pod never gets its flows back",
        without: &["pod-3"],
        golden: include_str!("../../goldens/never.txt"),
        ..MORE
    },
    Scenario {
        name: "term",
        about: "SIGTERM, start with flow-restore-wait, flag removed 300 ms before the flows",
        way: Way::Term,
        golden: include_str!("../../goldens/killed.txt"),
        ..MORE
    },
    Scenario {
        name: "twice",
        about: "two restarts like bug-300, one when the traffic of the other flows again",
        way: Way::Twice,
        golden: include_str!("../../goldens/twice.txt"),
        ..MORE
    },
    Scenario {
        name: "interrupted",
        about: "like bug-300, but ovs-vswitchd is ended again when it had just started",
        way: Way::Interrupted,
        golden: include_str!("../../goldens/interrupted.txt"),
        ..MORE
    },
    Scenario {
        name: "removed-twice",
        about: "like bug-300, and the flag is removed again when it is gone",
        way: Way::Removed,
        ..MORE
    },
    Scenario {
        name: "stuck",
        about: "nobody removes the flag",
        way: Way::Stuck,
        order: Order::Fixed,
        cause: None,
        golden: include_str!("../../goldens/stuck.txt"),
        ..MORE
    },
    Scenario {
        name: "script",
        about: "`ovs-ctl restart`, which saves and restores flows",
        way: Way::Script,
        order: Order::Fixed,
        cause: None,
        golden: include_str!("../../goldens/script.txt"),
        ..MORE
    },
    Scenario {
        name: "database",
        about: "ovsdb-server alone is restarted",
        way: Way::Database,
        order: Order::Fixed,
        cause: None,
        golden: include_str!("../../goldens/database.txt"),
        ..MORE
    },
    Scenario {
        name: "cleanup",
        about: "`ovs-appctl exit --cleanup` deletes the datapath: what comes then meets no datapath and cannot be counted",
        way: Way::Cleanup,
        cause: Some("port_recreated"),
        golden: include_str!("../../goldens/cleanup.txt"),
        ..MORE
    },
    Scenario {
        name: "bridge",
        about: "the bridge is deleted and made again while ovs-vswitchd runs; flows 300 ms after it",
        way: Way::Bridge,
        // The faster packets miss, the more often ovs-vswitchd 3.5.0 falls over its own feet when its bridge goes ("Invalid
        // ukey transition", ofproto/ofproto-dpif-upcall.c): that would be another restart.
        rates: Rates {
            udp4: 50,
            udp6: 20,
            arp: 10,
            ..RATES
        },
        cause: Some("port_recreated"),
        golden: include_str!("../../goldens/bridge.txt"),
        ..MORE
    },
    Scenario {
        name: "bridge-away",
        about: "like bug-300, and the bridge's rows are deleted and made again while ovs-vswitchd is away",
        way: Way::BridgeAway,
        ..MORE
    },
    Scenario {
        name: "renumbered",
        about: "like bug-300, but each Pod comes back with the numbers, in OpenFlow and in the datapath, that another one had",
        way: Way::Renumbered,
        cause: Some("port_recreated"),
        golden: include_str!("../../goldens/renumbered.txt"),
        ..MORE
    },
    Scenario {
        name: "many",
        about: "like bug-300 on a node of 500 Pods, of which three have traffic",
        pods: 500,
        format: "json",
        golden: include_str!("../../goldens/many.txt"),
        ..MORE
    },
    Scenario {
        name: "module",
        about: "`ovs-ctl force-reload-kmod`: the same, with the kernel's module",
        way: Way::Module,
        cause: Some("module_reload"),
        golden: include_str!("../../goldens/module.txt"),
        ..MORE
    },
];

/// The one that `cargo xtask demo` shows.
pub const DEMO: &Scenario = &BUG;

/// On the distributions between: what tells most of a kernel, and IPv6. Neighbours are discovered from softirqs, which interrupt
/// probes most often, and the kernel then passes over what they hook: of 314 packets one went uncounted on Linux 5.10, which
/// does not say so, and some on 7.2, which does (`hits_skipped`).
pub const FEW: [&str; 3] = ["bug-300", "fixed", "ipv6"];

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Those named, else all or the core ones.
pub fn choose(names: &[String], all: bool) -> Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(ALL.iter().filter(|scenario| scenario.core || all).collect());
    }
    names
        .iter()
        .map(|name| find(name).with_context(|| format!("there is no scenario named {name}")))
        .collect()
}

/// What the guest writes about a scenario beside recording, report, truth and steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Notes {
    /// How often ovs-vswitchd had to be restarted before its baseline traffic flowed: it can come up deaf.
    pub deaf_starts: u32,
    /// Exit code of `ovsgap record`; `None` where the scenario ran without it.
    pub record: Option<i32>,
    /// The most memory that `ovsgap record` held, in KiB.
    #[serde(default)]
    pub record_kib: u64,
    /// How long `ovsgap report` took over the recording, in ms.
    #[serde(default)]
    pub report_ms: u64,
}

impl Scenario {
    /// Pods without traffic.
    pub fn idle(&self) -> Vec<String> {
        let beyond = (BUSY + 1..=self.pods).map(|number| format!("pod-{number}"));
        self.idle
            .iter()
            .map(|&pod| pod.to_owned())
            .chain(beyond)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for scenario in ALL {
            assert_eq!(find(scenario.name), Some(scenario));
        }
        assert!(ALL.contains(DEMO));
        assert_eq!(choose(&[], true).unwrap().len(), ALL.len());
        assert!(choose(&[], false).unwrap().len() < ALL.len());
        assert_eq!(choose(&["idle".into()], true).unwrap(), [find("idle").unwrap()]);
        assert!(choose(&["nothing".into()], true).is_err());
    }
}
