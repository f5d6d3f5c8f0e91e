//! Proofs and losses without an owner put into reports, for tests of what is printed.
//!
//! Must not depend on: what is printed.

use tracer_core::report::{Loss, Pod, Reason, Unattributed};
use tracer_core::vocabulary::bounds::Bounds;
use tracer_core::vocabulary::time::Timestamp;
use tracer_core::witness::proof::{Claim, Proof};
use tracer_core::witness::source::{Source, State, Witness};

fn witness(source: Source, missing: &str) -> Witness {
    let is_missing = !missing.is_empty() && source == Source::Flows;
    Witness {
        source,
        state: if is_missing { State::Partial } else { State::Whole },
        from_ns: Timestamp(9_000_000_000),
        to_ns: Timestamp(12_000_000_000),
        why: is_missing.then(|| missing.to_owned()),
    }
}

/// Proves of a Pod that it lost so many packets, or where it lost none and nothing is missing, that it is clear. What is
/// missing, is missing of its OpenFlow flows, and its traffic was then not seen.
pub fn prove(pod: &mut Pod, lost: u64, missing: &str) {
    let sources = [
        Source::Packets,
        Source::Upcalls,
        Source::Megaflows,
        Source::Flows,
        Source::Ports,
        Source::Owners,
    ];
    pod.witnesses = sources
        .into_iter()
        .map(|source| witness(source, missing))
        .collect();
    let proof = Proof::of(&Claim {
        lost,
        gap: Bounds::exactly(lost),
        exposed: Bounds {
            at_least: 0,
            at_most: pod.exposed.as_ref().and_then(|exposed| exposed.duration_ns),
        },
        carried: missing.is_empty(),
        reachable: missing.is_empty(),
        doubts: &[],
        witnesses: &pod.witnesses,
    });
    (pod.verdict, pod.proof) = (proof.verdict(), Some(proof));
}

/// A port that nobody is known to own, and that lost seven packets.
pub fn unknown_port(interface: &str) -> Unattributed {
    Unattributed {
        interface: interface.to_owned(),
        loss: Loss {
            lost_packets: 7,
            lost_bytes: 700,
            first_lost_ns: Some(Timestamp(9_700_000_000)),
            last_lost_ns: Some(Timestamp(9_706_000_000)),
            min_ns: Some(6_000_000),
            by_reason: [(Reason::DropFlow, 7)].into(),
            gaps: 1,
            ..Loss::default()
        },
    }
}
