//! The node's clocks.
//!
//! Must not depend on: who asks. All times of the project are `CLOCK_MONOTONIC` in nanoseconds; the kernel stamps
//! packets with `CLOCK_REALTIME`, which nothing sets in the lab's node, so one offset serves a whole run.

use rustix::thread::{ClockId as SleepClock, clock_nanosleep_absolute};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;

/// Now.
pub fn now() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// What to subtract from a wall time to get a monotonic one, and how far off that may be. The pair read in the
/// shortest time is taken.
pub fn wall_offset() -> (u64, u64) {
    let read = || {
        let before = now();
        let wall = nanos(clock_gettime(ClockId::Realtime));
        let after = now();
        (after - before, wall - (before + (after - before) / 2))
    };
    let (width, offset) = (0..100).map(|_| read()).min().unwrap_or_default();
    (offset, width / 2 + 1)
}

/// Sleeps until the clock shows `at`; returns at once if it is past.
pub fn sleep_until(at: u64) {
    let request = Timespec {
        tv_sec: i64::try_from(at / SECOND).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(at % SECOND).unwrap_or_default(),
    };
    // A signal ends the sleep early; the caller's deadline has not changed.
    while clock_nanosleep_absolute(SleepClock::Monotonic, &request) == Err(rustix::io::Errno::INTR) {}
}

fn nanos(time: Timespec) -> u64 {
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    part(time.tv_sec) * SECOND + part(time.tv_nsec)
}
