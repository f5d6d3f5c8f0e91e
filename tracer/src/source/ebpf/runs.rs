//! Runs of packets in the kernel → events.
//!
//! Must not depend on: when packets are followed.

use std::mem::offset_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use tracer_common::names;
use tracer_common::run::{self, RunKey, RunSlot, family, fate};
use tracer_core::event::{EventKind, Unrecorded};
use tracer_core::id::{DpIfindex, Mac, PortNo};
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};
use tracer_core::time::Timestamp;

use super::object;
use super::table::{BySlot, Kept, Table};

type KeyBytes = [u8; size_of::<RunKey>()];

/// When the fate of each traffic last changed: only the programs look into it.
type Changes = HashMap<MapData, KeyBytes, u64>;

/// How often a value is read again that was replaced while it was copied.
const ATTEMPTS: u32 = 4;

impl Kept for RunSlot {
    type Bytes = KeyBytes;
    const COUNT: usize = offset_of!(Self, run.packets) / size_of::<u64>();

    fn key(&self) -> KeyBytes {
        zerocopy::transmute!(self.key)
    }
}

/// The runs of one loaded object.
pub(super) struct Runs {
    table: Table<RunSlot>,
    changes: Changes,
    told: Told,
}

impl Runs {
    /// Takes the runs out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self {
            table: Table::take(ebpf, names::RUNS)?,
            changes: Changes::try_from(object::take_map(ebpf, names::CHANGES)?)?,
            told: Told::default(),
        })
    }

    /// How many runs were there when they were last read.
    pub(super) fn count(&self) -> usize {
        self.told.count()
    }

    /// Open runs that are new or went on since the last call, and what was lost of them.
    pub(super) fn read(&mut self) -> anyhow::Result<Vec<EventKind>> {
        let mut events = Vec::new();
        for (slot, kept) in self.table.read()? {
            if let Some(RunSlot { run, key }) = self.whole(slot, kept)? {
                self.told.update(slot, key, run, &mut events);
            }
        }
        Ok(events)
    }

    /// A run that may have been replaced while it was copied; `None`: it will be there at the next reading, or come through the ring.
    fn whole(&mut self, slot: u32, mut kept: RunSlot) -> anyhow::Result<Option<RunSlot>> {
        for _ in 0..ATTEMPTS {
            if is_whole(&kept) {
                return Ok(Some(kept));
            }
            kept = self.table.read_one(slot)?;
        }
        Ok(None)
    }

    /// Forgets runs whose last packet was before `before`: to be called while packets are not followed, because a
    /// program that is writing to a value does not notice that it is taken away.
    pub(super) fn forget(&mut self, before: Timestamp) -> anyhow::Result<()> {
        let idle: Vec<(u32, RunKey)> = self
            .table
            .read()?
            .into_iter()
            .filter(|(_, kept)| is_whole(kept) && kept.run.last < before.0)
            .map(|(slot, kept)| (slot, kept.key))
            .collect();
        for (slot, key) in &idle {
            self.told.forget(*slot);
            self.forget_change(*key)?;
        }
        self.table
            .remove(idle.into_iter().map(|(slot, _)| slot).collect())
    }

    /// A run of the same traffic on another CPU that stays just ends with its next packet.
    fn forget_change(&mut self, key: RunKey) -> anyhow::Result<()> {
        let traffic: KeyBytes = zerocopy::transmute!(RunKey { cpu: 0, ..key });
        object::unless_absent(self.changes.remove(&traffic))?;
        Ok(())
    }
}

/// Whether it was not being replaced while it was copied.
fn is_whole(kept: &RunSlot) -> bool {
    kept.run.begun == kept.run.ended
}

/// What was told of a slot.
#[derive(Clone, Copy, Debug, Default)]
struct ToldOf {
    /// Its run's first packet, and how many there were.
    run: (u64, u64),
    /// How many of its runs were not sent because there were too many, and because the ring was full.
    flapped: u32,
    unsent: u32,
}

/// What was told of each slot.
#[derive(Default)]
pub(super) struct Told(BySlot<ToldOf>);

impl Told {
    /// What is new in the run of a slot as it is now.
    pub(super) fn update(&mut self, slot: u32, key: RunKey, run: run::Run, events: &mut Vec<EventKind>) {
        let now = ToldOf {
            run: (run.first, run.packets),
            flapped: run.flapped,
            unsent: run.unsent,
        };
        let before = self.0.replace(slot, now);
        if before.run != now.run {
            events.extend(packets(&key, &run, false).map(EventKind::Packets));
        }
        for (why, before, now) in [
            (Unrecorded::Flapped, before.flapped, now.flapped),
            (Unrecorded::RingFull, before.unsent, now.unsent),
        ] {
            let lost = now.saturating_sub(before);
            events.extend((lost > 0).then(|| EventKind::PacketsLost {
                runs: u64::from(lost),
                key: Some(traffic_key(&key, run.dp)),
                why: Some(why),
            }));
        }
    }

    fn forget(&mut self, slot: u32) {
        self.0.replace(slot, ToldOf::default());
    }

