//! The runs of one traffic key in order of time: most keys have one or two, and there may be hundreds of thousands of keys.
//!
//! Must not depend on: what became of packets.

use crate::memory::story::{Extent, RunId};

/// Runs, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Vec<(RunId, Extent)>);

impl Runs {
    fn place(&self, id: &RunId) -> Result<usize, usize> {
        // New runs are almost always the latest.
        match self.0.last() {
            Some((last, _)) if last < id => Err(self.0.len()),
            _ => self.0.binary_search_by(|(known, _)| known.cmp(id)),
        }
    }

    /// Whether there is one.
    pub fn has(&self, id: &RunId) -> bool {
        self.place(id).is_ok()
    }

    /// One of them; `new`, where there was none.
    pub fn at(&mut self, id: RunId, new: Extent) -> &mut Extent {
        let place = self.place(&id).unwrap_or_else(|place| {
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(place, (id, new));
            place
        });
        &mut self.0[place].1
    }

    /// All from `id` on are taken out.
    pub fn split_off(&mut self, id: &RunId) -> Self {
        let place = self.place(id).unwrap_or_else(|place| place);
        Self(self.0.split_off(place))
    }

    /// Puts others in.
    pub fn extend(&mut self, others: impl IntoIterator<Item = (RunId, Extent)>) {
        for (id, extent) in others {
            *self.at(id, extent) = extent;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&RunId, &Extent)> {
        self.0.iter().map(|(id, extent)| (id, extent))
    }
}
