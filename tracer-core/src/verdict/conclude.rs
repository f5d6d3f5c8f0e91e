//! Draws the report from everything that is known.
//!
//! Must not depend on: events, formats.

use crate::memory::coverage::{Blemish, Of, finding};
use crate::memory::disruption::Disruption as Disrupted;
use crate::memory::engine::Engine;
use crate::memory::readings::Growth;
use crate::report::{
    Capture, DISRUPTIONS, Disruption, Hook, Node, Reconciliation, Report, SCHEMA, SteadyDrop,
};
use crate::verdict::docket::Docket;
use crate::verdict::evidence::Evidence;
use crate::verdict::loss::steady_drop;
use crate::verdict::missing::blemishes;
use crate::verdict::one::disruption;
use crate::vocabulary::header::Header;
use crate::vocabulary::time::{MILLISECOND, SECOND, Timestamp};
use crate::vocabulary::words::{Finding, Verdict};

/// What is known beside the events: the header, and what went wrong with their transport.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// The recording's header.
    pub header: Header,
    /// What is missing of the recording: gaps, late events, a cut.
    pub blemishes: Vec<Blemish>,
    /// Events known to be missing.
    pub missing: u64,
}

/// The report over the events so far.
pub fn conclude(docket: &Docket, provenance: &Provenance) -> Report {
    let engine = &docket.engine;
    let blemishes = blemishes(engine, provenance.blemishes.clone());
    let mut coverage: Vec<Finding> = blemishes.iter().map(|one| one.finding.clone()).collect();
    coverage.extend(engine.foreign_flushes());
    coverage.extend(unfollowed(engine));
    let mut disruptions: Vec<Disruption> = docket.settled().cloned().collect();
    let unsettled = engine.disruptions.list.len();
    let crowd = unsettled.saturating_sub(DISRUPTIONS);
    for index in crowd..unsettled {
        let id = docket
            .next_id()
            .saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
        let (found, early) = disruption(engine, &blemishes, index, id);
        disruptions.push(found);
        coverage.extend(early.into_iter().map(|one| one.finding));
    }
    let (omitted, worst_omitted) = docket.omitted();
    // Of more than are listed in so short a time, the older ones are judged when they are settled.
    let omitted = omitted.saturating_add(u32::try_from(crowd).unwrap_or(u32::MAX));
    let worst_omitted = worst_omitted.max((crowd > 0).then_some(Verdict::Inconclusive));
    let open = disruptions.get(docket.settled().count()..).unwrap_or_default();
    let outside = docket.outside.finding(engine, open);
    coverage.extend(outside.iter().cloned());
    let conditions = engine.conditions.list();
    let nothing = (disruptions.is_empty() && omitted == 0).then(nothing_to_judge);
    coverage.extend(nothing.iter().cloned());
    let blind: Vec<Finding> = unexplained(&blemishes, &disruptions);
    let weak = (outside.is_some() || !blind.is_empty() || nothing.is_some()).then_some(Verdict::Inconclusive);
    let sick = (!conditions.is_empty()).then_some(Verdict::Fail);
    let worst = disruptions.iter().map(|one| one.verdict).max();
    // Where there is nothing to judge, nothing passes.
    let verdict = worst
        .max(worst_omitted)
        .max(weak)
        .max(sick)
        .unwrap_or(Verdict::Inconclusive);
    let sentences = conditions.iter().map(|condition| condition.detail.clone());
    let found = outside.iter().chain(&blind).chain(&nothing);
    let why = why(sentences.chain(found.map(|one| one.detail.clone())), &disruptions);
    coverage.sort_by_key(|found| !found.weakens);
    coverage.truncate(FINDINGS);
    Report {
        schema: SCHEMA.to_owned(),
        node: node(engine, &provenance.header),
        capture: capture(engine, provenance),
        command: engine.command.clone(),
        steady_drops: steady_drops(engine, docket),
        disruptions,
        omitted,
        conditions,
        coverage,
        verdict,
        why,
    }
}

/// What keeps the verdict from being pass, in sentences.
fn why(whole: impl Iterator<Item = String>, disruptions: &[Disruption]) -> Vec<String> {
    let mut why: Vec<String> = Vec::new();
    for sentence in whole.chain(disruptions.iter().flat_map(|one| one.why.iter().cloned())) {
        if !why.contains(&sentence) && why.len() < SENTENCES {
            why.push(sentence);
        }
    }
    why
}

/// Sentences listed of what keeps the verdict from being pass.
const SENTENCES: usize = 12;
/// Findings listed.
const FINDINGS: usize = 256;

fn nothing_to_judge() -> Finding {
    let detail = "No disruption was seen: there is nothing to judge.".to_owned();
    finding("no_disruption", None, None, detail).weakening()
}

