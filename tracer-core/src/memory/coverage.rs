//! What could not be seen, and when: hooks that are not attached, records that did not fit, sources that are down.
//!
//! Must not depend on: Pods, disruptions.

use std::collections::{BTreeMap, BTreeSet};

use crate::vocabulary::count;
use crate::vocabulary::hook::{Hook, Offsets, Unrecorded};
use crate::vocabulary::spans::Spans;
use crate::vocabulary::time::{SECOND, Timestamp};
use crate::vocabulary::words::Finding;

/// The kind of a finding that says that records did not fit.
pub const RECORDS_LOST: &str = "records_lost";

/// The evidence that a finding takes something away from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// All of it: events of any kind may be missing.
    All,
    /// All that the hooks tell.
    Kernel,
    /// Single packets that met a megaflow.
    Packets,
    /// Upcalls and their packets.
    Upcalls,
    /// Megaflows and flushes.
    Megaflows,
    /// Datapath ports.
    Ports,
    /// OVSDB rows.
    Owners,
    /// OpenFlow flows of one bridge.
    Flows(String),
    /// None of it: it is there to be read.
    Nothing,
}

/// A finding, and what it takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blemish {
    /// What is missing.
    pub of: Of,
    /// When, and in words.
    pub finding: Finding,
}

/// Hooks without which something cannot be told: their evidence, and what is missed without each.
const ESSENTIAL: [(&str, Of, &str); 17] = [
    (
        "ovs_flow_tbl_flush",
        Of::Megaflows,
        "when the datapath was flushed",
    ),
    ("ovs_flow_tbl_insert", Of::Megaflows, "when forwarding came back"),
    ("ovs_flow_cmd_set", Of::Megaflows, "when a drop became an output"),
    ("ovs_dp_upcall", Of::Upcalls, "which upcalls failed"),
    (
        "ovs_packet_cmd_execute",
        Of::Upcalls,
        "which packets ovs-vswitchd sent on",
    ),
    ("ovs_dp_change", Of::Upcalls, "when upcalls were bound"),
    (
        "ovs_vport_set_upcall_portids",
        Of::Upcalls,
        "when upcalls of single ports were bound",
    ),
    ("ovs_execute_actions", Of::Packets, "which packets met a drop"),
    ("ovs_vport_send", Of::Packets, "which packets were delivered"),
    (
        "ovs_flow_key_extract_userspace",
        Of::Packets,
        "which packets came back from userspace, and follows none",
    ),
    ("ovs_vport_cmd_new", Of::Packets, RENEWED),
    ("ovs_vport_cmd_del", Of::Packets, RENEWED),
    ("ovs_dp_cmd_new", Of::Packets, RENEWED),
    ("ovs_dp_cmd_del", Of::Packets, RENEWED),
    (
        "sched_process_exec",
        Of::Kernel,
        "which process is the new ovs-vswitchd",
    ),
    (
        "sched_process_fork",
        Of::Kernel,
        "which process is the new ovs-vswitchd",
    ),
    ("sched_process_exit", Of::Kernel, "when ovs-vswitchd exited"),
];

/// What is missed where the coming and going of ports is: the programs know them by address, which another may have later.
const RENEWED: &str = "whether a packet was delivered to a port or to another one that was made in its place";

/// The kind of a finding that says that a hook is not attached.
pub const HOOK_MISSING: &str = "hook_missing";

/// Of two readings of a counter no farther apart than this, what was counted is one finding.
const NEAR: u64 = 2 * SECOND;

/// Findings about the capture, collected as events come.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    hooks: BTreeMap<(String, String), Hook>,
    lost: BTreeMap<(String, Option<Unrecorded>), Spans<u64>>,
    skipped: BTreeMap<String, Spans<u64>>,
    skips_untold: bool,
    down: BTreeMap<String, (Timestamp, String)>,
    up: BTreeSet<String>,
    /// Bridges whose flow monitors Open vSwitch has paused, and since when.
    paused: BTreeMap<String, Timestamp>,
    past: Vec<Blemish>,
}

/// So many findings of the past are kept apart.
const PAST: usize = 1024;

impl Coverage {
    /// A hook's state.
    pub fn hook(&mut self, at: Timestamp, hook: &Hook) {
        let id = (hook.name.clone(), hook.attach.clone());
        let before = self.hooks.insert(id, hook.clone());
        // Attached late or again: what happened before could not be seen.
        if hook.ok && before.is_some_and(|before| !before.ok) {
            let detail = format!(
                "The hook on {} was attached late: what happened before was not seen.",
                hook.name
            );
            let of = essential(&hook.name).map_or(Of::Nothing, |(of, _)| of);
            self.note(of, finding(HOOK_MISSING, None, Some(at), detail));
        }
    }

