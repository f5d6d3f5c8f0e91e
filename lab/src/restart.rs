//! Restarts Open vSwitch the way an agent or an operator would, right or wrong.
//!
//! Must not depend on: ovsgap, what the traffic suffers.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use rustix::process::Signal;

use crate::clock::{self, MILLISECOND, SECOND};
use crate::node::Node;
use crate::ovs::{self, BRIDGE, Bundle};
use crate::pods::Pod;
use crate::steps::Log;
use crate::traffic::Prober;
use crate::words::step::NEXT;
use crate::words::way::{Order, Way};
use crate::{change, ovsdb, traffic};

/// One restart.
#[derive(Args, Clone, Debug)]
pub struct Restart {
    /// How ovs-vswitchd goes and comes back
    #[arg(long, value_enum, default_value = "flag")]
    pub way: Way,
    /// Whether the Pods' flows come after the flag (the bug) or before it
    #[arg(long, value_enum, default_value = "bug")]
    pub order: Order,
    /// Milliseconds between the removal of the flag and the first Pod's flows
    #[arg(long, default_value_t = 300)]
    pub hole_ms: u64,
    /// Pods that never get their flows back
    #[arg(long, value_delimiter = ',')]
    pub without: Vec<String>,
    /// A Pod that is made between the flag's removal and the other Pods' flows, with its own flows at once
    #[arg(long)]
    pub added: Option<String>,
    /// A Pod that is deleted between the flag's removal and the Pods' flows
    #[arg(long)]
    pub deleted: Option<String>,
    /// The agent's round after the restart: part of its flows' cookies
    #[arg(long, default_value_t = 2)]
    pub round: u16,
    /// Seconds to wait at the end for traffic to flow again
    #[arg(long, default_value_t = 20)]
    pub settle_s: u64,
    /// Milliseconds of traffic after that
    #[arg(long, default_value_t = 1000)]
    pub linger_ms: u64,
    /// Where to write the times of the steps
    #[arg(long, default_value = "/out/steps.jsonl")]
    pub steps: PathBuf,
}

/// Restarts and waits until the traffic, if there is any, flows again.
pub fn run(restart: &Restart) -> Result<()> {
    let mut node = Node::find()?;
    let log = &mut open(&restart.steps)?;
    let newcomer = match restart.way {
        Way::Script => {
            log.step("script", None, || ovs::restart_by_script("restart"))?;
            None
        }
        Way::Module => {
            log.step("script", None, || ovs::restart_by_script("force-reload-kmod"))?;
            None
        }
        Way::Database => {
            log.step("database", None, ovs::restart_database)?;
            None
        }
        Way::Bridge => {
            bridge(log, &mut node, restart)?;
            None
        }
        Way::Twice => {
            agent(log, &mut node, restart)?;
            settle(log, restart, None)?;
            log.step(NEXT, None, || Ok(()))?;
            let second = Restart {
                round: restart.round + 1,
                ..restart.clone()
            };
            agent(log, &mut node, &second)?
        }
        Way::Interrupted => {
            leave(log, restart.way)?;
            log.step("vswitchd_start", None, ovs::start)?;
            log.step(NEXT, None, || Ok(()))?;
            agent(log, &mut node, restart)?
        }
        _ => agent(log, &mut node, restart)?,
    };
    settle(log, restart, newcomer.as_ref())?;
    newcomer.map_or(Ok(()), |prober| change::written(prober, &restart.steps))
}

/// ovs-vswitchd goes, and the flag is set for its successor.
fn leave(log: &mut Log, way: Way) -> Result<()> {
    match way {
        Way::Kill => log.step("vswitchd_killed", None, || ovs::kill(Signal::KILL))?,
        Way::Term => log.step("vswitchd_killed", None, || ovs::kill(Signal::TERM))?,
        Way::Cleanup => log.step("vswitchd_exit", None, ovs::exit_with_cleanup)?,
        _ => log.step("vswitchd_exit", None, ovs::exit)?,
    }
    if way == Way::Noflag {
        return Ok(());
    }
    log.step("flag_set", None, ovsdb::set_flow_restore_wait)
}

/// The bridge goes and comes back under an ovs-vswitchd that runs, as an operator does it who starts afresh.
fn bridge(log: &mut Log, node: &mut Node, restart: &Restart) -> Result<()> {
    log.step("ports_gone", None, || node.remake_bridge())?;
    base_flows(log, node, restart)?;
    let bundles = prepare(node, restart)?;
    clock::sleep_until(clock::now() + restart.hole_ms * MILLISECOND);
    install(log, bundles)
}

fn base_flows(log: &mut Log, node: &Node, restart: &Restart) -> Result<()> {
    log.step("base_flows", None, || {
        let bundle = |bridge: &&str| Bundle::prepare(bridge, node.base(bridge, restart.round))?.commit();
        node.bridges().iter().try_for_each(bundle)
    })
}

