//! The words for evidence: where it comes from, and how much of it was there.
//!
//! Must not depend on: how it is collected.

use serde::{Deserialize, Serialize};

use crate::vocabulary::time::Timestamp;

/// A source of evidence about one endpoint in one disruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Single packets that met a megaflow (hooks on `ovs_execute_actions` and `ovs_vport_send`).
    Packets,
    /// Upcalls and what became of their packets (hooks on `ovs_dp_upcall` and `ovs_packet_cmd_execute`).
    Upcalls,
    /// Megaflows: flush, insertion, change, removal.
    Megaflows,
    /// OpenFlow flows, as the bridge's flow monitor reports them.
    Flows,
    /// Datapath ports, as netlink reports them.
    Ports,
    /// Who is behind a port: OVSDB rows.
    Owners,
}

impl Source {
    /// Its name in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Upcalls => "upcalls",
            Self::Megaflows => "megaflows",
            Self::Flows => "flows",
            Self::Ports => "ports",
            Self::Owners => "owners",
        }
    }
}

/// How much of it was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was there from the beginning of the span to its end, and nothing of it is known to be missing.
    Whole,
    /// Part of it is missing.
    Partial,
    /// It was not there.
    Absent,
}

/// One source over one disruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Witness {
    /// Which source.
    pub source: Source,
    /// How much of it was there.
    pub state: State,
    /// From when it is needed.
    pub from_ns: Timestamp,
    /// Until when it is needed.
    pub to_ns: Timestamp,
    /// What is missing, and what to do about it; `None`: nothing.
    pub why: Option<String>,
}
