//! Whose an address was, and when. An address that two endpoints have at once has no owner: a guess would charge a Pod
//! with another's losses.
//!
//! Must not depend on: packets.

use std::collections::{BTreeMap, BTreeSet};

use crate::vocabulary::time::Timestamp;

/// One endpoint's claim to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    device: String,
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Claim {
    fn holds(&self, at: Timestamp) -> bool {
        self.since <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Addresses of one kind, and who had each when.
#[derive(Clone, Debug)]
pub struct Owners<Address> {
    claims: BTreeMap<Address, Vec<Claim>>,
}

impl<Address> Default for Owners<Address> {
    fn default() -> Self {
        Self {
            claims: BTreeMap::new(),
        }
    }
}

impl<Address: Ord + Copy> Owners<Address> {
    /// The claims as of `at`: those that are not in it have ended.
    pub fn are(&mut self, at: Timestamp, now: &BTreeSet<(Address, &str)>) {
        for (address, claims) in &mut self.claims {
            for claim in claims.iter_mut().filter(|claim| claim.until.is_none()) {
                if !now.contains(&(*address, claim.device.as_str())) {
                    claim.until = Some(at);
                }
            }
        }
        for (address, device) in now {
            let claims = self.claims.entry(*address).or_default();
            let known = |claim: &Claim| claim.device == *device && claim.until.is_none();
            if !claims.iter().any(known) {
                claims.push(Claim {
                    device: (*device).to_owned(),
                    since: at,
                    until: None,
                });
            }
        }
    }

    /// Who had it then; `None`: nobody, or more than one.
    pub fn owner(&self, address: Address, at: Timestamp) -> Option<&str> {
        let mut holders = self
            .claims
            .get(&address)?
            .iter()
            .filter(|claim| claim.holds(at))
            .map(|claim| claim.device.as_str());
        let first = holders.next()?;
        holders.all(|other| other == first).then_some(first)
    }

    /// Forgets claims that ended before.
    pub fn forget(&mut self, before: Timestamp) {
        self.claims.retain(|_, claims| {
            claims.retain(|claim| claim.until.is_none_or(|until| until >= before));
            !claims.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(steps: &[(u64, &[(u8, &'static str)])]) -> Owners<u8> {
        let mut owners = Owners::default();
        for (at, now) in steps {
            owners.are(Timestamp(*at), &now.iter().copied().collect());
        }
        owners
    }

    #[test]
    fn an_address_that_is_given_to_another_was_the_first_ones_before() {
        let owners = owners(&[(0, &[(1, "a")]), (70, &[]), (71, &[(1, "b")])]);
        let of = |at| owners.owner(1, Timestamp(at));
        assert_eq!((of(20), of(70), of(80)), (Some("a"), None, Some("b")));
    }

    #[test]
    fn an_address_that_two_have_is_nobodys() {
        let mut owners = owners(&[(0, &[(1, "a")]), (10, &[(1, "a"), (1, "b")]), (20, &[(1, "b")])]);
        let of = |owners: &Owners<u8>, at| owners.owner(1, Timestamp(at)).map(str::to_owned);
        assert_eq!(of(&owners, 5).as_deref(), Some("a"));
        assert_eq!(of(&owners, 15), None);
        assert_eq!(of(&owners, 25).as_deref(), Some("b"));
        owners.forget(Timestamp(30));
        assert_eq!(of(&owners, 5), None);
    }
}
