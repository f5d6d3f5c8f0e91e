//! Measures what ovsgap costs the node that it watches, beside other tracers and beside none.
//!
//! May not know: what a figure should be, how it is shown (the host does).

mod attach;
mod datapath;
mod mounted;
mod new_flows;
mod output;
mod pods;
mod process;
pub mod programs;
mod rate;
mod storm;
mod stream;

use anyhow::Result;
use clap::Args;

use super::node::Node;
use super::ovs;
use crate::bench::sample::{Part, Tracer};
use output::Output;

/// What to measure, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// Which part
    #[arg(value_enum)]
    pub part: Part,
    /// Which tracers
    #[arg(long, value_enum, value_delimiter = ',')]
    pub tracers: Vec<Tracer>,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// Milliseconds of each measurement
    #[arg(long, default_value_t = 2000)]
    pub millis: u64,
    /// How many Pods, where that matters
    #[arg(long, default_value_t = 10)]
    pub pods: u16,
}

/// Brings a node up and measures.
pub fn run(bench: &Bench) -> Result<()> {
    let mut out = Output::open(bench.part)?;
    match bench.part {
        Part::Instructions | Part::Rate => rate::run(bench, &pair()?, &mut out),
        Part::Storm => storm::run(bench, &pair()?, &mut out),
        Part::Pods => pods::run(bench, &mut out),
        Part::Attach => {
            pair()?;
            attach::run(bench, &mut out)
        }
        Part::Programs => {
            pair()?;
            programs::measure(&mut out)
        }
    }
}

/// How often a deaf ovs-vswitchd is started again.
const STARTS: u32 = 6;

/// A node with two Pods between which packets pass.
fn pair() -> Result<Node> {
    let node = Node::up(2, false)?;
    heard(&node)?;
    Ok(node)
}

/// Sees that a packet passes from the first Pod to the second: OVS can come up deaf, and another start cures it.
fn heard(node: &Node) -> Result<()> {
    for _ in 0..STARTS {
        if stream::passes(node)? {
            return Ok(());
        }
        ovs::exit()?;
        node.heal(1)?;
    }
    anyhow::bail!("no packet passed after {STARTS} starts of ovs-vswitchd: see /out/ovs-vswitchd.log")
}
