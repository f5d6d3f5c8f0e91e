//! A figure as far as it is known: at least, at most.
//!
//! Must not depend on: what the figure counts.

use serde::{Deserialize, Serialize};

/// What is known of a figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bounds {
    /// Proven by what was seen, whatever was not seen.
    pub at_least: u64,
    /// The evidence excludes more. `None`: it excludes nothing.
    pub at_most: Option<u64>,
}

impl Bounds {
    /// Both bounds are the same.
    pub fn exactly(figure: u64) -> Self {
        Self {
            at_least: figure,
            at_most: Some(figure),
        }
    }

    /// The bounds of the greater of two figures.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            at_least: self.at_least.max(other.at_least),
            at_most: self
                .at_most
                .zip(other.at_most)
                .map(|(one, another)| one.max(another)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_of_two_is_open_where_one_of_them_is() {
        let open = Bounds {
            at_least: 7,
            at_most: None,
        };
        assert_eq!(Bounds::exactly(3).max(Bounds::exactly(5)), Bounds::exactly(5));
        assert_eq!(Bounds::exactly(9).max(open).at_least, 9);
        assert_eq!(Bounds::exactly(9).max(open).at_most, None);
    }
}
