//! What the kernel does: eBPF programs on openvswitch and on the processes of OVS.
//!
//! Must not depend on: restarts, Pods, other sources. Only this source knows aya.
//!
//! Two objects are loaded: one on the kernel's process tracepoints, which stays, and one on the openvswitch module,
//! which is loaded anew when the module is: kprobes die with the module, and its structures may have changed.

mod actions;
mod blank;
mod calls;
mod config;
mod control;
mod datapath;
mod decode;
mod derived;
mod evidence;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hooks;
mod instance;
mod mapped;
mod members;
mod module;
mod names;
mod object;
mod offsets;
mod parting;
mod perf_link;
mod release;
mod reload;
mod remedy;
mod runs;
mod skipped;
mod symbols;
mod table;
mod told;
mod trial;
mod upcalls;
mod waits;
mod watched;

use std::future::{Future, pending};

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracer_core::event::{Event, EventKind, Hook};
use tracer_core::time::Timestamp;

pub use self::config::{Config, DEFAULT_KEYS};
use self::datapath::Datapath;
pub use self::evidence::Evidence;
use self::evidence::Watchfulness;
use self::instance::{Instance, Loader, Sizes};
use self::offsets::Layout;
pub use self::parting::leave;
pub use self::remedy::{counts_as_locked, is_paranoid, missing_rights};
use self::told::{NAME, stamped};
use self::trial::Trial;
pub use self::upcalls::UpcallReader;
use self::watched::Watched;
use super::clock::now;
use super::{EventSender, datapath as netlink};

/// Of process records there is a handful in a restart, and nothing is counted.
const OF_PROCESSES: Sizes = Sizes {
    ring_bytes: 64 << 10,
    runs: 1,
    upcalls: 1,
};

/// Everything is attached; [`Attached::run`] makes events of it.
pub struct Attached {
    config: Config,
    processes: Instance,
    datapath: Datapath,
    hooks: Vec<Hook>,
    since: Timestamp,
    watchfulness: Watchfulness,
    /// Whether what the hooks read is what they are taken to read.
    trial: Trial,
    /// By when, in vain, packets were to be followed: it is not tried again before there is a new sign.
    refused: Option<Timestamp>,
}

/// Attaches to the running kernel. A hook that cannot be attached is told in [`Attached::hooks`]; it is an
/// error only when there is none that can. To be called inside a tokio runtime.
pub fn attach(config: Config) -> anyhow::Result<Attached> {
    unlock_memory();
    let module = module::loaded();
    let layout = Layout::of_running_kernel(module.is_some())?;
    let mut loader = Loader::new(&layout.offsets, config.verbose)?;
    let mut processes = Instance::load(&mut loader, OF_PROCESSES)?;
    let attached = processes.attach(hooks::PROCESSES, &layout)?;
    let mut hooks: Vec<_> = attached.into_iter().map(|(hook, _)| hook).collect();
    let (datapath, datapath_hooks) = Datapath::attach(&config, module, &layout, &mut loader)?;
    hooks.extend(datapath_hooks);
    if let Some(first) = hooks.first().filter(|_| hooks.iter().all(|hook| !hook.ok)) {
        bail!("nothing can be hooked; {}: {}", first.name, first.error);
    }
    Ok(Attached {
        watchfulness: Watchfulness::new(config.evidence, config.linger),
        trial: Trial::default(),
        config,
        processes,
        datapath,
        hooks,
        since: now(),
        refused: None,
    })
}

/// Before Linux 5.11 maps count as locked memory. Where as much of it as they need may not be had, making them says so.
fn unlock_memory() {
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let most = getrlimit(Resource::Memlock).maximum;
    let allowed = Rlimit {
        current: most,
        maximum: most,
    };
    let raised = setrlimit(Resource::Memlock, unlimited).or_else(|_| setrlimit(Resource::Memlock, allowed));
    if let Err(error) = raised {
        tracing::debug!("the limit of locked memory stays: {error}");
    }
}

/// What can be hooked on this node, packets included: tries, and lets go of everything again.
pub fn probe(config: Config) -> anyhow::Result<Vec<Hook>> {
    // Else those on packets that cannot be would be told twice.
    let evidence = Evidence::Off;
    let mut attached = attach(Config { evidence, ..config })?;
    let mut hooks = std::mem::take(&mut attached.hooks);
    if let Some(watched) = attached.datapath.watched() {
        for spec in hooks::PACKETS {
            hooks.extend(watched.attach_packets(*spec)?);
        }
    }
    attached.take_programs();
    Ok(hooks)
}

impl Attached {
    /// How each hook stands. Those on every packet are told as events when they are first attached.
    pub fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    /// Reads the upcalls that are counted.
    pub fn upcalls(&self) -> UpcallReader {
        self.datapath.reader().clone()
    }