/// What is done to the ports while ovs-vswitchd is away.
fn meanwhile(log: &mut Log, node: &Node, way: Way) -> Result<()> {
    match way {
        Way::BridgeAway => log.step("exchanged", None, || node.exchange_bridge()),
        Way::Renumbered => log.step("ports_gone", None, || node.renumber()),
        _ => Ok(()),
    }
}

/// One restart as an agent goes through it.
fn agent(log: &mut Log, node: &mut Node, restart: &Restart) -> Result<Option<Prober>> {
    leave(log, restart.way)?;
    meanwhile(log, node, restart.way)?;
    log.step("vswitchd_start", None, ovs::start)?;
    if restart.way.renumbers() {
        node.learn()?;
    }
    base_flows(log, node, restart)?;
    let bundles = prepare(node, restart)?;
    let mut newcomer = None;
    if restart.order == Order::Fixed {
        install(log, bundles)?;
        remove_flag(log, restart.way)?;
    } else {
        remove_flag(log, restart.way)?;
        let start = clock::now();
        let end = start + restart.hole_ms * MILLISECOND;
        if restart.added.is_some() || restart.deleted.is_some() {
            // Both before and after there are packets to lose.
            clock::sleep_until(start + restart.hole_ms * MILLISECOND / 3);
        }
        change::delete(log, node, restart.deleted.as_deref())?;
        newcomer = change::add(log, node, restart.added.as_deref(), restart.round)?;
        clock::sleep_until(end);
        install(log, bundles)?;
    }
    if restart.way == Way::Removed {
        log.step("flag_removed_again", None, ovsdb::remove_flow_restore_wait)?;
    }
    Ok(newcomer)
}

/// The bundles of the Pods, made ready here, so that a hole of one millisecond is not made longer by the start of a
/// program: an agent has its connection open, too.
fn prepare(node: &Node, restart: &Restart) -> Result<Vec<(Vec<String>, Bundle)>> {
    let left_out =
        |pod: &&Pod| restart.without.contains(&pod.name) || restart.deleted.as_ref() == Some(&pod.name);
    let pods: Vec<&Pod> = node.pods.iter().filter(|pod| !left_out(pod)).collect();
    let (busy, idle) = pods.split_at(pods.len().min(SINGLE));
    let mut bundles = Vec::new();
    for pods in busy.chunks(1).chain(Some(idle).filter(|idle| !idle.is_empty())) {
        let flows = pods.iter().fold(String::new(), |all, pod| {
            all + &node.pipeline(&pod.bridge, restart.round).pod(pod)
        });
        let bridge = pods.first().map_or(BRIDGE, |pod| pod.bridge.as_str());
        let names = pods.iter().map(|pod| pod.name.clone()).collect();
        bundles.push((names, Bundle::prepare(bridge, flows)?));
    }
    bundles.iter().try_for_each(|(_, bundle)| bundle.wait_ready())?;
    Ok(bundles)
}

/// So many Pods have a bundle each; those beyond share one.
const SINGLE: usize = 10;

fn open(path: &Path) -> Result<Log> {
    // A log of an earlier restart is not to be mixed with this one's.
    if path.exists() {
        std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
    }
    Log::open(path)
}

fn remove_flag(log: &mut Log, way: Way) -> Result<()> {
    match way {
        Way::Noflag | Way::Stuck => Ok(()),
        _ => log.step("flag_removed", None, ovsdb::remove_flow_restore_wait),
    }
}

fn install(log: &mut Log, bundles: Vec<(Vec<String>, Bundle)>) -> Result<()> {
    for (pods, bundle) in bundles {
        let pods: Vec<Option<&str>> = pods.iter().map(|pod| Some(pod.as_str())).collect();
        log.step_of("flows_installed", &pods, || bundle.commit())?;
    }
    Ok(())
}

/// Waits for a packet of each stream between Pods that have flows, sent from here on, to arrive.
fn settle(log: &mut Log, restart: &Restart, newcomer: Option<&Prober>) -> Result<()> {
    if !traffic::status::is_there() {
        return Ok(());
    }
    log.step("traffic_flows", None, || {
        let until = clock::now() + restart.settle_s * SECOND;
        let mut flows = traffic::status::wait(&restart.without, restart.settle_s)?;
        flows &= newcomer.is_none_or(|prober| traffic::status::wait_here(&prober.progress, until, &[]));
        if !flows {
            eprintln!(
                "traffic does not flow again {} s after the restart",
                restart.settle_s
            );
        }
        Ok(())
    })?;
    clock::sleep_until(clock::now() + restart.linger_ms * MILLISECOND);
    Ok(())
}
