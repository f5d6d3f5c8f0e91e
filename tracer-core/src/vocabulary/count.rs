//! Adding up what was counted.
//!
//! Must not depend on: what is counted. A recording may say any number: a sum ends at the largest there is and does not begin again.

use std::borrow::Borrow;

/// Adds `more`.
pub fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// All of them together.
pub fn total(counts: impl IntoIterator<Item = impl Borrow<u64>>) -> u64 {
    counts
        .into_iter()
        .fold(0, |sum, count| sum.saturating_add(*count.borrow()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_ends_at_the_largest_number() {
        assert_eq!(total([1, 2]), 3);
        assert_eq!(total([u64::MAX, 2].iter()), u64::MAX);
        let mut sum = 1;
        add(&mut sum, u64::MAX);
        assert_eq!(sum, u64::MAX);
    }
}
