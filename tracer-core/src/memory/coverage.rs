//! What could not be seen, and whether that weakens a verdict.
//!
//! Must not depend on: Pods, windows.

use std::collections::{BTreeMap, BTreeSet};

use crate::vocabulary::count;
use crate::vocabulary::hook::{Hook, Offsets};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Finding;

/// The kind of a finding that says that records did not fit.
pub const RECORDS_LOST: &str = "records_lost";

/// Hooks without which a verdict about windows is not possible, and what is missed without each.
const ESSENTIAL: [(&str, &str); 5] = [
    ("ovs_flow_tbl_flush", "when the datapath was flushed"),
    ("ovs_flow_tbl_insert", "when forwarding came back"),
    ("ovs_flow_cmd_set", "when a drop became an output"),
    ("ovs_dp_upcall", "which upcalls failed"),
    ("sched_process_exit", "when ovs-vswitchd exited"),
];

/// Findings about the capture, collected as events come.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    hooks: BTreeMap<(String, String), Hook>,
    lost: BTreeMap<String, (u64, Timestamp, Timestamp)>,
    skipped: BTreeMap<String, (u64, Timestamp, Timestamp)>,
    skips_untold: bool,
    down: BTreeMap<String, (Timestamp, String)>,
    up: BTreeSet<String>,
    past: Vec<Finding>,
}

impl Coverage {
    /// A hook's state.
    pub fn hook(&mut self, at: Timestamp, hook: &Hook) {
        let id = (hook.name.clone(), hook.attach.clone());
        let before = self.hooks.insert(id, hook.clone());
        // Attached late or again: what happened before could not be seen.
        if hook.ok && before.is_some_and(|before| !before.ok) {
            let detail = format!(
                "{} was attached late: what happened before was not seen",
                hook.name
            );
            self.past
                .push(finding("hook_missing", None, Some(at), detail, true));
        }
    }

    /// All hooks, as they stand.
    pub fn hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.values()
    }

    /// Records of a hook were lost.
    pub fn lost(&mut self, at: Timestamp, hook: &str, count: u64) {
        add(&mut self.lost, at, hook, count);
    }

    /// Hits of a hook were passed over.
    pub fn skipped(&mut self, at: Timestamp, hook: &str, count: u64) {
        add(&mut self.skipped, at, hook, count);
    }

    /// The kernel does not tell what it passes over.
    pub fn skips_untold(&mut self) {
        self.skips_untold = true;
    }

    /// Records known to be lost.
    pub fn lost_total(&self) -> u64 {
        count::total(self.lost.values().map(|(count, ..)| count))
    }

    /// Whether a source has said that it sees, and nothing else since.
    pub fn sees(&self, name: &str) -> bool {
        self.up.contains(name)
    }

    /// A source sees, or does not.
    pub fn source(&mut self, at: Timestamp, name: &str, ok: bool, detail: &str, weakens: bool) {
        if ok {
            self.up.insert(name.to_owned());
        } else {
            self.up.remove(name);
        }
        if !ok {
            self.down
                .entry(name.to_owned())
                .or_insert_with(|| (at, detail.to_owned()));
        } else if let Some((since, detail)) = self.down.remove(name) {
            self.past.push(finding(
                "source_down",
                Some(since),
                Some(at),
                format!("{name}: {detail}"),
                weakens,
            ));
        }
    }

    /// A finding about a time that is over.
    pub fn note(&mut self, finding: Finding) {
        self.past.push(finding);
    }

    /// All findings.
    pub fn findings(&self) -> Vec<Finding> {
        let missing = self.hooks.values().filter(|hook| !hook.ok).map(missing_hook);
        let lost = self.lost.iter().map(|(hook, (count, from, to))| {
            let detail = format!(
                "{count} records of {hook} did not fit: enlarge the ring (--ring-size) or trace fewer bridges"
            );
            finding(RECORDS_LOST, Some(since_read(*from)), Some(*to), detail, true)
        });
        let skipped = self.skipped.iter().map(|(hook, (count, from, to))| {
            let detail = format!(
                "{count} hits of {hook} came while their CPU was inside another hook, where the kernel runs none: what they were is in \
                 no figure; a less busy node has fewer"
            );
            finding("hits_skipped", Some(since_read(*from)), Some(*to), detail, true)
        });
        let down = self.down.iter().map(|(name, (since, detail))| {
            finding(
                "source_down",
                Some(*since),
                None,
                format!("{name}: {detail}"),
                name == "ebpf",
            )
        });
        missing
            .chain(derived(self.hooks.values()))
            .chain(self.skips_untold.then(untold))
            .chain(lost)
            .chain(skipped)
            .chain(down)
            .chain(self.past.iter().cloned())
            .collect()
    }
}

fn add(counts: &mut BTreeMap<String, (u64, Timestamp, Timestamp)>, at: Timestamp, hook: &str, count: u64) {
    let (total, _, last) = counts.entry(hook.to_owned()).or_insert((0, at, at));
    count::add(total, count);
    *last = at;
}