    /// All hooks, as they stand.
    pub fn hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.values()
    }

    /// Records of a hook were lost.
    pub fn lost(&mut self, at: Timestamp, hook: &str, why: Option<Unrecorded>, count: u64) {
        add(&mut self.lost, at, (hook.to_owned(), why), count);
    }

    /// Hits of a hook were passed over.
    pub fn skipped(&mut self, at: Timestamp, hook: &str, count: u64) {
        add(&mut self.skipped, at, hook.to_owned(), count);
    }

    /// The kernel does not tell what it passes over.
    pub fn skips_untold(&mut self) {
        self.skips_untold = true;
    }

    /// Records known to be lost.
    pub fn lost_total(&self) -> u64 {
        count::total(
            self.lost
                .values()
                .flat_map(|spans| spans.iter().map(|(.., count)| *count)),
        )
    }

    /// Whether a source has said that it sees, and nothing else since.
    pub fn sees(&self, name: &str) -> bool {
        self.up.contains(name)
    }

    /// A source sees, or does not.
    pub fn source(&mut self, at: Timestamp, name: &str, ok: bool, detail: &str) {
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
            self.remember(source_down(name, since, Some(at), &detail));
        }
    }

    /// A blemish of a time that is over.
    pub fn note(&mut self, of: Of, finding: Finding) {
        self.remember(blemish(of, finding));
    }

    /// Where there are too many, the oldest becomes part of the next of its kind: what is forgotten never becomes nothing.
    fn remember(&mut self, new: Blemish) {
        self.past.push(new);
        if self.past.len() <= PAST {
            return;
        }
        let oldest = self.past.remove(0);
        let alike = |one: &&mut Blemish| one.of == oldest.of && one.finding.kind == oldest.finding.kind;
        match self.past.iter_mut().find(alike) {
            Some(next) => {
                next.finding.from_ns = oldest.finding.from_ns.min(next.finding.from_ns);
                let open = oldest.finding.to_ns.is_none() || next.finding.to_ns.is_none();
                let last = oldest.finding.to_ns.max(next.finding.to_ns);
                next.finding.to_ns = last.filter(|_| !open);
            }
            None => self.past.insert(0, oldest),
        }
    }

    /// Open vSwitch paused the flow monitor of a bridge, because too much waited to be read.
    pub fn paused(&mut self, at: Timestamp, bridge: &str) {
        self.paused.entry(bridge.to_owned()).or_insert(at);
    }

    /// It goes on, or is asked for anew.
    pub fn resumed(&mut self, at: Timestamp, bridge: &str) {
        if let Some(since) = self.paused.remove(bridge) {
            self.remember(monitor_paused(bridge, since, Some(at)));
        }
    }

    /// Everything that is known to be missing.
    pub fn blemishes(&self) -> Vec<Blemish> {
        let missing = self.hooks.values().filter(|hook| !hook.ok).map(missing_hook);
        let down = self
            .down
            .iter()
            .map(|(name, (since, detail))| source_down(name, *since, None, detail));
        let paused = self.paused.iter();
        let paused = paused.map(|(bridge, since)| monitor_paused(bridge, *since, None));
        missing
            .chain(paused)
            .chain(derived(self.hooks.values()))
            .chain(self.skips_untold.then(untold))
            .chain(told(&self.lost, |(hook, why), count| {
                records_lost(hook, *why, count)
            }))
            .chain(told(&self.skipped, |hook, count| hits_skipped(hook, count)))
            .chain(down)
            .chain(self.past.iter().cloned())
            .collect()
    }

    /// Forgets what was over before.
    pub fn forget(&mut self, before: Timestamp) {
        self.past
            .retain(|blemish| blemish.finding.to_ns.is_none_or(|to| to >= before));
        for spans in self.skipped.values_mut() {
            spans.forget(before);
        }
    }
}

fn add<K: Ord>(counts: &mut BTreeMap<K, Spans<u64>>, at: Timestamp, of: K, count: u64) {
    let spans = counts.entry(of).or_default();
    spans.add(at, at, count, NEAR, u64::saturating_add);
}

/// What was counted, as one blemish for each span of time in which it was.
fn told<K>(counts: &BTreeMap<K, Spans<u64>>, tell: impl Fn(&K, u64) -> Blemish) -> Vec<Blemish> {
    let mut told = Vec::new();
    for (of, spans) in counts {
        for (from, to, count) in spans.iter() {
            let mut one = tell(of, *count);
            (one.finding.from_ns, one.finding.to_ns) = (Some(since_read(*from)), Some(*to));
            told.push(one);
        }
    }
    told
}

fn essential(name: &str) -> Option<(Of, &'static str)> {
    let found = ESSENTIAL.iter().find(|(hook, ..)| *hook == name);
    found.map(|(_, of, unseen)| (of.clone(), *unseen))
}

/// What is counted at a point happened at some time since the counters had been read before.
fn since_read(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_sub(SECOND))
}

/// The runs of packets that did not fit, as [`Coverage::lost`] is told of them.
pub const PACKET_EVIDENCE: &str = "packet evidence";

fn records_lost(hook: &str, why: Option<Unrecorded>, count: u64) -> Blemish {
    let (of, what) = if hook == PACKET_EVIDENCE {
        (Of::Packets, "runs of packets")
    } else {
        let of = essential(hook).map_or(Of::Kernel, |(of, _)| of);
        (of, "records")
    };
    let from = if hook == PACKET_EVIDENCE {
        String::new()
    } else {
        format!(" of {hook}")
    };
    let detail = format!("{count} {what}{from} {}.", unrecorded(why));
    blemish(of, finding(RECORDS_LOST, None, None, detail))
}

