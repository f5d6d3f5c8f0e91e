//! Classes of an endpoint's traffic: which way it goes, and whether it only finds neighbours.
//!
//! Must not depend on: what became of it.
//!
//! They are told apart because a pipeline may let them pass by different OpenFlow flows: an ARP request reaches a Pod
//! by the NORMAL action, which needs no flow of that Pod, while every IP packet to it is still dropped.

/// `ETH_P_ARP`.
const ARP: u16 = 0x0806;
/// `ETH_P_IPV6`.
const IPV6: u16 = 0x86dd;
/// `IPPROTO_ICMPV6`, which carries neighbour discovery (and pings: a traffic key does not tell them apart).
const ICMPV6: u8 = 58;

/// Which way a packet goes, seen from an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It is addressed to the endpoint.
    ToPod,
    /// It came in at the endpoint's port.
    FromPod,
}

/// A class of an endpoint's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Which way it goes.
    pub direction: Direction,
    /// Whether it is ARP or `ICMPv6`, by which neighbours are found.
    pub finds_neighbours: bool,
}

/// How many classes there are.
pub const CLASSES: usize = 4;

impl Class {
    /// The class of traffic by its direction, Ethernet type and IP protocol.
    pub fn of(direction: Direction, eth_type: u16, proto: u8) -> Self {
        Self {
            direction,
            finds_neighbours: eth_type == ARP || eth_type == IPV6 && proto == ICMPV6,
        }
    }

    /// Its number, less than [`CLASSES`].
    pub fn index(self) -> usize {
        usize::from(self.direction == Direction::FromPod) + 2 * usize::from(self.finds_neighbours)
    }

    /// All of them, by number.
    pub fn all() -> [Self; CLASSES] {
        use Direction::{FromPod, ToPod};
        [(ToPod, false), (FromPod, false), (ToPod, true), (FromPod, true)].map(
            |(direction, finds_neighbours)| Self {
                direction,
                finds_neighbours,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_numbered() {
        for (number, class) in Class::all().into_iter().enumerate() {
            assert_eq!(class.index(), number);
        }
        assert!(Class::of(Direction::ToPod, ARP, 1).finds_neighbours);
        assert!(Class::of(Direction::ToPod, IPV6, ICMPV6).finds_neighbours);
        assert!(!Class::of(Direction::ToPod, 0x0800, ICMPV6).finds_neighbours);
    }
}
