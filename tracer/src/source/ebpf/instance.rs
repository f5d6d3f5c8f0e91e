//! One loaded object: its programs, its ring, its counters of what was lost.
//!
//! Must not depend on: when it is loaded and let go.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aya::maps::{MapData, RingBuf};
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};
use tracer_common::hook::Hook;
use tracer_common::lost::{Lost, Obstacle};
use tracer_common::offsets::Offsets;
use tracer_common::{counters, names};
use tracer_core::event::{self, Event, Unrecorded};
use zerocopy::IntoBytes;

use super::config::DEFAULT_KEYS;
use super::hooks::{Link, Spec};
use super::mapped::Mapped;
use super::offsets::Layout;
use super::{blank, decode, object, parting, remedy, table};

/// What an object is loaded with.
pub(super) struct Loader<'a> {
    loader: EbpfLoader<'a>,
    verbose: bool,
}

/// `AYA_LOG_LEVEL` of programs that shall not say anything: the verifier then removes what would.
const SILENT: &u8 = &0;
/// `AYA_LOG_LEVEL` of programs that shall say what they do.
const VERBOSE: &u8 = &(aya_log::Level::Debug as u8);
/// The ring of what the programs say.
const LOG_MAP: &str = "AYA_LOGS";

impl<'a> Loader<'a> {
    /// A loader of objects for a kernel with these offsets.
    pub(super) fn new(offsets: &'a Offsets, verbose: bool) -> anyhow::Result<Self> {
        let mut loader = blank::loader()?;
        loader
            .override_global(names::OFFSETS, offsets.as_bytes(), true)
            .override_global(aya_log::LEVEL, if verbose { VERBOSE } else { SILENT }, false);
        if !verbose && let Ok(page) = u32::try_from(rustix::param::page_size()) {
            loader.map_max_entries(LOG_MAP, page);
        }
        Ok(Self { loader, verbose })
    }
}

/// How much an object has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Size of its ring: a power of two, and at least a page.
    pub(super) ring_bytes: u32,
    /// How many traffic keys are told apart, counting each once a CPU.
    pub(super) runs: u32,
    /// How many kinds of upcalls are, likewise.
    pub(super) upcalls: u32,
}

impl Sizes {
    /// Of an object whose programs are on openvswitch. Room for kinds of upcalls grows with that for traffic keys.
    pub(super) fn of_datapath(ring_bytes: u32, runs: u32) -> anyhow::Result<Self> {
        Ok(Self {
            ring_bytes,
            runs,
            upcalls: upcall_kinds(object::cpus()?, runs),
        })
    }
}

/// How many kinds of upcalls there is room for on so many CPUs; more where more traffic keys are asked for than by default.
fn upcall_kinds(cpus: u32, runs: u32) -> u32 {
    let usual = cpus.saturating_mul(counters::UPCALL_KEYS);
    let usual = usual.clamp(counters::LEAST_UPCALL_KEYS, counters::MOST_UPCALL_KEYS);
    usual.saturating_mul((runs / DEFAULT_KEYS).max(1))
}

impl Loader<'_> {
    fn set(&mut self, sizes: Sizes) -> anyhow::Result<()> {
        let cpus = object::cpus()?;
        self.loader
            .map_max_entries(names::RECORDS, sizes.ring_bytes)
            .map_max_entries(names::CHANGES, sizes.runs)
            .map_max_entries(names::LOST, cpus)
            .map_max_entries(names::WAITS, cpus);
        for (table, keys) in [(names::RUNS, sizes.runs), (names::UPCALLS, sizes.upcalls)] {
            self.loader
                .map_max_entries(table.index, keys)
                .map_max_entries(table.slots, table::slots(keys))
                .map_max_entries(table.vacant, table::slots(keys));
        }
        Ok(())
    }
}

/// A loaded object.
pub(super) struct Instance {
    ebpf: Option<Ebpf>,
    ring: AsyncFd<RingBuf<MapData>>,
    /// By CPU.
    lost: Mapped<Lost>,
    lost_seen: Lost,
    /// Until when the ring is left alone, once it was read to its end.
    rests: Option<Instant>,
    /// Records that could not be read; a program of another build would send such.
    unreadable: u64,
    logger: Option<EbpfLogger<ToTracing>>,
}

