//! Action lists of megaflows (`OVS_ACTION_ATTR_*`) → what they do with a packet.
//!
//! Must not depend on: records, hooks. Numbers are those of include/uapi/linux/openvswitch.h. Nested lists come in
//! two dialects: as netlink carries them, and as the kernel keeps them (`ovs_nla_copy_actions` in
//! `net/openvswitch/flow_netlink.c`), where the arguments of `sample` and `clone` are an attribute of their own
//! in front of the nested actions, which stand beside it.

use tracer_core::flow::Actions;
use tracer_core::id::PortNo;

/// How nested action lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// As in a netlink message.
    Netlink,
    /// As in `struct sw_flow_actions`.
    Kernel,
}

const OUTPUT: u16 = 1;
const USERSPACE: u16 = 2;
const SAMPLE: u16 = 6;
const RECIRC: u16 = 7;
const CT: u16 = 12;
const CLONE: u16 = 20;
const CHECK_PKT_LEN: u16 = 21;
const DEC_TTL: u16 = 23;
const DROP: u16 = 24;

const SAMPLE_ACTIONS: u16 = 2;
const CHECK_PKT_LEN_IF_GREATER: u16 = 2;
const CHECK_PKT_LEN_IF_LESS_EQUAL: u16 = 3;
const DEC_TTL_ACTION: u16 = 1;

/// `NLA_TYPE_MASK`: the two upper bits are flags.
const TYPE_MASK: u16 = 0x3fff;
const HEADER: usize = 4;
const ALIGNMENT: usize = 4;

/// `OVS_COPY_ACTIONS_MAX_DEPTH`: the kernel refuses deeper nesting.
const MAX_DEPTH: u32 = 16;

/// What the list of `length` bytes does, of which `recorded` is the beginning.
pub(super) fn parse(recorded: &[u8], length: u32, dialect: Dialect) -> Actions {
    let whole = u32::try_from(recorded.len()).is_ok_and(|recorded| recorded >= length);
    let mut found = Actions {
        length,
        truncated: !whole,
        ..Actions::default()
    };
    collect(recorded, dialect, MAX_DEPTH, &mut found);
    found
}

fn collect(list: &[u8], dialect: Dialect, depth: u32, found: &mut Actions) {
    if depth == 0 {
        found.truncated = true;
        return;
    }
    let mut attributes = Attributes {
        rest: list,
        cut: false,
    };
    for (kind, payload) in attributes.by_ref() {
        let nested = Nested {
            dialect,
            depth: depth - 1,
        };
        match kind {
            OUTPUT => found.outputs.extend(number(payload).map(PortNo)),
            RECIRC => found.recirculates.extend(number(payload)),
            DROP => found.explicit_drop = number(payload),
            USERSPACE => found.userspace = true,
            CT => found.conntrack = true,
            SAMPLE => nested.sample(payload, found),
            CLONE => nested.clone(payload, found),
            CHECK_PKT_LEN => nested.of_kinds(
                payload,
                &[CHECK_PKT_LEN_IF_GREATER, CHECK_PKT_LEN_IF_LESS_EQUAL],
                found,
            ),
            DEC_TTL => nested.of_kinds(payload, &[DEC_TTL_ACTION], found),
            _ => {}
        }
    }
    found.truncated |= attributes.cut;
}

/// How to go one level deeper.
#[derive(Clone, Copy)]
struct Nested {
    dialect: Dialect,
    depth: u32,
}

impl Nested {
    fn sample(self, payload: &[u8], found: &mut Actions) {
        match self.dialect {
            Dialect::Netlink => self.of_kinds(payload, &[SAMPLE_ACTIONS], found),
            Dialect::Kernel => self.after_argument(payload, found),
        }
    }

    fn clone(self, payload: &[u8], found: &mut Actions) {
        match self.dialect {
            Dialect::Netlink => collect(payload, self.dialect, self.depth, found),
            Dialect::Kernel => self.after_argument(payload, found),
        }
    }

    fn after_argument(self, payload: &[u8], found: &mut Actions) {
        let mut attributes = Attributes {
            rest: payload,
            cut: false,
        };
        if attributes.next().is_none() {
            found.truncated = true;
        }
        collect(attributes.rest, self.dialect, self.depth, found);
    }

    fn of_kinds(self, payload: &[u8], kinds: &[u16], found: &mut Actions) {
        let mut attributes = Attributes {
            rest: payload,
            cut: false,
        };
        for (kind, actions) in attributes.by_ref() {
            if kinds.contains(&kind) {
                collect(actions, self.dialect, self.depth, found);
            }
        }
        found.truncated |= attributes.cut;
    }
}

/// The attributes of a list; the last one may be cut short.
struct Attributes<'a> {
    rest: &'a [u8],
    cut: bool,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(&[len_low, len_high, kind_low, kind_high]) = self.rest.first_chunk::<HEADER>() else {
            return self.end(&[], 0);
        };
        let len = usize::from(u16::from_ne_bytes([len_low, len_high]));
        let kind = u16::from_ne_bytes([kind_low, kind_high]) & TYPE_MASK;
        if len < HEADER {
            return self.end(&[], 0);
        }
        match self.rest.get(HEADER..len) {
            Some(payload) => {
                self.rest = self.rest.get(len.next_multiple_of(ALIGNMENT)..).unwrap_or(&[]);
                Some((kind, payload))
            }
            // What is there of a cut list can still be looked into.
            None => self.end(&self.rest[HEADER..], kind),
        }
    }
}

