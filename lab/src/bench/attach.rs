//! How long ovsgap takes from its start to its last hook, and to its end.
//!
//! Must not depend on: streams.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::asked::Bench;
use super::mounted::{self, Running};
use super::output::Output;
use crate::clock::{self, MILLISECOND};
use crate::words::sample::Tracer;

/// Nanoseconds in a microsecond.
const MICROSECOND: u64 = MILLISECOND / 1000;

/// Starts and ends ovsgap in every round.
pub fn run(bench: &Bench, out: &mut Output) -> Result<()> {
    mounted::mount()?;
    for round in 1..=bench.rounds {
        for kind in [Tracer::Rest, Tracer::Always] {
            let began = clock::now();
            let running = Running::start(kind)?;
            let cost = running.cost()?;
            let end = running.stop()?;
            let hooks = hooked_at()?;
            let of = kind.name();
            out.figure(
                of,
                "attached_us",
                round,
                hooks.saturating_sub(began) / MICROSECOND,
            )?;
            out.figure(of, "detached_us", round, end / MICROSECOND)?;
            out.figure(of, "start_cpu_ms", round, cost.cpu_ms)?;
            out.figure(of, "rss_kib", round, cost.rss_kib)?;
        }
    }
    Ok(())
}

/// When the last hook of a recording stood, by the recording.
fn hooked_at() -> Result<u64> {
    let path = mounted::recording();
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    last_hook(&text).context("the recording tells of no hook")
}

fn last_hook(recording: &str) -> Option<u64> {
    let lines = recording
        .lines()
        .filter(|line| line.contains(r#""kind":{"hook":"#));
    let times = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()?.get("at")?.as_u64());
    times.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hook_counts() {
        let recording = "{\"ovsgap_log\":1}\n\
            {\"seq\":0,\"at\":5,\"kind\":{\"hook\":{\"name\":\"a\"}}}\n\
            {\"seq\":1,\"at\":9,\"kind\":{\"hook\":{\"name\":\"b\"}}}\n\
            {\"seq\":2,\"at\":11,\"kind\":\"tick\"}\n";
        assert_eq!(last_hook(recording), Some(9));
        assert_eq!(last_hook(""), None);
    }
}
