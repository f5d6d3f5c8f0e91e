//! How times and counts are written: milliseconds with microsecond digits.
//!
//! Must not depend on: reports.

use jiff::Timestamp as WallTime;
use tracer_core::time::Timestamp;

/// How points in time are written.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Timestamp,
    wall_offset_ns: i64,
    utc: bool,
}

impl Clock {
    /// Relative to `origin`, or times of day.
    pub fn new(origin: Timestamp, wall_offset_ns: i64, utc: bool) -> Self {
        Self {
            origin,
            wall_offset_ns,
            utc,
        }
    }

    /// A point in time.
    pub fn point(self, at: Timestamp) -> String {
        if self.utc {
            return time_of_day(at, self.wall_offset_ns);
        }
        let sign = if at < self.origin { '-' } else { '+' };
        format!("{sign}{}", span(at.since(self.origin).max(self.origin.since(at))))
    }

    /// The same without the date.
    pub fn short(self, at: Timestamp) -> String {
        let whole = self.point(at);
        whole
            .split_once(' ')
            .filter(|_| self.utc)
            .map_or_else(|| whole.clone(), |(_, time)| time.to_owned())
    }
}

/// A length of time: `312.345 ms`.
pub fn span(nanos: u64) -> String {
    format!("{} ms", millis(nanos))
}

/// The same without its unit, for columns: `312.345`.
pub fn millis(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000, nanos / 1_000 % 1_000)
}

/// `2026-11-23 16:20:11.123456Z`, in UTC.
pub fn time_of_day(at: Timestamp, wall_offset_ns: i64) -> String {
    let nanos = i128::from(at.0) + i128::from(wall_offset_ns);
    match WallTime::from_nanosecond(nanos) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S.%6fZ").to_string(),
        Err(_) => format!("{nanos} ns"),
    }
}

/// `1 row`, `2 rows`.
pub fn count(number: u64, thing: &str) -> String {
    if number == 1 {
        format!("1 {thing}")
    } else {
        format!("{number} {thing}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_millis_and_micros() {
        assert_eq!(span(312_345_678), "312.345 ms");
        let clock = Clock::new(Timestamp(1_000_000_000), 0, false);
        assert_eq!(clock.point(Timestamp(1_002_500_000)), "+2.500 ms");
        assert_eq!(clock.point(Timestamp(999_000_000)), "-1.000 ms");
        assert_eq!(
            time_of_day(Timestamp(5), 1_700_000_000_000_000_000),
            "2023-11-14 22:13:20.000000Z"
        );
    }
}