impl<'a> Attributes<'a> {
    fn end(&mut self, payload: &'a [u8], kind: u16) -> Option<(u16, &'a [u8])> {
        self.cut = true;
        self.rest = &[];
        (!payload.is_empty()).then_some((kind, payload))
    }
}

fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracer_core::flow::Fate;

    use super::*;

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let len = u16::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes
    }

    fn number_of(kind: u16, value: u32) -> Vec<u8> {
        attribute(kind, &value.to_ne_bytes())
    }

    fn whole(list: &[u8], dialect: Dialect) -> Actions {
        parse(list, u32::try_from(list.len()).unwrap(), dialect)
    }

    #[test]
    fn an_empty_list_is_a_drop() {
        let actions = whole(&[], Dialect::Kernel);
        assert_eq!(actions, Actions::default());
        assert_eq!(actions.fate(), Fate::Drop);
    }

    #[test]
    fn outputs_keep_their_order() {
        let list = [
            number_of(OUTPUT, 3),
            number_of(OUTPUT, 1),
            attribute(USERSPACE, &[0; 8]),
        ]
        .concat();
        let actions = whole(&list, Dialect::Netlink);
        assert_eq!(actions.outputs, [PortNo(3), PortNo(1)]);
        assert!(actions.userspace && !actions.truncated);
        assert_eq!(actions.length, 28);
    }

    #[test]
    fn conntrack_then_recirculation() {
        let list = [attribute(CT | 0x8000, &[0; 12]), number_of(RECIRC, 0x2a)].concat();
        let actions = whole(&list, Dialect::Netlink);
        assert!(actions.conntrack);
        assert_eq!(actions.recirculates, [0x2a]);
        assert_eq!(actions.fate(), Fate::Recirculate);
    }

    #[test]
    fn an_explicit_drop_has_its_reason() {
        let actions = whole(&number_of(DROP, 7), Dialect::Kernel);
        assert_eq!((actions.explicit_drop, actions.fate()), (Some(7), Fate::Drop));
    }

    #[test]
    fn both_dialects_of_clone_and_sample_are_read() {
        let output = number_of(OUTPUT, 5);
        let argument = attribute(0, &[0; 4]);
        let netlink = [
            attribute(CLONE, &output),
            attribute(
                SAMPLE,
                &[number_of(1, u32::MAX), attribute(SAMPLE_ACTIONS, &output)].concat(),
            ),
        ];
        let kernel = [
            attribute(CLONE, &[argument.clone(), output.clone()].concat()),
            attribute(SAMPLE, &[attribute(4, &[0; 16]), output.clone()].concat()),
        ];
        for (netlink, kernel) in netlink.iter().zip(&kernel) {
            assert_eq!(whole(netlink, Dialect::Netlink).outputs, [PortNo(5)]);
            assert_eq!(whole(kernel, Dialect::Kernel).outputs, [PortNo(5)]);
        }
    }

    #[test]
    fn branches_count_together() {
        let branches = [
            attribute(5, &[0; 4]),
            attribute(CHECK_PKT_LEN_IF_LESS_EQUAL, &number_of(OUTPUT, 1)),
            attribute(CHECK_PKT_LEN_IF_GREATER, &attribute(USERSPACE, &[0; 8])),
        ];
        let list = [
            attribute(CHECK_PKT_LEN, &branches.concat()),
            attribute(DEC_TTL, &attribute(DEC_TTL_ACTION, &number_of(OUTPUT, 2))),
        ];
        let actions = whole(&list.concat(), Dialect::Kernel);
        assert_eq!(actions.outputs, [PortNo(1), PortNo(2)]);
        assert!(actions.userspace && !actions.truncated);
    }

    #[test]
    fn a_list_that_was_not_recorded_whole_says_so() {
        let list = [number_of(OUTPUT, 1), number_of(OUTPUT, 2)].concat();
        let actions = parse(&list[..8], 16, Dialect::Kernel);
        assert_eq!(actions.outputs, [PortNo(1)]);
        assert!(actions.truncated);
        assert!(parse(&list[..11], 16, Dialect::Kernel).truncated);
        assert_eq!(parse(&[], 16, Dialect::Kernel).fate(), Fate::Unknown);
    }

    #[test]
    fn nesting_ends() {
        let deep = (0..100).fold(number_of(OUTPUT, 1), |list, _| attribute(CLONE, &list));
        let actions = whole(&deep, Dialect::Netlink);
        assert!(actions.truncated && actions.outputs.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(list in proptest::collection::vec(any::<u8>(), 0..600), length: u32, kernel: bool) {
            let dialect = if kernel { Dialect::Kernel } else { Dialect::Netlink };
            prop_assert_eq!(parse(&list, length, dialect).length, length);
        }
    }
}
