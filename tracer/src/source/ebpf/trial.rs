//! Whether places that were derived, and not told by the kernel, are the right ones: what the hooks read there is compared with what
//! netlink says there is.
//!
//! Must not depend on: how places are derived, netlink, aya.
//!
//! A wrong place is a number that looks like any other, and would be reported as if it were right. To tell a datapath's number the
//! programs go from the datapath to its hash of ports, to a port, to its device; to tell the port of entry, into the flow key. Where
//! any of these places is wrong there is nothing to be found (0), or no such port.

use std::collections::{BTreeMap, BTreeSet};

use tracer_core::event::{Event, EventKind, Offsets};
use tracer_core::id::{DpIfindex, PortNo};

/// The ports of each datapath, as netlink tells them.
pub(super) type There = BTreeMap<DpIfindex, BTreeSet<PortNo>>;

/// A datapath and a port in it, as the hooks read them.
type Read = (DpIfindex, PortNo);

/// Contradictions at so many times, without one agreement, make a layout wrong: ports may go, or come, between being read and being
/// looked up.
const CONTRADICTIONS: u32 = 8;

/// A layout on trial.
#[derive(Debug, Default)]
pub(super) struct Trial {
    over: bool,
    contradictions: u32,
}

impl Trial {
    /// What can be looked up of what was read by places that were `found` so; nothing once it is known how far to trust them.
    pub(super) fn evidence(&self, found: Option<Offsets>, batch: &[Event]) -> BTreeSet<Read> {
        let open = !self.over && found == Some(Offsets::Derived);
        let events = batch.iter().filter(|_| open);
        events.filter_map(|event| read(&event.kind)).collect()
    }

    /// Takes a look at what was read, and says what is wrong where the layout cannot be right.
    pub(super) fn weigh(&mut self, evidence: &BTreeSet<Read>, there: &There) -> Option<String> {
        let found: Vec<Found> = evidence.iter().filter_map(|read| compare(*read, there)).collect();
        if found.contains(&Found::Agrees) {
            self.over = true;
        } else if !found.is_empty() {
            self.contradictions += 1;
        }
        if self.over || self.contradictions < CONTRADICTIONS {
            return None;
        }
        self.over = true;
        Some(
            "what the hooks read of the datapath is not what netlink says of it: this kernel lays the structures of its openvswitch module \
             out differently from the source that they were derived from, so nothing that the hooks tell is used. Use a kernel that \
             publishes these types (CONFIG_DEBUG_INFO_BTF_MODULES), and please report this with `uname -a`"
                .to_owned(),
        )
    }
}

/// What one reading says of the layout.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Agrees,
    Contradicts,
}

/// `None`: nothing. A datapath that netlink does not tell of may be one of another network namespace.
fn compare((dp, port): Read, there: &There) -> Option<Found> {
    if there.is_empty() {
        return None;
    }
    match there.get(&dp) {
        Some(ports) if ports.contains(&port) => Some(Found::Agrees),
        Some(_) => Some(Found::Contradicts),
        None => (dp == DpIfindex(0)).then_some(Found::Contradicts),
    }
}

fn read(kind: &EventKind) -> Option<Read> {
    match kind {
        EventKind::FlowInsert { dp, key, .. } => Some((*dp, key.in_port)),
        EventKind::Upcalls(upcalls) => Some((upcalls.dp, upcalls.port_no)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tracer_core::event::{UpcallCommand, Upcalls};
    use tracer_core::time::Timestamp;

    use super::*;

    const DERIVED: Option<Offsets> = Some(Offsets::Derived);

    fn there() -> There {
        BTreeMap::from([(DpIfindex(5), [0, 1, 2].map(PortNo).into())])
    }

    fn upcall(dp: u32, port: u32) -> Event {
        let at = Timestamp(1);
        let upcalls = Upcalls {
            dp: DpIfindex(dp),
            port_no: PortNo(port),
            command: UpcallCommand::Miss,
            result: 0,
            count: 1,
            first: at,
            last: at,
        };
        Event {
            at,
            kind: EventKind::Upcalls(upcalls),
        }
    }

    /// What is said after so many batches of one upcall each.
    fn said(trial: &mut Trial, times: u32, event: &Event) -> Option<String> {
        (0..times).find_map(|_| {
            let evidence = trial.evidence(DERIVED, std::slice::from_ref(event));
            trial.weigh(&evidence, &there())
        })
    }

    #[test]
    fn a_layout_in_which_nothing_is_found_is_refused() {
        for wrong in [upcall(0, 1), upcall(5, 65_535), upcall(5, 3)] {
            let mut trial = Trial::default();
            assert_eq!(
                said(&mut trial, CONTRADICTIONS - 1, &wrong),
                None,
                "one may have gone"
            );
            let why = said(&mut trial, 1, &wrong).unwrap();
            assert!(why.contains("uname -a") && why.contains("CONFIG_DEBUG_INFO_BTF_MODULES"));
            assert_eq!(said(&mut trial, 100, &wrong), None, "said once");
        }
    }

    #[test]
    fn one_reading_that_is_right_settles_it() {
        let mut trial = Trial::default();
        assert_eq!(said(&mut trial, CONTRADICTIONS - 1, &upcall(0, 1)), None);
        assert_eq!(said(&mut trial, 1, &upcall(5, 2)), None);
        assert_eq!(said(&mut trial, 100, &upcall(0, 1)), None);
        assert!(
            trial.evidence(DERIVED, &[upcall(5, 2)]).is_empty(),
            "nothing more is looked up"
        );
    }

    #[test]
    fn among_several_one_that_is_right_is_enough() {
        let mut trial = Trial::default();
        let evidence = trial.evidence(DERIVED, &[upcall(0, 1), upcall(5, 9), upcall(5, 1)]);
        assert_eq!((evidence.len(), trial.weigh(&evidence, &there())), (3, None));
        assert!(trial.over);
    }

    #[test]
    fn what_netlink_cannot_know_says_nothing() {
        let mut trial = Trial::default();
        assert_eq!(
            said(&mut trial, 100, &upcall(9, 1)),
            None,
            "of another network namespace"
        );
        let evidence = trial.evidence(DERIVED, &[upcall(0, 1)]);
        assert_eq!(trial.weigh(&evidence, &There::new()), None, "no datapath here");
        assert_eq!(trial.contradictions, 0);
    }

    #[test]
    fn what_the_kernel_told_is_not_on_trial() {
        for told in [Some(Offsets::ModuleBtf), Some(Offsets::VmlinuxBtf), None] {
            assert!(Trial::default().evidence(told, &[upcall(0, 1)]).is_empty());
        }
    }
}
