//! Runs of packets in the kernel → events.
//!
//! May not know: when packets are followed.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aya::Ebpf;
use aya::maps::{HashMap, MapData, MapError};
use tracer_common::names;
use tracer_common::run::{self, RunKey, family, fate};
use tracer_core::event::EventKind;
use tracer_core::id::{DpIfindex, Mac, PortNo};
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};
use tracer_core::time::Timestamp;
use zerocopy::{FromBytes, IntoBytes};

use super::object;

/// When the fate of each traffic last changed: only the programs look into it.
type Changes = HashMap<MapData, [u8; size_of::<RunKey>()], u64>;

type Map = HashMap<MapData, [u8; size_of::<RunKey>()], [u8; size_of::<run::Run>()]>;

/// How often a value is read again that was replaced while it was copied.
const ATTEMPTS: u32 = 4;

/// The runs of one loaded object.
pub(super) struct Runs {
    map: Map,
    changes: Changes,
    told: Told,
}

impl Runs {
    /// Takes the runs out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let mut take = |name| object::take_map(ebpf, name);
        Ok(Self {
            map: Map::try_from(take(names::RUNS)?)?,
            changes: Changes::try_from(take(names::CHANGES)?)?,
            told: Told::default(),
        })
    }

    /// How many runs were there when they were last read.
    pub(super) fn count(&self) -> usize {
        self.told.0.len()
    }

    /// Open runs that are new or went on since the last call, and what was lost of them.
    pub(super) fn read(&mut self) -> anyhow::Result<Vec<EventKind>> {
        let mut events = Vec::new();
        for key in self.map.keys() {
            let key = key?;
            let Some(run) = self.read_one(&key)? else {
                continue;
            };
            if let Ok(key) = RunKey::read_from_bytes(key.as_bytes()) {
                self.told.update(key, run, &mut events);
            }
        }
        Ok(events)
    }

    /// Forgets runs whose last packet was before `before`: to be called while packets are not followed, because a
    /// program that is writing to a value does not notice that it is taken away.
    pub(super) fn forget(&mut self, before: Timestamp) -> anyhow::Result<()> {
        let keys: Vec<_> = self.map.keys().collect::<Result<_, _>>()?;
        for key in keys {
            let Some(run) = self.read_one(&key)? else {
                continue;
            };
            if run.last < before.0 {
                self.map.remove(&key)?;
                if let Ok(key) = RunKey::read_from_bytes(key.as_bytes()) {
                    self.told.0.remove(&key);
                    self.forget_change(key)?;
                }
            }
        }
        Ok(())
    }

    /// A run of the same traffic on another CPU that stays just ends with its next packet.
    fn forget_change(&mut self, key: RunKey) -> anyhow::Result<()> {
        let traffic: [u8; size_of::<RunKey>()] = zerocopy::transmute!(RunKey { cpu: 0, ..key });
        match self.changes.remove(&traffic) {
            Err(MapError::SyscallError(error)) if error.io_error.kind() == ErrorKind::NotFound => Ok(()),
            other => Ok(other?),
        }
    }

    fn read_one(&self, key: &[u8; size_of::<RunKey>()]) -> anyhow::Result<Option<run::Run>> {
        for _ in 0..ATTEMPTS {
            let bytes = match self.map.get(key, 0) {
                Ok(bytes) => bytes,
                Err(MapError::KeyNotFound) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            match run::Run::read_from_bytes(bytes.as_bytes()) {
                Ok(run) if run.begun == run.ended => return Ok(Some(run)),
                _ => {}
            }
        }
        // It will be there at the next reading, or come through the ring.
        Ok(None)
    }
}

/// What was told of each key.
#[derive(Default)]
pub(super) struct Told(BTreeMap<RunKey, (u64, u64, u32)>);

impl Told {
    /// What is new in a run as it is now.
    pub(super) fn update(&mut self, key: RunKey, run: run::Run, events: &mut Vec<EventKind>) {
        let now = (run.first, run.packets, run.lost);
        let before = self.0.insert(key, now).unwrap_or_default();
        if (before.0, before.1) != (now.0, now.1) {
            events.extend(packets(&key, &run, false).map(EventKind::Packets));
        }
        let lost = run.lost.saturating_sub(before.2);
        if lost > 0 {
            events.push(EventKind::PacketsLost {
                runs: u64::from(lost),
                key: Some(traffic_key(&key, run.dp)),
            });
        }
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
        told.update(KEY, run(), &mut events);
        assert_eq!(events.len(), 1);
        told.update(KEY, run(), &mut events);
        assert_eq!(events.len(), 1);
        let more = run::Run {
            packets: 4,
            last: 300,
            lost: 2,
            ..run()
        };
        told.update(KEY, more, &mut events);
        let key = Some(traffic_key(&KEY, 4));
        assert_eq!(events.len(), 3);
        assert_eq!(events[2], EventKind::PacketsLost { runs: 2, key });
    }

    #[test]
    fn a_fate_of_another_build_is_no_event() {
        assert_eq!(packets(&KEY, &run::Run { fate: 99, ..run() }, false), None);
    }
}
