//! Measures what ovsgap costs the node that it watches, beside other tracers and beside none.
//!
//! Must not depend on: what a figure should be, how it is shown (the host does).

mod asked;
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

use crate::node::Node;
use crate::ovs;
use crate::words::sample::Part;
pub use asked::Bench;
use output::Output;

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
