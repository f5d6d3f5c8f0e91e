//! What each verdict rests on, Pod by Pod (`--explain`).
//!
//! Must not depend on: other disruptions, other formats.

use tracer_core::report::Disruption;

use crate::sink::words::{is_shown, unknown_sentence};
use crate::sink::{causes, proof};
use crate::writing::{Clock, line, word};

/// A block for each row of the table: the proof in a sentence, the cause with its remedy, each witness in a line.
pub fn proofs(out: &mut String, disruption: &Disruption, clock: Clock) {
    let shown = || disruption.pods.iter().filter(|pod| is_shown(pod));
    if shown().next().is_none() && disruption.unattributed.is_empty() {
        return;
    }
    line(out, "");
    line(out, "  what each verdict rests on");
    for pod in shown() {
        line(out, "");
        line(out, &format!("  {}", proof::sentence(pod, clock)));
        if let Some(cause) = pod.cause {
            let remedy =
                causes::remedy(cause).map_or_else(String::new, |remedy| format!("; to do: {remedy}"));
            let (name, meaning) = (word(cause), causes::meaning(cause));
            line(out, &format!("    {name}: {meaning}{remedy}"));
        }
        for witness in proof::witnesses(pod, clock) {
            line(out, &format!("    {witness}"));
        }
    }
    for port in &disruption.unattributed {
        line(out, "");
        line(
            out,
            &format!(
                "  {}: a loss counts, whoever owns the port.",
                unknown_sentence(port)
            ),
        );
    }
}
