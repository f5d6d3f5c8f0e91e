//! The kernel's datapaths, their vports and their counters, over generic netlink.
//!
//! Must not depend on: hooks, OVSDB. Only reads, which any user may. Sees the datapaths of the network namespace it
//! runs in: a container needs the host's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use anyhow::Context as _;
use tokio::sync::watch::Receiver;
use tracer_core::id::{DpIfindex, PortNo};

use super::outbox::Outbox;
use super::{EventSender, clock};
use kernel::Kernel;
use socket::Socket;
use state::{explain, source_event};
pub use watch::ReadUpcalls;
use watch::Source;

mod codec;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod kernel;
mod socket;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod watch;

/// What to read and how long.
#[derive(Default)]
pub struct Config {
    /// Called just before and just after each read of a datapath's counters.
    pub upcalls: Option<ReadUpcalls>,
    /// Turns true when the capture ends: the counters are read once more and the source ends.
    pub stop: Option<Receiver<bool>>,
}

/// The ports of each datapath that there is now.
///
/// Errors: the kernel cannot be asked.
pub async fn ports() -> anyhow::Result<BTreeMap<DpIfindex, BTreeSet<PortNo>>> {
    let mut kernel = Kernel::open(Socket::open)?;
    let mut ports: BTreeMap<DpIfindex, BTreeSet<PortNo>> = BTreeMap::new();
    let Some(families) = kernel.families().await? else {
        return Ok(ports);
    };
    for vport in kernel.dump(&families).await?.unwrap_or_default().vports {
        ports.entry(vport.dp).or_default().insert(vport.port_no);
    }
    Ok(ports)
}

/// Reports datapaths and vports as they come and go, and counters once a second and at the end.
///
/// Errors: the kernel's notices cannot be heard any more.
pub async fn run(config: Config, events: EventSender) -> anyhow::Result<()> {
    run_on(Socket::open, config, events).await
}

/// As [`run`], over sockets of the caller's: one for requests, then one for notices.
async fn run_on(
    open: impl Fn() -> io::Result<Socket>,
    config: Config,
    events: EventSender,
) -> anyhow::Result<()> {
    let Config { upcalls, stop } = config;
    let mut outbox = Outbox::new(events);
    let closed = outbox.closed();
    let ended = async move {
        tokio::select! { () = closed => {}, () = is_true(stop) => {} }
    };
    let kernel = match Kernel::open(open).context("opening a netlink socket") {
        Ok(kernel) => kernel,
        Err(error) => {
            outbox
                .put(clock::now(), source_event(Some(explain(&error))))
                .await;
            ended.await;
            return Ok(());
        }
    };
    let mut source = Source::new(kernel, upcalls, outbox);
    let lost = tokio::select! {
        () = ended => Ok(()),
        error = source.watch() => Err(error).context("listening to the kernel's notices"),
    };
    source.report_counters().await;
    lost
}

/// Never ready when nobody can make it true (any more).
async fn is_true(stop: Option<Receiver<bool>>) {
    if let Some(mut stop) = stop
        && stop.wait_for(|stop| *stop).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
