//! The table of Pods: windows, losses, causes; what stands behind them at a click.
//!
//! Must not depend on: drawings.

use tracer_core::report::{Disruption, KeyLoss, Loss, Pod, Report, Unattributed};

use super::fold::folded;
use super::text::{each, escape, or_not_seen, pill};
use crate::sink::proof;
use crate::sink::words::{
    bounds, details, ended_by, exposed_ms, judged, judged_unknown, label, loss_in_words, unknown,
};
use crate::writing::{Clock, millis, word};

/// Pods whose traffic keys are listed; those of all are in the JSON report.
const KEYED: usize = 100;

/// The table of a disruption.
pub fn table(report: &Report, disruption: &Disruption, pods: &[&Pod]) -> String {
    if pods.is_empty() && disruption.unattributed.is_empty() {
        return String::new();
    }
    let clock = Clock::new(disruption.began_ns, report.capture.wall_offset_ns, false);
    let of_pods = pods
        .iter()
        .enumerate()
        .map(|(row, pod)| format!("{}{}", line(disruption.id, row, pod), inside(row, pod, clock)));
    let rows: Vec<String> = of_pods
        .chain(disruption.unattributed.iter().map(unknown_line))
        .collect();
    let head = "<thead><tr><th>Pod</th><th class=\"n\">exposed, ms</th><th>ended by</th><th class=\"n\">lost to it</th>\
        <th class=\"n\">gap, ms</th><th class=\"n\">lost from it</th><th class=\"n\">gap, ms</th><th class=\"n\">delayed</th>\
        <th>cause</th><th>verdict</th></tr></thead>";
    format!(
        "<h3>Pods</h3>\n{}",
        folded(&rows, |rows| format!(
            "<table class=\"pods\">\n{head}\n{rows}</table>\n"
        ))
    )
}

fn line(id: u32, row: usize, pod: &Pod) -> String {
    let name = escape(&label(pod));
    let window = pod.exposed.as_ref();
    let exposed = match window {
        None => or_not_seen(None),
        Some(_) => exposed_ms(pod).unwrap_or_else(|| "<span class=\"none\">end not seen</span>".to_owned()),
    };
    let ended = window.and_then(|window| window.ended_by).map_or("–", ended_by);
    let (to, to_gap) = lost(pod.observed.to_pod.as_ref());
    let (from, from_gap) = lost(pod.observed.from_pod.as_ref());
    let delayed = pod
        .delayed
        .as_ref()
        .map_or_else(|| "–".to_owned(), |delayed| delayed.packets.to_string());
    let why = pod
        .cause
        .map_or_else(|| "–".to_owned(), |it| format!("<code>{}</code>", word(it)));
    format!(
        "<tbody id=\"r{id}-{row}\"><tr><th scope=\"row\"><bdi>{name}</bdi></th>\
         <td class=\"n\" data-of=\"exposed, ms\">{exposed}</td><td data-of=\"ended by\">{ended}</td>\
         <td class=\"n\" data-of=\"lost to it\">{to}</td><td class=\"n\" data-of=\"gap to it, ms\">{to_gap}</td>\
         <td class=\"n\" data-of=\"lost from it\">{from}</td><td class=\"n\" data-of=\"gap from it, ms\">{from_gap}</td>\
         <td class=\"n\" data-of=\"delayed\">{delayed}</td><td data-of=\"cause\">{why}</td>\
         <td data-of=\"verdict\">{}</td></tr>\n",
        judged(pod).map_or_else(|| "–".to_owned(), pill)
    )
}

/// Packets that came in at a port that nobody is known to own.
fn unknown_line(port: &Unattributed) -> String {
    let lost = loss_in_words(&port.loss).unwrap_or_else(|| "nothing".to_owned());
    format!(
        "<tbody><tr><th scope=\"row\"><bdi>{}</bdi></th><td class=\"n\" data-of=\"exposed, ms\">–</td>\
         <td data-of=\"ended by\">–</td><td class=\"n\" data-of=\"lost to it\">–</td>\
         <td class=\"n\" data-of=\"gap to it, ms\">–</td><td class=\"n\" data-of=\"lost from it\">{}</td>\
         <td class=\"n\" data-of=\"gap from it, ms\">{}</td><td class=\"n\" data-of=\"delayed\">–</td>\
         <td data-of=\"cause\">–</td><td data-of=\"verdict\">{}</td></tr>\n\
         <tr class=\"inside\"><td colspan=\"10\"><details><summary>evidence</summary>\n\
         <ul class=\"findings\"><li>lost {lost}; nobody is known to own this port</li></ul>\n{}</details></td></tr></tbody>\n",
        escape(&unknown(port)),
        port.loss.lost_packets,
        bounds(&port.loss),
        pill(judged_unknown(&port.loss)),
        keys([("from it", Some(&port.loss))])
    )
}

