//! `docs/accuracy.md`: truth beside report of every scenario of a run, for people who want to know how far to trust it.
//!
//! May not know: what is right (that is `judge`), virtual machines.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::lab::image::Distro;
use crate::outcome::Outcome;
use crate::paths::Paths;
use crate::table;

/// Writes the page about what a run left.
pub fn write(paths: &Paths, outcomes: &[(Distro, Vec<Outcome>)]) -> Result<()> {
    let path = paths.root.join("docs/accuracy.md");
    fs::write(&path, page(outcomes)).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

const HEAD: &str = "# Accuracy: the report beside the truth

Each row is one Pod in one restart of a real ovs-vswitchd on a real kernel. The truth is the prober's, which shares nothing with
ovsgap but the clock: numbered UDP and ARP packets, accounted for by the sockets that sent and received them; TCP segments,
acknowledgements, retransmissions and neighbour discovery by packet sockets on both Pods' own devices, frame by frame.

* **lost**: packets to and from the Pod, all traffic together; one figure where report and prober say the same.
* **true hole**: the longest hole of one traffic in ms, from the first to the last packet lost (at least) and from the last that arrived before
  to the first that arrived after (at most), by the prober's stamps. **report**: the same by ovsgap's. Each of the four times was
  checked to lie between the stamps of one and the same packet, with no packet between it and its neighbour (`xtask/src/judge/bounds.rs`);
  so the bounds are exact to one packet of that traffic. TCP sends little into a hole: its bounds are as wide as its retransmission timer.
* **window ends**: the end of the exposed window beside the first packet that a megaflow forwarded again, as its receiver saw it; and the cause.

Written by `cargo xtask test --all --write-accuracy`, in QEMU without KVM: holes are longer there than on hardware, the bounds are not tighter.
";

fn page(outcomes: &[(Distro, Vec<Outcome>)]) -> String {
    let mut text = HEAD.to_owned();
    for (distro, outcomes) in outcomes {
        let node = outcomes.first().map(|outcome| &outcome.report.node);
        let about = node.map(|node| format!(": Linux {}, Open vSwitch {}", node.kernel, node.ovs));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n## Debian {}{}\n",
            distro.suite(),
            about.unwrap_or_default()
        );
        let _ = writeln!(text, "| scenario | {} |", table::COLUMNS.join(" | "));
        let _ = writeln!(text, "|{}", "---|".repeat(table::COLUMNS.len() + 1));
        for outcome in outcomes {
            for row in table::rows(outcome) {
                let _ = writeln!(text, "| {} | {} |", outcome.scenario.name, row.join(" | "));
            }
        }
        let _ = writeln!(text, "\n{}", sums(outcomes));
    }
    text + "\n## The scenarios\n\n" + &scenarios(outcomes)
}

/// How often report and truth are the same, counted.
fn sums(outcomes: &[Outcome]) -> String {
    let checks: Vec<_> = outcomes.iter().flat_map(crate::judge::judge).collect();
    let wrong: Vec<_> = checks.iter().filter(|check| check.result.is_err()).collect();
    let mut text = format!("{} of {} checks hold.", checks.len() - wrong.len(), checks.len());
    for check in wrong {
        let reason = check
            .result
            .as_ref()
            .err()
            .and_then(|reason| reason.lines().next());
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n* does not hold: {} ({})",
            check.name,
            reason.unwrap_or_default()
        );
    }
    text
}

fn scenarios(outcomes: &[(Distro, Vec<Outcome>)]) -> String {
    let mut text = String::new();
    let mut told = std::collections::BTreeSet::new();
    for outcome in outcomes.iter().flat_map(|(_, outcomes)| outcomes) {
        if told.insert(outcome.scenario.name) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "* `{}`: {}", outcome.scenario.name, outcome.scenario.about);
        }
    }
    text
}
