//! The prober's truth beside the report, Pod by Pod, for people.
//!
//! May not know: what is right (that is `judge`). Pure: an [`Outcome`] to text.

use std::fmt::Write as _;

use crate::judge::millis;
use crate::outcome::Outcome;
use crate::report::{Loss, Pod};

const HEAD: [&str; 7] = [
    "Pod",
    "first again",
    "all again",
    "report's end",
    "difference",
    "lost (prober)",
    "lost (report)",
];

/// The table. Times are milliseconds since the flush; losses are packets to and from the Pod.
pub fn render(outcome: &Outcome) -> String {
    let flush = outcome
        .restart()
        .and_then(|restart| restart.milestone("flush_ns"));
    let mut rows = vec![HEAD.map(str::to_owned)];
    for name in outcome.pods() {
        let truth = outcome.of_pod(name);
        let pod = outcome
            .restart()
            .and_then(|restart| restart.real_pods().find(|pod| pod.name == name));
        let end = pod
            .and_then(|pod| pod.exposed.as_ref())
            .and_then(|exposed| exposed.end_ns);
        rows.push([
            name.to_owned(),
            since(flush, truth.first_again_ns),
            since(flush, truth.all_again_ns),
            since(flush, end),
            since(truth.first_again_ns, end),
            format!("{} to, {} from", truth.lost_to, truth.lost_from),
            pod.map_or_else(|| "not in the report".into(), lost),
        ]);
    }
    align(&rows)
}

/// `at` in milliseconds after (or, negative, before) `from`.
fn since(from: Option<u64>, at: Option<u64>) -> String {
    match (from, at) {
        (Some(from), Some(at)) if at >= from => format!("{} ms", millis(at - from)),
        (Some(from), Some(at)) => format!("-{} ms", millis(from - at)),
        _ => "-".to_owned(),
    }
}

fn lost(pod: &Pod) -> String {
    let count = |loss: &Option<Loss>| {
        loss.as_ref()
            .map_or_else(|| "?".into(), |loss| loss.lost_packets.to_string())
    };
    format!(
        "{} to, {} from",
        count(&pod.observed.to_pod),
        count(&pod.observed.from_pod)
    )
}

fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_what_is_not_known_is_a_dash() {
        let row = |one: &str, two: &str| [one.to_owned(), two.to_owned()];
        assert_eq!(
            align(&[row("Pod", "end"), row("pod-10", "3 ms")]),
            "  Pod     end\n  pod-10  3 ms\n"
        );
        assert_eq!(since(Some(2_000_000), Some(500_000)), "-1.500 ms");
        assert_eq!(since(None, Some(1)), "-");
    }
}
