//! An event in a line of words.
//!
//! Must not depend on: screens, what follows from an event.

mod kernel;
mod words;

use tracer_core::count::total;
use tracer_core::detail::port_label;
use tracer_core::engine::Engine;
use tracer_core::event::{Change, Event, EventKind, OpenFlowChange, Process, Upcalls};
use tracer_core::id::PortNo;
use tracer_core::packet::{Destination, PacketFate, Run};
use tracer_core::time::Timestamp;
use tracer_core::vocabulary::capture::LatencyCount;

use self::kernel::{datapath, flow};
use self::words::Words;
use super::moment::Weight;
use crate::writing::{about, span, word};

/// An event in words.
pub fn describe(event: &Event, engine: &Engine) -> Words {
    use EventKind as Kind;
    let at = event.at;
    match &event.kind {
        Kind::Tick => ("tick", String::new(), Weight::Plain),
        Kind::CaptureEnded => ("capture", "the capture ended".to_owned(), Weight::Plain),
        Kind::CommandStarted { .. } | Kind::CommandExited { .. } => command(&event.kind),
        Kind::Hook(_)
        | Kind::RecordsLost { .. }
        | Kind::HitsSkipped { .. }
        | Kind::SkipsUntold
        | Kind::PacketsLost { .. }
        | Kind::Source { .. }
        | Kind::Evidence { .. } => capture(&event.kind),
        Kind::ProcessSeen(process) => ("process", format!("{} runs", named(process)), Weight::Plain),
        Kind::ProcessExec(process) => (
            "process",
            format!("{} started", named(process)),
            Weight::Disruption,
        ),
        Kind::ProcessFork(process) => (
            "process",
            format!("{} was forked by {}", named(process), process.parent),
            Weight::Disruption,
        ),
        Kind::ProcessExit {
            process,
            code,
            signal,
        } => ("process", exited(process, *code, *signal), Weight::Disruption),
        Kind::OvsdbUp
        | Kind::OvsdbSnapshot
        | Kind::OvsdbDown { .. }
        | Kind::OpenVswitchRow { .. }
        | Kind::BridgeRow { .. }
        | Kind::PortRow { .. }
        | Kind::InterfaceRow { .. } => ovsdb(&event.kind),
        Kind::Datapath { .. }
        | Kind::DatapathGone { .. }
        | Kind::Vport { .. }
        | Kind::VportGone { .. }
        | Kind::DatapathStats { .. }
        | Kind::DpChange { .. }
        | Kind::VportPortids { .. }
        | Kind::Reconfigured { .. } => datapath(at, &event.kind, engine),
        Kind::FlowFlush { .. } | Kind::FlowInsert { .. } | Kind::FlowSet { .. } | Kind::FlowRemove { .. } => {
            flow(at, &event.kind, engine)
        }
        Kind::Upcalls(count) => upcalls(at, count, engine),
        Kind::UpcallLatency { waits, ambiguous } => answered(waits, *ambiguous),
        Kind::Packets(run) => packets(at, run, engine),
        Kind::OpenFlowUp { .. }
        | Kind::OpenFlowSnapshot { .. }
        | Kind::OpenFlowAlive { .. }
        | Kind::OpenFlowDown { .. }
        | Kind::OpenFlowFlows { .. }
        | Kind::OpenFlowPaused { .. } => openflow(&event.kind),
    }
}

fn named(process: &Process) -> String {
    format!("{} ({})", process.comm, process.pid)
}

fn exited(process: &Process, code: Option<i32>, signal: Option<i32>) -> String {
    let how = match (signal, code) {
        (Some(signal), _) if signal != 0 => format!(" by signal {signal}"),
        (_, Some(code)) => format!(" with {code}"),
        _ => String::new(),
    };
    format!("{} ended{how}", named(process))
}

