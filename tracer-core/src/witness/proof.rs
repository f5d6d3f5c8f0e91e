//! What the witnesses allow to be said of one endpoint in one disruption, and the only place where a pass is made.
//!
//! Must not depend on: how the figures were found. A figure has an upper bound only where the witnesses that would have seen
//! more were whole; a pass is made from upper bounds alone. So no missing source, no default and no empty list leads to one.

use serde::{Deserialize, Serialize};

use crate::vocabulary::bounds::Bounds;
use crate::vocabulary::words::Verdict;
use crate::witness::source::{Source, State, Witness};

/// In one word, what is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Packets were lost.
    Lost,
    /// Traffic would have been lost, had there been any.
    Dark,
    /// Nothing was lost, and nothing would have been.
    Clear,
    /// None of these.
    CannotTell,
}

/// What was found, before it is weighed.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Packets that were seen to be lost.
    pub lost: u64,
    /// How long the longest gap between deliveries was.
    pub gap: Bounds,
    /// How long traffic would have been lost. The lower bound is what a lost packet or a drop megaflow proves, the upper bound
    /// may be the flow monitor's.
    pub exposed: Bounds,
    /// Traffic of the endpoint was forwarded after it was put at risk, and only to where it belongs.
    pub carried: bool,
    /// All that was needed to reach the endpoint was there before the flush, and stayed.
    pub reachable: bool,
    /// What was found that contradicts a pass, as sentences.
    pub doubts: &'a [String],
    /// The sources.
    pub witnesses: &'a [Witness],
}

/// What is proven of one endpoint in one disruption. It can be made from a [`Claim`] and its witnesses alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proof {
    /// In one word.
    says: Says,
    /// Packets lost, to it and from it.
    lost_packets: Bounds,
    /// The longer of the exposed window and the longest gap.
    window_ns: Bounds,
    /// The exposed window alone, which needs no traffic.
    exposed_ns: Bounds,
    /// The sources that exclude more than the upper bounds say.
    rests_on: Vec<Source>,
    /// What keeps it from being certain, as sentences.
    why: Vec<String>,
}

/// By packets: those that met a megaflow, and those that went through userspace.
const BY_PACKETS: [Source; 2] = [Source::Packets, Source::Upcalls];
/// By state: the endpoint could be reached whether or not there was traffic.
const BY_STATE: [Source; 5] = [
    Source::Flows,
    Source::Megaflows,
    Source::Upcalls,
    Source::Ports,
    Source::Owners,
];

impl Proof {
    /// Weighs what was found.
    pub fn of(claim: &Claim<'_>) -> Self {
        let whole = |needed: &[Source]| needed.iter().all(|source| is_whole(claim.witnesses, *source));
        let certain = claim.doubts.is_empty();
        let by_packets = certain && whole(&BY_PACKETS);
        let carried = by_packets && claim.carried;
        // What was reachable may have lost packets all the same: somebody has to have looked.
        let looked = claim
            .witnesses
            .iter()
            .any(|witness| witness.source == Source::Packets && witness.state != State::Absent);
        let by_state = certain && claim.reachable && claim.lost == 0 && looked && whole(&BY_STATE);
        let bounded = carried || certain && whole(&[Source::Flows, Source::Megaflows]);
        let exposed = Bounds {
            at_least: claim.exposed.at_least,
            at_most: if by_state {
                Some(claim.exposed.at_least)
            } else {
                claim.exposed.at_most.filter(|_| bounded)
            },
        };
        let lost_packets = Bounds {
            at_least: claim.lost,
            at_most: (carried || by_state || by_packets && claim.lost > 0).then_some(claim.lost),
        };
        let window_ns = window(claim, exposed, carried, by_state, by_packets);
        let says = says(lost_packets, window_ns);
        let mut rests_on = Vec::new();
        for (used, sources) in [(carried, &BY_PACKETS[..]), (by_state, &BY_STATE[..])] {
            let new = sources
                .iter()
                .filter(|source| used && !rests_on.contains(*source));
            rests_on.extend(new.copied().collect::<Vec<_>>());
        }
        Self {
            says,
            lost_packets,
            window_ns,
            exposed_ns: exposed,
            rests_on,
            why: why(claim, lost_packets, window_ns),
        }
    }

    /// In one word.
    pub fn says(&self) -> Says {
        self.says
    }

    /// Packets lost.
    pub fn lost_packets(&self) -> Bounds {
        self.lost_packets
    }

    /// The longer of the exposed window and the longest gap.
    pub fn window_ns(&self) -> Bounds {
        self.window_ns
    }

    /// The exposed window alone.
    pub fn exposed_ns(&self) -> Bounds {
        self.exposed_ns
    }

    /// The sources that exclude more.
    pub fn rests_on(&self) -> &[Source] {
        &self.rests_on
    }

    /// What keeps it from being certain.
    pub fn why(&self) -> &[String] {
        &self.why
    }

    /// Where nothing may be lost and nothing exposed.
    pub fn verdict(&self) -> Verdict {
        within(self.lost_packets, 0).max(within(self.window_ns, 0))
    }
}

/// A figure against a limit: the lower bound proves a breach, the upper bound excludes one. The only place where a pass is made.
pub fn within(figure: Bounds, limit: u64) -> Verdict {
    match figure.at_most {
        _ if figure.at_least > limit => Verdict::Fail,
        Some(most) if most <= limit => Verdict::Pass,
        Some(_) | None => Verdict::Inconclusive,
    }
}

/// Where there is no limit, nothing can exceed it.
pub fn unlimited() -> Verdict {
    within(Bounds::exactly(0), 0)
}

