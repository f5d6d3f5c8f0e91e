//! The kernel's datapath as it counts itself, and how its megaflows are taken away.
//!
//! Must not depend on: what is sent, tracers.

use anyhow::{Context as _, Result, ensure};

use crate::clock::{self, MILLISECOND, SECOND};
use crate::command;

/// What a datapath has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Packets for which there was no megaflow.
    pub missed: u64,
    /// Of them those of which userspace took no notice.
    pub lost: u64,
    /// Megaflows that there are.
    pub flows: u64,
}

impl Lookups {
    /// What came since `before`; megaflows as they are now.
    pub fn since(self, before: Self) -> Self {
        Self {
            missed: self.missed.saturating_sub(before.missed),
            lost: self.lost.saturating_sub(before.lost),
            flows: self.flows,
        }
    }
}

/// What there is now.
pub fn lookups() -> Result<Lookups> {
    let text = command::output("ovs-dpctl", &["show"])?;
    parse(&text).context("ovs-dpctl tells of no lookups")
}

fn parse(text: &str) -> Option<Lookups> {
    let line = |name: &str| {
        let mut lines = text.lines().map(str::trim_start);
        lines.find_map(|line| line.strip_prefix(name))
    };
    let counts = line("lookups:")?;
    let number = |name: &str| {
        let mut words = counts.split_whitespace();
        words.find_map(|word| word.strip_prefix(name))?.parse().ok()
    };
    Some(Lookups {
        missed: number("missed:")?,
        lost: number("lost:")?,
        flows: line("flows:")?.trim().parse().ok()?,
    })
}

/// So few megaflows are those of the kernels' own packets (neighbour discovery), which come at any time.
const FEW: u64 = 50;
/// How long it may take to delete some 10⁴ of them: translated, by one processor, several seconds.
const PATIENCE: u64 = 60 * SECOND;
/// How often it is looked.
const LOOK: u64 = 20 * MILLISECOND;

/// Has all megaflows deleted, and waits until they are.
pub fn empty() -> Result<()> {
    let deadline = clock::now() + PATIENCE;
    loop {
        command::output("ovs-appctl", &["revalidator/purge"])?;
        let Lookups { flows, .. } = lookups()?;
        if flows <= FEW {
            return Ok(());
        }
        ensure!(
            clock::now() < deadline,
            "{flows} megaflows are left after `ovs-appctl revalidator/purge`"
        );
        // The kernel tells nobody when a megaflow is gone.
        clock::sleep_until(clock::now() + LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_datapaths_counters_are_read() {
        let text =
            "system@ovs-system:\n  lookups: hit:12 missed:34 lost:5\n  flows: 3\n  masks: hit:9 total:1\n";
        let read = Lookups {
            missed: 34,
            lost: 5,
            flows: 3,
        };
        assert_eq!(parse(text), Some(read));
        assert_eq!(parse(""), None);
        let before = Lookups {
            missed: 30,
            lost: 5,
            flows: 9,
        };
        assert_eq!(
            read.since(before),
            Lookups {
                missed: 4,
                lost: 0,
                flows: 3
            }
        );
    }
}
