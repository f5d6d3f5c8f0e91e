//! Two samples by their ranks: is one larger than the other, and by how much.
//!
//! Must not depend on: what is measured. `u64::MAX` stands for a figure without an upper bound: it ranks last.

use statrs::distribution::{ContinuousCDF as _, Normal};
use statrs::stats_tests::Alternative;
use statrs::stats_tests::mannwhitneyu::{MannWhitneyUMethod, mannwhitneyu};

/// How likely a difference may be found where there is none.
pub const SIGNIFICANCE: f64 = 0.05;

/// By how much the second of two samples is larger than the first (Hodges–Lehmann: the median of all
/// differences), in the unit of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The estimate.
    pub median: i128,
    /// From here …
    pub low: i128,
    /// … to here, with a confidence of 1 − [`SIGNIFICANCE`].
    pub high: i128,
}

/// Up to so many figures in both samples together, p is counted out over all ways in which they could have been
/// dealt to the samples, ties included; beyond, the normal approximation differs by less than a thousandth.
const EXACT: usize = 60;

/// The two-sided p of Mann and Whitney's test. 1 where nothing differs or a sample is empty.
pub fn rank_test(first: &[u64], second: &[u64]) -> f64 {
    if first.len() + second.len() <= EXACT {
        return exact(first, second);
    }
    let method = MannWhitneyUMethod::AsymptoticInclContinuityCorrection;
    let found = mannwhitneyu(first, second, method, Alternative::TwoSided);
    found.map_or(1.0, |(_, p)| if p.is_nan() { 1.0 } else { p })
}

/// The share of all ways to deal the ranks in which the rank sum is as far from its mean as it is here, or farther.
fn exact(first: &[u64], second: &[u64]) -> f64 {
    let (own, ranks) = doubled_ranks(first, second);
    let all: usize = ranks.iter().sum();
    // ways[count][sum]: in how many ways so many ranks have that sum.
    let mut ways = vec![vec![0.0; all + 1]; first.len() + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for taken in (1..=first.len()).rev() {
            for sum in (rank..=all).rev() {
                ways[taken][sum] += ways[taken - 1][sum - rank];
            }
        }
    }
    // Twice the mean of the doubled rank sum is `first.len() × (all / figures)` doubled: kept whole by multiplying out.
    let figures = (first.len() + second.len()).max(1);
    let distance = |sum: usize| (sum * figures).abs_diff(first.len() * all);
    let dealt = &ways[first.len()];
    let total: f64 = dealt.iter().sum();
    let far = (0..=all).filter(|sum| distance(*sum) >= distance(own));
    far.map(|sum| dealt[sum]).sum::<f64>() / total
}

/// Twice the rank of each figure, so that ties (which share the mean of their ranks) stay whole; and the sum of
/// the first sample's.
fn doubled_ranks(first: &[u64], second: &[u64]) -> (usize, Vec<usize>) {
    let mut sorted: Vec<u64> = first.iter().chain(second).copied().collect();
    sorted.sort_unstable();
    let doubled = |figure: &u64| {
        let below = sorted.partition_point(|other| other < figure);
        let up_to = sorted.partition_point(|other| other <= figure);
        below + up_to + 1
    };
    (
        first.iter().map(doubled).sum(),
        sorted.iter().map(doubled).collect(),
    )
}

/// The shift from the first sample to the second; `None`: one is empty.
pub fn shift(first: &[u64], second: &[u64]) -> Option<Shift> {
    let wide = |figure: &u64| i128::from(*figure);
    let mut differences: Vec<i128> = first
        .iter()
        .flat_map(|one| second.iter().map(move |other| wide(other) - wide(one)))
        .collect();
    differences.sort_unstable();
    let cut = cut(first.len(), second.len()).min(differences.len().saturating_sub(1) / 2);
    Some(Shift {
        median: median(&differences)?,
        low: *differences.get(cut)?,
        high: *differences.get(differences.len() - 1 - cut)?,
    })
}

/// The middle of sorted figures; of two in the middle, the point between.
fn median(sorted: &[i128]) -> Option<i128> {
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some(i128::midpoint(*lower, *upper))
}

/// The middle of any figures; of two in the middle, the point between.
pub fn middle(figures: &[u64]) -> Option<u64> {
    let mut sorted: Vec<i128> = figures.iter().map(|figure| i128::from(*figure)).collect();
    sorted.sort_unstable();
    u64::try_from(median(&sorted)?).ok()
}