fn is_whole(witnesses: &[Witness], source: Source) -> bool {
    let mut of_source = witnesses
        .iter()
        .filter(|witness| witness.source == source)
        .peekable();
    of_source.peek().is_some() && of_source.all(|witness| witness.state == State::Whole)
}

fn window(claim: &Claim<'_>, exposed: Bounds, carried: bool, by_state: bool, by_packets: bool) -> Bounds {
    if claim.lost == 0 && (carried || by_state) && claim.exposed.at_least == 0 {
        // Traffic that goes on without a loss excludes what the flow monitor's late word does not.
        return Bounds::exactly(0);
    }
    let gap = Bounds {
        at_least: claim.gap.at_least,
        at_most: match claim.lost {
            // Where no packet was seen to be lost, only whole evidence of packets says that none was.
            0 => exposed.at_most.filter(|_| by_packets),
            _ => claim.gap.at_most.filter(|_| carried),
        },
    };
    gap.max(exposed)
}

fn says(lost: Bounds, window: Bounds) -> Says {
    if lost.at_least > 0 {
        Says::Lost
    } else if window.at_least > 0 {
        Says::Dark
    } else if lost.at_most == Some(0) && window.at_most == Some(0) {
        Says::Clear
    } else {
        Says::CannotTell
    }
}

/// What is missing, where something is.
fn why(claim: &Claim<'_>, lost: Bounds, window: Bounds) -> Vec<String> {
    if lost.at_most.is_some() && window.at_most.is_some() {
        return Vec::new();
    }
    let mut why: Vec<String> = claim.doubts.to_vec();
    let missing = claim.witnesses.iter().filter_map(|witness| witness.why.clone());
    for sentence in missing {
        if !why.contains(&sentence) {
            why.push(sentence);
        }
    }
    if why.is_empty() && lost.at_least == 0 && window.at_least == 0 {
        why.push(
            "No traffic of it was seen after it was put at risk, and its flows were not there before the flush: \
             nothing proves that it could be reached. Send traffic during the disruption, or see why its flows came late."
                .to_owned(),
        );
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::time::Timestamp;

    fn witnesses(whole: &[Source]) -> Vec<Witness> {
        let all = [
            Source::Packets,
            Source::Upcalls,
            Source::Megaflows,
            Source::Flows,
            Source::Ports,
            Source::Owners,
        ];
        all.into_iter()
            .map(|source| Witness {
                source,
                state: if whole.contains(&source) {
                    State::Whole
                } else {
                    State::Absent
                },
                from_ns: Timestamp(1),
                to_ns: Timestamp(2),
                why: (!whole.contains(&source)).then(|| format!("{} missing", source.name())),
            })
            .collect()
    }

    fn claim(witnesses: &[Witness]) -> Claim<'_> {
        Claim {
            lost: 0,
            gap: Bounds::exactly(0),
            exposed: Bounds {
                at_least: 0,
                at_most: Some(5),
            },
            carried: true,
            reachable: true,
            doubts: &[],
            witnesses,
        }
    }

    #[test]
    fn packets_or_state_prove_it_and_nothing_else_does() {
        let packets = witnesses(&BY_PACKETS);
        let proof = Proof::of(&claim(&packets));
        assert_eq!((proof.says(), proof.verdict()), (Says::Clear, Verdict::Pass));
        assert_eq!(proof.rests_on(), BY_PACKETS);
        let mut state = witnesses(&BY_STATE);
        assert_eq!(
            Proof::of(&claim(&state)).verdict(),
            Verdict::Inconclusive,
            "nobody looked at packets"
        );
        state[0].state = State::Partial;
        assert_eq!(Proof::of(&claim(&state)).verdict(), Verdict::Pass);
        for missing in BY_STATE {
            let rest: Vec<Source> = BY_STATE.into_iter().filter(|source| *source != missing).collect();
            let found = Proof::of(&Claim {
                carried: false,
                ..claim(&witnesses(&rest))
            });
            assert_eq!(
                (found.says(), found.verdict()),
                (Says::CannotTell, Verdict::Inconclusive),
                "{missing:?}"
            );
            assert!(!found.why().is_empty());
        }
        assert_eq!(Proof::of(&claim(&[])).verdict(), Verdict::Inconclusive);
    }

    #[test]
    fn a_doubt_keeps_it_from_passing() {
        let packets = witnesses(&BY_PACKETS);
        let doubts = ["its packets went to another port".to_owned()];
        let proof = Proof::of(&Claim {
            doubts: &doubts,
            ..claim(&packets)
        });
        assert_eq!(proof.verdict(), Verdict::Inconclusive);
        assert_eq!(proof.why()[0], doubts[0]);
    }

    #[test]
    fn a_loss_fails_whatever_was_not_seen() {
        let proof = Proof::of(&Claim {
            lost: 1,
            ..claim(&[])
        });
        assert_eq!((proof.says(), proof.verdict()), (Says::Lost, Verdict::Fail));
        assert_eq!(proof.lost_packets().at_most, None);
    }

    #[test]
    fn an_idle_endpoint_whose_flows_came_late_is_not_clear() {
        let all = witnesses(&[BY_PACKETS[0], Source::Upcalls, Source::Flows, Source::Megaflows]);
        let proof = Proof::of(&Claim {
            carried: false,
            reachable: false,
            ..claim(&all)
        });
        assert_eq!(proof.says(), Says::CannotTell);
        assert_eq!(proof.window_ns().at_most, Some(5));
        assert_eq!(
            within(proof.window_ns(), 5),
            Verdict::Pass,
            "a limit may allow it"
        );
    }
}
