//! How the kernel is watched: one hook, how what it reads was found, and why something that it saw is not told.
//!
//! Must not depend on: what a hook tells.

use serde::{Deserialize, Serialize};

/// How one hook on the kernel stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hook {
    /// The kernel function or tracepoint.
    pub name: String,
    /// `raw_tracepoint`, `kprobe`, `kretprobe`.
    pub attach: String,
    /// Whether it is attached.
    pub ok: bool,
    /// Why not, and the remedy; empty when `ok`.
    pub error: String,
    /// How the places of what it reads in the kernel's structures were found; `None`: it reads nothing there, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offsets: Option<Offsets>,
}

/// How the places of members of the kernel's structures were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Offsets {
    /// All of them by the types that the kernel tells of itself (`/sys/kernel/btf/vmlinux`).
    VmlinuxBtf,
    /// Those of openvswitch by the types of the module (`/sys/kernel/btf/openvswitch`).
    ModuleBtf,
    /// Those of openvswitch from the source of this kernel's version: it does not tell the module's types.
    Derived,
}

/// Why something that a hook saw is not in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unrecorded {
    /// The ring that carries records was full.
    RingFull,
    /// The table of traffic keys was full.
    KeysFull,
    /// The table of kinds of upcalls was full.
    UpcallsFull,
    /// The table of calls under way was full.
    CallsFull,
    /// The kernel ran the program at only one end of a call.
    HalfSeen,
    /// Memory of the kernel could not be read.
    Unreadable,
    /// A traffic key's fate changed too often for each change to be sent.
    Flapped,
}