/// Why something is not in the recording, and what to do about it.
fn unrecorded(why: Option<Unrecorded>) -> &'static str {
    match why {
        None => "did not fit into the ring or a table; this recording does not say which",
        Some(Unrecorded::RingFull) => "did not fit into the ring: enlarge it with --ring-size",
        Some(Unrecorded::KeysFull) => {
            "did not fit into the table of traffic keys: enlarge it with --max-keys"
        }
        Some(Unrecorded::UpcallsFull) => {
            "did not fit into the table of kinds of upcalls: enlarge it with --max-keys"
        }
        Some(Unrecorded::CallsFull) => {
            "did not fit into the table of calls under way, which ovsgap clears by itself: please report it if it happens again"
        }
        Some(Unrecorded::HalfSeen) => {
            "are missing because the kernel ran the probe at only one end of a call; a less busy node, or fewer other tracers, misses \
             fewer"
        }
        Some(Unrecorded::Unreadable) => {
            "are missing because kernel memory could not be read: please report it with the output of `ovsgap doctor`"
        }
        Some(Unrecorded::Flapped) => {
            "are missing because the fate of their traffic changed too often (more than 64 times a second); no flag changes that"
        }
    }
}

fn hits_skipped(hook: &str, count: u64) -> Blemish {
    let detail = format!(
        "The kernel skipped {count} hits of {hook}, because their CPU was inside another probe: these packets are not counted. \
         A less busy node, or fewer other tracers, skips fewer."
    );
    let of = essential(hook).map_or(Of::Kernel, |(of, _)| of);
    blemish(of, finding("hits_skipped", None, None, detail))
}

fn source_down(name: &str, from: Timestamp, to: Option<Timestamp>, detail: &str) -> Blemish {
    let of = match name {
        "ebpf" => Of::Kernel,
        "ovsdb" => Of::Owners,
        "datapath" => Of::Ports,
        other => other
            .strip_prefix("openflow ")
            .map_or(Of::All, |bridge| Of::Flows(bridge.to_owned())),
    };
    let mut found = finding("source_down", Some(from), to, format!("{name}: {detail}"));
    // Every restart takes the monitors down; what follows from it is weighed Pod by Pod.
    found.weakens = of == Of::Kernel;
    Blemish { of, finding: found }
}

fn missing_hook(hook: &Hook) -> Blemish {
    let essential = essential(&hook.name);
    let unseen = essential
        .as_ref()
        .map(|(_, unseen)| format!(" Without it, ovsgap cannot tell {unseen}."))
        .unwrap_or_default();
    let detail = format!(
        "{} ({}) is not attached: {}.{unseen}",
        hook.name, hook.attach, hook.error
    );
    let of = essential.map_or(Of::Nothing, |(of, _)| of);
    blemish(of, finding(HOOK_MISSING, None, None, detail))
}

/// Hooks that read by the source of the kernel's version: right for all that is known of it, and not told by the kernel.
fn derived<'a>(hooks: impl Iterator<Item = &'a Hook>) -> Option<Blemish> {
    let count = hooks
        .filter(|hook| hook.ok && hook.offsets == Some(Offsets::Derived))
        .count();
    let detail = format!(
        "The kernel does not publish the types of its openvswitch module: {count} hooks use the layout of this kernel version's source. \
         A kernel built with CONFIG_DEBUG_INFO_BTF_MODULES publishes them."
    );
    (count > 0).then(|| blemish(Of::Nothing, finding("types_derived", None, None, detail)))
}

/// Said of every capture on such a kernel. It weakens nothing: few hits are skipped, and the datapath's own counters tell of upcalls.
fn untold() -> Blemish {
    let detail = "This kernel does not count the probe hits it skips: now and then a packet may not be counted. Linux 6.7 and later \
        count them.";
    blemish(
        Of::Nothing,
        finding("skips_untold", None, None, detail.to_owned()),
    )
}

fn monitor_paused(bridge: &str, since: Timestamp, until: Option<Timestamp>) -> Blemish {
    let detail = format!(
        "Open vSwitch paused the flow monitor of {bridge}: too much waited to be read. Flows that changed until it resumed came no later \
         than reported, but may have come earlier. Packets decide."
    );
    let of = Of::Flows(bridge.to_owned());
    blemish(of, finding("monitor_paused", Some(since), until, detail))
}

/// What is missing of a source, as a finding that weakens.
pub fn blemish(of: Of, mut finding: Finding) -> Blemish {
    finding.weakens = of != Of::Nothing;
    Blemish { of, finding }
}

/// A finding that weakens nothing by itself.
pub fn finding(kind: &str, from: Option<Timestamp>, to: Option<Timestamp>, detail: String) -> Finding {
    Finding {
        kind: kind.to_owned(),
        from_ns: from,
        to_ns: to,
        detail,
        weakens: false,
    }
}

#[cfg(test)]
mod tests;
