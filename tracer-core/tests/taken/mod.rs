//! Ways in which evidence can be missing from a capture: sources, hooks, records, parts of the recording.
//!
//! Must not depend on: what the judge makes of what is left.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use tracer_core::event::{Event, EventKind};
use tracer_core::log::Entry;
use tracer_core::packet::{PacketFate, Run};
use tracer_core::time::{MILLISECOND, Timestamp};

/// Where events come from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The ring of the eBPF programs: megaflows, commands, processes.
    Ring,
    /// Runs of packets.
    Packets,
    /// Counts of upcalls.
    Upcalls,
    /// The flow monitor of one bridge.
    OpenFlow(Index),
    /// OVSDB.
    Ovsdb,
    /// Netlink: datapaths, ports, counters.
    Netlink,
    /// The clock.
    Ticks,
}

/// One way. Places are entries, by their order of arrival; a time is that of the entry there.
#[derive(Clone, Copy, Debug)]
pub enum Taking {
    /// A source never came up, and said so or not.
    Never(Source, bool),
    /// A source says nothing after a point, and said so or not.
    Silent(Source, Index, bool),
    /// A hook was not attached; `whole`: neither of its two halves was.
    Unhooked { hook: Index, whole: bool },
    /// Records of a hook did not fit: of those within so many milliseconds, all but every n-th.
    Lost {
        hook: Index,
        from: Index,
        span: u64,
        spare: usize,
    },
    /// The recorder was interrupted.
    Ends(Index),
    /// The beginning of the recording is gone.
    Begins(Index),
    /// A part in the middle is gone.
    Cut {
        from: Index,
        to: Index,
        renumbered: bool,
    },
}

/// Any source.
pub fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        3 => Just(Source::Ring),
        3 => Just(Source::Packets),
        1 => Just(Source::Upcalls),
        3 => any::<Index>().prop_map(Source::OpenFlow),
        2 => Just(Source::Ovsdb),
        2 => Just(Source::Netlink),
        1 => Just(Source::Ticks),
    ]
}

/// Any way.
pub fn taking() -> impl Strategy<Value = Taking> {
    let at = any::<Index>;
    prop_oneof![
        1 => (source(), any::<bool>()).prop_map(|(source, says)| Taking::Never(source, says)),
        5 => (source(), at(), any::<bool>()).prop_map(|(source, at, says)| Taking::Silent(source, at, says)),
        1 => (at(), any::<bool>()).prop_map(|(hook, whole)| Taking::Unhooked { hook, whole }),
        3 => (at(), at(), 1_u64..900, 2_usize..10)
            .prop_map(|(hook, from, span, spare)| Taking::Lost { hook, from, span, spare }),
        2 => at().prop_map(Taking::Ends),
        2 => at().prop_map(Taking::Begins),
        3 => (at(), at(), any::<bool>())
            .prop_map(|(from, to, renumbered)| Taking::Cut { from, to, renumbered }),
    ]
}

impl Taking {
    /// What is left, and in words what is gone.
    pub fn from(self, entries: &[Entry]) -> (Vec<Entry>, String) {
        match self {
            Self::Never(source, says) => never(entries, source, says),
            Self::Silent(source, at, says) => silent(entries, source, at, says),
            Self::Unhooked { hook, whole } => unhooked(entries, hook, whole),
            Self::Lost {
                hook,
                from,
                span,
                spare,
            } => lost(entries, hook, from, span, spare),
            Self::Ends(at) => {
                let end = at.index(entries.len());
                (entries[..end].to_vec(), format!("ends before seq {end}"))
            }
            Self::Begins(at) => {
                let start = at.index(entries.len());
                (entries[start..].to_vec(), format!("begins with seq {start}"))
            }
            Self::Cut { from, to, renumbered } => cut(entries, from, to, renumbered),
        }
    }
}

/// Sequence numbers made whole.
pub fn renumber(events: impl IntoIterator<Item = Event>) -> Vec<Entry> {
    (0..)
        .zip(events)
        .map(|(seq, event)| Entry { seq, event })
        .collect()
}

fn at(entries: &[Entry], place: Index) -> Timestamp {
    entries[place.index(entries.len())].event.at
}

fn in_ms(at: Timestamp) -> String {
    format!("{}.{:06} ms", at.0 / MILLISECOND, at.0 % MILLISECOND)
}

fn never(entries: &[Entry], source: Source, says: bool) -> (Vec<Entry>, String) {
    let chosen = Chosen::new(source, entries);
    let said = says.then(|| chosen.says_down()).flatten();
    let first = entries.first().map_or(Timestamp(0), |entry| entry.event.at);
    let left = entries.iter().map(|entry| &entry.event).filter(|event| {
        let arming = says
            && matches!(
                (source, &event.kind),
                (Source::Packets, EventKind::Evidence { .. })
            );
        !chosen.has(&event.kind) && !arming
    });
    let down = said.map(|kind| Event { at: first, kind });
    let left = renumber(left.cloned().chain(down));
    (left, format!("{} never came up, says {says}", chosen.name()))
}

