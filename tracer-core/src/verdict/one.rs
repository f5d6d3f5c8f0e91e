//! One disruption, from everything the engine remembers of it.
//!
//! Must not depend on: other disruptions, formats.

use crate::memory::coverage::{Blemish, Of, finding};
use crate::memory::engine::Engine;
use crate::report::{Disruption, Loss, Pod, Summary, Unattributed};
use crate::verdict::counterfactual;
use crate::verdict::evidence::Evidence;
use crate::verdict::exposure::again;
use crate::verdict::loss::loss;
use crate::verdict::pods;
use crate::verdict::scene::View;
use crate::vocabulary::count;
use crate::vocabulary::id::DpIfindex;
use crate::vocabulary::time::{MILLISECOND, Timestamp};
use crate::vocabulary::words::{Kind, Verdict};
use crate::witness::proof::{Proof, Says};

/// Sentences that are listed of what keeps a verdict from being pass.
const SENTENCES: usize = 8;

/// The disruption at `index` of those that are open, and what it says could not be seen.
pub fn disruption(
    engine: &Engine,
    blemishes: &[Blemish],
    index: usize,
    id: u32,
) -> (Disruption, Vec<Blemish>) {
    let state = &engine.disruptions.list[index];
    let until = engine.disruptions.list.get(index + 1).map(|next| next.began);
    let span = (state.began, until);
    let mut evidence = Evidence::gather(engine, span);
    let mut blind = view(engine, &evidence, blemishes, index, until);
    let forwarded: Vec<(String, Option<Timestamp>)> = pods::there(engine, state, span)
        .into_iter()
        .map(|(device, _)| (device.to_owned(), again(&blind, device)))
        .collect();
    evidence.know_policies(state.risk(), |device| {
        let found = forwarded.iter().find(|(known, _)| known == device);
        found.and_then(|(_, again)| *again)
    });
    blind = view(engine, &evidence, blemishes, index, until);
    let view = blind;
    let mut pods = pods::pods(&view);
    let mut milestones = state.milestones.clone();
    if state.kind() != Kind::FlowsRemoved {
        milestones.flows_removed_ns = None;
    }
    let named = || pods.iter().filter(|pod| pod.namespace.is_some());
    milestones.last_flows_installed_ns = named().filter_map(|pod| pod.flows_installed_ns).max();
    milestones.converged_ns = named().filter_map(|pod| pod.converged_ns).max();
    let counterfactual = counterfactual::disruption(&milestones, &pods);
    if let Some(last) = counterfactual.as_ref().and_then(|had| had.flush_ns) {
        pods::had_it_waited(&view, &mut pods, last);
    }
    let unattributed = unattributed(&view, &pods);
    let (verdict, why) = verdict(&view, &pods, &unattributed);
    let found = early(&view);
    let disruption = Disruption {
        id,
        datapath: datapath(engine, state.dp),
        kind: state.kind(),
        signal: state.signal,
        began_ns: state.began,
        ended_ns: until,
        milestones,
        upcall_latency: state.latencies.summary(),
        counterfactual,
        summary: summary(&view, &pods),
        unattributed,
        pods,
        verdict,
        why,
    };
    (disruption, found.into_iter().collect())
}

fn view<'a>(
    engine: &'a Engine,
    evidence: &'a Evidence<'a>,
    blemishes: &'a [Blemish],
    index: usize,
    until: Option<Timestamp>,
) -> View<'a> {
    View {
        engine,
        evidence,
        blemishes,
        disruption: &engine.disruptions.list[index],
        until,
    }
}

/// That it is too early to say of packets of some Pods what became of them.
fn early(view: &View<'_>) -> Option<Blemish> {
    let (pods, from) = pods::too_early(view)?;
    let detail = format!(
        "Packets of {pods} Pods had been handed to userspace less than a second before the capture ended, and had not come back: they \
         are not counted. A capture that goes on for a second more knows whether they were lost."
    );
    let finding = finding("unanswered", Some(from), Some(view.engine.now), detail).weakening();
    Some(Blemish {
        of: Of::Nothing,
        finding,
    })
}

/// Losses that no row has.
fn unattributed(view: &View<'_>, pods: &[Pod]) -> Vec<Unattributed> {
    let listed = |device: &str| pods.iter().any(|pod| pod.interface == device);
    let rows = view.evidence.unowned(listed);
    rows.into_iter()
        .map(|(interface, losing)| Unattributed {
            interface,
            loss: loss(&losing),
        })
        .collect()
}

