//! Which sequence numbers have come, and which are missing.
//!
//! Must not depend on: what is numbered.

use std::collections::BTreeMap;

/// So many missing numbers are remembered, so that each can still come; beyond, they are merely counted.
const REMEMBERED: u64 = 4096;

/// The numbers that have come so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequence {
    next: u64,
    /// Numbers that are missing, from the first of a gap to what follows its last.
    gaps: BTreeMap<u64, u64>,
    /// How many are in the gaps.
    remembered: u64,
    forgotten: u64,
}

impl Sequence {
    /// A number has come; whether it is the first time.
    pub fn is_new(&mut self, number: u64) -> bool {
        if number < self.next {
            return self.fill(number);
        }
        let missing = number - self.next;
        let more = missing.min(REMEMBERED - self.remembered);
        if more > 0 {
            self.gaps.insert(self.next, self.next + more);
            self.remembered += more;
        }
        self.forgotten = self.forgotten.saturating_add(missing - more);
        self.next = number.saturating_add(1);
        true
    }

    fn fill(&mut self, number: u64) -> bool {
        let gap = self.gaps.range(..=number).next_back();
        let Some((first, end)) = gap.map(|(first, end)| (*first, *end)) else {
            return false;
        };
        if number >= end {
            return false;
        }
        self.gaps.remove(&first);
        for (first, end) in [(first, number), (number + 1, end)] {
            if first < end {
                self.gaps.insert(first, end);
            }
        }
        self.remembered -= 1;
        true
    }

    /// How many are missing.
    pub fn missing(&self) -> u64 {
        self.forgotten.saturating_add(self.remembered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_may_still_come_but_once() {
        let mut sequence = Sequence::default();
        let came = [0, 5, 3, 3, 1, 4, 2, 2, 5, 6].map(|number| sequence.is_new(number));
        assert_eq!(
            came,
            [true, true, true, false, true, true, true, false, false, true]
        );
        assert_eq!(sequence.missing(), 0);
        assert!(sequence.gaps.is_empty());
    }

    #[test]
    fn of_a_large_gap_the_beginning_is_remembered() {
        let mut sequence = Sequence::default();
        assert!(sequence.is_new(1 << 40));
        assert_eq!(sequence.missing(), 1 << 40);
        assert!(sequence.is_new(REMEMBERED - 1) && !sequence.is_new(REMEMBERED));
        assert_eq!(sequence.missing(), (1 << 40) - 1);
        assert!(sequence.is_new((1 << 40) + 2), "room for one");
        assert!(sequence.is_new((1 << 40) + 1));
    }
}
