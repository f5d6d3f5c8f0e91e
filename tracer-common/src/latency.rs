//! How long upcalls waited for their answer: a histogram with buckets of at most a sixteenth of their value.
//!
//! Must not depend on: who counts, who reads.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Buckets an octave, as a power of two.
const SUB_BITS: u64 = 4;
/// Buckets an octave.
const SUB: u64 = 1 << SUB_BITS;
/// How many buckets there are: waits from 2^37 ns (137 s) on are in the last one.
pub const BUCKETS: usize = 34 * 16;

/// Waits counted on one CPU since the programs were loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Waits {
    /// By [`bucket`].
    pub counts: [u32; BUCKETS],
    /// Packets that came back while a second one just like them was waiting, too: which of the two it was is not known.
    pub ambiguous: u32,
    /// Zero.
    pub reserved: u32,
}

/// The bucket of a wait of `ns` nanoseconds.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "userspace and the BPF machine are 64-bit"
)]
pub const fn bucket(ns: u64) -> usize {
    if ns < SUB {
        return ns as usize;
    }
    let octave = ns.ilog2() as u64;
    let sub = (ns >> (octave - SUB_BITS)) & (SUB - 1);
    let index = ((octave - SUB_BITS + 1) * SUB + sub) as usize;
    if index >= BUCKETS { BUCKETS - 1 } else { index }
}

/// What a bucket holds, in nanoseconds: at least the first, less than the second (but for the last bucket, which
/// holds all that is longer, too).
pub const fn bounds(bucket: usize) -> (u64, u64) {
    let (octave, sub) = (bucket as u64 / SUB, bucket as u64 % SUB);
    if octave == 0 {
        return (sub, sub + 1);
    }
    let width = 1_u64 << (octave - 1);
    let from = (SUB + sub) * width;
    (from, from + width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_is_in_its_bucket() {
        let mut ns = 0;
        while ns < 1 << 37 {
            let (from, below) = bounds(bucket(ns));
            assert!(from <= ns && ns < below, "{ns} in {from}..{below}");
            assert!((below - from) * 16 <= below.max(16), "{from}..{below}");
            ns += 1 + ns / 33;
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for index in 1..BUCKETS {
            assert_eq!(bounds(index - 1).1, bounds(index).0);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(bounds(BUCKETS - 1).1, 1 << 37);
    }
}