/// What is missing outside of every disruption could have been one.
fn unexplained(blemishes: &[Blemish], disruptions: &[Disruption]) -> Vec<Finding> {
    let total = blemishes.iter().filter(|one| {
        one.of == Of::All && one.finding.to_ns.is_none()
            || one.of == Of::Kernel && one.finding.kind == "source_down"
    });
    let monitors = blemishes.iter().filter(|one| {
        matches!(one.of, Of::Flows(_))
            && one.finding.kind == "source_down"
            && !disruptions.iter().any(|disruption| {
                one.finding.touches(
                    Timestamp(disruption.began_ns.0.saturating_sub(SECOND)),
                    disruption.ended_ns,
                )
            })
    });
    let gone = |one: &&Blemish| !one.finding.detail.ends_with("the bridge was deleted");
    let found = total.chain(monitors.filter(gone));
    found.map(|one| one.finding.clone()).collect()
}

fn node(engine: &Engine, header: &Header) -> Node {
    Node {
        hostname: header.hostname.clone(),
        kernel: header.kernel.clone(),
        ovs: engine.ovs_version.clone(),
    }
}

fn capture(engine: &Engine, provenance: &Provenance) -> Capture {
    let hooks = engine.coverage.hooks().map(|hook| Hook {
        name: hook.name.clone(),
        attach: hook.attach.clone(),
        ok: hook.ok,
        error: (!hook.ok).then(|| hook.error.clone()),
        offsets: hook.offsets,
    });
    Capture {
        started_ns: provenance.header.started_ns,
        ended_ns: engine.now.max(provenance.header.started_ns),
        wall_offset_ns: provenance.header.wall_offset_ns,
        hooks: hooks.collect(),
        events: engine.events,
        lost_events: engine.coverage.lost_total().saturating_add(provenance.missing),
        reconciliation: reconciliation(engine),
        upcall_latency: engine.latencies.summary(),
    }
}

fn reconciliation(engine: &Engine) -> Vec<Reconciliation> {
    let pairs = engine.readings.ends().filter_map(|(dp, first, last)| {
        let growth = Growth::between(first, last)?;
        Some(Reconciliation {
            datapath: engine.topology.datapath_label(dp),
            datapath_missed: growth.missed,
            seen_missed: growth.seen_missed,
            datapath_lost: growth.lost,
            seen_lost: growth.seen_lost,
            agrees: growth.agrees(),
        })
    });
    pairs.collect()
}

/// Packets are followed from a disruption's first sign on, once the hooks on them are armed; a capture around a command
/// goes on for 1.7 s after the flush. Until then it is too early to say that nobody follows them.
const ARMING: u64 = SECOND;

/// Disruptions in which single packets were not followed, or followed late: what was lost is not known, or not all of it.
fn unfollowed(engine: &Engine) -> Vec<Finding> {
    let list = &engine.disruptions.list;
    let told = list.iter().enumerate().filter_map(|(index, disruption)| {
        let until = list.get(index + 1).map(|next| next.began);
        let risk = disruption.risk()?;
        let touches = |(armed, let_go): &&(Timestamp, Option<Timestamp>)| {
            until.is_none_or(|until| *armed < until) && let_go.is_none_or(|let_go| let_go >= risk)
        };
        let first = engine.evidence.iter().find(touches).map(|(armed, _)| *armed);
        let found = match first {
            None if engine.now.since(risk) <= ARMING => return None,
            None => finding(
                "evidence_off",
                Some(disruption.began),
                until,
                "Single packets were not followed: what was lost is not known (`--evidence auto` follows them).".to_owned(),
            ),
            Some(armed) if armed <= risk => return None,
            Some(armed) => finding(
                "evidence_late",
                Some(risk),
                Some(armed),
                format!(
                    "Single packets were followed only from {} ms after the flush, when the hooks on them were attached: what was \
                     lost before is not counted (`--evidence always` follows them at all times).",
                    armed.since(risk) / MILLISECOND
                ),
            ),
        };
        Some(found.weakening())
    });
    told.collect()
}

/// Traffic that a policy drops: outside of every disruption, too.
fn steady_drops(engine: &Engine, docket: &Docket) -> Vec<SteadyDrop> {
    let last = engine.disruptions.list.last().map(|now| now.began);
    let settled = docket.settled().last().and_then(|one| one.ended_ns);
    let span = (last.or(settled).unwrap_or(Timestamp(0)), None);
    let mut evidence = Evidence::gather(engine, span);
    match last {
        // Where nothing is under way, what is dropped is dropped by a policy.
        None => evidence.know_policies(None, |_| Some(Timestamp(0))),
        Some(_) => evidence.know_policies(
            engine.disruptions.list.last().and_then(Disrupted::risk),
            |device| {
                let disruption = engine.disruptions.list.last()?;
                disruption.converging.endpoint(device)?.converged()
            },
        ),
    }
    let mut rows: Vec<SteadyDrop> = evidence.policies().map(steady_drop).collect();
    rows.retain(|row| row.packets > 0);
    rows
}
