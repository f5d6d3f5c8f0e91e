//! How long upcalls waited, as the kernel counts it → events.
//!
//! Must not depend on: records, hooks, what is a long wait.

use aya::Ebpf;
use tracer_common::latency::{self, BUCKETS};
use tracer_common::names;
use tracer_core::event::{EventKind, LatencyCount};
use zerocopy::FromZeros;

use super::mapped::Mapped;
use super::object;

/// The histogram of one loaded object.
pub(super) struct Waits {
    /// By CPU.
    counts: Mapped<latency::Waits>,
    seen: Vec<latency::Waits>,
}

impl Waits {
    /// Takes the histogram out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self {
            counts: Mapped::new(object::take_map(ebpf, names::WAITS)?)?,
            seen: Vec::new(),
        })
    }

    /// What was counted since the last call; `None`: nothing.
    pub(super) fn read(&mut self) -> anyhow::Result<Option<EventKind>> {
        let now = self.counts.all()?;
        let news = since(&self.seen, &now);
        self.seen = now;
        Ok(news)
    }
}

/// What `now` has that `before` had not, all CPUs together. The kernel's counts are 32 bits wide and wrap.
pub(super) fn since(before: &[latency::Waits], now: &[latency::Waits]) -> Option<EventKind> {
    let none = latency::Waits::new_zeroed();
    let mut counts = [0_u64; BUCKETS];
    let mut ambiguous = 0;
    for (cpu, now) in now.iter().enumerate() {
        let before = before.get(cpu).unwrap_or(&none);
        for (sum, (now, before)) in counts.iter_mut().zip(now.counts.iter().zip(before.counts)) {
            *sum += u64::from(now.wrapping_sub(before));
        }
        ambiguous += u64::from(now.ambiguous.wrapping_sub(before.ambiguous));
    }
    let waits: Vec<LatencyCount> = counts
        .iter()
        .enumerate()
        .filter(|(_, upcalls)| **upcalls > 0)
        .map(|(bucket, upcalls)| {
            let (at_least_ns, below_ns) = latency::bounds(bucket);
            LatencyCount {
                at_least_ns,
                below_ns,
                upcalls: *upcalls,
            }
        })
        .collect();
    (!waits.is_empty() || ambiguous > 0).then_some(EventKind::UpcallLatency { waits, ambiguous })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_of_all_cpus_is_told() {
        let mut one = latency::Waits::new_zeroed();
        one.counts[latency::bucket(1000)] = u32::MAX;
        let mut two = one;
        two.counts[latency::bucket(1000)] = 1;
        let mut other = latency::Waits::new_zeroed();
        other.counts[latency::bucket(5)] = 1;
        other.ambiguous = 3;
        assert_eq!(since(&[one], &[one]), None);
        let expected = EventKind::UpcallLatency {
            waits: vec![
                LatencyCount {
                    at_least_ns: 5,
                    below_ns: 6,
                    upcalls: 1,
                },
                LatencyCount {
                    at_least_ns: 992,
                    below_ns: 1024,
                    upcalls: 2,
                },
            ],
            ambiguous: 3,
        };
        assert_eq!(since(&[one], &[two, other]), Some(expected));
    }
}
