//! The report in the Chrome trace event format, which Perfetto and Chrome's tracing page open: a process per
//! Pod with its windows as threads, and one of the disruptions with their milestones as instants.
//!
//! Must not depend on: viewers. Names of tracks and slices are for people; what `args` hold is data, and is left as it is. `ts` and `dur` are µs of `CLOCK_MONOTONIC` with three digits: nothing of a nanosecond is lost.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracer_core::report::{Disruption, Loss, Pod, Report, Unattributed};
use tracer_core::time::Timestamp;
use tracer_core::timeline::milestones;

use super::words::{is_shown, judged, kind, label, unknown};
use crate::writing::{Shown, count, plain, word};

/// The process whose threads are the disruptions with their milestones; Pods follow.
const DISRUPTIONS: u32 = 1;

/// What a Pod's threads show: slices of one thread must not overlap, and its windows do.
const LANES: [&str; 6] = [
    "exposed",
    "waterfall",
    "losing (to the Pod)",
    "losing (from the Pod)",
    "delayed",
    "leak",
];

/// The whole file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(rename = "traceEvents")]
    entries: Vec<Entry>,
    display_time_unit: &'static str,
    other_data: Value,
}

/// One trace event; which fields it has depends on its phase.
#[derive(Serialize)]
struct Entry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    ph: &'static str,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<Box<RawValue>>,
    /// Scope of an instant: `t`, its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    args: Value,
}

/// The report as a trace.
pub fn render(report: &Report) -> Shown {
    let trace = Trace {
        entries: disruptions(report).into_iter().chain(endpoints(report)).collect(),
        display_time_unit: "ns",
        other_data: json!({
            "tool": "ovsgap",
            "clock": "CLOCK_MONOTONIC",
            "wall_offset_ns": report.capture.wall_offset_ns,
            "node": report.node,
            "verdict": report.verdict,
            "why": report.why,
            "omitted": report.omitted,
            "coverage": report.coverage,
        }),
    };
    super::json::pretty(&trace)
}

fn disruptions(report: &Report) -> Vec<Entry> {
    let node = report.node.hostname.as_deref().unwrap_or("node");
    let mut entries = process(DISRUPTIONS, &format!("{node}: disruptions"));
    for disruption in &report.disruptions {
        let track = (DISRUPTIONS, disruption.id);
        let name = format!("disruption {}: {}", disruption.id, kind(disruption.kind));
        entries.extend(thread(track, &name));
        let seen = milestones(disruption);
        entries.extend(
            seen.into_iter()
                .map(|(name, at)| instant(name, "milestone", track, at)),
        );
    }
    entries
}

/// Whom a process shows.
#[derive(Clone, Copy)]
enum Endpoint<'a> {
    Pod(&'a Pod),
    Unknown(&'a Unattributed),
}

impl Endpoint<'_> {
    /// One Pod may come again by another interface.
    fn name(&self) -> (String, &str) {
        match self {
            Self::Pod(pod) => (label(pod), &pod.interface),
            Self::Unknown(port) => (unknown(port), &port.interface),
        }
    }
}

/// A process for each Pod, whatever number of disruptions it lived through, and for each port that nobody is known to own.
fn endpoints(report: &Report) -> Vec<Entry> {
    let shown = report.disruptions.iter().flat_map(|disruption| {
        let pods = disruption.pods.iter().filter(|pod| is_shown(pod));
        let others = disruption.unattributed.iter().map(Endpoint::Unknown);
        pods.map(Endpoint::Pod)
            .chain(others)
            .map(move |endpoint| (disruption, endpoint))
    });
    let shown: Vec<_> = shown.collect();
    let mut pids = BTreeMap::new();
    let mut entries = Vec::new();
    for (disruption, endpoint) in &shown {
        let next = DISRUPTIONS + 1 + u32::try_from(pids.len()).unwrap_or(u32::MAX - DISRUPTIONS - 1);
        let (label, interface) = endpoint.name();
        let pid = *pids.entry((label.clone(), interface)).or_insert_with(|| {
            entries.extend(process(next, &label));
            next
        });
        entries.extend(match endpoint {
            Endpoint::Pod(pod) => of_pod(pod, disruption, pid, report.capture.ended_ns),
            Endpoint::Unknown(port) => of_unknown(port, disruption, pid, report.capture.ended_ns),
        });
    }
    entries
}

/// What came in at a port that nobody is known to own, and was lost.
fn of_unknown(port: &Unattributed, disruption: &Disruption, pid: u32, ended: Timestamp) -> Vec<Entry> {
    let tid = disruption.id.saturating_mul(10).saturating_add(4);
    let name = "losing (from the port)";
    let mut entries = thread((pid, tid), &format!("{name}, disruption {}", disruption.id));
    let slices = losing(Some(&port.loss)).into_iter();
    entries.extend(slices.map(|slice| slice.entry(name, (pid, tid), ended)));
    entries
}