    /// Sends what is seen, until `stop` or until the receiver is gone. After `stop` nothing more is seen, and
    /// what had been is sent to the last.
    pub async fn run(mut self, events: EventSender, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::pin!(stop);
        let mut arm = self.config.arm.take();
        send(&events, self.announcement()).await;
        let mut ticks = tokio::time::interval(self.config.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let batch = tokio::select! {
                () = &mut stop => break,
                () = events.closed() => return Ok(()),
                () = changed(&mut arm) => Vec::new(),
                _ = ticks.tick() => self.tick()?,
                batch = self.processes.readable() => batch?,
                batch = self.datapath.readable() => batch?,
            };
            let asked = arm.as_ref().is_some_and(|arm| *arm.borrow());
            self.watch(&batch, asked);
            if let Some(wrong) = self.try_layout(&batch).await {
                self.take_programs();
                send(&events, stamped([wrong])).await;
                return Ok(());
            }
            // What was seen goes out first: hooks on every packet take their time to be attached or taken off.
            send(&events, batch).await;
            self.decide_evidence(&events).await?;
        }
        let last = self.let_go()?;
        send(&events, last).await;
        Ok(())
    }

    fn announcement(&self) -> Vec<Event> {
        let at = self.since;
        let hooks = self.hooks.iter().cloned().map(EventKind::Hook);
        let kinds = hooks.chain([self.datapath.state()]);
        kinds.map(|kind| Event { at, kind }).collect()
    }

    /// Everything that is read by time, after everything that is in the rings.
    fn tick(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut batch = self.processes.drain();
        batch.extend(stamped(self.processes.losses()?));
        batch.extend(self.datapath.read()?);
        batch.extend(self.datapath.follow_module(&self.config)?);
        Ok(batch)
    }

    /// Looks for signs of a restart in what was seen.
    fn watch(&mut self, batch: &[Event], asked: bool) {
        let at = now();
        for event in batch {
            self.watchfulness.see(&event.kind, at);
        }
        if asked {
            self.watchfulness.restart(at);
        }
    }

    /// Compares what was read with what netlink tells, where that is not known to agree; what is said where it does not.
    async fn try_layout(&mut self, batch: &[Event]) -> Option<EventKind> {
        let watched = self.datapath.watched();
        let found = watched.map(|watched| watched.layout().of_module);
        let evidence = self.trial.evidence(found, batch);
        if evidence.is_empty() {
            return None;
        }
        // That netlink cannot be asked is said by its own source.
        let there = netlink::ports().await.unwrap_or_default();
        let detail = self.trial.weigh(&evidence, &there)?;
        Some(EventKind::Source {
            name: NAME.to_owned(),
            ok: false,
            detail,
        })
    }

    /// Follows packets, or lets them go, by what was seen last.
    async fn decide_evidence(&mut self, events: &EventSender) -> anyhow::Result<()> {
        let at = now();
        let wanted = self.watchfulness.wants(at);
        let Some(watched) = self.datapath.watched() else {
            return Ok(());
        };
        if wanted && !watched.follows_packets() && self.watchfulness.is_new_since(self.refused) {
            let armed = follow_packets(watched, events).await?;
            self.refused = (!armed).then(|| self.watchfulness.until());
        } else if !wanted && watched.follows_packets() {
            let_packets_go(watched, events).await?;
            self.watchfulness.let_go();
        }
        Ok(())
    }

    /// What was seen and counted to the last. The programs are taken out of the kernel meanwhile, which takes long.
    fn let_go(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut last = self.processes.drain();
        last.extend(stamped(self.processes.losses()?));
        last.extend(self.datapath.last()?);
        self.take_programs();
        Ok(last)
    }

    fn take_programs(&mut self) {
        parting::let_go(self.processes.take_programs());
        let watched = self.datapath.watched();
        parting::let_go(watched.and_then(Watched::take_programs));
    }
}

/// Attaches the hooks on every packet, all or none; whether they are. What the kernel tells meanwhile is sent in
/// between: it would be late after all of them.
async fn follow_packets(watched: &mut Watched, events: &EventSender) -> anyhow::Result<bool> {
    let mut reports = Vec::new();
    for spec in hooks::PACKETS {
        reports.extend(watched.attach_packets(*spec)?);
        let seen = watched.drain()?;
        send(events, seen).await;
    }
    let armed = reports.iter().all(|hook| hook.ok);
    let hooks = reports.into_iter().map(EventKind::Hook);
    if armed {
        watched.follow_packets(true)?;
        send(events, stamped(hooks.chain([EventKind::Evidence { armed }]))).await;
    } else {
        send(events, stamped(hooks)).await;
        let_packets_go(watched, events).await?;
    }
    Ok(armed)
}

/// Lets go of the hooks on every packet.
async fn let_packets_go(watched: &mut Watched, events: &EventSender) -> anyhow::Result<()> {
    watched.follow_packets(false)?;
    let skipped = watched.skipped();
    send(
        events,
        stamped(skipped.into_iter().chain([EventKind::Evidence { armed: false }])),
    )
    .await;
    while watched.detach_packets()? {
        let seen = watched.drain()?;
        send(events, seen).await;
    }
    let last = watched.last_of_packets(now())?;
    send(events, stamped(last)).await;
    Ok(())
}

/// Waits until the sign from outside changes.
async fn changed(arm: &mut Option<watch::Receiver<bool>>) {
    match arm {
        Some(receiver) => {
            if receiver.changed().await.is_err() {
                *arm = None;
            }
        }
        None => pending().await,
    }
}

async fn send(events: &EventSender, batch: impl IntoIterator<Item = Event>) {
    // That the receiver is gone is seen where it is waited for.
    let _gone = events.send_all(batch).await;
}
