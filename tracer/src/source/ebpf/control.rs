//! What userspace tells the programs while they run.
//!
//! May not know: what they do with it.

use aya::Ebpf;
use aya::maps::{Array, MapData};
use tracer_common::{names, run};
use zerocopy::IntoBytes;

use super::object;

/// The programs' view of userspace.
pub(super) struct Control {
    map: Array<MapData, [u8; size_of::<run::Control>()]>,
    told: run::Control,
}

impl Control {
    /// Takes it out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        let map = object::take_map(ebpf, names::CONTROL)?;
        Ok(Self {
            map: Array::try_from(map)?,
            told: run::Control::default(),
        })
    }

    /// Begins the next tick; the number of the one that is over.
    pub(super) fn next_tick(&mut self) -> anyhow::Result<u32> {
        let ended = self.told.tick;
        self.told.tick = ended.wrapping_add(1);
        self.tell()?;
        Ok(ended)
    }

    /// From here on packets are followed, or not.
    pub(super) fn follow_packets(&mut self, followed: bool) -> anyhow::Result<()> {
        let next = (self.told.session | run::FOLLOWED).wrapping_add(1);
        self.told.session = if followed { next | run::FOLLOWED } else { next };
        self.tell()
    }

    /// Datapaths or ports have changed: another may be at the address of one that is gone.
    pub(super) fn renew(&mut self) -> anyhow::Result<()> {
        self.follow_packets(self.told.session & run::FOLLOWED != 0)
    }

    fn tell(&mut self) -> anyhow::Result<()> {
        let mut bytes = [0; size_of::<run::Control>()];
        bytes.copy_from_slice(self.told.as_bytes());
        Ok(self.map.set(0, bytes, 0)?)
    }
}