/// What a Pod went through in a disruption. Where an end was not seen, the slice goes to the end of the capture and says so.
fn of_pod(pod: &Pod, disruption: &Disruption, pid: u32, ended: Timestamp) -> Vec<Entry> {
    let lanes = [
        exposed(pod),
        waterfall(pod),
        losing(pod.observed.to_pod.as_ref()),
        losing(pod.observed.from_pod.as_ref()),
        delayed(pod),
        leak(pod),
    ];
    let mut entries = Vec::new();
    for ((number, name), slices) in (1..).zip(LANES).zip(lanes) {
        let evidence = if number == 1 { evidence(pod) } else { Vec::new() };
        if slices.is_empty() && evidence.is_empty() {
            continue;
        }
        let tid = disruption.id.saturating_mul(10).saturating_add(number);
        entries.extend(thread(
            (pid, tid),
            &format!("{name}, disruption {}", disruption.id),
        ));
        entries.extend(
            slices
                .into_iter()
                .map(|slice| slice.entry(name, (pid, tid), ended)),
        );
        let instants = evidence.into_iter();
        entries.extend(instants.map(|(name, at)| instant(name, "evidence", (pid, tid), at)));
    }
    entries
}

fn evidence(pod: &Pod) -> Vec<(&'static str, Timestamp)> {
    let both = [
        ("flows installed", pod.flows_installed_ns),
        ("converged", pod.converged_ns),
    ];
    both.into_iter()
        .filter_map(|(name, at)| Some((name, at?)))
        .collect()
}

/// Something that lasted.
struct Slice {
    name: String,
    from: Timestamp,
    to: Option<Timestamp>,
    details: Value,
}

fn exposed(pod: &Pod) -> Vec<Slice> {
    let Some(exposed) = &pod.exposed else {
        return Vec::new();
    };
    let name = pod.cause.map_or_else(|| "exposed".to_owned(), word);
    let details = json!({
        "cause": pod.cause,
        "verdict": judged(pod),
        "proof": pod.proof,
        "ended_by": exposed.ended_by,
        "duration_ns": exposed.duration_ns,
        "interface": pod.interface,
    });
    vec![slice(name, exposed.start_ns, exposed.end_ns, details)]
}

/// Its phases follow each other from the beginning of the exposed window.
fn waterfall(pod: &Pod) -> Vec<Slice> {
    let mut from = pod
        .exposed
        .as_ref()
        .map_or(Timestamp(0), |exposed| exposed.start_ns);
    let mut slices = Vec::new();
    for phase in &pod.waterfall {
        let to = from.plus(phase.ns);
        slices.push(slice(phase.phase.clone(), from, Some(to), Value::Null));
        from = to;
    }
    slices
}

fn losing(loss: Option<&Loss>) -> Vec<Slice> {
    let Some((loss, from)) = loss.and_then(|loss| Some((loss, loss.first_lost_ns?))) else {
        return Vec::new();
    };
    let name = format!("losing ({} lost in all)", count(loss.lost_packets, "packet"));
    vec![slice(name, from, loss.last_lost_ns, json!(loss))]
}

fn delayed(pod: &Pod) -> Vec<Slice> {
    let Some(delayed) = &pod.delayed else {
        return Vec::new();
    };
    let name = format!("{} delayed", count(delayed.packets, "packet"));
    let (from, to) = (delayed.first_queued_ns, delayed.last_executed_ns);
    vec![slice(name, from, Some(to), json!(delayed))]
}

fn leak(pod: &Pod) -> Vec<Slice> {
    let leak = pod.leak.as_ref();
    let slice = leak.map(|leak| slice("leak".to_owned(), leak.start_ns, leak.end_ns, json!(leak)));
    slice.into_iter().collect()
}

fn slice(name: String, from: Timestamp, to: Option<Timestamp>, details: Value) -> Slice {
    Slice {
        name,
        from,
        to,
        details,
    }
}

impl Slice {
    fn entry(self, cat: &'static str, (pid, tid): (u32, u32), ended: Timestamp) -> Entry {
        let seen = if self.to.is_some() { "" } else { ", end not seen" };
        Entry {
            name: plain(format!("{}{seen}", self.name)),
            cat: Some(cat),
            ph: "X",
            pid,
            tid,
            ts: micros(self.from.0),
            dur: micros(self.to.unwrap_or(ended).since(self.from)),
            s: None,
            args: self.details,
        }
    }
}

fn process(pid: u32, name: &str) -> Vec<Entry> {
    vec![
        metadata("process_name", (pid, 0), json!({ "name": plain(name) })),
        metadata("process_sort_index", (pid, 0), json!({ "sort_index": pid })),
    ]
}

fn thread(track: (u32, u32), name: &str) -> Vec<Entry> {
    vec![
        metadata("thread_name", track, json!({ "name": plain(name) })),
        metadata("thread_sort_index", track, json!({ "sort_index": track.1 })),
    ]
}

fn metadata(name: &str, (pid, tid): (u32, u32), args: Value) -> Entry {
    Entry {
        name: name.to_owned(),
        cat: None,
        ph: "M",
        pid,
        tid,
        ts: None,
        dur: None,
        s: None,
        args,
    }
}

fn instant(name: &str, cat: &'static str, (pid, tid): (u32, u32), at: Timestamp) -> Entry {
    Entry {
        name: name.to_owned(),
        cat: Some(cat),
        ph: "i",
        pid,
        tid,
        ts: micros(at.0),
        dur: None,
        s: Some("t"),
        args: json!({ "ns": at }),
    }
}

/// Nanoseconds as µs: digits, so that no float rounds them.
fn micros(nanos: u64) -> Option<Box<RawValue>> {
    RawValue::from_string(format!("{}.{:03}", nanos / 1_000, nanos % 1_000)).ok()
}
