//! What a bench brings back from a node: one figure a line.
//!
//! Must not depend on: how a figure is taken, how it is shown.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The guest's file of samples, in `/out`.
pub const FILE: &str = "bench.jsonl";

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Instructions a packet, on a machine that counts them
    Instructions,
    /// Forwarding rate beside that without a tracer, in turns
    Rate,
    /// New flows at full rate: latency of upcalls, loss of records
    Storm,
    /// CPU and memory of ovsgap with 10, 100 and 500 Pods
    Pods,
    /// From the start of ovsgap to its last hook, and back
    Attach,
    /// Sizes of the programs, as the kernel tells them
    Programs,
}

impl Part {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Rate => "rate",
            Self::Storm => "storm",
            Self::Pods => "pods",
            Self::Attach => "attach",
            Self::Programs => "programs",
        }
    }
}

/// Who looks on while packets are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Tracer {
    /// ovsgap, `--evidence auto`, no restart
    Rest,
    /// ovsgap, `--evidence auto`, in a restart (flow-restore-wait is set)
    Armed,
    /// ovsgap, `--evidence always`
    Always,
    /// bpftrace with counts per port at the two functions that ovsgap hooks
    Bpftrace,
    /// bpftrace with packets and last time of each traffic, at the same two functions
    BpftraceKeys,
    /// bpftrace with empty probes at the same two functions
    Hooks,
    /// perf, which records an event each time one of the two is called
    Perf,
}

impl Tracer {
    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Armed => "armed",
            Self::Always => "always",
            Self::Bpftrace => "bpftrace",
            Self::BpftraceKeys => "bpftrace-keys",
            Self::Hooks => "hooks",
            Self::Perf => "perf",
        }
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The part that it belongs to.
    pub part: Part,
    /// Of what: a tracer, a number of Pods, a program.
    pub of: String,
    /// Which figure, its unit at the end of the name.
    pub what: String,
    /// Which round.
    pub round: u32,
    /// The figure.
    pub value: u64,
    /// The same without a tracer, in the same round: the mean of just before and just after.
    pub without: Option<u64>,
}

/// Where the figures are from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// The version of Open vSwitch.
    pub ovs: String,
    /// The model of the processors, as the kernel tells it.
    pub processor: String,
    /// How many of them.
    pub processors: u32,
}

/// A line of [`FILE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first one.
    Machine(Machine),
    /// Any other.
    Sample(Sample),
}
