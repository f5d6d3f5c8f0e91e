//! What an endpoint's flows match on: whether any flow takes what it sends, and any what is sent to it.
//!
//! Must not depend on: tables, priorities, actions. An upgrade may lay its tables out anew; an endpoint can be reached again
//! when each role that its flows had is filled again.

/// What a flow that names an endpoint matches on: its port (what the endpoint sends), its Ethernet address as destination, its IP
/// address as destination (or ARP target). One that matches on a source address only is of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Role([bool; 3]);

impl Role {
    /// The roles of a flow.
    pub fn of(in_port: bool, eth_dst: bool, ip_dst: bool) -> Self {
        Self([in_port, eth_dst, ip_dst])
    }
}

/// How many flows fill each role of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles([u32; 3]);

impl Roles {
    /// A flow came.
    pub fn add(&mut self, role: Role) {
        for (count, filled) in self.0.iter_mut().zip(role.0) {
            *count = count.saturating_add(filled.into());
        }
    }

    /// A flow went.
    pub fn take(&mut self, role: Role) {
        for (count, filled) in self.0.iter_mut().zip(role.0) {
            *count = count.saturating_sub(filled.into());
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
        let port = Role::of(true, false, false);
        let addresses = Role::of(false, true, true);
        let mut before = Roles::default();
        before.add(port);
        before.add(addresses);
        let mut now = Roles::default();
        now.add(addresses);
        assert!(!now.fill(before));
        now.add(port);
        assert!(now.fill(before));
        now.take(Role::of(false, false, true));
        assert!(!now.fill(before) && now.fill(Roles::default()));
    }
}
