//! When an endpoint's traffic was forwarded again after a flush, class by class: by a megaflow or by a packet.
//!
//! Must not depend on: OpenFlow, why it was not forwarded.

use crate::memory::megaflow::Convergence;
use crate::vocabulary::class::{CLASSES, Class, Direction};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::EndedBy;

/// One class of traffic since the flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// Packets were lost that are forwarded at other times.
    lost: bool,
    /// A megaflow dropped it.
    dropped: bool,
    /// It was forwarded again.
    again: Option<(Timestamp, EndedBy)>,
}

/// All classes of an endpoint's traffic since the flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    classes: [State; CLASSES],
}

impl Forwarding {
    /// What megaflows say.
    pub fn by_megaflows(convergence: Option<&Convergence>) -> Self {
        let mut forwarding = Self::default();
        for class in Class::all() {
            let (output, dropped) = convergence.map_or((None, false), |state| state.class(class));
            forwarding.classes[class.index()] = State {
                lost: false,
                dropped,
                again: output.map(|at| (at, EndedBy::Converged)),
            };
        }
        forwarding
    }

    /// Packets of a class were lost; `after`: the first of them that was delivered again.
    pub fn lost(&mut self, class: Class, after: Option<Timestamp>) {
        let state = &mut self.classes[class.index()];
        state.lost = true;
        let after = after.map(|at| (at, EndedBy::Delivered));
        state.again = state.again.into_iter().chain(after).min_by_key(|(at, _)| *at);
    }

    /// Whether packets of any class were lost.
    pub fn is_lossy(&self) -> bool {
        self.classes.iter().any(|state| state.lost)
    }

    /// A packet of a class was delivered.
    pub fn delivered(&mut self, class: Class, at: Timestamp) {
        let state = &mut self.classes[class.index()];
        let now = (at, EndedBy::Delivered);
        state.again = state.again.into_iter().chain([now]).min_by_key(|(at, _)| *at);
    }

    /// When everything that had been dropped was forwarded again; `None`: it is not. Where nothing was dropped, the
    /// first megaflow that outputs.
    ///
    /// A drop megaflow alone may be a policy's: it counts where no packets were followed that say which it is.
    pub fn whole(&self) -> Option<(Timestamp, EndedBy)> {
        let of = |chosen: fn(&State) -> bool| self.classes.iter().filter(move |state| chosen(state));
        let blocked: Vec<&State> = match of(|state| state.lost).count() {
            0 => of(|state| state.dropped).collect(),
            _ => of(|state| state.lost).collect(),
        };
        if blocked.is_empty() {
            return self.first();
        }
        let again: Option<Vec<_>> = blocked.iter().map(|state| state.again).collect();
        again?.into_iter().max_by_key(|(at, _)| *at)
    }

    /// The first time that anything was forwarded; that neighbours are found again counts where nothing else is known.
    fn first(&self) -> Option<(Timestamp, EndedBy)> {
        let of = |finds_neighbours: bool| {
            Class::all()
                .into_iter()
                .filter(move |class| class.finds_neighbours == finds_neighbours)
                .filter_map(|class| self.classes[class.index()].again)
                .min_by_key(|(at, _)| *at)
        };
        of(false).or_else(|| of(true))
    }

    /// When its own packets, other than those that find neighbours, were forwarded again: it has then got flows.
    pub fn own(&self) -> Option<(Timestamp, EndedBy)> {
        let own = Class {
            direction: Direction::FromPod,
            finds_neighbours: false,
        };
        self.classes[own.index()].again
    }

    /// The first class to be forwarded at `point` or later.
    pub fn first_after(&self, point: Timestamp) -> Option<(Timestamp, EndedBy)> {
        let later = self.classes.iter().filter_map(|state| state.again);
        later.filter(|(at, _)| *at >= point).min_by_key(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(direction: Direction, eth_type: u16) -> Class {
        Class::of(direction, eth_type, 17)
    }

    const IP: u16 = 0x0800;
    const ARP: u16 = 0x0806;
    use Direction::{FromPod, ToPod};

    #[test]
    fn neighbours_that_find_it_again_are_not_all_of_its_traffic() {
        let mut forwarding = Forwarding::default();
        forwarding.lost(class(ToPod, ARP), Some(Timestamp(50)));
        forwarding.lost(class(FromPod, IP), None);
        assert_eq!(forwarding.whole(), None);
        assert_eq!(forwarding.own(), None);
        forwarding.lost(class(FromPod, IP), Some(Timestamp(70)));
        assert_eq!(forwarding.whole(), Some((Timestamp(70), EndedBy::Delivered)));
        assert_eq!(forwarding.first_after(Timestamp(51)), forwarding.own());
    }

    #[test]
    fn of_several_keys_of_a_class_the_first_counts() {
        let mut forwarding = Forwarding::default();
        forwarding.lost(class(ToPod, IP), Some(Timestamp(90)));
        forwarding.lost(class(ToPod, IP), None);
        forwarding.lost(class(ToPod, IP), Some(Timestamp(60)));
        assert_eq!(forwarding.whole(), Some((Timestamp(60), EndedBy::Delivered)));
    }

    #[test]
    fn where_traffic_is_only_to_find_neighbours_that_ends_it() {
        let mut forwarding = Forwarding::default();
        forwarding.lost(class(ToPod, ARP), Some(Timestamp(50)));
        assert_eq!(forwarding.whole(), Some((Timestamp(50), EndedBy::Delivered)));
    }
}
