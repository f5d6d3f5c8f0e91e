//! What the kernel does: eBPF programs on openvswitch and on the processes of OVS.
//!
//! May not know: restarts, Pods, other sources. Only this source knows aya.
//!
//! Two objects are loaded: one on the kernel's process tracepoints, which stays, and one on the openvswitch module,
//! which is loaded anew when the module is: kprobes die with the module, and its structures may have changed.

mod actions;
mod datapath;
mod decode;
mod hooks;
mod instance;
mod module;
mod object;
mod offsets;
mod remedy;
mod upcalls;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::MissedTickBehavior;
use tracer_core::event::{Event, EventKind, Hook};
use tracer_core::time::Timestamp;

use self::datapath::Datapath;
use self::instance::{Instance, Settings};
use self::offsets::KernelTypes;
pub use self::upcalls::UpcallReader;
use super::EventSender;

/// The name of this source in [`EventKind::Source`].
const NAME: &str = "ebpf";

/// How the kernel is watched.
#[derive(Clone, Debug)]
pub struct Config {
    /// Size of the ring of records: a power of two, and at least a page.
    pub ring_bytes: u32,
    /// How often counters are read.
    pub tick: Duration,
    /// Whether the programs shall say what they do, through `tracing`.
    pub verbose: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ring_bytes: 4 << 20,
            tick: Duration::from_millis(100),
            verbose: false,
        }
    }
}

/// The ring of process records: a handful in a restart.
const PROCESS_RING_BYTES: u32 = 64 << 10;

/// Everything is attached; [`Attached::run`] makes events of it.
pub struct Attached {
    config: Config,
    processes: Instance,
    datapath: Datapath,
    hooks: Vec<Hook>,
    since: Timestamp,
}

/// Attaches to the running kernel. A hook that cannot be attached is told in [`Attached::hooks`]; it is an
/// error only when there is none that can. To be called inside a tokio runtime.
pub fn attach(config: Config) -> anyhow::Result<Attached> {
    // Before Linux 5.11 maps count as locked memory. Where it may not be raised, making them says so.
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if let Err(error) = setrlimit(Resource::Memlock, unlimited) {
        tracing::debug!("the limit of locked memory stays: {error}");
    }
    let kernel = KernelTypes::of_running_kernel()?;
    let offsets = kernel.known();
    let mut processes = Instance::load(Settings {
        offsets: &offsets,
        ring_bytes: PROCESS_RING_BYTES,
        verbose: config.verbose,
    })?;
    let mut hooks = processes.attach(hooks::PROCESSES, &offsets, None)?;
    let (datapath, datapath_hooks) = Datapath::attach(&config, &kernel, UpcallReader::default())?;
    hooks.extend(datapath_hooks);
    if let Some(first) = hooks.first().filter(|_| hooks.iter().all(|hook| !hook.ok)) {
        bail!("nothing can be hooked; {}: {}", first.name, first.error);
    }
    Ok(Attached {
        config,
        processes,
        datapath,
        hooks,
        since: now(),
    })
}

/// What could be hooked on this node: tries, and lets go of everything again.
pub fn probe(config: Config) -> anyhow::Result<Vec<Hook>> {
    attach(config).map(|attached| attached.hooks)
}

impl Attached {
    /// How each hook stands.
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
        self.announce(&events).await;
        let mut ticks = tokio::time::interval(self.config.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let batch = tokio::select! {
                () = &mut stop => break,
                () = events.closed() => return Ok(()),
                _ = ticks.tick() => self.tick()?,
                batch = self.processes.readable() => batch?,
                batch = self.datapath.readable() => batch?,
            };
            send(&events, batch).await;
        }
        self.processes.let_go();
        self.datapath.let_go();
        let last = self.tick()?;
        send(&events, last).await;
        Ok(())
    }

    async fn announce(&mut self, events: &EventSender) {
        let at = self.since;
        let hooks = self.hooks.iter().cloned().map(EventKind::Hook);
        let kinds = hooks.chain([self.datapath.state()]);
        send(events, kinds.map(|kind| Event { at, kind }).collect()).await;
    }

    /// Everything that is read by time, after everything that is in the rings.
    fn tick(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut batch = self.processes.drain();
        batch.extend(self.datapath.drain());
        batch.extend(
            self.datapath
                .tick(&self.config)
                .context("openvswitch cannot be watched")?,
        );
        batch.extend(stamped(losses(&mut self.processes)?));
        Ok(batch)
    }
}

/// What is known now.
fn stamped(kinds: Vec<EventKind>) -> impl Iterator<Item = Event> {
    let at = now();
    kinds.into_iter().map(move |kind| Event { at, kind })
}

/// What an object lost since it was last asked.
fn losses(instance: &mut Instance) -> anyhow::Result<Vec<EventKind>> {
    instance.flush_log();
    let mut lost = instance.newly_lost()?;
    let unreadable = std::mem::take(&mut instance.unreadable);
    if unreadable > 0 {
        lost.insert("record that cannot be read", unreadable);
    }
    let lost = lost.into_iter().map(|(hook, count)| EventKind::RecordsLost {
        hook: hook.to_owned(),
        count,
    });
    Ok(lost.collect())
}

async fn send(events: &EventSender, batch: Vec<Event>) {
    for event in batch {
        // That the receiver is gone is seen where it is waited for.
        let _gone = events.send(event).await;
    }
}

/// `CLOCK_MONOTONIC`, the clock of `bpf_ktime_get_ns`.
fn now() -> Timestamp {
    let now = clock_gettime(ClockId::Monotonic);
    let nanos = now
        .tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(now.tv_nsec);
    Timestamp(u64::try_from(nanos).unwrap_or(0))
}