/// How many differences lie outside the interval on each side: where the rank sum's normal approximation
/// (good from four on each side) puts its quantile.
fn cut(first: usize, second: usize) -> usize {
    let (first, second) = (float(first), float(second));
    let z = Normal::standard().inverse_cdf(1.0 - SIGNIFICANCE / 2.0);
    let spread = (first * second * (first + second + 1.0) / 12.0).sqrt();
    let outside = (first * second / 2.0 - z * spread).floor().max(1.0) - 1.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 on, below the number of differences"
    )]
    let outside = outside as usize;
    outside
}

/// Holm's correction: each p as it counts among its fellows, in their order.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|one, other| ps[*one].total_cmp(&ps[*other]));
    let mut corrected = vec![1.0; ps.len()];
    let mut least: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        least = least.max((ps[index] * float(ps.len() - rank)).min(1.0));
        corrected[index] = least;
    }
    corrected
}

/// Whether samples of these sizes could show any difference at all: the smallest p that there can be is that of
/// two samples which do not overlap, 2 / (first + second choose first).
pub fn can_differ(first: usize, second: usize) -> bool {
    first > 0 && second > 0 && 2.0 / choose(first + second, first) < SIGNIFICANCE
}

/// How many runs each of two equal sets needs at least.
pub fn needed() -> usize {
    let mut runs = 1;
    while !can_differ(runs, runs) {
        runs += 1;
    }
    runs
}

fn choose(all: usize, some: usize) -> f64 {
    (1..=some)
        .map(|step| float(all - some + step) / float(step))
        .product()
}

#[allow(clippy::cast_precision_loss, reason = "counts of runs are far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_do_not_overlap_differ_from_four_on() {
        assert_eq!(needed(), 4);
        assert!(!can_differ(3, 3) && can_differ(3, 5) && !can_differ(0, 99));
        let p = rank_test(&[1, 2, 3, 4], &[11, 12, 13, 14]);
        // Exact: 2 / C(8, 4).
        assert!((p - 2.0 / 70.0).abs() < 1e-12, "{p}");
        assert!(rank_test(&[7, 7, 7], &[7, 7, 7]) >= 1.0);
        assert!(rank_test(&[], &[7]) >= 1.0);
    }

    #[test]
    fn ties_are_counted_out_too() {
        // Dealt by hand: of C(6, 3) = 20 ways, 2 are as far from the mean as all sevens on one side.
        let p = rank_test(&[7, 7, 7], &[8, 8, 8]);
        assert!((p - 2.0 / 20.0).abs() < 1e-12, "{p}");
    }

    #[test]
    fn large_samples_are_approximated_closely() {
        let first: Vec<u64> = (0..30).map(|run| run * 10).collect();
        let second: Vec<u64> = (0..30).map(|run| run * 10 + 55).collect();
        let method = MannWhitneyUMethod::AsymptoticInclContinuityCorrection;
        let (_, near) = mannwhitneyu(&first, &second, method, Alternative::TwoSided).unwrap();
        let counted = rank_test(&first, &second);
        assert!((near - counted).abs() < 1e-3, "{near} {counted}");
    }

    #[test]
    fn the_shift_is_the_median_of_all_differences() {
        // R: wilcox.test(c(11,12,13,14,15)+100, c(11,12,13,14,15), conf.int=TRUE): 100, [97, 103] (exact).
        let first = [11, 12, 13, 14, 15];
        let second = first.map(|figure| figure + 100);
        let found = shift(&first, &second).unwrap();
        assert_eq!(found.median, 100);
        assert!(
            found.low <= 97 && 103 <= found.high && found.high <= 104,
            "{found:?}"
        );
        let back = shift(&second, &first).unwrap();
        assert_eq!(
            (back.median, back.low, back.high),
            (-100, -found.high, -found.low)
        );
        assert_eq!(shift(&[], &[1]), None);
    }

    #[test]
    fn looking_at_several_costs() {
        let corrected = holm(&[0.01, 0.04, 0.03]);
        let expected = [0.03, 0.06, 0.06];
        for (found, wanted) in corrected.iter().zip(expected) {
            assert!((found - wanted).abs() < 1e-12, "{corrected:?}");
        }
    }

    #[test]
    fn what_has_no_end_ranks_last() {
        let p = rank_test(&[1, 2, 3, 4, 5], &[u64::MAX; 5]);
        assert!(p < SIGNIFICANCE, "{p}");
        assert_eq!(middle(&[1, u64::MAX, 3]), Some(3));
    }
}
