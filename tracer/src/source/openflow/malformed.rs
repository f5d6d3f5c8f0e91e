//! The one error of all that reads what the switch sends.
//!
//! Must not depend on: byte layouts.

use std::fmt;

/// Bytes that are not OpenFlow as OVS speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ovs-vswitchd sent garbage: {}", self.0)
    }
}

impl std::error::Error for Malformed {}
