//! What each Pod lost: the report's counts and bounds beside every packet that the prober knows of.
//!
//! Must not depend on: milestones, causes. Pure.

use lab::words::packets::Packet;
use lab::words::report::{Disruption, KeyLoss, Loss, Pod};
use lab::words::step::Step;
use lab::words::truth::Stream;

use super::checks::Checks;
use super::coverage;
use crate::bounds;
use crate::outcome::Outcome;

/// How many keys the report lists for a Pod and direction.
const LISTED: usize = 16;

/// A stream that still lost packets this shortly before the capture ended has no last loss that both sides know: the
/// kernel's maps are read for the last time some milliseconds before the end.
const OPEN: u64 = 1_000_000_000;

/// Both directions of a Pod.
pub fn of_pod(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let to = |stream: &Stream| stream.dst == pod.name;
    let from = |stream: &Stream| stream.src == pod.name;
    direction(
        checks,
        outcome,
        &format!("to {}", pod.name),
        to,
        pod.observed.to_pod.as_ref(),
    );
    direction(
        checks,
        outcome,
        &format!("from {}", pod.name),
        from,
        pod.observed.from_pod.as_ref(),
    );
}

/// Where a Pod's port was away for a time: of each traffic no more packets are told than were lost, no fewer than were lost
/// at other times, and none of traffic that nobody sent (who has whose numbers now must be known).
pub fn beside(checks: &mut Checks, outcome: &Outcome, pod: &Pod, away: &Step) {
    type Ours = fn(&Stream, &str) -> bool;
    let directions: [(&str, Ours, &Option<Loss>); 2] = [
        ("to", |stream, name| stream.dst == name, &pod.observed.to_pod),
        ("from", |stream, name| stream.src == name, &pod.observed.from_pod),
    ];
    for (direction, is_of, loss) in directions {
        let keys = loss.as_ref().map_or(&[][..], |loss| &loss.keys);
        let mut wrong = Vec::new();
        let streams = || {
            outcome
                .streams()
                .filter(|(stream, _)| stream.flows && is_of(stream, &pod.name))
        };
        for (stream, packets) in streams() {
            let own = keys.iter().filter(|key| key.key == stream.key);
            let told: u64 = own.map(|key| key.lost_packets).sum();
            let elsewhere =
                |lost: &Packet| lost.done + AWAY < away.started_ns || lost.sent > away.ended_ns + AWAY;
            let most = packets.lost().count() as u64;
            let least = packets.lost().filter(elsewhere).count() as u64;
            if told < least || told > most {
                wrong.push(format!(
                    "{:?}: {told}, and by the prober {least} to {most}",
                    stream.key
                ));
            }
        }
        let unknown = |key: &&KeyLoss| streams().all(|(stream, _)| stream.key != key.key);
        wrong.extend(
            keys.iter()
                .filter(unknown)
                .map(|key| format!("{:?}: nobody sent it", key.key)),
        );
        checks.that(
            &format!(
                "what was lost {direction} {} while its port was there is told",
                pod.name
            ),
            if wrong.is_empty() {
                Ok(())
            } else {
                Err(wrong.join("\n"))
            },
        );
    }
}

/// How long before and after the step that took ports away packets may meet none: what ovs-vswitchd and the kernel still
/// do of it (it answers when the configuration is taken over).
const AWAY: u64 = 100_000_000;

/// Where there was no datapath that could be watched, the report counts fewer than were lost, and never more.
pub fn at_most(checks: &mut Checks, outcome: &Outcome, pod: &Pod) {
    let truth = outcome.of_pod(&pod.name);
    for (name, truth, loss) in [
        ("to", truth.to, &pod.observed.to_pod),
        ("from", truth.from, &pod.observed.from_pod),
    ] {
        let told = loss.as_ref().map_or(0, |loss| loss.lost_packets);
        let more = Err(format!("{told}, and by the prober {}", truth.lost));
        let result = if told > truth.lost { more } else { Ok(()) };
        let about = format!("no more packets lost {name} {} are told than were", pod.name);
        checks.that(&about, result);
    }
}

