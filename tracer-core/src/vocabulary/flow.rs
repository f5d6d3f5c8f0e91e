//! Megaflows: their masked key and what their actions do with a packet.
//!
//! Must not depend on: Pods, restarts.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::vocabulary::id::{Mac, PortNo};

/// The masked key of a megaflow (`struct sw_flow_key`): a wildcarded field is zero or `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowKey {
    /// `phy.in_port`. 65535 (`DP_MAX_PORTS`): no port.
    pub in_port: PortNo,
    /// `recirc_id`: 0 on a packet's first pass.
    pub recirc_id: u32,
    /// `eth.src`.
    pub eth_src: Mac,
    /// `eth.dst`.
    pub eth_dst: Mac,
    /// `eth.type`, host order.
    pub eth_type: u16,
    /// IPv4/IPv6 source or ARP sender address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_src: Option<IpAddr>,
    /// IPv4/IPv6 destination or ARP target address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_dst: Option<IpAddr>,
    /// IP protocol, or ARP opcode.
    pub proto: u8,
    /// L4 source port.
    pub tp_src: u16,
    /// L4 destination port.
    pub tp_dst: u16,
}

/// What a megaflow's action list (`OVS_ACTION_ATTR_*`) does, nested lists (`clone`, `sample`,
/// `check_pkt_len`, `dec_ttl`) included.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Actions {
    /// Datapath ports it outputs to, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<PortNo>,
    /// It recirculates to these ids: the packet's fate is decided by a later pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recirculates: Vec<u32>,
    /// It sends the packet (or a copy) to userspace.
    #[serde(skip_serializing_if = "is_false")]
    pub userspace: bool,
    /// It goes through conntrack.
    #[serde(skip_serializing_if = "is_false")]
    pub conntrack: bool,
    /// `OVS_ACTION_ATTR_DROP`, with its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explicit_drop: Option<u32>,
    /// The list was longer than what was recorded: outputs may be missing.
    #[serde(skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// Length of the list in bytes; 0 is the kernel's plain drop.
    pub length: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What becomes of a packet that meets an action list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Sent out of a port.
    Output,
    /// Handed to userspace only.
    Userspace,
    /// Looked up again after recirculation.
    Recirculate,
    /// Dropped: no action that keeps it.
    Drop,
    /// Cannot be told: the list was not recorded whole.
    Unknown,
}

impl Actions {
    /// What becomes of a packet that meets this list.
    pub fn fate(&self) -> Fate {
        if !self.outputs.is_empty() {
            Fate::Output
        } else if !self.recirculates.is_empty() {
            Fate::Recirculate
        } else if self.userspace {
            Fate::Userspace
        } else if self.truncated {
            Fate::Unknown
        } else {
            Fate::Drop
        }
    }
}
