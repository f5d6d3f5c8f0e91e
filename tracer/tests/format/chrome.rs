//! The Chrome trace event format: which phases have which fields, and that slices of one thread nest.
//!
//! Must not depend on: what the events mean.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tracer_core::report::Report;

/// What is wrong with a trace, if something is.
pub fn check(text: &str, report: &Report) -> Result<(), String> {
    let whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let events = whole["traceEvents"].as_array().ok_or("no traceEvents")?;
    if !["ms", "ns"].contains(&whole["displayTimeUnit"].as_str().unwrap_or_default()) {
        return Err("displayTimeUnit".to_owned());
    }
    let (mut processes, mut threads) = (BTreeSet::new(), BTreeSet::new());
    let mut slices: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    let mut used = BTreeSet::new();
    let mut instants = 0;
    for event in events {
        let number = |key: &str| event[key].as_u64().ok_or(format!("{key} in {event}"));
        let track = (number("pid")?, number("tid")?);
        let name = event["name"].as_str().ok_or(format!("no name: {event}"))?;
        match event["ph"].as_str() {
            Some("M") if name == "process_name" => drop(processes.insert(track.0)),
            Some("M") if name == "thread_name" => drop(threads.insert(track)),
            Some("M") => {}
            Some("i") => {
                let at = nanos(&event["ts"])?;
                if event["args"]["ns"].as_u64() != Some(at) || event["s"] != "t" {
                    return Err(format!("{event}"));
                }
                instants += usize::from(event["cat"] == "milestone");
                used.insert(track);
            }
            Some("X") => {
                let from = nanos(&event["ts"])?;
                slices
                    .entry(track)
                    .or_default()
                    .push((from, from + nanos(&event["dur"])?));
                used.insert(track);
            }
            _ => return Err(format!("phase of {event}")),
        }
    }
    if let Some(track) = used
        .iter()
        .find(|track| !threads.contains(*track) || !processes.contains(&track.0))
    {
        return Err(format!("{track:?} has no name"));
    }
    let expected: usize = report
        .disruptions
        .iter()
        .map(|disruption| tracer_core::timeline::milestones(disruption).len())
        .sum();
    if instants != expected {
        return Err(format!("{instants} milestones of {expected}"));
    }
    match slices.into_iter().find(|(_, slices)| !nest(slices)) {
        Some((track, slices)) => Err(format!("slices of {track:?} overlap: {slices:?}")),
        None => Ok(()),
    }
}

/// µs with three digits, as nanoseconds: by its digits, since a float may round them.
fn nanos(micros: &Value) -> Result<u64, String> {
    let number = micros.as_number().ok_or(format!("{micros} is no number"))?;
    let micros = number.as_f64().ok_or("no float")?;
    // f64 has 53 bits: below 2^53 ns (104 days of uptime) the nearest thousandth is the one that was written.
    let nanos = format!("{:.0}", micros * 1_000.0);
    nanos.parse().map_err(|error| format!("{number}: {error}"))
}

fn nest(slices: &[(u64, u64)]) -> bool {
    let apart = |one: &(u64, u64), other: &(u64, u64)| one.1 <= other.0 || other.1 <= one.0;
    let within = |one: &(u64, u64), other: &(u64, u64)| one.0 >= other.0 && one.1 <= other.1;
    slices.iter().enumerate().all(|(index, one)| {
        let others = &slices[index + 1..];
        others
            .iter()
            .all(|other| apart(one, other) || within(one, other) || within(other, one))
    })
}
