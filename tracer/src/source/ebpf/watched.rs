//! One loading of openvswitch, with hooks on it.
//!
//! Must not depend on: how openvswitch comes and goes, when packets are to be followed.

use aya::Ebpf;
use tracer_common::hook;
use tracer_core::event::{Event, EventKind, Hook, Unrecorded};
use tracer_core::time::{MILLISECOND, SECOND, Timestamp};

use super::calls::Calls;
use super::config::Config;
use super::control::Control;
use super::evidence::Evidence;
use super::hooks::{self, Link, Spec};
use super::instance::{Instance, Loader, Sizes};
use super::offsets::Layout;
use super::runs::Runs;
use super::skipped::Skipped;
use super::upcalls::{Counters, UpcallReader};
use super::waits::Waits;

/// Hooks on openvswitch, and what they count.
pub(super) struct Watched {
    instance: Instance,
    layout: Layout,
    control: Control,
    counters: Counters,
    waits: Waits,
    runs: Runs,
    calls: Calls,
    skipped: Skipped,
    /// What keeps the hooks on every packet attached; empty: packets are not followed.
    packets: Vec<Link>,
    /// When the runs are read next.
    runs_due: Timestamp,
    /// When the counters are read next.
    counters_due: Timestamp,
    max_runs: u32,
}

/// The reading of one run is worth so much time: more runs are read less often.
const TIME_PER_RUN: u64 = MILLISECOND / 20;
/// While packets are followed nothing is read more often than this: each reading tells of all traffic that went on. Less often than what a
/// packet may wait for its answer (`PATIENCE` in `tracer_core::traffic`) it must not be: until then it is not told as lost.
const READING: u64 = SECOND / 2;
/// A run that is idle for so long when packets are let go is forgotten.
const IDLE: u64 = 5 * SECOND;

impl Watched {
    /// Loads the object. Hooks on packets are told where they cannot be; nothing is attached yet.
    pub(super) fn load(
        config: &Config,
        layout: &Layout,
        loader: &mut Loader<'_>,
    ) -> anyhow::Result<(Self, Vec<Hook>)> {
        let mut instance = Instance::load(loader, Sizes::of_datapath(config.ring_bytes, config.max_runs)?)?;
        let ebpf = instance.ebpf()?;
        let control = Control::take(ebpf)?;
        let counters = Counters::take(ebpf)?;
        let waits = Waits::take(ebpf)?;
        let runs = Runs::take(ebpf)?;
        let calls = Calls::take(ebpf)?;
        let mut refused = Vec::new();
        if config.evidence != Evidence::Off {
            refused.extend(instance.prepare(hooks::PACKETS, layout)?);
        }
        let watched = Self {
            instance,
            layout: layout.clone(),
            control,
            counters,
            waits,
            runs,
            calls,
            skipped: Skipped::default(),
            packets: Vec::new(),
            runs_due: Timestamp(0),
            counters_due: Timestamp(0),
            max_runs: config.max_runs,
        };
        Ok((watched, refused))
    }

    /// Loads the programs of the slow path, so that they are attached in less time.
    pub(super) fn prepare(&mut self) -> anyhow::Result<()> {
        // Attaching tells of those that cannot be.
        let _refused = self.instance.prepare(hooks::SLOW_PATH, &self.layout)?;
        Ok(())
    }

    /// Attaches the hooks on the slow path, and says how that went; `reader` reads what they count.
    pub(super) fn attach(&mut self, reader: &UpcallReader) -> anyhow::Result<Vec<Hook>> {
        let attached = self.instance.attach(hooks::SLOW_PATH, &self.layout)?;
        self.counters.publish(reader);
        Ok(attached.into_iter().map(|(hook, _)| hook).collect())
    }

    /// What the hooks are made for.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Waits until there are records, and reads them.
    pub(super) async fn readable(&mut self) -> anyhow::Result<Vec<Event>> {
        let events = self.instance.readable().await?;
        self.renew(&events)?;
        Ok(events)
    }

    /// All records there are now.
    pub(super) fn drain(&mut self) -> anyhow::Result<Vec<Event>> {
        let events = self.instance.drain();
        self.renew(&events)?;
        Ok(events)
    }

    fn renew(&mut self, events: &[Event]) -> anyhow::Result<()> {
        let changed = |event: &Event| matches!(event.kind, EventKind::Reconfigured { .. });
        if events.iter().any(changed) {
            self.control.renew()
        } else {
            Ok(())
        }
    }

    /// Reads the counters, where they are due.
    pub(super) fn read_if_due(&mut self, now: Timestamp) -> anyhow::Result<Vec<EventKind>> {
        if now < self.counters_due {
            return Ok(Vec::new());
        }
        let most = if self.follows_packets() { READING } else { 0 };
        self.counters_due = now.plus(most);
        self.read(now)
    }

