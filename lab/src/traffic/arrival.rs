//! When the kernel took a packet in, by the time that it hands over beside it.
//!
//! Must not depend on: whose packet it is.

use nix::sys::socket::ControlMessageOwned;

use crate::clock::{self, SECOND};

/// When the kernel got the packet; now, where it did not say (then it is later than that by our own delay).
pub fn stamp(mut messages: impl Iterator<Item = ControlMessageOwned>, offset: u64) -> u64 {
    messages
        .find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(time) => {
                let nanos =
                    u64::try_from(time.tv_sec()).ok()? * SECOND + u64::try_from(time.tv_nsec()).ok()?;
                Some(nanos.saturating_sub(offset))
            }
            _ => None,
        })
        .unwrap_or_else(clock::now)
}
