//! How long upcalls waited: a histogram on a logarithmic scale.
//!
//! Must not depend on: Pods.

use std::fmt::Write as _;

use tracer_core::count::total;
use tracer_core::report::UpcallLatency;

use super::scale::{percent, share};
use super::text::{figures, or_not_seen};
use crate::writing::{count, span};

/// Height of the tallest column.
const TALL: u32 = 120;

/// Columns: each twice as wide in time as the one before it.
#[derive(Debug, PartialEq, Eq)]
struct Column {
    /// Below this (ns), and not below half of it.
    below: u64,
    upcalls: u64,
}

/// The histogram of a disruption.
pub fn draw(latency: Option<&UpcallLatency>) -> String {
    let Some(latency) = latency else {
        return "<h3>Upcalls</h3>\n<p class=\"soft\">How long upcalls waited for their answer: <span class=\"none\">not seen</span>.</p>\n".to_owned();
    };
    let length = |nanos: Option<u64>| {
        or_not_seen(nanos.map(|nanos| format!("≤ {}", span(nanos).replace(" ms", "<small> ms</small>"))))
    };
    let list = [
        (latency.answered().to_string(), "upcalls answered"),
        (length(latency.p50_ns), "half of them after"),
        (length(latency.p99_ns), "99 in 100 after"),
        (length(latency.max_ns), "all after"),
    ];
    let untimed = if latency.ambiguous > 0 {
        let upcalls = count(latency.ambiguous, "upcall");
        format!(
            "<p class=\"soft\">{upcalls} waited beside others just like them: which waited how long is not known.</p>\n"
        )
    } else {
        String::new()
    };
    format!(
        "<h3>How long upcalls waited</h3>\n{}{}{untimed}",
        figures(&list),
        histogram(&columns(latency))
    )
}

/// The waits in columns, empty ones between the first and the last included.
fn columns(latency: &UpcallLatency) -> Vec<Column> {
    let power = |nanos: u64| nanos.max(1).checked_next_power_of_two().unwrap_or(u64::MAX);
    let ends = latency.waits.iter().map(|wait| power(wait.below_ns));
    let (Some(first), Some(last)) = (ends.clone().min(), ends.max()) else {
        return Vec::new();
    };
    let belows =
        std::iter::successors(Some(first), |below| below.checked_mul(2)).take_while(|below| *below <= last);
    belows
        .map(|below| Column {
            below,
            upcalls: total(
                latency
                    .waits
                    .iter()
                    .filter(|wait| power(wait.below_ns) == below)
                    .map(|wait| wait.upcalls),
            ),
        })
        .collect()
}

fn histogram(columns: &[Column]) -> String {
    let most = columns.iter().map(|column| column.upcalls).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let width = share(1, columns.len() as u64);
    // A label for every column would not fit: about six of them do.
    let every = columns.len().div_ceil(6);
    let mut bars = String::new();
    for (number, column) in columns.iter().enumerate() {
        let left = share(number as u64, columns.len() as u64);
        let height = (u128::from(column.upcalls) * u128::from(TALL)).div_ceil(most.into());
        let (y, bottom) = (u128::from(TALL + 16) - height, TALL + 32);
        let _ = write!(
            bars,
            "<rect class=\"count\" x=\"{}\" width=\"{}\" y=\"{y}\" height=\"{height}\"><title>{}: from {} to below {}</title></rect>",
            percent(left),
            percent(width),
            count(column.upcalls, "upcall"),
            span(column.below / 2),
            span(column.below)
        );
        if number % every == 0 {
            let _ = write!(
                bars,
                "<text class=\"tick\" x=\"{}\" y=\"{bottom}\">{}</text>",
                percent(left),
                short(column.below / 2)
            );
        }
    }
    let base = TALL + 16;
    format!(
        "<figure class=\"histogram\">\n<svg height=\"{}\" role=\"img\" aria-label=\"histogram of the time that upcalls waited\">{bars}\
         <line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"{base}\" y2=\"{base}\"/><text class=\"tick\" x=\"0\" y=\"10\">{}</text></svg>\n\
         <figcaption>From a handler's socket taking the packet to ovs-vswitchd having it executed. Each column is twice as \
         wide in time as the one to its left; its foot says where it begins.</figcaption>\n</figure>\n",
        TALL + 40,
        count(most, "upcall") + " in the tallest column"
    )
}

/// A length of time in three characters and a unit.
fn short(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{} s", nanos / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use tracer_core::vocabulary::capture::LatencyCount;

    use super::*;

    #[test]
    fn columns_have_no_gaps() {
        let wait = |at_least_ns, below_ns, upcalls| LatencyCount {
            at_least_ns,
            below_ns,
            upcalls,
        };
        let latency = UpcallLatency {
            timed: 6,
            ambiguous: 0,
            min_ns: None,
            p50_ns: None,
            p90_ns: None,
            p99_ns: None,
            max_ns: None,
            waits: vec![wait(900, 960, 1), wait(960, 1_024, 2), wait(7_000, 8_000, 3)],
        };
        let seen: Vec<_> = columns(&latency)
            .iter()
            .map(|column| (column.below, column.upcalls))
            .collect();
        assert_eq!(seen, [(1_024, 3), (2_048, 0), (4_096, 0), (8_192, 3)]);
    }
}
