//! A row per Pod: its exposed window, what it lost, why.
//!
//! Must not depend on: other restarts.

use tracer_core::report::{Exposed, Pod, Restart};

use super::line::line;
use super::table;
use crate::sink::words::{bounds, cause, details, ended_by, is_shown, label, longest_hole, verdict};
use crate::writing::{self, Clock};

/// The rows of a restart, and below them what each window consists of.
pub fn rows(out: &mut String, restart: &Restart, clock: Clock) {
    let shown: Vec<&Pod> = restart.pods.iter().filter(|pod| is_shown(pod)).collect();
    if shown.is_empty() {
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
        "HOLE ms",
        "CAUSE",
        "VERDICT",
    ];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(shown.iter().map(|pod| row(pod, clock)));
    table::write(out, &cells);
    let silent = restart.pods.len() - shown.len();
    if silent > 0 {
        line(
            out,
            &format!(
                "  and {} without a window that are no Pod",
                writing::count(silent as u64, "port")
            ),
        );
    }
    let details = shown
        .iter()
        .flat_map(|pod| details(pod).into_iter().map(|detail| (label(pod), detail)));
    let details: Vec<(String, String)> = details.collect();
    if !details.is_empty() {
        line(out, "");
    }
    for (label, detail) in details {
        line(out, &format!("  {label}: {detail}"));
    }
}

fn row(pod: &Pod, clock: Clock) -> Vec<String> {
    let exposed = pod.exposed.as_ref();
    let end = exposed.and_then(|exposed| exposed.end_ns);
    vec![
        label(pod),
        exposed.map_or_else(|| "-".to_owned(), duration),
        exposed
            .and_then(|exposed| exposed.ended_by)
            .map_or("-", ended_by)
            .to_owned(),
        end.map_or_else(|| "-".to_owned(), |at| clock.point(at)),
        pod.observed
            .to_pod
            .as_ref()
            .map_or_else(|| "-".to_owned(), |loss| loss.lost_packets.to_string()),
        pod.observed
            .from_pod
            .as_ref()
            .map_or_else(|| "-".to_owned(), |loss| loss.lost_packets.to_string()),
        hole(pod),
        pod.cause.map_or("-", cause).to_owned(),
        verdict(pod.verdict).to_owned(),
    ]
}

fn duration(exposed: &Exposed) -> String {
    exposed
        .duration_ns
        .map_or_else(|| "open".to_owned(), writing::millis)
}

/// The longer of the two directions' holes, as its bounds.
fn hole(pod: &Pod) -> String {
    longest_hole(pod).map_or_else(|| "-".to_owned(), bounds)
}