    fn read(&mut self, now: Timestamp) -> anyhow::Result<Vec<EventKind>> {
        let upcalls = self.counters.read(&mut self.control)?;
        // While packets are not followed, failed upcalls are all that makes runs.
        let runs_changed = self.follows_packets() || upcalls.iter().any(|upcalls| upcalls.result != 0);
        let mut kinds: Vec<_> = upcalls.into_iter().map(EventKind::Upcalls).collect();
        kinds.extend(self.waits.read()?);
        let losses = self.instance.losses()?;
        if losses.iter().any(is_full_of_calls) {
            self.calls.clear(now)?;
        }
        kinds.extend(losses.into_iter().map(packets_lost));
        kinds.extend(self.skipped.read_if_due(now));
        if runs_changed && now >= self.runs_due {
            kinds.extend(self.read_runs(now)?);
        }
        Ok(kinds)
    }

    fn read_runs(&mut self, now: Timestamp) -> anyhow::Result<Vec<EventKind>> {
        let kinds = self.runs.read()?;
        let count = u64::try_from(self.runs.count()).unwrap_or(u64::MAX);
        self.runs_due = now.plus(count.saturating_mul(TIME_PER_RUN));
        Ok(kinds)
    }

    /// Whether packets are followed.
    pub(super) fn follows_packets(&self) -> bool {
        !self.packets.is_empty()
    }

    /// Attaches one of the hooks on every packet, and says how that went. Each takes long: what the ring holds
    /// should be read in between.
    pub(super) fn attach_packets(&mut self, spec: Spec) -> anyhow::Result<Vec<Hook>> {
        let attached = self.instance.attach(&[spec], &self.layout)?;
        let (reports, links): (Vec<_>, Vec<_>) = attached.into_iter().unzip();
        self.packets.extend(links.into_iter().flatten());
        Ok(reports)
    }

    /// Follows packets, from here on, or not: the programs do nothing until they are told to.
    pub(super) fn follow_packets(&mut self, follow: bool) -> anyhow::Result<()> {
        self.control.follow_packets(follow)
    }

    /// Hits of the hooks that the kernel passed over, to the last before some of them are let go.
    pub(super) fn skipped(&mut self) -> Vec<EventKind> {
        self.skipped.read()
    }

    /// Lets go of one of the hooks on every packet; whether there was one.
    pub(super) fn detach_packets(&mut self) -> anyhow::Result<bool> {
        let ebpf = self.instance.ebpf()?;
        match self.packets.pop() {
            Some(link) => {
                link.let_go(ebpf)?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// What the hooks on every packet counted, once more, after they are gone.
    pub(super) fn last_of_packets(&mut self, now: Timestamp) -> anyhow::Result<Vec<EventKind>> {
        let kinds = self.read_runs(now)?;
        self.runs.forget(Timestamp(now.0.saturating_sub(IDLE)))?;
        Ok(kinds)
    }

    /// Makes room for runs where those of failed upcalls alone have filled it.
    pub(super) fn make_room(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let crowded = u32::try_from(self.runs.count()).unwrap_or(u32::MAX) > self.max_runs / 2;
        if crowded && !self.follows_packets() {
            self.runs.forget(Timestamp(now.0.saturating_sub(IDLE)))?;
        }
        Ok(())
    }

    /// The programs, which are still to be taken out of the kernel.
    pub(super) fn take_programs(&mut self) -> Option<Ebpf> {
        self.instance.take_programs()
    }

    /// Reads what the programs counted, when they count no more.
    pub(super) fn last(&mut self, now: Timestamp) -> anyhow::Result<Vec<EventKind>> {
        self.packets.clear();
        self.runs_due = Timestamp(0);
        let mut kinds = self.read(now)?;
        kinds.extend(self.read_runs(now)?);
        kinds.extend(self.skipped());
        Ok(kinds)
    }
}

fn is_full_of_calls(lost: &EventKind) -> bool {
    matches!(
        lost,
        EventKind::RecordsLost {
            why: Some(Unrecorded::CallsFull),
            ..
        }
    )
}

/// What a hook on every packet could not book is a lost run.
fn packets_lost(lost: EventKind) -> EventKind {
    let packets = [hook::Hook::Execute.name(), hook::Hook::Send.name()];
    match lost {
        EventKind::RecordsLost { hook, count, why } if packets.contains(&hook.as_str()) => {
            EventKind::PacketsLost {
                runs: count,
                key: None,
                why,
            }
        }
        lost => lost,
    }
}
