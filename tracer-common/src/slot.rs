//! Slots of a table: what a program keeps where userspace reads it without a system call.
//!
//! Must not depend on: what is kept.

/// A slot: a key and its value. An empty one is all zeros.
pub trait Slot: Copy {
    /// By what its value is found.
    type Key: Copy;
}

/// Slots that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first one.
    pub first: u32,
    /// How many.
    pub length: u32,
}

impl Span {
    /// As a map holds it.
    #[inline]
    pub const fn of(word: u64) -> Self {
        Self {
            first: (word >> 32) as u32,
            #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
            length: word as u32,
        }
    }

    /// For a map.
    #[inline]
    pub const fn word(self) -> u64 {
        (self.first as u64) << 32 | self.length as u64
    }

    /// Without the first one.
    #[inline]
    #[must_use]
    pub const fn rest(self) -> Self {
        Self {
            first: self.first.wrapping_add(1),
            length: self.length.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_what_its_word_says_and_ends() {
        let span = Span { first: 7, length: 2 };
        assert_eq!(Span::of(span.word()), span);
        assert_eq!(span.rest().rest(), Span { first: 9, length: 0 });
        assert_eq!(Span::of(0).length, 0);
    }
}
