//! The commands that run inside a node.
//!
//! Must not depend on: the host.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use crate::clock::{self, SECOND};
use crate::node::Node;
use crate::restart::{self, Restart};
use crate::traffic::Prober;
use crate::traffic::spec;
use crate::words::rates::Rates;
use crate::words::wire::PROGRAM;
use crate::{bench, faults, run, screen, traffic};

/// What runs inside a node of ovsgap's lab.
#[derive(Parser)]
#[command(name = PROGRAM)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring up Open vSwitch, the bridge, the Pods and their flows
    NodeUp(NodeUp),
    /// Restart Open vSwitch
    Restart(Restart),
    /// Send numbered packets between the Pods and write down what became of them
    Traffic(Traffic),
    /// Bring up a node and run scenarios under `ovsgap record`
    Scenario(Scenarios),
    /// Bring up a node and make troubles for `ovsgap record`
    Faults {
        /// Words of the names of those to make; none: all
        names: Vec<String>,
    },
    /// Bring up a node and measure what tracers cost it
    Bench(bench::Bench),
    /// Bring up a node and restart it under `ovsgap watch`, on its second serial line
    Screen(screen::Args),
    /// Run a program on the second serial line
    Line(screen::Line),
}

/// How the node is made.
#[derive(Args)]
struct NodeUp {
    /// How many Pods
    #[arg(long, default_value_t = 3)]
    pods: u16,
    /// Whether IP packets pass through conntrack
    #[arg(long)]
    conntrack: bool,
}

/// What is sent.
#[derive(Args)]
struct Traffic {
    /// How long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Where the truth goes
    #[arg(long, default_value = "/out/truth.json")]
    out: PathBuf,
    /// Pods that take no part
    #[arg(long, value_delimiter = ',')]
    idle: Vec<String>,
    #[command(flatten)]
    rates: Rates,
}

/// Which scenarios.
#[derive(Args)]
struct Scenarios {
    /// Their names
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    node: NodeUp,
}

/// Runs what was asked for.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::NodeUp(NodeUp { pods, conntrack }) => {
            Node::up(pods, conntrack)?;
        }
        Command::Restart(restart) => restart::run(&restart)?,
        Command::Faults { names } => faults::run(&names)?,
        Command::Bench(args) => bench::run(&args)?,
        Command::Screen(args) => return screen::run(&args),
        Command::Line(line) => return screen::on_line(&line),
        Command::Traffic(traffic) => run_traffic(&traffic)?,
        Command::Scenario(Scenarios { names, node }) => {
            let mut node = Node::up(node.pods, node.conntrack)?;
            for name in &names {
                run::scenario(&mut node, name)?;
            }
            bench::programs::write()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run_traffic(asked: &Traffic) -> Result<()> {
    let Traffic {
        seconds,
        out,
        idle,
        rates,
    } = asked;
    let node = Node::find()?;
    let prober = Prober::start(spec::ring(&node.pods, idle, *rates), &node.pods, rates.tcp > 0)?;
    traffic::status::serve(Arc::clone(&prober.progress))?;
    clock::sleep_until(clock::now() + seconds * SECOND);
    let (truth, _) = prober.stop()?;
    traffic::status::gone();
    fs::write(out, serde_json::to_vec_pretty(&truth)?).with_context(|| format!("writing {}", out.display()))
}