impl Instance {
    /// Loads the object; nothing is attached yet.
    pub(super) fn load(loader: &mut Loader<'_>, sizes: Sizes) -> anyhow::Result<Self> {
        let bytes = object::bytes()?;
        parting::loaded();
        loader.set(sizes)?;
        let mut ebpf = loader
            .loader
            .load(bytes)
            .map_err(|error| anyhow!(remedy::of_object(&error)))?;
        let logger = loader
            .verbose
            .then(|| EbpfLogger::init_with_logger(&mut ebpf, ToTracing))
            .transpose()?;
        let mut take = |name| object::take_map(&mut ebpf, name);
        let ring = RingBuf::try_from(take(names::RECORDS)?)?;
        let lost = Mapped::new(take(names::LOST)?)?;
        Ok(Self {
            ebpf: Some(ebpf),
            ring: register(ring).context("the ring cannot be polled")?,
            lost,
            lost_seen: Lost::default(),
            rests: None,
            unreadable: 0,
            logger,
        })
    }

    /// The object, as long as its programs are in the kernel.
    pub(super) fn ebpf(&mut self) -> anyhow::Result<&mut Ebpf> {
        self.ebpf.as_mut().context("the programs have been let go")
    }

    /// Attaches `specs` and says how that went.
    pub(super) fn attach(
        &mut self,
        specs: &[Spec],
        layout: &Layout,
    ) -> anyhow::Result<Vec<(event::Hook, Option<Link>)>> {
        let ebpf = self.ebpf()?;
        Ok(specs.iter().flat_map(|spec| spec.attach(ebpf, layout)).collect())
    }

    /// Loads the programs of `specs`, so that they are attached in less time, and says which cannot be.
    pub(super) fn prepare(&mut self, specs: &[Spec], layout: &Layout) -> anyhow::Result<Vec<event::Hook>> {
        let ebpf = self.ebpf()?;
        Ok(specs.iter().flat_map(|spec| spec.prepare(ebpf, layout)).collect())
    }

    /// Hands over the programs, to be taken out of the kernel elsewhere; what they sent can still be read.
    pub(super) fn take_programs(&mut self) -> Option<Ebpf> {
        self.ebpf.take()
    }

    /// Waits until there are records, and reads them. The first one after [`REST`] is read at once.
    pub(super) async fn readable(&mut self) -> anyhow::Result<Vec<Event>> {
        if let Some(until) = self.rests {
            sleep_until(until).await;
            self.rests = None;
        }
        let Self { ring, unreadable, .. } = self;
        let mut ready = ring.readable_mut().await?;
        let (events, drained) = read(ready.get_inner_mut(), unreadable);
        if drained {
            ready.clear_ready();
            self.rests = Some(Instant::now() + REST);
        }
        Ok(events)
    }

    /// All records there are now.
    pub(super) fn drain(&mut self) -> Vec<Event> {
        let mut all = Vec::new();
        loop {
            let (events, drained) = read(self.ring.get_mut(), &mut self.unreadable);
            all.extend(events);
            if drained {
                return all;
            }
        }
    }

    /// What was lost since the last call.
    pub(super) fn losses(&mut self) -> anyhow::Result<Vec<event::EventKind>> {
        self.flush_log();
        let mut lost = self.newly_lost()?;
        let unreadable = std::mem::take(&mut self.unreadable);
        if unreadable > 0 {
            lost.insert(("an unknown kind", Unrecorded::Unreadable), unreadable);
        }
        let lost = lost
            .into_iter()
            .map(|((hook, why), count)| event::EventKind::RecordsLost {
                hook: hook.to_owned(),
                count,
                why: Some(why),
            });
        Ok(lost.collect())
    }

    /// What could not be told since the last call, by hook.
    fn newly_lost(&mut self) -> anyhow::Result<BTreeMap<(&'static str, Unrecorded), u64>> {
        let now = total(&self.lost.all()?);
        let before = std::mem::replace(&mut self.lost_seen, now);
        Ok(grown(&before, &now))
    }

    /// Passes on what the programs have to say about themselves.
    pub(super) fn flush_log(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }
}

/// All CPUs together.
fn total(cpus: &[Lost]) -> Lost {
    let mut total = Lost::default();
    for cpu in cpus {
        for (sum, count) in total.as_flattened_mut().iter_mut().zip(cpu.as_flattened()) {
            *sum += count;
        }
    }
    total
}

