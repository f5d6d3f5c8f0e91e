//! The prober's truth beside the report, Pod by Pod, for people.
//!
//! Must not depend on: what is right (that is `judge`). Pure: an [`Outcome`] to text.

use std::fmt::Write as _;

use lab::words::report::{Loss, Observed, Pod};
use lab::words::scenario::Notes;

use crate::millis::millis;
use crate::outcome::{Direction, Outcome};

/// The table of one scenario.
pub fn render(outcome: &Outcome) -> String {
    let mut all = vec![COLUMNS.map(str::to_owned).to_vec()];
    all.extend(rows(outcome).into_iter().map(|row| row.to_vec()));
    let Notes {
        record_kib,
        report_ms,
        ..
    } = outcome.notes;
    align(&all)
        + &format!(
            "  `ovsgap record` held {}.{} MiB at most; `ovsgap report` took {report_ms} ms\n",
            record_kib / 1024,
            record_kib % 1024 * 10 / 1024,
        )
}

/// What stands in a row of [`rows`] and of `docs/accuracy.md`.
pub const COLUMNS: [&str; 8] = [
    "Pod",
    "lost to it",
    "true gap",
    "report",
    "lost from it",
    "true gap",
    "report",
    "window ends",
];

/// Truth beside report, one row a Pod. Lost packets: by the prober, and, where it is another figure, by the report. Holes:
/// the longest of one traffic, in ms, at least–at most, by the prober and by the report. Windows: how far from the first
/// packet that a megaflow forwarded again.
pub fn rows(outcome: &Outcome) -> Vec<[String; 8]> {
    outcome.restarts().iter().flat_map(of_restart).collect()
}

fn of_restart(outcome: &Outcome) -> Vec<[String; 8]> {
    let rows = outcome.pods().into_iter().map(|name| {
        let truth = outcome.of_pod(name);
        let pod = outcome
            .restart()
            .and_then(|restart| restart.real_pods().find(|pod| pod.name == name));
        let loss = |of: fn(&Observed) -> &Option<Loss>| pod.and_then(|pod| of(&pod.observed).as_ref());
        let [to, to_hole, to_told] = direction(&truth.to, loss(|observed| &observed.to_pod));
        let [from, from_hole, from_told] = direction(&truth.from, loss(|observed| &observed.from_pod));
        let end = pod.map_or_else(|| "not in the report".into(), |pod| end(pod, truth.again_ns));
        [
            name.to_owned(),
            to,
            to_hole,
            to_told,
            from,
            from_hole,
            from_told,
            end,
        ]
    });
    rows.collect()
}

fn direction(truth: &Direction, report: Option<&Loss>) -> [String; 3] {
    let told = report.map_or(0, |loss| loss.lost_packets);
    let lost = if told == truth.lost {
        told.to_string()
    } else {
        format!("{} told {told}", truth.lost)
    };
    let Some(hole) = truth.longest else {
        return [lost, "-".into(), "-".into()];
    };
    let longest = report.into_iter().flat_map(|loss| &loss.keys);
    let longest = longest.max_by_key(|key| key.last_lost_ns.saturating_sub(key.first_lost_ns));
    let told = longest.map_or_else(
        || "-".into(),
        |key| {
            let least = key.last_lost_ns.saturating_sub(key.first_lost_ns);
            let around = key.last_delivered_before_ns.zip(key.first_delivered_after_ns);
            span(least, around.map(|(before, after)| after.saturating_sub(before)))
        },
    );
    [lost, span(hole.at_least(), hole.at_most()), told]
}

fn span(least: u64, most: Option<u64>) -> String {
    let tenths = |nanos: u64| format!("{}.{}", nanos / 1_000_000, nanos / 100_000 % 10);
    format!("{}–{}", tenths(least), most.map_or_else(|| "?".into(), tenths))
}

/// Where a window ends, beside the first packet that a megaflow forwarded again; and why it was.
fn end(pod: &Pod, prompt: Option<u64>) -> String {
    let at = match (pod.exposed.as_ref().map(|exposed| exposed.end_ns), prompt) {
        (None, _) => "no window".into(),
        (Some(None), _) => "open".into(),
        (Some(Some(_)), None) => "closed".into(),
        (Some(Some(end)), Some(prompt)) if end >= prompt => format!("+{} ms", millis(end - prompt)),
        (Some(Some(end)), Some(prompt)) => format!("-{} ms", millis(prompt - end)),
    };
    let cause = pod.cause.as_deref().map(|cause| format!(", {cause}"));
    at + &cause.unwrap_or_default()
}

/// Rows as text, with columns of one width.
pub fn align(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or_default())
        .collect();
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
        let row = |one: &str, two: &str| vec![one.to_owned(), two.to_owned()];
        assert_eq!(
            align(&[row("Pod", "end"), row("pod-10", "3 ms")]),
            "  Pod     end\n  pod-10  3 ms\n"
        );
        assert_eq!(span(95_040_000, Some(110_000_000)), "95.0–110.0");
        assert_eq!(span(0, None), "0.0–?");
    }
}