fn direction(
    checks: &mut Checks,
    outcome: &Outcome,
    name: &str,
    is_of: impl Fn(&Stream) -> bool,
    loss: Option<&Loss>,
) {
    let streams: Vec<(&Stream, bounds::Stream)> = outcome
        .streams()
        .filter(|(stream, _)| stream.flows && is_of(stream))
        .collect();
    let truth: u64 = streams
        .iter()
        .map(|(_, packets)| packets.lost().count() as u64)
        .sum();
    let Some(loss) = loss else {
        checks.that(&format!("nothing was lost {name}"), counted(outcome, 0, truth));
        return;
    };
    let open = streams
        .iter()
        .any(|(_, packets)| packets.lost_last() + OPEN > packets.ended);
    if open {
        let sum: u64 = loss.keys.iter().map(|key| key.lost_packets).sum();
        checks.equal(
            &format!("the packets lost {name} are those of its keys"),
            &loss.lost_packets,
            &sum,
        );
    } else {
        checks.that(
            &format!("all packets lost {name} are counted"),
            counted(outcome, loss.lost_packets, truth),
        );
    }
    checks.that(
        &format!("each traffic lost {name} is told to the packet"),
        each(outcome, &streams, &loss.keys),
    );
    checks.that(&format!("the hole {name} holds that of its traffic"), whole(loss));
}

/// All are, but for those of which the report says that the kernel may have hidden them.
fn counted(outcome: &Outcome, told: u64, lost: u64) -> Result<(), String> {
    if told == lost || coverage::may_be_untold(&outcome.report, told, lost) {
        Ok(())
    } else {
        Err(format!("told are {told}, and by the prober {lost}"))
    }
}

/// Each stream beside its key.
fn each(outcome: &Outcome, streams: &[(&Stream, bounds::Stream)], keys: &[KeyLoss]) -> Result<(), String> {
    let hidden = |told: u64, lost: usize| coverage::may_be_untold(&outcome.report, told, lost as u64);
    let mut wrong: Vec<String> = Vec::new();
    for (stream, packets) in streams {
        let lost = packets.lost().count();
        let result = match keys.iter().find(|key| key.key == stream.key) {
            // Which of its packets was hidden is not known, so its times cannot be right to the packet.
            Some(key) if hidden(key.lost_packets, lost) => Ok(()),
            Some(key) => packets.check(key),
            None if hidden(0, lost) => Ok(()),
            None if lost > 0 && keys.len() < LISTED => Err(format!("not told, and {lost} were lost")),
            None => Ok(()),
        };
        if let Err(error) = result {
            let Stream {
                src,
                dst,
                family,
                protocol,
                port,
                ..
            } = stream;
            wrong.push(format!("{protocol} {family} {port} from {src} to {dst}: {error}"));
        }
    }
    let unknown = |key: &&KeyLoss| streams.iter().all(|(stream, _)| stream.key != key.key);
    for key in keys.iter().filter(unknown) {
        wrong.push(format!(
            "{:?} lost {}, and nothing sent it",
            key.key, key.lost_packets
        ));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// The longest hole of a direction: no key's is longer, and what is told of it fits together.
fn whole(loss: &Loss) -> Result<(), String> {
    let length = |key: &KeyLoss| key.last_lost_ns.saturating_sub(key.first_lost_ns);
    let longest = loss.keys.iter().map(length).max().unwrap_or_default();
    let least = loss.min_ns.unwrap_or_default();
    if least < longest || loss.max_ns.is_some_and(|most| most < least) {
        return Err(format!(
            "[{:?}, {:?}], and a key's is at least {longest}",
            loss.min_ns, loss.max_ns
        ));
    }
    Ok(())
}

/// What a policy drops is told as a steady drop, and in no Pod's losses.
pub fn steady(checks: &mut Checks, outcome: &Outcome) {
    let during = outcome.under_way();
    let policy = outcome
        .streams()
        .filter(|(stream, _)| stream.port == lab::words::truth::POLICY_DROPS);
    let mut wrong = Vec::new();
    for (stream, packets) in policy {
        let told = outcome
            .report
            .steady_drops
            .iter()
            .find(|drop| drop.key == stream.key);
        let told = told.map_or(0, |drop| drop.packets);
        // Seen are those from when the packets' hooks were armed to when they were let go, which the prober does not know:
        // no fewer than from the flush to the last Pod's flows, no more than while the capture ran.
        let seen = !outcome.scenario.way.takes_ports_away();
        let least = packets
            .lost()
            .filter(|lost| seen && during.contains(&lost.sent))
            .count() as u64;
        let most = packets.packets.sent.len() as u64;
        if told < least || told > most {
            wrong.push(format!(
                "from {}: {told}, and the prober knows of {least} to {most}",
                stream.src
            ));
        }
    }
    let pods = outcome.restart().into_iter().flat_map(Disruption::real_pods);
    let losses = pods
        .flat_map(|pod| [&pod.observed.to_pod, &pod.observed.from_pod])
        .flatten();
    let mut keys = losses.flat_map(|loss| &loss.keys);
    if let Some(key) = keys.find(|key| key.key.port == lab::words::truth::POLICY_DROPS) {
        wrong.push(format!("{:?} counts as lost", key.key));
    }
    checks.that(
        "what a policy drops is a steady drop and no loss",
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("\n"))
        },
    );
}
