//! Ratios of several rounds: their median and range.
//!
//! Must not depend on: what was measured.

use std::fmt;

use lab::words::sample::Sample;

/// Ratios of a figure to the same one without a tracer, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// How many.
    pub rounds: usize,
}

impl Spread {
    /// Over the samples that stand beside one without a tracer; `None`: there is none.
    pub fn of(samples: &[&Sample]) -> Option<Self> {
        let beside = |sample: &&Sample| Some(ratio(sample.value, sample.without?));
        let mut ratios: Vec<f64> = samples.iter().filter_map(beside).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (*ratios.first()?, *ratios.last()?);
        let middle = ratios.len() / 2;
        let median = match (ratios.get(middle.wrapping_sub(1)), ratios.get(middle)) {
            (Some(one), Some(other)) if ratios.len().is_multiple_of(2) => f64::midpoint(*one, *other),
            (_, middle) => *middle?,
        };
        Some(Self {
            median,
            least,
            most,
            rounds: ratios.len(),
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median, least, most, ..
        } = self;
        if self.rounds == 1 {
            return write!(to, "{median:.3}");
        }
        write!(to, "{median:.3} ({least:.3}–{most:.3})")
    }
}

/// One by the other.
#[expect(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
pub fn ratio(value: u64, by: u64) -> f64 {
    value as f64 / by.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::words::sample::Part;

    fn samples(values: &[u64]) -> Vec<Sample> {
        let sample = |value: &u64| Sample {
            part: Part::Rate,
            of: "rest".into(),
            what: "udp_pps".into(),
            round: 1,
            value: *value,
            without: Some(100),
        };
        values.iter().map(sample).collect()
    }

    #[test]
    fn the_median_of_even_and_odd_rounds() {
        let text = |values: &[u64]| {
            let samples = samples(values);
            Spread::of(&samples.iter().collect::<Vec<_>>()).map(|spread| spread.to_string())
        };
        assert_eq!(text(&[99, 90, 95]).as_deref(), Some("0.950 (0.900–0.990)"));
        assert_eq!(text(&[90, 100]).as_deref(), Some("0.950 (0.900–1.000)"));
        assert_eq!(text(&[97]).as_deref(), Some("0.970"));
        assert_eq!(text(&[]), None);
    }
}
