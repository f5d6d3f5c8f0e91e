//! Times as people read them.
//!
//! Must not depend on: of what.

/// Nanoseconds as milliseconds, for people.
pub fn millis(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000, nanos / 1000 % 1000)
}
