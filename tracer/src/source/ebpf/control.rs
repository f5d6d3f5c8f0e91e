//! What userspace tells the programs while they run.
//!
//! Must not depend on: what they do with it.

use aya::Ebpf;
use aya::maps::{Array, MapData};
use tracer_common::{names, run};

use super::mapped::Mapped;
use super::object;

/// The programs' view of userspace.
pub(super) struct Control {
    session: Array<MapData, u32>,
    ticks: Mapped<u32>,
    /// The session that was told last.
    told: u32,
    tick: u32,
}

impl Control {
    /// Takes it out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self {
            session: Array::try_from(object::take_map(ebpf, names::SESSION)?)?,
            ticks: Mapped::new(object::take_map(ebpf, names::TICK)?)?,
            told: 0,
            tick: 0,
        })
    }

    /// Begins the next tick; the number of the one that is over.
    pub(super) fn next_tick(&mut self) -> anyhow::Result<u32> {
        let ended = self.tick;
        self.tick = ended.wrapping_add(1);
        self.ticks.write(0, &self.tick)?;
        Ok(ended)
    }

    /// From here on packets are followed, or not.
    pub(super) fn follow_packets(&mut self, followed: bool) -> anyhow::Result<()> {
        let next = (self.told | run::FOLLOWED).wrapping_add(1);
        self.told = if followed { next | run::FOLLOWED } else { next };
        Ok(self.session.set(0, self.told, 0)?)
    }

    /// Datapaths or ports have changed: another may be at the address of one that is gone.
    pub(super) fn renew(&mut self) -> anyhow::Result<()> {
        self.follow_packets(self.told & run::FOLLOWED != 0)
    }
}
