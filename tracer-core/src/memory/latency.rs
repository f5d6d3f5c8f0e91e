//! How long upcalls waited for their answer, over a disruption or a capture.
//!
//! Must not depend on: Pods, disruptions, how it was measured.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::vocabulary::capture::{LatencyCount, UpcallLatency};

/// Waits counted so far. Its size is bounded by how finely they are counted, not by how many there are.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    /// By what is given as their bounds.
    counts: BTreeMap<(u64, u64), u64>,
    ambiguous: u64,
}

/// Two digits: finer than the kernel counts them.
const DIGITS: u8 = 2;

impl Latencies {
    /// More waits.
    pub fn add(&mut self, waits: &[LatencyCount], ambiguous: u64) {
        for wait in waits {
            let count = self.counts.entry((wait.at_least_ns, wait.below_ns)).or_default();
            *count = count.saturating_add(wait.upcalls);
        }
        self.ambiguous = self.ambiguous.saturating_add(ambiguous);
    }

    /// What there is to say of them; `None`: no answer was seen.
    pub fn summary(&self) -> Option<UpcallLatency> {
        if self.counts.is_empty() && self.ambiguous == 0 {
            return None;
        }
        let histogram = self.histogram();
        let timed = histogram.as_ref().map_or(0, Histogram::len);
        let [p50_ns, p90_ns, p99_ns, max_ns] =
            histogram.map_or([None; 4], |all| quantiles(&all, [500, 900, 990, 1000]));
        Some(UpcallLatency {
            timed,
            ambiguous: self.ambiguous,
            min_ns: self.counts.keys().next().map(|(at_least, _)| *at_least),
            p50_ns,
            p90_ns,
            p99_ns,
            max_ns,
            waits: self.waits(),
        })
    }

    fn waits(&self) -> Vec<LatencyCount> {
        let counts = self.counts.iter();
        counts
            .map(|((at_least_ns, below_ns), upcalls)| LatencyCount {
                at_least_ns: *at_least_ns,
                below_ns: *below_ns,
                upcalls: *upcalls,
            })
            .collect()
    }

    /// Each wait as the longest that it may have been. `None`: there is none.
    fn histogram(&self) -> Option<Histogram<u64>> {
        let longest = self.counts.keys().map(|(_, below)| *below).max()?;
        let mut histogram = Histogram::new_with_bounds(1, longest.max(2), DIGITS).ok()?;
        for ((_, below), count) in &self.counts {
            histogram.saturating_record_n(below.saturating_sub(1), *count);
        }
        Some(histogram)
    }
}

/// The waits that so many in a thousand did not exceed, the fewest first.
fn quantiles<const N: usize>(histogram: &Histogram<u64>, per_mille: [u64; N]) -> [Option<u64>; N] {
    let all = u128::from(histogram.len());
    let mut steps = histogram.iter_recorded();
    let (mut so_far, mut reached) = (0_u128, None);
    per_mille.map(|per_mille| {
        let rank = (all * u128::from(per_mille)).div_ceil(1000).max(1);
        while so_far < rank {
            let step = steps.next()?;
            so_far += u128::from(step.count_since_last_iteration());
            reached = Some(step.value_iterated_to());
        }
        reached
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(at_least_ns: u64, below_ns: u64, upcalls: u64) -> LatencyCount {
        LatencyCount {
            at_least_ns,
            below_ns,
            upcalls,
        }
    }

    #[test]
    fn without_answers_there_is_nothing_to_say() {
        assert_eq!(Latencies::default().summary(), None);
    }

    #[test]
    fn quantiles_are_upper_bounds() {
        let mut latencies = Latencies::default();
        latencies.add(&[count(1024, 1088, 50), count(2048, 2176, 40)], 1);
        latencies.add(
            &[count(1024, 1088, 0), count(1 << 30, (1 << 30) + (1 << 26), 10)],
            2,
        );
        let summary = latencies.summary().unwrap();
        assert_eq!(
            (summary.timed, summary.ambiguous, summary.min_ns),
            (100, 3, Some(1024))
        );
        let near = |value: Option<u64>, below: u64| {
            let value = value.unwrap();
            assert!(
                value + 1 >= below && value <= below + below / 100,
                "{value} for {below}"
            );
        };
        near(summary.p50_ns, 1088);
        near(summary.p90_ns, 2176);
        near(summary.p99_ns, (1 << 30) + (1 << 26));
        near(summary.max_ns, (1 << 30) + (1 << 26));
        assert_eq!(summary.waits.len(), 3);
    }

    #[test]
    fn what_cannot_be_told_apart_is_counted_all_the_same() {
        let mut latencies = Latencies::default();
        latencies.add(&[], 7);
        let summary = latencies.summary().unwrap();
        assert_eq!((summary.timed, summary.ambiguous, summary.max_ns), (0, 7, None));
    }

    #[test]
    fn no_count_is_too_odd() {
        let mut latencies = Latencies::default();
        latencies.add(
            &[count(0, 0, 1), count(5, u64::MAX, u64::MAX), count(9, 3, 2)],
            u64::MAX,
        );
        latencies.add(&[count(5, u64::MAX, u64::MAX)], 1);
        assert!(latencies.summary().unwrap().max_ns.is_some());
    }
}