/// What is counted at a point happened at some time since the counters had been read before.
fn since_read(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_sub(crate::vocabulary::time::SECOND))
}

fn missing_hook(hook: &Hook) -> Finding {
    let essential = ESSENTIAL.iter().find(|(name, _)| *name == hook.name);
    let unseen = essential
        .map(|(_, unseen)| format!("; it cannot be told {unseen}"))
        .unwrap_or_default();
    let detail = format!(
        "{} ({}) is not attached: {}{unseen}",
        hook.name, hook.attach, hook.error
    );
    finding("hook_missing", None, None, detail, essential.is_some())
}

/// Hooks that read by the source of the kernel's version: right for all that is known of it, and not told by the kernel.
fn derived<'a>(hooks: impl Iterator<Item = &'a Hook>) -> Option<Finding> {
    let count = hooks
        .filter(|hook| hook.ok && hook.offsets == Some(Offsets::Derived))
        .count();
    let detail = format!(
        "the kernel does not tell the types of its openvswitch module: {count} hooks read them by the source of its version; \
         a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES tells them"
    );
    (count > 0).then(|| finding("types_derived", None, None, detail, false))
}

/// Said of every capture on such a kernel; that weakens nothing, as little is passed over, and of upcalls the datapath's own
/// counters tell it.
fn untold() -> Finding {
    let detail = "the kernel runs no hook on a CPU that is inside another, and this one does not tell how often that was: now and then \
        a packet may be in no figure; Linux 6.7 and later tell it";
    finding("skips_untold", None, None, detail.to_owned(), false)
}

/// A finding in the report's shape.
pub fn finding(
    kind: &str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    detail: String,
    weakens: bool,
) -> Finding {
    Finding {
        kind: kind.to_owned(),
        from_ns: from,
        to_ns: to,
        detail,
        weakens,
    }
}

/// Whether something that weakens verdicts touches the span from `from` to `to` (`None`: open).
pub fn weakened(findings: &[Finding], from: Timestamp, to: Option<Timestamp>) -> bool {
    let mut weakening = findings.iter().filter(|finding| finding.weakens);
    weakening.any(|finding| touches(finding, from, to))
}

/// Whether what was not seen touches the span from `from` to `to` (`None`: open).
pub fn touches(finding: &Finding, from: Timestamp, to: Option<Timestamp>) -> bool {
    finding
        .from_ns
        .is_none_or(|began| to.is_none_or(|to| began <= to))
        && finding.to_ns.is_none_or(|ended| ended >= from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, offsets: Option<Offsets>) -> Hook {
        Hook {
            name: name.to_owned(),
            attach: "kprobe".to_owned(),
            ok: true,
            error: String::new(),
            offsets,
        }
    }

    #[test]
    fn hits_that_were_passed_over_weaken_the_time_since_they_were_last_counted() {
        let mut coverage = Coverage::default();
        let at = |seconds: u64| Timestamp(seconds * crate::vocabulary::time::SECOND);
        coverage.skipped(at(5), "ovs_execute_actions", 3);
        coverage.skipped(at(6), "ovs_execute_actions", 4);
        let findings = coverage.findings();
        let [found] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!((found.kind.as_str(), found.weakens), ("hits_skipped", true));
        assert!(found.detail.starts_with("7 hits of ovs_execute_actions"));
        assert!(weakened(&findings, at(4), Some(at(5))) && !weakened(&findings, at(7), None));
    }

    #[test]
    fn a_kernel_that_does_not_tell_what_it_passes_over_is_named_once_and_weakens_nothing() {
        let mut coverage = Coverage::default();
        coverage.skips_untold();
        coverage.skips_untold();
        let findings = coverage.findings();
        let kinds: Vec<_> = findings
            .iter()
            .map(|found| (found.kind.as_str(), found.weakens))
            .collect();
        assert_eq!(kinds, [("skips_untold", false)]);
    }

    #[test]
    fn types_that_the_kernel_does_not_tell_are_told_once_and_weaken_nothing() {
        let mut coverage = Coverage::default();
        coverage.hook(Timestamp(1), &hook("a", Some(Offsets::VmlinuxBtf)));
        coverage.hook(Timestamp(1), &hook("b", Some(Offsets::ModuleBtf)));
        assert_eq!(coverage.findings(), []);
        for name in ["c", "d"] {
            coverage.hook(Timestamp(1), &hook(name, Some(Offsets::Derived)));
        }
        let findings = coverage.findings();
        let kinds: Vec<_> = findings
            .iter()
            .map(|found| (found.kind.as_str(), found.weakens))
            .collect();
        assert_eq!(kinds, [("types_derived", false)]);
        assert!(findings[0].detail.contains("2 hooks"), "{findings:?}");
    }
}