/// What has come since `before`, by hook and reason.
fn grown(before: &Lost, now: &Lost) -> BTreeMap<(&'static str, Unrecorded), u64> {
    let mut grown = BTreeMap::new();
    for (hook, (now, before)) in Hook::ALL.iter().zip(now.iter().zip(before)) {
        for (obstacle, (now, before)) in Obstacle::ALL.iter().zip(now.iter().zip(before)) {
            let count = now.saturating_sub(*before);
            if count > 0 {
                grown.insert((hook.name(), reason(*obstacle)), count);
            }
        }
    }
    grown
}

/// What stood in the way, as events say it.
fn reason(obstacle: Obstacle) -> Unrecorded {
    match obstacle {
        Obstacle::Ring => Unrecorded::RingFull,
        Obstacle::Keys => Unrecorded::KeysFull,
        Obstacle::Upcalls => Unrecorded::UpcallsFull,
        Obstacle::Calls => Unrecorded::CallsFull,
        Obstacle::HalfSeen => Unrecorded::HalfSeen,
        Obstacle::Unreadable => Unrecorded::Unreadable,
    }
}

/// Makes the readiness of a ring something to await.
fn register(ring: RingBuf<MapData>) -> io::Result<AsyncFd<RingBuf<MapData>>> {
    #[expect(
        unsafe_code,
        reason = "tokio cannot see that a ring keeps what `register_with_interest` asks for"
    )]
    // SAFETY: a ring's descriptor is open until the ring is dropped, and never changes.
    let registered = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
    registered.map_err(io::Error::from)
}

/// How long records gather. A storm of new flows makes thousands a second, and a wake-up for each, here and where its event goes, takes
/// more than what is done with it; the kernel, too, wakes nobody while earlier records have not been read.
const REST: Duration = Duration::from_millis(5);

/// So many records are read before others get their turn.
const BATCH: usize = 1024;

/// Reads records, and whether those were all.
fn read(ring: &mut RingBuf<MapData>, unreadable: &mut u64) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    while events.len() < BATCH {
        let Some(record) = ring.next() else {
            return (events, true);
        };
        match decode::decode(&record) {
            Some(event) => events.push(event),
            None => *unreadable += 1,
        }
    }
    (events, false)
}

/// Hands the programs' own messages to the log of this process.
struct ToTracing;

impl Log for ToTracing {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let said = record.args();
        match record.level() {
            log::Level::Error => tracing::error!(target: "ovsgap::ebpf", "{said}"),
            log::Level::Warn => tracing::warn!(target: "ovsgap::ebpf", "{said}"),
            log::Level::Info => tracing::info!(target: "ovsgap::ebpf", "{said}"),
            log::Level::Debug | log::Level::Trace => tracing::debug!(target: "ovsgap::ebpf", "{said}"),
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_told_by_hook_and_by_what_stood_in_the_way() {
        let mut cpus = [Lost::default(); 2];
        cpus[0][Hook::Execute as usize][Obstacle::Keys as usize] = 3;
        cpus[1][Hook::Execute as usize][Obstacle::Keys as usize] = 4;
        cpus[1][Hook::FlowInsert as usize][Obstacle::Ring as usize] = 1;
        let before = total(&cpus);
        cpus[1][Hook::Execute as usize][Obstacle::Keys as usize] = 6;
        cpus[0][Hook::Upcall as usize][Obstacle::HalfSeen as usize] = 5;
        let told = grown(&before, &total(&cpus));
        let expected = [
            (("ovs_dp_upcall", Unrecorded::HalfSeen), 5),
            (("ovs_execute_actions", Unrecorded::KeysFull), 2),
        ];
        assert_eq!(told, expected.into());
        let first = grown(&Lost::default(), &before);
        assert_eq!(first[&("ovs_flow_tbl_insert", Unrecorded::RingFull)], 1);
    }

    #[test]
    fn who_asks_for_more_keys_gets_more_room_for_upcalls_too() {
        assert_eq!(upcall_kinds(2, DEFAULT_KEYS), counters::LEAST_UPCALL_KEYS);
        assert_eq!(upcall_kinds(2, DEFAULT_KEYS / 2), counters::LEAST_UPCALL_KEYS);
        assert_eq!(upcall_kinds(2, 4 * DEFAULT_KEYS), 4 * counters::LEAST_UPCALL_KEYS);
        assert_eq!(
            upcall_kinds(256, 2 * DEFAULT_KEYS),
            2 * counters::MOST_UPCALL_KEYS
        );
    }
}
