//! `docs/accuracy.md`: truth beside report of every scenario of a run, for people who want to know how far to trust it.
//!
//! Must not depend on: what is right (that is `judge`), virtual machines.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::outcome::Outcome;
use crate::paths::Paths;
use crate::table;
use crate::vm::distro::Distro;

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

* **lost**: packets to and from the Pod, all traffic together; two figures where the report says another than the prober.
* **true gap**: the longest gap of one traffic in ms, by the prober's stamps: at least from the first to the last packet lost, at most from
  the last packet that arrived before to the first that arrived after. **report**: the same by ovsgap's.
* **window ends**: the end of the exposed window, from when a megaflow had forwarded each kind of the Pod's traffic again, as the
  receivers saw it (a window ends with the Pod's flows, if those are told first); and the cause.

What is checked, of every traffic of every Pod and not only of the longest gap's (`xtask/src/bounds.rs`): the count, and that each of the four
times of the gap lies between the stamps of one packet (before and after the call that sent it, or until it arrived), with no packet known to lie
between two that are neighbours. So a bound is exact to one packet of its traffic. What is not known to the packet:
* A lost packet may meet the datapath up to 1 ms after the call that sent it (the rest of a softirq's work is left to a thread).
* Of packets that waited in one socket, and of which some were dropped and some delivered, the last that was dropped is not known: `min` is smaller than it could be.
* TCP sends little into a gap: its bounds are as wide as its retransmission timer.
* A packet that a megaflow of before sends to a port that has another Pod's number by now (ports made again while ovs-vswitchd is away) counts as delivered: the datapath did
  deliver it, to the wrong Pod.
* The kernel passes over hits of a hook that came while their CPU was inside another one, or while some tool read a map of its programs there by a system call (ovsgap reads its own from memory). Since Linux 6.7 it tells how many, and the
  report says `hits_skipped`: it may then tell fewer packets than were lost, and no more. Earlier kernels do not tell (`skips_untold`): there one in a hundred may be missing.
* Where the flush follows ovs-vswitchd's exit at once, the hooks on packets may come after it: what was lost until then is in no figure, and the report says so (`evidence_late`).
* What ovs-vswitchd drops of what it was handed is known by nothing but that a second passes without an answer: a capture that ends earlier counts fewer, and says so (`unanswered`).
* What finds no datapath (`exit --cleanup`, a module that is reloaded) is seen by nobody but the prober; the window covers it.

To see it again: `cargo xtask test --all --write-accuracy` (every scenario, some 20 minutes), or with `--only NAME,…` and `--distro`; what a run left is in
`target/test`, and `--again` judges it once more. These figures are from QEMU without KVM: gaps are longer there than on hardware.
";

fn page(outcomes: &[(Distro, Vec<Outcome>)]) -> String {
    let mut text = HEAD.to_owned();
    for (distro, outcomes) in outcomes {
        let node = outcomes.first().map(|outcome| &outcome.report.node);
        let about = node.map(|node| {
            format!(
                ": Linux {}, Open vSwitch {}",
                node.kernel,
                node.ovs.as_deref().unwrap_or("unknown")
            )
        });
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