/// Packets lost in one direction, and the bounds of their longest gap.
fn lost(loss: Option<&Loss>) -> (String, String) {
    match loss {
        None => (
            "<span class=\"none\">no packet seen</span>".to_owned(),
            "–".to_owned(),
        ),
        Some(loss) if loss.lost_packets == 0 => ("0".to_owned(), "–".to_owned()),
        Some(loss) => (loss.lost_packets.to_string(), bounds(loss)),
    }
}

/// What stands behind the figures of a Pod.
fn inside(row: usize, pod: &Pod, clock: Clock) -> String {
    let number = |number: Option<u32>| or_not_seen(number.map(|number| number.to_string()));
    let point = |at: Option<_>| or_not_seen(at.map(|at| clock.point(at)));
    let addresses = (!pod.ips.is_empty()).then(|| escape(&pod.ips.join(", ")));
    let facts = [
        ("interface", escape(&pod.interface)),
        ("bridge", or_not_seen(pod.bridge.as_deref().map(escape))),
        ("ofport", number(pod.ofport)),
        ("datapath port", number(pod.port_no)),
        ("MAC", or_not_seen(pod.mac.as_deref().map(escape))),
        ("addresses", or_not_seen(addresses)),
        ("flows installed", point(pod.flows_installed_ns)),
        ("converged", point(pod.converged_ns)),
        ("reachable", point(pod.reachable_ns)),
        ("network", escape(pod.network.as_deref().unwrap_or("default"))),
    ];
    let facts = each(facts, |(name, value)| {
        format!("<div><dt>{name}</dt><dd>{value}</dd></div>")
    });
    let lines = each(details(pod).iter(), |line| format!("<li>{}</li>", escape(line)));
    let keys = if row < KEYED {
        keys([
            ("to it", pod.observed.to_pod.as_ref()),
            ("from it", pod.observed.from_pod.as_ref()),
        ])
    } else {
        String::new()
    };
    format!(
        "<tr class=\"inside\"><td colspan=\"10\"><details><summary>evidence</summary>\n<dl class=\"facts\">{facts}</dl>\n\
         <ul class=\"findings\">{lines}</ul>\n{}{keys}</details></td></tr></tbody>\n",
        proven(pod, clock)
    )
}

/// What the verdict rests on, witness by witness.
fn proven(pod: &Pod, clock: Clock) -> String {
    if pod.proof.is_none() {
        return String::new();
    }
    let lines = each(proof::witnesses(pod, clock), |line| {
        format!("<li>{}</li>", escape(&line))
    });
    let sentence = escape(&proof::sentence(pod, clock));
    format!("<p>{sentence}</p>\n<ul class=\"findings witnesses\">{lines}</ul>\n")
}

fn keys<const WAYS: usize>(ways: [(&str, Option<&Loss>); WAYS]) -> String {
    let rows: String = ways
        .into_iter()
        .filter_map(|(way, loss)| Some((way, loss?)))
        .flat_map(|(way, loss)| loss.keys.iter().map(move |key| keyed(way, key)))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<table class=\"keys\">\n<thead><tr><th></th><th>traffic that lost packets</th><th class=\"n\">lost</th>\
         <th class=\"n\">gap, ms</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn keyed(way: &str, key: &KeyLoss) -> String {
    let least = millis(key.last_lost_ns.since(key.first_lost_ns));
    let around = key.last_delivered_before_ns.zip(key.first_delivered_after_ns);
    let most = around.map_or_else(|| "…".to_owned(), |(before, after)| millis(after.since(before)));
    let gaps = if key.gaps > 1 {
        format!(" ({} gaps)", key.gaps)
    } else {
        String::new()
    };
    format!(
        "<tr><td>{way}</td><td><bdi>{}</bdi> → <bdi>{}</bdi> {}</td><td class=\"n\">{}</td><td class=\"n\">{least}–{most}{gaps}</td></tr>\n",
        escape(&key.interface),
        escape(&key.dst),
        protocol(key.eth_type, key.proto, key.port),
        key.lost_packets
    )
}

/// The protocol by its name, where it is one that everybody knows.
pub fn protocol(eth_type: u16, proto: u8, port: u16) -> String {
    let port = if port == 0 {
        String::new()
    } else {
        format!(" port {port}")
    };
    let name = match (eth_type, proto) {
        (0x0806, 1) => "ARP request".to_owned(),
        (0x0806, 2) => "ARP reply".to_owned(),
        (0x0800, 1) => "ICMP".to_owned(),
        (0x86dd, 58) => "ICMPv6".to_owned(),
        (0x0800 | 0x86dd, 6) => "TCP".to_owned(),
        (0x0800 | 0x86dd, 17) => "UDP".to_owned(),
        (0x0800 | 0x86dd, 132) => "SCTP".to_owned(),
        _ => format!("type 0x{eth_type:04x} protocol {proto}"),
    };
    format!("{name}{port}")
}
