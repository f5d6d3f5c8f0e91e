//! Which Pods come first, and the fold that hides the others.
//!
//! Must not depend on: what is drawn of a Pod.

use std::fmt::Write as _;

use tracer_core::report::{Disruption, Pod};

use crate::sink::words::is_shown;

/// Pods drawn before a fold hides the rest.
const SHOWN: usize = 40;

/// The Pods worth a row: as in the report, or the worst first where a fold hides some.
pub fn worst_first(disruption: &Disruption) -> Vec<&Pod> {
    let mut pods: Vec<&Pod> = disruption.pods.iter().filter(|pod| is_shown(pod)).collect();
    if pods.len() > SHOWN {
        let length = |pod: &Pod| pod.exposed.as_ref().and_then(|exposed| exposed.duration_ns);
        pods.sort_by_key(|pod| std::cmp::Reverse((pod.verdict, pod.cause.is_some(), length(pod))));
    }
    pods
}

/// Rows of Pods, those beyond the first behind a fold.
pub fn folded(rows: &[String], wrap: impl Fn(&str) -> String) -> String {
    let (first, rest) = rows.split_at(rows.len().min(SHOWN));
    let mut out = wrap(&first.concat());
    if !rest.is_empty() {
        let _ = write!(
            out,
            "<details class=\"more\"><summary>and {} more, each less affected than those above</summary>\n{}</details>\n",
            rest.len(),
            wrap(&rest.concat())
        );
    }
    out
}