/// The worst of its Pods, of ports that are no Pod and lost packets, and of what nobody owns. Where there is none of these,
/// nothing is known.
fn verdict(view: &View<'_>, pods: &[Pod], unattributed: &[Unattributed]) -> (Verdict, Vec<String>) {
    let judged: Vec<&Pod> = pods.iter().filter(|pod| pod.is_judged()).collect();
    let mut why: Vec<String> = Vec::new();
    let mut worst = judged.iter().map(|pod| pod.verdict).max();
    if !judged.iter().any(|pod| pod.namespace.is_some()) {
        worst = worst.max(Some(Verdict::Inconclusive));
        why.push(
            "No Pod was known on this node, so none can be judged. `ovsgap doctor` says why.".to_owned(),
        );
    }
    why.extend(harm(&judged));
    let nobodys = count::total(unattributed.iter().map(|row| row.loss.lost_packets));
    if nobodys > 0 {
        worst = Some(Verdict::Fail);
        why.push(format!(
            "{nobodys} packets were lost on ports that no Pod is known to own."
        ));
    }
    if view.disruption.is_unfinished() && view.until.is_none() {
        worst = worst.max(Some(Verdict::Inconclusive));
    }
    let verdict = worst.unwrap_or(Verdict::Inconclusive);
    for sentence in judged
        .iter()
        .filter(|pod| pod.verdict == Verdict::Inconclusive)
        .filter_map(|pod| pod.proof.as_ref())
        .flat_map(Proof::why)
    {
        if !why.contains(sentence) {
            why.push(sentence.clone());
        }
    }
    why.truncate(SENTENCES);
    (verdict, why)
}

/// How many lost packets, or would have, and the worst of them.
fn harm(judged: &[&Pod]) -> Vec<String> {
    let of = |what: Says| {
        let proofs = judged.iter().filter_map(|pod| Some((*pod, pod.proof.as_ref()?)));
        proofs.filter(move |(_, proof)| proof.says() == what)
    };
    let all = judged.len();
    let whom = if judged.iter().all(|pod| pod.namespace.is_some()) {
        "Pods"
    } else {
        "Pods and ports"
    };
    let lost = of(Says::Lost).max_by_key(|(_, proof)| proof.lost_packets().at_least);
    let lost = lost.map(|(pod, proof)| {
        let (count, most) = (of(Says::Lost).count(), proof.lost_packets().at_least);
        format!(
            "{count} of {all} {whom} lost packets; {} lost the most ({most}).",
            label(pod)
        )
    });
    let dark = of(Says::Dark).max_by_key(|(_, proof)| proof.window_ns().at_least);
    let dark = dark.map(|(pod, proof)| {
        let (count, longest) = (of(Says::Dark).count(), proof.window_ns().at_least / MILLISECOND);
        format!(
            "{count} of {all} {whom} could not have been reached, though no packet of theirs was seen to be lost; {} for the longest \
             time ({longest} ms at least).",
            label(pod)
        )
    });
    lost.into_iter().chain(dark).collect()
}

fn label(pod: &Pod) -> String {
    match &pod.namespace {
        Some(namespace) => format!("{namespace}/{}", pod.name),
        None => pod.name.clone(),
    }
}

/// The flushed datapath, else the only one there is.
fn datapath(engine: &Engine, dp: Option<DpIfindex>) -> Option<String> {
    let mut all = engine.topology.datapaths();
    let only = all.next().filter(|_| all.next().is_none()).map(|(_, name)| name);
    dp.and_then(|dp| engine.topology.datapath_name(dp))
        .or(only)
        .map(str::to_owned)
}

fn summary(view: &View<'_>, pods: &[Pod]) -> Summary {
    let named: Vec<_> = pods.iter().filter(|pod| pod.namespace.is_some()).collect();
    let losses = || {
        pods.iter()
            .flat_map(|pod| [&pod.observed.to_pod, &pod.observed.from_pod])
            .flatten()
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let lossy = |loss: &&Loss| loss.lost_packets > 0;
    Summary {
        pods: count(named.len()),
        affected: count(named.iter().filter(|pod| pod.cause.is_some()).count()),
        lost_packets: view.evidence.lost_packets(),
        max_observed_ns: losses().filter(lossy).filter_map(|loss| loss.max_ns).max(),
        max_exposed_ns: named
            .iter()
            .filter_map(|pod| pod.exposed.as_ref()?.duration_ns)
            .max(),
    }
}
