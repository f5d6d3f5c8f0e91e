//! Stretches of time, joined where they touch.
//!
//! Must not depend on: what happened in them.

use crate::vocabulary::time::Timestamp;

/// Stretches, oldest first, none of which touch. The oldest are forgotten where there are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans<T> {
    list: Vec<(Timestamp, Timestamp, T)>,
}

/// So many are remembered.
const REMEMBERED: usize = 256;

impl<T: Copy> Spans<T> {
    /// Adds a stretch; `join` puts together what is told of two that touch or lie no farther apart than `near`.
    pub fn add(&mut self, from: Timestamp, to: Timestamp, value: T, near: u64, join: impl Fn(T, T) -> T) {
        let mut new = (from.min(to), to.max(from), value);
        let mut place = self.list.len();
        // New stretches are almost always the latest: looked for from the end.
        while place > 0 {
            let last = self.list[place - 1];
            if last.1.plus(near) < new.0 {
                break;
            }
            place -= 1;
            if new.1.plus(near) >= last.0 {
                new = (new.0.min(last.0), new.1.max(last.1), join(last.2, new.2));
                self.list.remove(place);
            }
        }
        self.list.insert(place, new);
        if self.list.len() > REMEMBERED {
            let (from, ..) = self.list.remove(0);
            // What is forgotten is remembered as part of the oldest, never as nothing.
            if let Some(oldest) = self.list.first_mut() {
                oldest.0 = from;
            }
        }
    }

    /// Those that touch a span.
    pub fn touching(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = &(Timestamp, Timestamp, T)> {
        self.list
            .iter()
            .filter(move |(began, ended, _)| *began <= to && *ended >= from)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(Timestamp, Timestamp, T)> {
        self.list.iter()
    }

    /// Forgets those that ended before.
    pub fn forget(&mut self, before: Timestamp) {
        self.list.retain(|(_, ended, _)| *ended >= before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(spans: &mut Spans<u64>, from: u64, to: u64, value: u64) {
        spans.add(Timestamp(from), Timestamp(to), value, 1, |one, other| one + other);
    }

    fn all(spans: &Spans<u64>) -> Vec<(u64, u64, u64)> {
        spans
            .iter()
            .map(|(from, to, value)| (from.0, to.0, *value))
            .collect()
    }

    #[test]
    fn those_that_touch_are_one() {
        let mut spans = Spans::default();
        add(&mut spans, 10, 20, 1);
        add(&mut spans, 40, 50, 2);
        add(&mut spans, 21, 30, 4);
        assert_eq!(all(&spans), [(10, 30, 5), (40, 50, 2)]);
        add(&mut spans, 0, 100, 8);
        assert_eq!(all(&spans), [(0, 100, 15)]);
    }

    #[test]
    fn what_is_far_apart_stays_apart() {
        let mut spans = Spans::default();
        add(&mut spans, 3600, 3601, 1);
        add(&mut spans, 72_000, 72_001, 1);
        assert_eq!(spans.touching(Timestamp(36_000), Timestamp(36_010)).count(), 0);
        assert_eq!(spans.touching(Timestamp(3601), Timestamp(3700)).count(), 1);
    }

    #[test]
    fn its_size_is_bounded_and_nothing_is_forgotten_silently() {
        let mut spans = Spans::default();
        for at in 0..10_000 {
            add(&mut spans, at * 100, at * 100, 1);
        }
        assert!(spans.iter().count() <= REMEMBERED);
        assert_eq!(spans.touching(Timestamp(500), Timestamp(510)).count(), 1);
    }
}