fn command(kind: &EventKind) -> Words {
    let text = match kind {
        EventKind::CommandStarted { argv } => format!("`{}` started", argv.join(" ")),
        EventKind::CommandExited { code: Some(code), .. } => format!("the command exited with {code}"),
        EventKind::CommandExited {
            signal: Some(signal), ..
        } => format!("the command was ended by signal {signal}"),
        _ => "the command ended".to_owned(),
    };
    ("command", text, Weight::Plain)
}

fn capture(kind: &EventKind) -> Words {
    match kind {
        EventKind::Hook(hook) if hook.ok => (
            "hook",
            format!("{} ({}) attached", hook.name, hook.attach),
            Weight::Plain,
        ),
        EventKind::Hook(hook) => (
            "hook",
            format!("{} ({}) is not attached: {}", hook.name, hook.attach, hook.error),
            Weight::Bad,
        ),
        EventKind::RecordsLost { hook, count, .. } => {
            ("lost", format!("{count} records of {hook}"), Weight::Bad)
        }
        EventKind::HitsSkipped { hook, count } => ("lost", format!("{count} hits of {hook}"), Weight::Bad),
        EventKind::SkipsUntold => (
            "capture",
            "the kernel does not tell which hits it passes over".to_owned(),
            Weight::Plain,
        ),
        EventKind::PacketsLost { runs, .. } => ("lost", format!("{runs} runs of packets"), Weight::Bad),
        EventKind::Source { name, ok: true, .. } => ("source", format!("{name} sees"), Weight::Plain),
        EventKind::Source { name, detail, .. } => {
            ("source", format!("{name} does not see: {detail}"), Weight::Bad)
        }
        EventKind::Evidence { armed } => {
            let text = if *armed {
                "packets are seen from here on"
            } else {
                "packets are no longer seen"
            };
            ("evidence", text.to_owned(), Weight::Plain)
        }
        _ => ("capture", String::new(), Weight::Plain),
    }
}

fn ovsdb(kind: &EventKind) -> Words {
    let row = |table: &str, name: Option<&str>| match name {
        Some(name) => format!("{table} {name}"),
        None => format!("{table} row deleted"),
    };
    match kind {
        EventKind::OvsdbUp => ("ovsdb", "connected".to_owned(), Weight::Plain),
        EventKind::OvsdbSnapshot => ("ovsdb", "all rows told".to_owned(), Weight::Plain),
        EventKind::OvsdbDown { error } => ("ovsdb", format!("connection lost: {error}"), Weight::Bad),
        EventKind::OpenVswitchRow {
            flow_restore_wait, ..
        } => {
            let flag = flow_restore_wait.as_deref().unwrap_or("absent");
            (
                "ovsdb",
                format!("flow-restore-wait is {flag}"),
                Weight::Disruption,
            )
        }
        EventKind::BridgeRow { row: bridge, .. } => {
            let name = bridge.as_ref().map(|row| row.name.as_str());
            ("ovsdb", row("Bridge", name), Weight::Plain)
        }
        EventKind::PortRow { row: port, .. } => {
            let name = port.as_ref().map(|row| row.name.as_str());
            ("ovsdb", row("Port", name), Weight::Plain)
        }
        EventKind::InterfaceRow { row: interface, .. } => {
            let text = row("Interface", interface.as_ref().map(|row| row.name.as_str()));
            let ofport = interface.as_ref().and_then(|row| row.ofport);
            let number = ofport.map_or_else(String::new, |ofport| format!(", ofport {ofport}"));
            ("ovsdb", text + &number, Weight::Plain)
        }
        _ => ("ovsdb", String::new(), Weight::Plain),
    }
}

/// What `ovs_dp_upcall` returned, by the names of `errno(3)`.
pub fn result(result: i32) -> String {
    match result {
        0 => "taken".to_owned(),
        -11 => "EAGAIN".to_owned(),
        -12 => "ENOMEM".to_owned(),
        -105 => "ENOBUFS".to_owned(),
        -107 => "ENOTCONN".to_owned(),
        -111 => "ECONNREFUSED".to_owned(),
        other => format!("errno {}", other.unsigned_abs()),
    }
}

