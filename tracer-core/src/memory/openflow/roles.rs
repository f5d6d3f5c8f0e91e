//! What an endpoint's flows match on: whether any flow takes what it sends, and any what is sent to it.
//!
//! Must not depend on: tables, priorities, actions. An upgrade may lay its tables out anew; an endpoint can be reached again
//! when each role that its flows had is filled again.

use crate::vocabulary::event::OpenFlowMatch;

/// What a flow that names an endpoint matches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its port: what it sends.
    InPort,
    /// Its Ethernet address as destination.
    EthDst,
    /// Its IP address as destination (or ARP target).
    IpDst,
}

impl Role {
    /// The roles of a flow. One that matches on a source address only is of a policy.
    pub fn of(matches: &OpenFlowMatch) -> Vec<Self> {
        [
            matches.in_port.map(|_| Self::InPort),
            matches.eth_dst.map(|_| Self::EthDst),
            matches.ip_dst.map(|_| Self::IpDst),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn index(self) -> usize {
        match self {
            Self::InPort => 0,
            Self::EthDst => 1,
            Self::IpDst => 2,
        }
    }
}

/// How many flows fill each role of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles([u32; 3]);

impl Roles {
    /// A flow came.
    pub fn add(&mut self, roles: &[Role]) {
        for role in roles {
            let count = &mut self.0[role.index()];
            *count = count.saturating_add(1);
        }
    }

    /// A flow went.
    pub fn take(&mut self, roles: &[Role]) {
        for role in roles {
            let count = &mut self.0[role.index()];
            *count = count.saturating_sub(1);
        }
    }

    /// Whether every role that `before` had is filled.
    pub fn fill(&self, before: Self) -> bool {
        let mut pairs = self.0.iter().zip(before.0);
        pairs.all(|(now, before)| before == 0 || *now > 0)
    }

    /// Whether any role is filled.
    pub fn is_any(&self) -> bool {
        self.0.iter().any(|count| *count > 0)
    }

    /// Whether some flow takes what it sends or what is sent to it.
    pub fn is_reachable(&self) -> bool {
        self.is_any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_was_filled_has_to_be_filled_again() {
        let mut before = Roles::default();
        before.add(&[Role::InPort]);
        before.add(&[Role::EthDst, Role::IpDst]);
        let mut now = Roles::default();
        now.add(&[Role::EthDst, Role::IpDst]);
        assert!(!now.fill(before));
        now.add(&[Role::InPort]);
        assert!(now.fill(before));
        now.take(&[Role::IpDst]);
        assert!(!now.fill(before) && now.fill(Roles::default()));
    }
}
