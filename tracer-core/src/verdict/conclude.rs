//! Draws the report from everything the engine remembers.
//!
//! Must not depend on: events, formats.

use crate::memory::coverage::finding;
use crate::memory::engine::{Engine, Reading};
use crate::recording::log::Header;
use crate::report::{Capture, Disruption, Hook, Node, Reconciliation, Report, SCHEMA, Summary};
use crate::verdict::absence;
use crate::verdict::counterfactual;
use crate::verdict::evidence::{Evidence, Span, steady_drops};
use crate::verdict::pods;
use crate::vocabulary::time::{MILLISECOND, SECOND, Timestamp};
use crate::vocabulary::words::{Finding, Verdict};

/// What is known beside the events: the header, and what went wrong with their transport.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// The recording's header.
    pub header: Header,
    /// Findings of the transport: gaps, late events, a cut.
    pub findings: Vec<Finding>,
    /// Events known to be missing.
    pub missing: u64,
}

/// The report over the events so far.
pub fn conclude(engine: &Engine, provenance: &Provenance) -> Report {
    let reconciliation = reconciliation(engine);
    let mut coverage = engine.coverage.findings();
    coverage.extend(provenance.findings.iter().cloned());
    coverage.extend(reconciliation.iter().filter_map(disagreement));
    coverage.extend(forgotten(engine.traffic.forgotten()));
    if engine.disruptions.list.is_empty() {
        coverage.push(finding(
            "no_restart",
            None,
            None,
            "no disruption of Open vSwitch was seen: nothing to judge".to_owned(),
            true,
        ));
    }
    coverage.extend(unfollowed(engine));
    coverage.extend(followed_late(engine));
    coverage.extend(absence::findings(engine));
    let evidence = Evidence::gather(engine);
    let (disruptions, too_early): (Vec<Disruption>, Vec<Option<Finding>>) =
        (0..engine.disruptions.list.len())
            .map(|index| disruption(engine, &evidence, &coverage, index))
            .unzip();
    coverage.extend(too_early.into_iter().flatten());
    let verdict = disruptions
        .iter()
        .map(|disruption| disruption.verdict)
        .max()
        .unwrap_or(Verdict::Inconclusive);
    Report {
        schema: SCHEMA.to_owned(),
        node: node(engine, &provenance.header),
        capture: capture(engine, provenance, reconciliation),
        command: engine.command.clone(),
        disruptions,
        steady_drops: steady_drops(&evidence),
        conditions: engine.conditions.list(),
        coverage,
        verdict,
        omitted: 0,
        why: Vec::new(),
    }
}

fn node(engine: &Engine, header: &Header) -> Node {
    Node {
        hostname: header.hostname.clone(),
        kernel: header.kernel.clone(),
        ovs: engine.ovs_version.clone(),
    }
}

fn capture(engine: &Engine, provenance: &Provenance, reconciliation: Vec<Reconciliation>) -> Capture {
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
        reconciliation,
        upcall_latency: engine.latencies.summary(),
    }
}

fn reconciliation(engine: &Engine) -> Vec<Reconciliation> {
    let pairs = engine.readings.iter().map(|(dp, (first, last))| {
        let name = engine
            .topology
            .datapath_name(*dp)
            .map_or_else(|| dp.to_string(), str::to_owned);
        compare(name, first, last)
    });
    pairs.collect()
}

/// The hooks' counts are read just before and just after the datapath's, which therefore lies between.
fn compare(datapath: String, first: &Reading, last: &Reading) -> Reconciliation {
    let datapath_missed = last.missed.saturating_sub(first.missed);
    let datapath_lost = last.lost.saturating_sub(first.lost);
    let span = |last_before: u64, last_after: u64, first_before: u64, first_after: u64| {
        [
            last_before.saturating_sub(first_after),
            last_after.saturating_sub(first_before),
        ]
    };
    let seen_missed = span(
        last.before.missed,
        last.after.missed,
        first.before.missed,
        first.after.missed,
    );
    let seen_lost = span(
        last.before.failed,
        last.after.failed,
        first.before.failed,
        first.after.failed,
    );
    let within = |[least, most]: [u64; 2], value: u64| least <= value && value <= most;
    let agrees = within(seen_missed, datapath_missed) && within(seen_lost, datapath_lost);
    Reconciliation {
        datapath,
        datapath_missed,
        seen_missed,
        datapath_lost,
        seen_lost,
        agrees,
    }
}

fn disagreement(counts: &Reconciliation) -> Option<Finding> {
    let Reconciliation {
        datapath,
        datapath_missed,
        seen_missed,
        datapath_lost,
        seen_lost,
        agrees,
    } = counts;
    let detail = format!(
        "datapath {datapath} counted {datapath_missed} misses and {datapath_lost} lost upcalls, the hooks {} to {} and {} to {}: \
         upcalls went by unseen (or the datapath was made anew)",
        seen_missed[0], seen_missed[1], seen_lost[0], seen_lost[1]
    );
    (!agrees).then(|| finding("counters_differ", None, None, detail, true))
}

fn forgotten(gaps: u64) -> Option<Finding> {
    let detail = format!(
        "{gaps} gaps of traffic that flapped all the time are no longer remembered: only the newest of each are in the figures"
    );
    (gaps > 0).then(|| finding("gaps_forgotten", None, None, detail, true))
}

