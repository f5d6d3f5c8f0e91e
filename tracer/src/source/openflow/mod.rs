//! The OpenFlow flows of every bridge, through one flow monitor each.
//!
//! Must not depend on: the datapath, Pods. Only watches: no role, no configuration, no asynchronous messages are
//! asked for, so the switch does not notice us but for the monitor. A flow that is reported is one that
//! vswitchd translates with from then on; when the datapath follows is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracer_core::event::BridgeRow;

use super::outbox::Outbox;
use super::{EventSender, rundir};
use session::Bridge;

mod codec;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod malformed;
mod monitor;
mod oxm;
mod session;
mod update;

/// What to watch.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the bridges' management sockets are.
    pub rundir: PathBuf,
    /// The bridges there are, from the OVSDB source.
    pub bridges: watch::Receiver<BTreeMap<String, BridgeRow>>,
    /// Only these bridges; empty: all.
    pub only: BTreeSet<String>,
}

/// Watches the flows of the bridges there are, as they come and go, until the receiver is gone.
pub async fn run(config: Config, events: EventSender) -> anyhow::Result<()> {
    let outbox = Outbox::new(events);
    tokio::select! {
        () = outbox.closed() => Ok(()),
        never = follow(config, &outbox) => match never {},
    }
}

async fn follow(mut config: Config, outbox: &Outbox) -> Infallible {
    let mut watches = JoinSet::new();
    let mut names = BTreeSet::new();
    loop {
        for name in wanted(&mut config) {
            if names.insert(name.clone()) {
                let socket = rundir::mgmt_socket(&config.rundir, &name);
                let bridge = Bridge::new(name.clone(), socket, outbox.sibling());
                let deleted = deleted(config.bridges.clone(), name.clone());
                watches.spawn(async move {
                    bridge.watch(deleted).await;
                    name
                });
            }
        }
        tokio::select! {
            () = changed(&mut config.bridges) => {}
            Some(ended) = watches.join_next() => {
                // A watch cannot panic, and none is aborted while this runs.
                if let Ok(name) = ended {
                    names.remove(&name);
                }
            }
        }
    }
}

fn wanted(config: &mut Config) -> Vec<String> {
    let Config {
        rundir: _,
        bridges,
        only,
    } = config;
    let bridges = bridges.borrow_and_update();
    bridges
        .keys()
        .filter(|name| only.is_empty() || only.contains(*name))
        .cloned()
        .collect()
}

/// Never ready when nobody tells of bridges any more.
async fn changed(bridges: &mut watch::Receiver<BTreeMap<String, BridgeRow>>) {
    if bridges.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn deleted(mut bridges: watch::Receiver<BTreeMap<String, BridgeRow>>, name: String) {
    if bridges
        .wait_for(|bridges| !bridges.contains_key(&name))
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}