fn silent(entries: &[Entry], source: Source, place: Index, says: bool) -> (Vec<Entry>, String) {
    let chosen = Chosen::new(source, entries);
    let after = at(entries, place);
    let mut left: Vec<Event> = entries
        .iter()
        .map(|entry| entry.event.clone())
        .filter(|event| event.at <= after || !chosen.has(&event.kind))
        .collect();
    if let Some(kind) = chosen.says_down().filter(|_| says) {
        let place = left.iter().position(|event| event.at > after);
        left.insert(place.unwrap_or(left.len()), Event { at: after, kind });
    }
    let what = format!("{} silent after {}, says {says}", chosen.name(), in_ms(after));
    (renumber(left), what)
}

fn unhooked(entries: &[Entry], hook: Index, whole: bool) -> (Vec<Entry>, String) {
    let hooks = hooks(entries);
    let Some(name) = hooks.get(hook.index(hooks.len().max(1))).cloned() else {
        return (entries.to_vec(), "nothing".to_owned());
    };
    let mut half = !whole;
    let mut left = Vec::new();
    for event in entries.iter().map(|entry| &entry.event) {
        let mut event = event.clone();
        match &mut event.kind {
            EventKind::Hook(hook) if hook.name == name => {
                hook.ok = std::mem::take(&mut half);
                hook.error = String::from(if hook.ok { "" } else { "no such symbol" });
            }
            kind if of_hook(&name, kind) => continue,
            _ => {}
        }
        left.push(event);
    }
    (
        renumber(left),
        format!("{name} not attached, both halves {whole}"),
    )
}

fn lost(entries: &[Entry], hook: Index, from: Index, span: u64, spare: usize) -> (Vec<Entry>, String) {
    let names = hooks(entries);
    let Some(name) = names.get(hook.index(names.len().max(1))).cloned() else {
        return (entries.to_vec(), "nothing".to_owned());
    };
    let from = at(entries, from);
    let to = from.plus(span * MILLISECOND);
    let mut gone = 0;
    let mut left: Vec<Event> = Vec::new();
    for event in entries.iter().map(|entry| &entry.event) {
        let within = match &event.kind {
            EventKind::Packets(run) => run.first >= from && run.last <= to,
            _ => event.at >= from && event.at <= to,
        };
        if within && of_hook(&name, &event.kind) {
            gone += 1;
            if gone % spare != 0 {
                continue;
            }
        }
        left.push(event.clone());
    }
    if gone > 0 {
        let place = left.iter().position(|event| event.at > to);
        let kind = EventKind::RecordsLost {
            hook: name.clone(),
            count: 1,
            why: None,
        };
        left.insert(place.unwrap_or(left.len()), Event { at: to, kind });
    }
    let what = format!("{gone} records of {name} within {} to {}", in_ms(from), in_ms(to));
    (renumber(left), what)
}

fn cut(entries: &[Entry], from: Index, to: Index, renumbered: bool) -> (Vec<Entry>, String) {
    // The end mark stays.
    let last = entries.len().saturating_sub(1).max(1);
    let (one, other) = (from.index(last), to.index(last));
    let (from, to) = (one.min(other), one.max(other));
    let left: Vec<Entry> = [&entries[..from], &entries[to..]].concat();
    let gone = &entries[from..to];
    let ticks = gone
        .iter()
        .filter(|entry| entry.event.kind == EventKind::Tick)
        .count();
    let what = format!("seq {from} to before {to} are gone with {ticks} ticks, renumbered {renumbered}");
    if renumbered {
        return (renumber(left.into_iter().map(|entry| entry.event)), what);
    }
    (left, what)
}

/// A source of one recording.
struct Chosen {
    source: Source,
    bridge: String,
}

impl Chosen {
    fn new(source: Source, entries: &[Entry]) -> Self {
        let bridges: BTreeSet<&str> = entries
            .iter()
            .filter_map(|entry| bridge(&entry.event.kind))
            .collect();
        let bridge = match source {
            Source::OpenFlow(which) if !bridges.is_empty() => {
                bridges.iter().nth(which.index(bridges.len())).copied()
            }
            _ => None,
        };
        Self {
            source,
            bridge: bridge.unwrap_or_default().to_owned(),
        }
    }

    fn name(&self) -> String {
        match self.source {
            Source::OpenFlow(_) => format!("openflow {}", self.bridge),
            other => format!("{other:?}"),
        }
    }

    fn has(&self, kind: &EventKind) -> bool {
        match self.source {
            Source::Ring => is_ring(kind),
            Source::Packets => matches!(kind, EventKind::Packets(_)),
            Source::Upcalls => matches!(kind, EventKind::Upcalls(_) | EventKind::UpcallLatency { .. }),
            Source::OpenFlow(_) => bridge(kind) == Some(self.bridge.as_str()),
            Source::Ovsdb => is_ovsdb(kind),
            Source::Netlink => is_netlink(kind),
            Source::Ticks => *kind == EventKind::Tick,
        }
    }