/// Packets are followed from a disruption's first sign on, once the hooks on them are armed; a capture around a command
/// goes on for 1.7 s after the flush. Until then it is too early to say that nobody follows them.
const ARMING: u64 = SECOND;

/// Disruptions whose flush was seen: their spans, and the flushes.
fn flushed(engine: &Engine) -> impl Iterator<Item = (Span, Timestamp)> {
    let list = &engine.disruptions.list;
    list.iter().enumerate().filter_map(|(index, disruption)| {
        let until = list.get(index + 1).map(|next| next.began);
        Some(((disruption.began, until), disruption.milestones.flush_ns?))
    })
}

/// Disruptions in which single packets were not followed (`--evidence off`): what was lost is not known.
fn unfollowed(engine: &Engine) -> Vec<Finding> {
    let spans = flushed(engine)
        .filter(|(_, flush)| engine.now.since(*flush) > ARMING)
        .map(|(span, _)| span);
    let followed = |(from, until): &Span| {
        engine.evidence.iter().any(|(armed, let_go)| {
            until.is_none_or(|until| *armed < until) && let_go.is_none_or(|let_go| let_go >= *from)
        })
    };
    let dark = spans.filter(|span| !followed(span) && !engine.traffic.saw_hits());
    dark.map(|(from, until)| {
        let detail =
            "single packets were not followed: what was lost is not known (--evidence auto follows them)";
        finding("evidence_off", Some(from), until, detail.to_owned(), true)
    })
    .collect()
}

/// Disruptions in whose flush single packets were not yet followed: what was lost from then until they were is in no figure.
fn followed_late(engine: &Engine) -> Vec<Finding> {
    let late = flushed(engine).filter_map(|((_, until), flush)| {
        let follows = |(armed, let_go): &Span| *armed <= flush && let_go.is_none_or(|let_go| let_go >= flush);
        if engine.evidence.iter().any(follows) {
            return None;
        }
        let armed = engine.evidence.iter().map(|(armed, _)| *armed);
        let armed = armed
            .filter(|armed| *armed > flush && until.is_none_or(|until| *armed < until))
            .min()?;
        Some((flush, armed))
    });
    late.map(|(flush, armed)| {
        let detail = format!(
            "single packets were followed {} ms after the flush, when the hooks on them were attached: what was lost before is in no \
             figure (--evidence always follows them all the time)",
            armed.since(flush) / MILLISECOND
        );
        finding("evidence_late", Some(flush), Some(armed), detail, true)
    })
    .collect()
}

fn disruption(
    engine: &Engine,
    evidence: &Evidence<'_>,
    coverage: &[Finding],
    index: usize,
) -> (Disruption, Option<Finding>) {
    let state = &engine.disruptions.list[index];
    let until = engine.disruptions.list.get(index + 1).map(|next| next.began);
    let view = pods::View {
        engine,
        evidence,
        coverage,
        disruption: state,
        until,
    };
    let mut pods = pods::pods(&view);
    let mut milestones = state.milestones.clone();
    let named = || pods.iter().filter(|pod| pod.namespace.is_some());
    milestones.last_flows_installed_ns = named().filter_map(|pod| pod.flows_installed_ns).max();
    milestones.converged_ns = named().filter_map(|pod| pod.converged_ns).max();
    let counterfactual = counterfactual::disruption(&milestones, &pods);
    if let Some(last) = counterfactual.as_ref().and_then(|had| had.flush_ns) {
        pods::had_it_waited(&view, &mut pods, last);
    }
    let verdict = pods::disruption_verdict(&view, &pods);
    let too_early = pods::too_early(&view, &pods);
    let disruption = Disruption {
        id: u32::try_from(index + 1).unwrap_or(u32::MAX),
        datapath: datapath(engine, state.dp),
        kind: state.kind(),
        began_ns: state.began,
        ended_ns: None,
        unattributed: Vec::new(),
        why: Vec::new(),
        milestones,
        upcall_latency: state.latencies.summary(),
        counterfactual,
        summary: summary(&view, &pods),
        pods,
        verdict,
    };
    (disruption, too_early)
}

/// The flushed datapath, else the only one there is.
fn datapath(engine: &Engine, dp: Option<crate::vocabulary::id::DpIfindex>) -> Option<String> {
    let mut all = engine.topology.datapaths();
    let only = all.next().filter(|_| all.next().is_none()).map(|(_, name)| name);
    dp.and_then(|dp| engine.topology.datapath_name(dp))
        .or(only)
        .map(str::to_owned)
}

fn summary(view: &pods::View<'_>, pods: &[crate::report::Pod]) -> Summary {
    let named: Vec<_> = pods.iter().filter(|pod| pod.namespace.is_some()).collect();
    let losses = || {
        pods.iter()
            .flat_map(|pod| [&pod.observed.to_pod, &pod.observed.from_pod])
            .flatten()
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Summary {
        pods: count(named.len()),
        affected: count(named.iter().filter(|pod| pod.cause.is_some()).count()),
        lost_packets: view.evidence.lost_packets(view.span()),
        max_observed_ns: losses()
            .filter(|loss| loss.lost_packets > 0)
            .filter_map(|loss| loss.max_ns)
            .max(),
        max_exposed_ns: named
            .iter()
            .filter_map(|pod| pod.exposed.as_ref()?.duration_ns)
            .max(),
    }
}
