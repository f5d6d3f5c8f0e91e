//! The Debian suites that nodes are made of, and how a command line names them.
//!
//! Must not depend on: how an image is made.

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// The Debian suites a node can be made of, with the kernel and OVS they bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Distro {
    /// Linux 5.10, OVS 2.15.
    Bullseye,
    /// Linux 6.1, OVS 3.1.
    Bookworm,
    /// Linux 6.12, OVS 3.5.
    Trixie,
    /// Linux 7.2, OVS 4.0.
    Forky,
}

/// What `--distro` names: one suite, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// This one.
    One(Distro),
    /// Every one.
    All,
}

impl ValueEnum for Named {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<Named>> = LazyLock::new(|| {
            let one = Distro::value_variants().iter().copied().map(Named::One);
            one.chain([Named::All]).collect()
        });
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::One(distro) => distro.to_possible_value(),
            Self::All => Some(PossibleValue::new("all").help("Every one of these")),
        }
    }
}

impl Distro {
    /// Those that are named, each once, oldest first.
    pub fn all_of(named: &[Named]) -> Vec<Self> {
        let is_named = |distro: &&Self| {
            named
                .iter()
                .any(|one| matches!(one, Named::All) || *one == Named::One(**distro))
        };
        Self::value_variants().iter().filter(is_named).copied().collect()
    }

    /// The suite's name.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Forky => "forky",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_taken_once_and_oldest_first() {
        let named = [
            Named::One(Distro::Forky),
            Named::One(Distro::Bullseye),
            Named::One(Distro::Forky),
        ];
        assert_eq!(Distro::all_of(&named), [Distro::Bullseye, Distro::Forky]);
        assert_eq!(
            Distro::all_of(&[Named::All, Named::One(Distro::Trixie)]),
            Distro::value_variants()
        );
    }

    #[test]
    fn every_suite_and_all_of_them_can_be_named() {
        for name in ["bullseye", "bookworm", "trixie", "forky", "all"] {
            assert!(Named::from_str(name, false).is_ok(), "{name}");
        }
    }
}
