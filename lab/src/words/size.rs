//! How large the eBPF programs are, as the kernel of a node tells it.
//!
//! Must not depend on: how large they may be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The guest's file of sizes, in `/out`.
pub const FILE: &str = "programs.json";

/// How large a program is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Instructions that the verifier went through, on all ways; 0 where the kernel does not tell (before Linux 5.16).
    pub verified: u32,
    /// Instructions after the kernel has put its own in.
    pub translated: u32,
    /// Bytes of machine code.
    pub jited_bytes: u32,
}

/// Sizes of programs by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes(pub BTreeMap<String, Size>);
