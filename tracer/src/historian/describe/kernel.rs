//! What the kernel's datapath was seen to do, in words.
//!
//! Must not depend on: what follows from it.

use tracer_core::detail::{datapath_label, port_label};
use tracer_core::engine::Engine;
use tracer_core::event::EventKind;
use tracer_core::flow::{Actions, Fate, FlowKey};
use tracer_core::id::{DpIfindex, Mac};
use tracer_core::time::Timestamp;

use super::words::Words;
use crate::historian::moment::Weight;
use crate::writing::word;

/// A datapath or its ports.
pub fn datapath(at: Timestamp, kind: &EventKind, engine: &Engine) -> Words {
    let (text, weight) = match kind {
        EventKind::Datapath { name, .. } => (format!("{name} exists"), Weight::Plain),
        EventKind::DatapathGone { dp } => (
            format!("{} is gone", datapath_label(engine, *dp)),
            Weight::Disruption,
        ),
        EventKind::Vport { port_no, name, .. } => (format!("port {port_no} is {name}"), Weight::Plain),
        EventKind::VportGone { dp, port_no } => (
            format!("{} is gone", port_label(engine, *dp, *port_no, at)),
            Weight::Bad,
        ),
        EventKind::DatapathStats {
            dp,
            missed,
            lost,
            flows,
            ..
        } => (
            format!(
                "{}: {flows} megaflows, {missed} missed, {lost} lost",
                datapath_label(engine, *dp)
            ),
            Weight::Plain,
        ),
        _ => return commanded(at, kind, engine),
    };
    ("datapath", text, weight)
}

/// What a process has told the datapath.
fn commanded(at: Timestamp, kind: &EventKind, engine: &Engine) -> Words {
    let (text, weight) = match kind {
        EventKind::DpChange {
            pids: Some(pids),
            tgid,
            ..
        } => (
            format!(
                "process {tgid} bound {} of {} upcall sockets",
                pids.bound, pids.given
            ),
            Weight::Disruption,
        ),
        EventKind::DpChange { tgid, .. } => (format!("process {tgid} changed the datapath"), Weight::Plain),
        EventKind::VportPortids {
            dp,
            port_no,
            tgid,
            pids,
        } => (
            format!(
                "process {tgid} bound {} of {} upcall sockets of {}",
                pids.bound,
                pids.given,
                port_label(engine, *dp, *port_no, at)
            ),
            Weight::Disruption,
        ),
        EventKind::Reconfigured { tgid, what, name, .. } => (
            format!(
                "{} {} by process {tgid}",
                word(what),
                name.as_deref().unwrap_or("")
            ),
            Weight::Plain,
        ),
        _ => (String::new(), Weight::Plain),
    };
    ("datapath", text, weight)
}

/// Megaflows.
pub fn flow(at: Timestamp, kind: &EventKind, engine: &Engine) -> Words {
    match kind {
        EventKind::FlowFlush { dp, tgid } => (
            "flush",
            format!(
                "{}: all megaflows gone, by process {tgid}",
                datapath_label(engine, *dp)
            ),
            Weight::Disruption,
        ),
        EventKind::FlowInsert { dp, key, actions, .. } => {
            let (does, weight) = effect(*dp, actions, at, engine);
            (
                "megaflow",
                format!("new: {} → {does}", matched(*dp, key, at, engine)),
                weight,
            )
        }
        EventKind::FlowSet {
            dp, ufid, actions, ..
        } => {
            let (does, weight) = effect(*dp, actions, at, engine);
            let name: String = ufid.to_string().chars().take(8).collect();
            ("megaflow", format!("{name}… changed: → {does}"), weight)
        }
        EventKind::FlowRemove { dp, key, .. } => (
            "megaflow",
            format!("removed: {}", matched(*dp, key, at, engine)),
            Weight::Plain,
        ),
        _ => ("megaflow", String::new(), Weight::Plain),
    }
}

fn matched(dp: DpIfindex, key: &FlowKey, at: Timestamp, engine: &Engine) -> String {
    let from = port_label(engine, dp, key.in_port, at);
    let pass = match key.recirc_id {
        0 => String::new(),
        pass => format!(" recirc {pass}"),
    };
    let to = match key.ip_dst {
        Some(ip) => format!(" to {ip}"),
        None if key.eth_dst != Mac::default() => format!(" to {}", key.eth_dst),
        None => String::new(),
    };
    format!("from {from}{pass}{to}")
}

fn effect(dp: DpIfindex, actions: &Actions, at: Timestamp, engine: &Engine) -> (String, Weight) {
    match actions.fate() {
        Fate::Output => {
            let ports: Vec<String> = actions
                .outputs
                .iter()
                .take(3)
                .map(|port| port_label(engine, dp, *port, at))
                .collect();
            let more = if actions.outputs.len() > 3 { ", …" } else { "" };
            (format!("{}{more}", ports.join(", ")), Weight::Good)
        }
        Fate::Userspace => ("userspace".to_owned(), Weight::Plain),
        Fate::Recirculate => ("recirculate".to_owned(), Weight::Plain),
        Fate::Drop => ("drop".to_owned(), Weight::Bad),
        Fate::Unknown => ("(list not recorded whole)".to_owned(), Weight::Plain),
    }
}
