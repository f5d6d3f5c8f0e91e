//! A row per Pod: its exposed window, what it lost, why.
//!
//! Must not depend on: other disruptions.

use tracer_core::report::{Disruption, Pod, Unattributed};

use super::table;
use crate::sink::words::{
    bounds, details, ended_by, exposed_ms, is_shown, judged, judged_unknown, label, longest_gap,
    loss_in_words, unknown, unproven, verdict,
};
use crate::writing::{self, Clock, line};

/// The rows of a disruption, and below them what each window consists of.
pub fn rows(out: &mut String, disruption: &Disruption, clock: Clock) {
    let shown: Vec<&Pod> = disruption.pods.iter().filter(|pod| is_shown(pod)).collect();
    let silent = disruption.pods.len() - shown.len();
    if shown.is_empty() && disruption.unattributed.is_empty() {
        return;
    }
    line(out, "");
    let head = [
        "POD",
        "EXPOSED ms",
        "ENDED BY",
        "AT",
        "LOST TO",
        "LOST FROM",
        "GAP ms",
        "CAUSE",
        "VERDICT",
    ];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(shown.iter().map(|pod| row(pod, clock)));
    cells.extend(disruption.unattributed.iter().map(unknown_row));
    table::write(out, &cells);
    if silent > 0 {
        line(
            out,
            &format!(
                "  and {} without a window that are no Pod",
                writing::count(silent as u64, "port")
            ),
        );
    }
    behind(out, disruption, &shown);
}

fn behind(out: &mut String, disruption: &Disruption, shown: &[&Pod]) {
    let of_pods = shown
        .iter()
        .flat_map(|pod| both(pod).map(|detail| (label(pod), detail)));
    let of_others = disruption.unattributed.iter().filter_map(|port| {
        let lost = loss_in_words(&port.loss)?;
        Some((
            unknown(port),
            format!("lost {lost}; nobody is known to own this port"),
        ))
    });
    let details: Vec<(String, String)> = of_pods.chain(of_others).collect();
    if !details.is_empty() {
        line(out, "");
    }
    for (label, detail) in details {
        line(out, &format!("  {label}: {detail}"));
    }
}

/// What stands behind a Pod's figures, then what is not proven.
fn both(pod: &Pod) -> impl Iterator<Item = String> {
    details(pod).into_iter().chain(unproven(pod))
}

fn row(pod: &Pod, clock: Clock) -> Vec<String> {
    let dash = || "-".to_owned();
    let exposed = pod.exposed.as_ref();
    let end = exposed.and_then(|exposed| exposed.end_ns);
    let length = exposed.map_or_else(dash, |_| exposed_ms(pod).unwrap_or_else(|| "open".to_owned()));
    vec![
        label(pod),
        length,
        exposed
            .and_then(|exposed| exposed.ended_by)
            .map_or("-", ended_by)
            .to_owned(),
        end.map_or_else(dash, |at| clock.point(at)),
        pod.observed
            .to_pod
            .as_ref()
            .map_or_else(dash, |loss| loss.lost_packets.to_string()),
        pod.observed
            .from_pod
            .as_ref()
            .map_or_else(dash, |loss| loss.lost_packets.to_string()),
        longest_gap(pod).map_or_else(dash, bounds),
        pod.cause.map_or_else(dash, writing::word),
        judged(pod).map_or("-", verdict).to_owned(),
    ]
}

/// Packets that came in at a port that nobody is known to own.
fn unknown_row(port: &Unattributed) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        unknown(port),
        dash(),
        dash(),
        dash(),
        dash(),
        port.loss.lost_packets.to_string(),
        bounds(&port.loss),
        dash(),
        verdict(judged_unknown(&port.loss)).to_owned(),
    ]
}
