//! What comes of a target, and how long its inputs may be.
//!
//! Must not depend on: how a target is run, how it is shown.

use std::path::PathBuf;

/// The longest input of a target, in bytes, where what it does with one grows with its length: 64 events are more than tell a
/// restart, and judging so many takes a tenth of a millisecond.
pub const LONGEST_INPUT: &[(&str, u32)] = &[("judge", 256), ("log", 2304), ("ovsdb", 1536)];

/// What came of one target.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub target: String,
    /// How many it got.
    pub inputs: u64,
    /// For how long.
    pub millis: u128,
    /// Places in the program that were reached.
    pub edges: u64,
    /// Combinations of how often.
    pub features: u64,
    /// Inputs that reach what no other does.
    pub corpus: u64,
    /// The most memory it had.
    pub mebibytes: u64,
    /// The input that broke it, where one did.
    pub broken: Option<PathBuf>,
}

impl Outcome {
    /// Both of two processes, as if one had come after the other. What both have reached is not known to be more than what
    /// one of them has.
    pub fn and(self, other: Self) -> Self {
        Self {
            target: self.target,
            inputs: self.inputs + other.inputs,
            millis: self.millis + other.millis,
            edges: self.edges.max(other.edges),
            features: self.features.max(other.features),
            corpus: self.corpus.max(other.corpus),
            mebibytes: self.mebibytes.max(other.mebibytes),
            broken: self.broken.or(other.broken),
        }
    }

    /// Inputs in a second.
    pub fn rate(&self) -> u128 {
        u128::from(self.inputs) * 1000 / self.millis.max(1)
    }
}
