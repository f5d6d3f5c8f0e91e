//! The one place that reads a clock, and the source of [`EventKind::Tick`].
//!
//! Must not depend on: any other source. `CLOCK_MONOTONIC` is the clock of `bpf_ktime_get_ns`, so what userspace
//! stamps and what the hooks stamp can be put in one order.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::time::MissedTickBehavior;
use tracer_core::event::EventKind;
use tracer_core::time::Timestamp;

use super::EventSender;
use super::outbox::Outbox;

/// How often time is said to pass.
#[derive(Clone, Debug)]
pub struct Config {
    /// Time between two ticks.
    pub period: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            period: Duration::from_millis(100),
        }
    }
}

/// The time now.
pub fn now() -> Timestamp {
    let nanos = nanos(clock_gettime(ClockId::Monotonic));
    Timestamp(u64::try_from(nanos).unwrap_or(0))
}

/// Wall time minus `CLOCK_MONOTONIC`, in nanoseconds: what to add to a [`Timestamp`] to get nanoseconds since
/// 1970. Of several readings the one that took least time counts.
pub fn wall_offset_ns() -> i64 {
    const READINGS: u32 = 5;
    let reading = |_| {
        let before = nanos(clock_gettime(ClockId::Monotonic));
        let wall = nanos(clock_gettime(ClockId::Realtime));
        let after = nanos(clock_gettime(ClockId::Monotonic));
        (after - before, wall - before.midpoint(after))
    };
    (0..READINGS).map(reading).min().map_or(0, |(_, offset)| offset)
}

/// Says that time passes, until the receiver is gone. A tick that comes late is not made up for.
pub async fn run(config: Config, events: EventSender) -> anyhow::Result<()> {
    let mut outbox = Outbox::new(events);
    let mut ticks = tokio::time::interval(config.period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let closed = outbox.closed();
    tokio::pin!(closed);
    loop {
        tokio::select! {
            () = &mut closed => return Ok(()),
            _ = ticks.tick() => outbox.put(now(), EventKind::Tick).await,
        }
    }
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec)
}
