//! What the evidence proves of one Pod, in a sentence, and each witness in a line.
//!
//! Must not depend on: how either is found, where it stands.

use tracer_core::report::Pod;
use tracer_core::witness::proof::{Proof, Says};
use tracer_core::witness::source::{Source, State, Witness};

use super::gate;
use super::words::{judged, label, verdict};
use crate::writing::{Clock, count};

/// `default/web-1: PASS. Clear: nothing was lost, and nothing would have been. It rests on …`.
pub fn sentence(pod: &Pod, clock: Clock) -> String {
    let Some((proof, of)) = pod.proof.as_ref().zip(judged(pod)) else {
        return format!(
            "{}: no disruption has touched it, so nothing is judged.",
            label(pod)
        );
    };
    let basis = match basis(proof, &pod.witnesses, clock) {
        Some(basis) => format!(" It rests on {basis}."),
        None => String::new(),
    };
    format!("{}: {}. {}{basis}", label(pod), verdict(of), says(proof))
}

/// In a word, and with figures.
pub fn says(proof: &Proof) -> String {
    let window = proof.window_ns();
    let window = gate::range(window.at_least, window.at_most);
    match proof.says() {
        Says::Clear => "Clear: nothing was lost, and nothing would have been.".to_owned(),
        Says::Lost => {
            let lost = proof.lost_packets();
            let more = if lost.at_most == Some(lost.at_least) {
                ""
            } else {
                " or more"
            };
            let packets = count(lost.at_least, "packet");
            let was = if lost.at_least == 1 { "was" } else { "were" };
            format!("Lost: {packets}{more} {was} lost; window {window}.")
        }
        Says::Dark => format!("Dark: traffic would have been lost, had there been any; window {window}."),
        Says::CannotTell => format!("Cannot tell: {}", because(proof)),
    }
}

fn because(proof: &Proof) -> String {
    let mut sentences: Vec<String> = proof.why().to_vec();
    if sentences.is_empty() {
        sentences.push("what was seen neither proves a loss nor excludes one".to_owned());
    }
    let mut text = sentences.join("; ");
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

/// `packets and upcalls (+0.000 ms to +3000.000 ms, whole)`, apart where their intervals are not the same; `None`: it rests on nothing.
fn basis(proof: &Proof, witnesses: &[Witness], clock: Clock) -> Option<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for source in proof.rests_on() {
        let span = seen(*source, witnesses, clock);
        match groups.iter_mut().find(|(known, _)| *known == span) {
            Some((_, names)) => names.push(source.name()),
            None => groups.push((span, vec![source.name()])),
        }
    }
    let each: Vec<String> = groups
        .iter()
        .map(|(span, names)| format!("{} ({span})", listed(names).unwrap_or_default()))
        .collect();
    let each: Vec<&str> = each.iter().map(String::as_str).collect();
    listed(&each)
}

/// `a, b and c`.
fn listed(words: &[&str]) -> Option<String> {
    let (last, others) = words.split_last()?;
    Some(if others.is_empty() {
        (*last).to_owned()
    } else {
        format!("{} and {last}", others.join(", "))
    })
}

/// When a source was there, and how much of it.
fn seen(source: Source, witnesses: &[Witness], clock: Clock) -> String {
    let spans: Vec<String> = witnesses
        .iter()
        .filter(|witness| witness.source == source)
        .map(|witness| format!("{}, {}", interval(witness, clock), state(witness.state)))
        .collect();
    if spans.is_empty() {
        return "its interval is not known".to_owned();
    }
    spans.join("; ")
}

/// A line for each witness: source, interval, how much of it was there, and what is missing.
pub fn witnesses(pod: &Pod, clock: Clock) -> Vec<String> {
    let line = |witness: &Witness| {
        let why = match &witness.why {
            Some(why) => format!(": {why}"),
            None => String::new(),
        };
        format!(
            "{:9}  {}  {}{why}",
            witness.source.name(),
            interval(witness, clock),
            state(witness.state)
        )
    };
    pod.witnesses.iter().map(line).collect()
}

fn interval(witness: &Witness, clock: Clock) -> String {
    format!(
        "{} to {}",
        clock.point(witness.from_ns),
        clock.point(witness.to_ns)
    )
}

fn state(state: State) -> &'static str {
    match state {
        State::Whole => "whole",
        State::Partial => "partial",
        State::Absent => "absent",
    }
}

#[cfg(test)]
mod tests {
    use tracer_core::time::Timestamp;
    use tracer_core::vocabulary::bounds::Bounds;
    use tracer_core::witness::proof::Claim;

    use super::*;

    fn witness(source: Source, state: State) -> Witness {
        Witness {
            source,
            state,
            from_ns: Timestamp(1_000_000),
            to_ns: Timestamp(3_000_000),
            why: (state != State::Whole).then(|| "the ring was full".to_owned()),
        }
    }

    fn proof(lost: u64, witnesses: &[Witness]) -> Proof {
        Proof::of(&Claim {
            lost,
            gap: Bounds::default(),
            exposed: Bounds::default(),
            carried: true,
            reachable: false,
            doubts: &[],
            witnesses,
        })
    }

    #[test]
    fn a_pass_names_what_it_rests_on() {
        let clock = Clock::new(Timestamp(0), 0, false);
        let whole = [
            witness(Source::Packets, State::Whole),
            witness(Source::Upcalls, State::Whole),
        ];
        let clear = proof(0, &whole);
        assert_eq!(
            says(&clear),
            "Clear: nothing was lost, and nothing would have been."
        );
        assert_eq!(
            basis(&clear, &whole, clock).unwrap_or_default(),
            "packets and upcalls (+1.000 ms to +3.000 ms, whole)"
        );
        let mut later = whole.clone();
        later[1].from_ns = Timestamp(2_000_000);
        assert_eq!(
            basis(&clear, &later, clock).unwrap_or_default(),
            "packets (+1.000 ms to +3.000 ms, whole) and upcalls (+2.000 ms to +3.000 ms, whole)"
        );
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let partial = [witness(Source::Packets, State::Partial)];
        let unknown = proof(0, &partial);
        assert_eq!(says(&unknown), "Cannot tell: the ring was full.");
        assert_eq!(
            basis(&unknown, &partial, Clock::new(Timestamp(0), 0, false)),
            None
        );
        assert!(says(&proof(2, &partial)).starts_with("Lost: 2 packets or more were lost"));
    }
}
