//! The line on how long upcalls waited.
//!
//! Must not depend on: Pods, disruptions.

use tracer_core::report::UpcallLatency;

use crate::writing;

/// Upcalls that were answered, and how long they waited for it.
pub fn row(latency: &UpcallLatency) -> String {
    let UpcallLatency {
        ambiguous,
        p50_ns,
        p90_ns,
        p99_ns,
        max_ns,
        ..
    } = latency;
    let quantiles = [("p50", p50_ns), ("p90", p90_ns), ("p99", p99_ns), ("max", max_ns)];
    let quantiles: Vec<String> = quantiles
        .into_iter()
        .filter_map(|(name, at)| Some(format!("{name} {}", writing::span((*at)?))))
        .collect();
    let after = if quantiles.is_empty() {
        String::new()
    } else {
        format!(", after at most {}", quantiles.join(" · "))
    };
    let untimed = if *ambiguous > 0 {
        format!(" ({ambiguous} alike, not timed)")
    } else {
        String::new()
    };
    format!("upcalls answered: {}{after}{untimed}", latency.answered())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_timed_is_said() {
        let latency = UpcallLatency {
            timed: 2,
            ambiguous: 1,
            min_ns: Some(1_000),
            p50_ns: Some(1_000_000),
            p90_ns: Some(2_000_000),
            p99_ns: Some(2_000_000),
            max_ns: Some(2_000_000),
            waits: Vec::new(),
        };
        assert_eq!(
            row(&latency),
            "upcalls answered: 3, after at most p50 1.000 ms · p90 2.000 ms · p99 2.000 ms · max 2.000 ms \
             (1 alike, not timed)"
        );
    }
}
