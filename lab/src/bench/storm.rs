//! Storms of new flows with and without ovsgap, in turns.
//!
//! Must not depend on: what ovsgap makes of it, but for the records that it says it lost.

use std::fs;

use anyhow::{Context as _, Result};
use aya::sys::{Stats, enable_stats};
use serde_json::Value;

use super::asked::Bench;
use super::mounted::{self, Running};
use super::new_flows::Storm;
use super::output::Output;
use super::programs;
use crate::clock::MILLISECOND;
use crate::node::Node;
use crate::words::sample::Tracer;

/// Who looks on, where none is named.
const ALL: [Tracer; 2] = [Tracer::Rest, Tracer::Always];

/// Measures in every round without and with ovsgap, in turns: each measurement stands between two without.
pub fn run(bench: &Bench, node: &Node, out: &mut Output) -> Result<()> {
    mounted::mount()?;
    let storm = Storm::new(node, bench.millis)?;
    let tracers = if bench.tracers.is_empty() {
        ALL.as_slice()
    } else {
        bench.tracers.as_slice()
    };
    let mut before = storm.measure()?;
    for round in 1..=bench.rounds {
        for &kind in tracers {
            let running = Running::start(kind)?;
            let cpu = running.cost()?.cpu_ms;
            let with = storm
                .measure()
                .with_context(|| format!("round {round}, with {}", kind.name()))?;
            let cost = running.cost()?;
            running.stop()?;
            let after = storm
                .measure()
                .with_context(|| format!("round {round}, without a tracer"))?;
            let without = before.figures().into_iter().zip(after.figures());
            for ((what, value), ((_, before), (_, after))) in with.figures().into_iter().zip(without) {
                let without = u64::midpoint(before, after);
                out.sample(kind.name(), what, round, value, Some(without))?;
            }
            let recorded = Recorded::read()?;
            out.figure(kind.name(), "tracer_cpu_ms", round, cost.cpu_ms - cpu)?;
            out.figure(kind.name(), "tracer_peak_kib", round, cost.peak_kib)?;
            out.figure(kind.name(), "recorded", round, recorded.lines)?;
            out.figure(kind.name(), "ring_lost", round, recorded.lost)?;
            out.figure(kind.name(), "runs_lost", round, recorded.runs_lost)?;
            before = after;
        }
    }
    Ok(())
}

/// What an upcall takes of all processes, on a machine that counts: from one packet to the next, each sent when the last has
/// arrived. Of ovsgap's programs also each by itself, by the kernel's own count, which itself takes time.
pub fn counted(bench: &Bench, node: &Node, out: &mut Output) -> Result<()> {
    let storm = Storm::new(node, 2 * bench.millis)?;
    let before = mean(&storm.alone()?);
    for kind in ALL {
        let running = Running::start(kind)?;
        let cpu_ms = running.cost()?.cpu_ms;
        let upcalls = storm.alone()?;
        let own_ns = (running.cost()?.cpu_ms - cpu_ms) * MILLISECOND;
        out.sample(kind.name(), "upcall_ns", 1, mean(&upcalls), Some(before))?;
        out.figure(
            kind.name(),
            "upcall_own_ns",
            1,
            own_ns / u64::try_from(upcalls.len())?.max(1),
        )?;
        if kind == Tracer::Always {
            let stats = enable_stats(Stats::RunTime)?;
            let upcalls = storm.alone()?.len();
            let programs = programs::loaded()?;
            drop(stats);
            out.figure(kind.name(), "counted_upcalls", 1, u64::try_from(upcalls)?)?;
            for program in programs.iter().filter(|program| program.runs > 0) {
                out.figure(&program.name, "storm_runs", 1, program.runs)?;
                out.figure(&program.name, "storm_ns", 1, program.run_ns)?;
            }
        }
        running.stop()?;
    }
    Ok(())
}

fn mean(times: &[u64]) -> u64 {
    times.iter().sum::<u64>() / (times.len() as u64).max(1)
}

/// What the recording of a storm says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Recorded {
    lines: u64,
    lost: u64,
    runs_lost: u64,
}

impl Recorded {
    fn read() -> Result<Self> {
        let path = mounted::recording();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self::of(&text))
    }

    fn of(text: &str) -> Self {
        let mut recorded = Self::default();
        for line in text.lines() {
            recorded.lines += 1;
            recorded.lost += told(line, "records_lost", "count");
            recorded.runs_lost += told(line, "packets_lost", "runs");
        }
        recorded
    }
}

/// A number of an event of this kind; 0 of any other.
fn told(line: &str, kind: &str, number: &str) -> u64 {
    if !line.contains(kind) {
        return 0;
    }
    let number = format!("/kind/{kind}/{number}");
    let value = serde_json::from_str::<Value>(line).ok();
    value
        .and_then(|value| value.pointer(&number)?.as_u64())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_a_recording_tells_of_are_summed() {
        let text = "{\"ovsgap_log\":1}\n\
            {\"seq\":0,\"at\":5,\"kind\":{\"records_lost\":{\"hook\":\"a\",\"count\":3}}}\n\
            {\"seq\":1,\"at\":5,\"kind\":{\"packets_lost\":{\"runs\":2,\"key\":null}}}\n\
            {\"seq\":2,\"at\":6,\"kind\":{\"records_lost\":{\"hook\":\"b\",\"count\":4}}}\n";
        let expected = Recorded {
            lines: 4,
            lost: 7,
            runs_lost: 2,
        };
        assert_eq!(Recorded::of(text), expected);
    }
}