    fn says_down(&self) -> Option<EventKind> {
        let error = "it broke".to_owned();
        let down = |name: &str| EventKind::Source {
            name: name.to_owned(),
            ok: false,
            detail: "it broke".to_owned(),
        };
        Some(match self.source {
            Source::Ring => down("ebpf"),
            Source::Packets => EventKind::Evidence { armed: false },
            Source::Upcalls => EventKind::RecordsLost {
                hook: "ovs_dp_upcall".to_owned(),
                count: 1,
                why: None,
            },
            Source::OpenFlow(_) => EventKind::OpenFlowDown {
                bridge: self.bridge.clone(),
                error,
            },
            Source::Ovsdb => EventKind::OvsdbDown { error },
            Source::Netlink => down("datapath"),
            Source::Ticks => return None,
        })
    }
}

fn is_ring(kind: &EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::FlowFlush { .. }
            | Kind::FlowInsert { .. }
            | Kind::FlowSet { .. }
            | Kind::FlowRemove { .. }
            | Kind::DpChange { .. }
            | Kind::VportPortids { .. }
            | Kind::Reconfigured { .. }
            | Kind::ProcessExec(_)
            | Kind::ProcessFork(_)
            | Kind::ProcessExit { .. }
    )
}

fn is_ovsdb(kind: &EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::OvsdbUp
            | Kind::OvsdbSnapshot
            | Kind::OvsdbDown { .. }
            | Kind::OpenVswitchRow { .. }
            | Kind::BridgeRow { .. }
            | Kind::PortRow { .. }
            | Kind::InterfaceRow { .. }
    )
}

fn is_netlink(kind: &EventKind) -> bool {
    use EventKind as Kind;
    matches!(
        kind,
        Kind::Datapath { .. }
            | Kind::DatapathGone { .. }
            | Kind::Vport { .. }
            | Kind::VportGone { .. }
            | Kind::DatapathStats { .. }
    )
}

/// Read, not stamped by the kernel: it happened up to some time before.
pub fn is_read(kind: &EventKind) -> bool {
    is_ovsdb(kind) || is_netlink(kind) || bridge(kind).is_some()
}

fn bridge(kind: &EventKind) -> Option<&str> {
    match kind {
        EventKind::OpenFlowUp { bridge, .. }
        | EventKind::OpenFlowSnapshot { bridge }
        | EventKind::OpenFlowAlive { bridge }
        | EventKind::OpenFlowDown { bridge, .. }
        | EventKind::OpenFlowFlows { bridge, .. }
        | EventKind::OpenFlowPaused { bridge, .. } => Some(bridge),
        _ => None,
    }
}

fn hooks(entries: &[Entry]) -> Vec<String> {
    let names: BTreeSet<&String> = entries
        .iter()
        .filter_map(|entry| match &entry.event.kind {
            EventKind::Hook(hook) => Some(&hook.name),
            _ => None,
        })
        .collect();
    names.into_iter().cloned().collect()
}

/// Whether a hook's program makes such events.
fn of_hook(hook: &str, kind: &EventKind) -> bool {
    use EventKind as Kind;
    match (hook, kind) {
        ("ovs_flow_tbl_flush", Kind::FlowFlush { .. })
        | ("ovs_flow_tbl_insert", Kind::FlowInsert { .. })
        | ("ovs_flow_cmd_set", Kind::FlowSet { .. })
        | ("ovs_flow_tbl_remove", Kind::FlowRemove { .. })
        | ("ovs_dp_change", Kind::DpChange { .. })
        | ("ovs_vport_set_upcall_portids", Kind::VportPortids { .. })
        | (
            "ovs_vport_cmd_new" | "ovs_vport_cmd_del" | "ovs_dp_cmd_new" | "ovs_dp_cmd_del",
            Kind::Reconfigured { .. },
        )
        | ("sched_process_exec", Kind::ProcessExec(_))
        | ("sched_process_fork", Kind::ProcessFork(_))
        | ("sched_process_exit", Kind::ProcessExit { .. })
        | ("ovs_dp_upcall", Kind::Upcalls(_))
        | ("ovs_packet_cmd_execute", Kind::UpcallLatency { .. }) => true,
        (_, Kind::Packets(run)) => of_packet_hook(hook, run),
        _ => false,
    }
}

fn of_packet_hook(hook: &str, run: &Run) -> bool {
    match (hook, run.fate) {
        ("ovs_packet_cmd_execute", _) => run.executed,
        ("ovs_dp_upcall", PacketFate::Queued | PacketFate::UpcallFailed(_))
        | ("ovs_execute_actions", PacketFate::DropFlow)
        | ("ovs_vport_send", PacketFate::Delivered(_)) => true,
        _ => false,
    }
}
