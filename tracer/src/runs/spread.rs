//! How a figure is spread over repeated runs: p50, p90, p99, the longest, and how far each can be trusted.
//!
//! Must not depend on: what the figure is.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Quantiles that are told, by name and as the share of runs below.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];

/// How sure an upper bound of a quantile has to be.
const CONFIDENCE: f64 = 0.95;

/// Digits kept: a quantile is at most a thousandth above the figure it stands for.
const DIGITS: u8 = 3;

/// A figure over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Runs whose figure is known.
    pub runs: u64,
    /// p50, p90, p99.
    pub quantiles: Vec<Quantile>,
    /// The greatest; `None`: one has no upper bound, or there is no run.
    pub max: Option<u64>,
}

/// One quantile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantile {
    /// `p50`, `p90`, `p99`.
    pub name: &'static str,
    /// The figure; `None`: as many runs have no upper bound, or there is no run.
    pub value: Option<u64>,
    /// With fewer runs, not even the greatest of them bounds the quantile from above with 95 % confidence.
    pub runs_needed: u64,
    /// Whether there are as many.
    pub trusted: bool,
}

/// The spread of figures; `None` stands for one without an upper bound.
pub fn spread(figures: &[Option<u64>]) -> Spread {
    let runs = figures.len() as u64;
    let bounded: Vec<u64> = figures.iter().copied().flatten().collect();
    let histogram = histogram(&bounded);
    let greatest = bounded.iter().copied().max();
    let quantiles = QUANTILES.map(|(name, share)| {
        let needed = runs_needed(share);
        Quantile {
            name,
            // A bucket's upper end may lie above every figure in it.
            value: histogram
                .as_ref()
                .and_then(|histogram| value(histogram, share, runs).min(greatest)),
            runs_needed: needed,
            trusted: runs >= needed,
        }
    });
    let whole = bounded.len() == figures.len();
    Spread {
        runs,
        quantiles: quantiles.into(),
        max: greatest.filter(|_| whole),
    }
}

fn histogram(figures: &[u64]) -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new(DIGITS).ok()?;
    figures
        .iter()
        .try_for_each(|figure| histogram.record(*figure))
        .ok()?;
    Some(histogram)
}

/// The figure of the run that a share of all runs does not exceed; runs without an upper bound come last.
fn value(bounded: &Histogram<u64>, share: f64, runs: u64) -> Option<u64> {
    let rank = whole(share * float(runs)).max(1);
    if rank > bounded.len() || runs == 0 {
        return None;
    }
    Some(bounded.value_at_quantile(float(rank) / float(bounded.len())))
}

/// The fewest runs of which the greatest lies above the quantile with 95 % confidence: that all `n` lie below
/// has the probability `share^n`, so `n ≥ ln(1 − confidence) / ln(share)`.
fn runs_needed(share: f64) -> u64 {
    whole((1.0 - CONFIDENCE).ln() / share.ln())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of runs, rounded up, never below 0"
)]
fn whole(number: f64) -> u64 {
    // A product such as 0.9 × 20 may be a hair above the whole number that it stands for.
    (number - 1e-9).ceil() as u64
}

#[allow(clippy::cast_precision_loss, reason = "counts of runs are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(spread: &Spread) -> Vec<Option<u64>> {
        spread.quantiles.iter().map(|quantile| quantile.value).collect()
    }

    #[test]
    fn each_quantile_says_how_many_runs_it_needs() {
        let spread = spread(&[Some(1); 29]);
        let needs: Vec<(u64, bool)> = spread
            .quantiles
            .iter()
            .map(|one| (one.runs_needed, one.trusted))
            .collect();
        // ln(0.05)/ln(0.5) = 4.3, ln(0.05)/ln(0.9) = 28.4, ln(0.05)/ln(0.99) = 298.1
        assert_eq!(needs, [(5, true), (29, true), (299, false)]);
    }

    #[test]
    fn quantiles_are_figures_of_runs() {
        let figures: Vec<Option<u64>> = (1..=20).map(|run| Some(run * 10)).collect();
        let spread = spread(&figures);
        assert_eq!(values(&spread), [Some(100), Some(180), Some(200)]);
        assert_eq!(spread.max, Some(200));
    }

    #[test]
    fn a_window_that_never_ended_is_longer_than_any_other() {
        let spread = spread(&[Some(10), None, Some(20)]);
        assert_eq!(values(&spread), [Some(20), None, None]);
        assert_eq!(spread.max, None);
        assert_eq!(super::spread(&[]).max, None);
        assert_eq!(values(&super::spread(&[])), [None, None, None]);
    }

    #[test]
    fn large_figures_keep_three_digits() {
        let spread = spread(&[Some(322_456_789)]);
        let value = spread.quantiles[0].value.unwrap();
        assert_eq!(value, 322_456_789);
        let median = super::spread(&[Some(322_456_789), Some(400_000_000)]).quantiles[0]
            .value
            .unwrap();
        // hdrhistogram answers with the upper end of a bucket of three digits.
        assert!((322_456_789..322_456_789 + 322_457).contains(&median), "{median}");
        assert_eq!(spread.max, Some(322_456_789));
    }
}
