//! Points and spans of time as the whole project counts them.
//!
//! Must not depend on: any clock. A [`Timestamp`] is `CLOCK_MONOTONIC` in nanoseconds (the clock of
//! `bpf_ktime_get_ns`), whoever read it; the log's header carries the offset to wall time.

use serde::{Deserialize, Serialize};

/// Nanoseconds of `CLOCK_MONOTONIC` on the node that was observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds from `earlier` to `self`; 0 when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The point `nanos` later, at most the end of the clock.
    #[must_use]
    pub fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

/// One millisecond in nanoseconds.
pub const MILLISECOND: u64 = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;