    /// Of how many slots anything was told.
    fn count(&self) -> usize {
        self.0.iter().filter(|told| told.run.1 > 0).count()
    }
}

/// A run as an event tells it; `None`: the programs are of another build.
pub(super) fn packets(key: &RunKey, run: &run::Run, closed: bool) -> Option<Run> {
    let fate = match run.fate {
        fate::DELIVERED => PacketFate::Delivered(PortNo(u32::try_from(run.detail).ok()?)),
        fate::DROP_FLOW => PacketFate::DropFlow,
        fate::QUEUED => PacketFate::Queued,
        fate::UPCALL_FAILED => PacketFate::UpcallFailed(run.detail),
        _ => return None,
    };
    Some(Run {
        key: traffic_key(key, run.dp),
        fate,
        executed: run.executed != 0,
        cpu: key.cpu,
        first: Timestamp(run.first),
        last: Timestamp(run.last),
        packets: run.packets,
        bytes: run.bytes,
        closed,
    })
}

fn traffic_key(key: &RunKey, dp: u32) -> TrafficKey {
    TrafficKey {
        dp: DpIfindex(dp),
        in_port: PortNo(u32::from(key.in_port)),
        eth_type: key.eth_type,
        dst: destination(key),
        proto: key.proto,
        port: key.port,
    }
}

fn destination(key: &RunKey) -> Destination {
    let bytes: [u8; 16] = zerocopy::transmute!(key.dst);
    match key.family {
        family::IPV4 => Destination::Ip(IpAddr::V4(Ipv4Addr::from(prefix(bytes)))),
        family::IPV6 => Destination::Ip(IpAddr::V6(Ipv6Addr::from(bytes))),
        _ => Destination::Mac(Mac(prefix(bytes))),
    }
}

fn prefix<const N: usize>(bytes: [u8; 16]) -> [u8; N] {
    std::array::from_fn(|index| bytes[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: RunKey = RunKey {
        datapath: 0x1000,
        dst: [u32::from_ne_bytes([10, 0, 0, 2]), 0, 0, 0],
        in_port: 2,
        eth_type: 0x0800,
        port: 53,
        proto: 17,
        family: family::IPV4,
        cpu: 1,
    };

    fn run() -> run::Run {
        run::Run {
            dp: 4,
            first: 100,
            last: 200,
            packets: 3,
            bytes: 300,
            fate: fate::DELIVERED,
            detail: 7,
            ..run::Run::default()
        }
    }

    #[test]
    fn a_run_as_an_event() {
        let told = packets(&KEY, &run(), true).unwrap();
        assert_eq!(told.key.dst, Destination::Ip(IpAddr::from([10, 0, 0, 2])));
        assert_eq!(
            (told.key.dp, told.key.in_port, told.key.port),
            (DpIfindex(4), PortNo(2), 53)
        );
        assert_eq!(told.fate, PacketFate::Delivered(PortNo(7)));
        assert_eq!(
            (told.cpu, told.packets, told.bytes, told.closed),
            (1, 3, 300, true)
        );
    }

    #[test]
    fn addresses_by_family() {
        let mac = [
            u32::from_ne_bytes([2, 0, 0, 0]),
            u32::from_ne_bytes([0, 9, 0, 0]),
            0,
            0,
        ];
        let key = RunKey {
            family: family::MAC,
            dst: mac,
            ..KEY
        };
        assert_eq!(destination(&key), Destination::Mac(Mac([2, 0, 0, 0, 0, 9])));
        let ip = u32::from_ne_bytes([0xfe, 0x80, 0, 0]);
        let key = RunKey {
            family: family::IPV6,
            dst: [ip, 0, 0, u32::from_ne_bytes([0, 0, 0, 1])],
            ..KEY
        };
        assert_eq!(destination(&key), Destination::Ip("fe80::1".parse().unwrap()));
    }

    #[test]
    fn only_runs_that_went_on_are_told() {
        let mut told = Told::default();
        let mut events = Vec::new();
        told.update(3, KEY, run(), &mut events);
        assert_eq!(events.len(), 1);
        told.update(3, KEY, run(), &mut events);
        assert_eq!((events.len(), told.count()), (1, 1));
        let more = run::Run {
            packets: 4,
            last: 300,
            flapped: 2,
            unsent: 1,
            ..run()
        };
        told.update(3, KEY, more, &mut events);
        let lost = |runs, why| EventKind::PacketsLost {
            runs,
            key: Some(traffic_key(&KEY, 4)),
            why: Some(why),
        };
        assert_eq!(
            events[2..],
            [lost(2, Unrecorded::Flapped), lost(1, Unrecorded::RingFull)]
        );
        told.forget(3);
        assert_eq!(told.count(), 0);
        told.update(3, KEY, run(), &mut events);
        assert_eq!((events.len(), told.count()), (5, 1), "another run's");
    }

    #[test]
    fn a_fate_of_another_build_is_no_event() {
        assert_eq!(packets(&KEY, &run::Run { fate: 99, ..run() }, false), None);
    }
}