fn upcalls(at: Timestamp, upcalls: &Upcalls, engine: &Engine) -> Words {
    let Upcalls {
        dp,
        port_no,
        command,
        result: returned,
        count,
        ..
    } = upcalls;
    let text = format!(
        "{count} × {} from {}: {}",
        word(command),
        port_label(engine, *dp, *port_no, at),
        result(*returned)
    );
    (
        "upcalls",
        text,
        if *returned == 0 {
            Weight::Plain
        } else {
            Weight::Bad
        },
    )
}

fn answered(waits: &[LatencyCount], ambiguous: u64) -> Words {
    let upcalls = total(waits.iter().map(|wait| wait.upcalls));
    let longest = waits.iter().map(|wait| wait.below_ns).max();
    let longest = longest.map_or_else(String::new, |below| {
        format!(", the slowest within {}", span(below))
    });
    let text = format!("{} answered{longest}", upcalls.saturating_add(ambiguous));
    ("answers", text, Weight::Plain)
}

fn packets(at: Timestamp, run: &Run, engine: &Engine) -> Words {
    let dp = run.key.dp;
    let port = |port: PortNo| port_label(engine, dp, port, at);
    let (fate, how, weight) = match run.fate {
        PacketFate::Delivered(to) if run.executed => {
            ("delivered", format!("{}, by userspace", port(to)), Weight::Good)
        }
        PacketFate::Delivered(to) => ("delivered", port(to), Weight::Good),
        PacketFate::DropFlow => ("lost", "drop flow".to_owned(), Weight::Bad),
        PacketFate::Queued => ("queued", "for userspace".to_owned(), Weight::Plain),
        PacketFate::UpcallFailed(errno) => ("lost", format!("upcall failed, {}", result(errno)), Weight::Bad),
    };
    let to = match run.key.dst {
        Destination::Ip(ip) => ip.to_string(),
        Destination::Mac(mac) => mac.to_string(),
    };
    let text = format!(
        "{} {fate}: {} → {to} ({how}), within {}",
        run.packets,
        port(run.key.in_port),
        about(run.last.since(run.first))
    );
    ("packets", text, weight)
}

fn openflow(kind: &EventKind) -> Words {
    match kind {
        EventKind::OpenFlowUp { bridge, .. } => {
            ("openflow", format!("{bridge}: monitor on"), Weight::Disruption)
        }
        EventKind::OpenFlowSnapshot { bridge } => {
            ("openflow", format!("{bridge}: all flows reported"), Weight::Plain)
        }
        EventKind::OpenFlowAlive { bridge } => (
            "openflow",
            format!("{bridge}: monitor is up to date"),
            Weight::Plain,
        ),
        EventKind::OpenFlowDown { bridge, error } => (
            "openflow",
            format!("{bridge}: monitor off: {error}"),
            Weight::Disruption,
        ),
        EventKind::OpenFlowFlows { bridge, changes } => (
            "openflow",
            format!("{bridge}: {}", changed(changes)),
            Weight::Good,
        ),
        EventKind::OpenFlowPaused { bridge, paused } => {
            let text = if *paused {
                "paused: times are upper bounds"
            } else {
                "resumed"
            };
            ("openflow", format!("{bridge}: monitor {text}"), Weight::Bad)
        }
        _ => ("openflow", String::new(), Weight::Plain),
    }
}

fn changed(changes: &[OpenFlowChange]) -> String {
    let count = |what: Change| changes.iter().filter(|change| change.change == what).count();
    let parts: Vec<String> = [
        (Change::Initial, "there"),
        (Change::Added, "added"),
        (Change::Modified, "changed"),
        (Change::Removed, "removed"),
    ]
    .into_iter()
    .filter_map(|(what, word)| {
        Some(count(what))
            .filter(|count| *count > 0)
            .map(|count| format!("{count} {word}"))
    })
    .collect();
    format!("flows: {}", parts.join(", "))
}
