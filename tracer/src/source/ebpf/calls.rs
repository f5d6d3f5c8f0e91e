//! Calls whose return the kernel did not probe: they stay in the programs' table, and may fill it.
//!
//! Must not depend on: what was called.

use aya::Ebpf;
use aya::maps::{HashMap, MapData};
use tracer_common::names;
use tracer_core::time::{SECOND, Timestamp};

use super::object;

/// Thread and hook.
type Key = [u32; 2];
/// Two arguments, and when it was entered.
type Call = [u64; 3];

/// No call of openvswitch's lasts so long.
const LONGEST: u64 = 60 * SECOND;

/// The calls of one loaded object.
pub(super) struct Calls(HashMap<MapData, Key, Call>);

impl Calls {
    /// Takes them out of `ebpf`.
    pub(super) fn take(ebpf: &mut Ebpf) -> anyhow::Result<Self> {
        Ok(Self(HashMap::try_from(object::take_map(ebpf, names::CALLS)?)?))
    }

    /// Takes those out that will never return. To be called where the table is full: the kernel runs no probe on this CPU while it
    /// copies an element.
    pub(super) fn clear(&mut self, now: Timestamp) -> anyhow::Result<()> {
        // One that returns meanwhile is no longer there: what is left is read on.
        let calls = self.0.iter().filter_map(Result::ok);
        let stale: Vec<Key> = calls
            .filter(|(_, call)| is_over(call, now))
            .map(|(key, _)| key)
            .collect();
        for key in stale {
            object::unless_absent(self.0.remove(&key))?;
        }
        Ok(())
    }
}

fn is_over([_, _, entered]: &Call, now: Timestamp) -> bool {
    now.since(Timestamp(*entered)) > LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_that_cannot_be_under_way_are_cleared_away() {
        let now = Timestamp(100 * SECOND);
        assert!(is_over(&[0xffff, 0xfff0, SECOND], now));
        assert!(!is_over(&[0xffff, 0xfff0, 41 * SECOND], now));
        assert!(!is_over(&[0xffff, 0xfff0, 101 * SECOND], now), "entered since");
    }
}
