//! How figures and names are written for people.
//!
//! Must not depend on: what they say.

mod shown;
mod units;
mod width;

use serde::Serialize;
use tracer_core::time::SECOND;

pub use self::shown::{Shown, is_harmless, plain};
pub use self::units::{Clock, count, millis, span, time_of_day};
pub use self::width::{cut, left, line, one_line, right, short, width};

/// How a value is called in JSON: `flag_before_flows`.
pub fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A length of time for people: `312.345 ms`, `4.2 s`, `3 min`.
pub fn about(nanos: u64) -> String {
    if nanos < 10 * SECOND {
        format!("{}.{:03} ms", nanos / 1_000_000, nanos / 1_000 % 1_000)
    } else if nanos < 600 * SECOND {
        format!("{}.{} s", nanos / SECOND, nanos / (SECOND / 10) % 10)
    } else if nanos < 36_000 * SECOND {
        format!("{} min", nanos / SECOND / 60)
    } else {
        format!("{} h", nanos / SECOND / 3600)
    }
}
