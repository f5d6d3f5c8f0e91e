//! The forwarding rate with and without a tracer, in turns: each measurement stands between two without one.
//!
//! Must not depend on: how packets are sent, how tracers are started.

use anyhow::Result;
use aya::sys::{Stats, enable_stats};

use super::asked::Bench;
use super::mounted::{self, Running};
use super::output::Output;
use super::stream::{self, Forwarded};
use super::{programs, storm};
use crate::node::Node;
use crate::words::sample::{Part, Tracer};

/// All tracers, where none is named.
const ALL: [Tracer; 7] = [
    Tracer::Rest,
    Tracer::Armed,
    Tracer::Always,
    Tracer::Bpftrace,
    Tracer::BpftraceKeys,
    Tracer::Hooks,
    Tracer::Perf,
];

/// Both streams.
#[derive(Clone, Copy)]
struct Both {
    udp: Forwarded,
    tcp: Forwarded,
}

impl Both {
    fn measure(node: &Node, millis: u64) -> Result<Self> {
        Ok(Self {
            udp: stream::udp(node, millis)?,
            tcp: stream::tcp(node, millis)?,
        })
    }

    fn figures(self) -> [(&'static str, u64); 3] {
        [
            ("udp_pps", self.udp.pps()),
            ("tcp_bytes_ps", self.tcp.rate()),
            ("tcp_pps", self.tcp.pps()),
        ]
    }
}

/// Measures every tracer in every round.
pub fn run(bench: &Bench, node: &Node, out: &mut Output) -> Result<()> {
    mounted::mount()?;
    let tracers = if bench.tracers.is_empty() {
        ALL.as_slice()
    } else {
        bench.tracers.as_slice()
    };
    let mut before = Both::measure(node, bench.millis)?;
    for round in 1..=bench.rounds {
        for &tracer in tracers {
            let running = Running::start(tracer)?;
            let cpu = running.cost()?.cpu_ms;
            let with = Both::measure(node, bench.millis)?;
            let used = running.cost()?.cpu_ms - cpu;
            running.stop()?;
            let after = Both::measure(node, bench.millis)?;
            let figures = before.figures().into_iter().zip(after.figures());
            for ((what, value), ((_, before), (_, after))) in with.figures().into_iter().zip(figures) {
                let without = u64::midpoint(before, after);
                out.sample(tracer.name(), what, round, value, Some(without))?;
            }
            out.figure(tracer.name(), "tracer_cpu_ms", round, used)?;
            before = after;
        }
    }
    if bench.part == Part::Instructions {
        each_program(bench, node, out)?;
        storm::counted(bench, node, out)?;
    }
    Ok(())
}

/// What each program of ovsgap takes, by the kernel's own count, which itself takes time.
fn each_program(bench: &Bench, node: &Node, out: &mut Output) -> Result<()> {
    let running = Running::start(Tracer::Always)?;
    let before = stream::forwarded(node)?;
    let counted = enable_stats(Stats::RunTime)?;
    stream::udp(node, bench.millis)?;
    let packets = stream::forwarded(node)? - before;
    let programs = programs::loaded()?;
    drop(counted);
    running.stop()?;
    out.figure("always", "counted_packets", 1, packets)?;
    for program in programs.iter().filter(|program| program.runs > 0) {
        out.figure(&program.name, "program_runs", 1, program.runs)?;
        out.figure(&program.name, "program_ns", 1, program.run_ns)?;
    }
    Ok(())
}
