//! A live capture: all sources attached and running, until it is told to stop.
//!
//! Must not depend on: reports, commands, formats.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tracer_core::event::{Event, EventKind};
use tracer_core::log::{Header, VERSION};

use crate::source::{EventSender, clock, datapath, ebpf, openflow, ovsdb, process, rundir};

/// How long the sources may take to hand over what they still hold: who ended the capture waits for the report. Without
/// KVM it takes them a tenth of that.
const LAST_WORDS: Duration = Duration::from_millis(1500);

/// What to watch, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where OVS keeps its sockets.
    pub rundir: PathBuf,
    /// The socket of ovsdb-server.
    pub db: PathBuf,
    /// Only these bridges; empty: all.
    pub bridges: BTreeSet<String>,
    /// How the kernel is watched.
    pub ebpf: ebpf::Config,
}

/// The header of a recording made here and now.
pub fn header() -> Header {
    let system = rustix::system::uname();
    Header {
        ovsgap_log: VERSION,
        tool: concat!("ovsgap ", env!("CARGO_PKG_VERSION")).to_owned(),
        hostname: Some(system.nodename().to_string_lossy().into_owned()),
        kernel: Some(system.release().to_string_lossy().into_owned()),
        started_ns: clock::now(),
        wall_offset_ns: clock::wall_offset_ns(),
    }
}

/// Running sources.
pub struct Sources {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: watch::Sender<bool>,
    /// The hooks, which go on until the others have ended: they report whatever the last reading of a counter counted.
    hooks: JoinSet<anyhow::Result<()>>,
    let_go: watch::Sender<bool>,
    /// Ticks until all have ended: to detach takes seconds, and silence would say that nobody recorded.
    clock: JoinSet<anyhow::Result<()>>,
    events: EventSender,
}

/// Attaches to the kernel, then starts every source.
///
/// Errors: no OVS, no permission, no module: each with its remedy.
pub async fn start(plan: Plan, events: EventSender) -> anyhow::Result<Sources> {
    is_running(&plan).await?;
    let (flag, flagged) = watch::channel(false);
    let kernel = ebpf::Config {
        arm: Some(flagged),
        ..plan.ebpf
    };
    // Beside the tasks: it takes long, and meanwhile the user may think better of it.
    let attached = spawn_blocking(move || ebpf::attach(kernel)).await;
    let attached = attached
        .context("the kernel cannot be watched")?
        .context("cannot watch the kernel")?;
    let (stop, stopped) = watch::channel(false);
    let (bridges, bridges_seen) = watch::channel(BTreeMap::new());
    let upcalls = attached.upcalls();
    let (let_go, released) = watch::channel(false);
    let (mut tasks, mut hooks, mut clock) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    let sender = || events.clone();
    hooks.spawn(attached.run(sender(), until(released)));
    tasks.spawn(process::run(process::Config::default(), sender()));
    tasks.spawn(datapath::run(
        datapath::Config {
            upcalls: Some(Box::new(move |dp| upcalls.totals(dp))),
            stop: Some(stopped.clone()),
        },
        sender(),
    ));
    let mirror = ovsdb::Config {
        socket: plan.db,
        flag: Some(flag),
        bridges: Some(bridges),
    };
    tasks.spawn(while_wanted(ovsdb::run(mirror, sender()), stopped.clone()));
    let monitors = openflow::Config {
        rundir: plan.rundir,
        bridges: bridges_seen,
        only: plan.bridges,
    };
    tasks.spawn(while_wanted(openflow::run(monitors, sender()), stopped));
    clock.spawn(clock::run(clock::Config::default(), sender()));
    Ok(Sources {
        tasks,
        stop,
        hooks,
        let_go,
        clock,
        events,
    })
}

/// Without ovsdb-server there is nothing to trace, and most likely the run directory is wrong.
async fn is_running(plan: &Plan) -> anyhow::Result<()> {
    UnixStream::connect(&plan.db).await.map(drop).with_context(|| {
        format!(
            "Open vSwitch is not running here: ovsdb-server does not answer at {} (tried: {}); start it, or name its run \
             directory with --ovs-rundir or its socket with --db",
            plan.db.display(),
            rundir::CANDIDATES.join(", ")
        )
    })
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error says that the sender is gone: that, too, is an end.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn while_wanted(
    source: impl Future<Output = anyhow::Result<()>>,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    tokio::select! {
        ended = source => ended,
        () = until(stopped) => Ok(()),
    }
}

/// Waits until all have ended.
async fn all(tasks: &mut JoinSet<anyhow::Result<()>>) {
    while let Some(ended) = tasks.join_next().await {
        if let Ok(Err(error)) = ended {
            tracing::warn!("a source ended early: {error:#}");
        }
    }
}

impl Sources {
    /// Puts an observation of the capture itself among the events.
    pub async fn tell(&self, kind: EventKind) {
        // The pipeline outlives the sources; if it is gone, there is nobody left to tell.
        let _ = self
            .events
            .send(Event {
                at: clock::now(),
                kind,
            })
            .await;
    }

    /// Lets every source hand over what it still holds, and marks the end.
    pub async fn stop(mut self) {
        let ended = async {
            self.stop.send_replace(true);
            all(&mut self.tasks).await;
            self.let_go.send_replace(true);
            all(&mut self.hooks).await;
        };
        if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
            self.tell(EventKind::Source {
                name: "ebpf".to_owned(),
                ok: false,
                detail: "the capture ended before all that was seen could be read".to_owned(),
            })
            .await;
        }
        self.clock.shutdown().await;
        self.tell(EventKind::CaptureEnded).await;
    }
}
