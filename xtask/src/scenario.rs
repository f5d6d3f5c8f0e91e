//! The table of scenarios: what is done to a node, known to the host (which judges) and the guest (which does it).
//!
//! May not know: how it is done, what ovsgap answers.

use anyhow::{Context as _, Result};

use crate::guest::restart::{Order, Way};

/// One restart under traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name, also that of its folder below `/out`.
    pub name: &'static str,
    /// How ovs-vswitchd goes and comes back.
    pub way: Way,
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
    /// The cause that the report must name for each Pod with a window.
    pub cause: Option<&'static str>,
    /// The format in which `ovsgap record` prints its report; both formats are to be the same live and replayed.
    pub format: &'static str,
    /// Whether every `cargo xtask test` has it, and not only one with `--all`.
    pub core: bool,
}

const BUG: Scenario = Scenario {
    name: "bug-300",
    way: Way::Flag,
    order: Order::Bug,
    hole_ms: 300,
    without: &[],
    idle: &[],
    conntrack: false,
    cause: Some("flag_before_flows"),
    format: "text",
    core: true,
};

/// The same, but not one of the core ones.
const MORE: Scenario = Scenario { core: false, ..BUG };

/// All of them. They share one boot, so each leaves a node that the next one can heal.
pub const ALL: &[Scenario] = &[
    BUG,
    Scenario {
        name: "fixed",
        order: Order::Fixed,
        cause: None,
        format: "json",
        ..BUG
    },
    Scenario {
        name: "kill-100",
        way: Way::Kill,
        hole_ms: 100,
        format: "json",
        ..BUG
    },
    Scenario {
        name: "bug-1",
        hole_ms: 1,
        ..MORE
    },
    Scenario {
        name: "bug-10",
        hole_ms: 10,
        ..MORE
    },
    Scenario {
        name: "bug-50",
        hole_ms: 50,
        ..MORE
    },
    Scenario {
        name: "bug-1000",
        hole_ms: 1000,
        format: "json",
        ..MORE
    },
    Scenario {
        name: "noflag-100",
        way: Way::Noflag,
        hole_ms: 100,
        cause: Some("no_flag"),
        ..MORE
    },
    Scenario {
        name: "conntrack",
        conntrack: true,
        ..MORE
    },
    Scenario {
        name: "idle",
        idle: &["pod-3"],
        ..MORE
    },
    Scenario {
        name: "never",
        without: &["pod-3"],
        ..MORE
    },
];

/// The one that `cargo xtask demo` shows.
pub const DEMO: &Scenario = &BUG;

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
