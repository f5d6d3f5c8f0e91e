//! What would have remained of a disruption's windows if flow-restore-wait had waited for the Pods' flows.
//!
//! Must not depend on: how that follows.

use tracer_core::report::{Around, Disruption, Remainder};

use crate::sink::words::label;
use crate::writing::{self, Clock, line};

/// A line for the disruption and one for each Pod whose window it would have changed.
pub fn it_waited(out: &mut String, disruption: &Disruption, clock: Clock) {
    let Some(had) = &disruption.counterfactual else {
        return;
    };
    line(out, "");
    let Some((flush, later)) = had.flush_ns.zip(had.later_ns) else {
        line(
            out,
            "  had the flag waited for the last Pod's flows: it would still be set, for a Pod's flows never came",
        );
        return;
    };
    line(
        out,
        &format!(
            "  had the flag waited for the last Pod's flows (there at {}, {} after the flush): {}",
            clock.point(flush),
            writing::span(later),
            remaining(had.max_remaining_ns)
        ),
    );
    for pod in &disruption.pods {
        if let Some(remainder) = &pod.counterfactual {
            line(out, &format!("    {}: {}", label(pod), fate(remainder)));
        }
    }
}

fn remaining(most: Option<u64>) -> String {
    match most {
        Some(0) => "no window would have remained".to_owned(),
        Some(most) => format!("at most {} of a window would have remained", writing::span(most)),
        None => "how much of a window would have remained is not known, one did not end".to_owned(),
    }
}

fn fate(remainder: &Remainder) -> String {
    let avoided = writing::span(remainder.avoided_ns);
    let window = match remainder.max_remaining_ns {
        Some(0) => format!("{avoided} less, nothing left"),
        Some(most) => format!("{avoided} less, at most {} left", writing::span(most)),
        None => format!("{avoided} less, its window did not end"),
    };
    match &remainder.lost {
        Some(lost) => format!("{window}; {}", losses(lost)),
        None => window,
    }
}

fn losses(lost: &Around) -> String {
    let Around {
        before,
        across,
        after,
        until_after_ns,
    } = lost;
    let end = until_after_ns
        .map(|later| format!(" (the last {} after it)", writing::span(later)))
        .unwrap_or_default();
    format!("lost packets: {before} before that point, {across} in gaps across it, {after} after it{end}")
}
