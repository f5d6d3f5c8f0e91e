//! Bytes of the ring → events.
//!
//! Must not depend on: the ring, aya. No bytes make it panic; what cannot be read is `None` and gets counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tracer_common::record::{
    self, FlowInsert, FlowRemove, FlowSet, Header, Kind, NONE, Reconfigured, RunEnded,
};
use tracer_core::event::{Event, EventKind, Portids, Process, Reconfiguration};
use tracer_core::flow::FlowKey;
use tracer_core::id::{DpIfindex, Mac, Pid, PortNo, Ufid};
use tracer_core::time::Timestamp;
use zerocopy::FromBytes;

use super::actions::{self, Dialect};
use super::runs;

/// The event that a record tells of.
pub(super) fn decode(record: &[u8]) -> Option<Event> {
    let (header, body) = Header::read_from_prefix(record).ok()?;
    let kind = Kind::ALL.into_iter().find(|kind| *kind as u32 == header.kind)?;
    let about = About {
        dp: DpIfindex(header.dp),
        tgid: Pid(header.tgid),
    };
    let kind = match kind {
        Kind::FlowFlush => EventKind::FlowFlush {
            dp: about.dp,
            tgid: about.tgid,
        },
        Kind::FlowInsert => about.insert(body, header.trailing)?,
        Kind::FlowSet => about.set(body, header.trailing)?,
        Kind::FlowRemove => about.remove(body)?,
        Kind::DpChange => about.datapath_change(body)?,
        Kind::VportPortids => about.vport_portids(body)?,
        Kind::VportNew => about.reconfigured(Reconfiguration::VportNew, body)?,
        Kind::VportDel => about.reconfigured(Reconfiguration::VportDel, body)?,
        Kind::DatapathNew => about.reconfigured(Reconfiguration::DatapathNew, body)?,
        Kind::DatapathDel => about.reconfigured(Reconfiguration::DatapathDel, body)?,
        Kind::ProcessExec => EventKind::ProcessExec(process(body)?.0),
        Kind::ProcessFork => EventKind::ProcessFork(process(body)?.0),
        Kind::ProcessExit => process_exit(body)?,
        Kind::RunEnded => run_ended(body)?,
    };
    Some(Event {
        at: Timestamp(header.at),
        kind,
    })
}

/// What all events of the datapath tell.
#[derive(Clone, Copy)]
struct About {
    dp: DpIfindex,
    tgid: Pid,
}

impl About {
    fn insert(self, body: &[u8], trailing: u32) -> Option<EventKind> {
        let (insert, actions) = FlowInsert::read_from_prefix(body).ok()?;
        Some(EventKind::FlowInsert {
            dp: self.dp,
            tgid: self.tgid,
            ufid: Ufid(insert.ufid),
            key: flow_key(&insert.key),
            actions: actions::parse(first(actions, trailing)?, insert.actions_len, Dialect::Kernel),
        })
    }

    fn set(self, body: &[u8], trailing: u32) -> Option<EventKind> {
        let (set, actions) = FlowSet::read_from_prefix(body).ok()?;
        Some(EventKind::FlowSet {
            dp: self.dp,
            tgid: self.tgid,
            ufid: Ufid(set.ufid),
            entered: Timestamp(set.entered),
            actions: actions::parse(first(actions, trailing)?, set.actions_len, Dialect::Netlink),
        })
    }

    fn remove(self, body: &[u8]) -> Option<EventKind> {
        let (remove, _) = FlowRemove::read_from_prefix(body).ok()?;
        Some(EventKind::FlowRemove {
            dp: self.dp,
            tgid: self.tgid,
            ufid: Ufid(remove.ufid),
            key: flow_key(&remove.key),
        })
    }

    fn datapath_change(self, body: &[u8]) -> Option<EventKind> {
        let (_, pids) = portids(body)?;
        Some(EventKind::DpChange {
            dp: self.dp,
            tgid: self.tgid,
            pids,
        })
    }

    fn vport_portids(self, body: &[u8]) -> Option<EventKind> {
        let (port_no, pids) = portids(body)?;
        Some(EventKind::VportPortids {
            dp: self.dp,
            port_no: port_no?,
            tgid: self.tgid,
            pids: pids?,
        })
    }

    fn reconfigured(self, what: Reconfiguration, body: &[u8]) -> Option<EventKind> {
        let (told, _) = Reconfigured::read_from_prefix(body).ok()?;
        Some(EventKind::Reconfigured {
            dp: self.dp,
            tgid: self.tgid,
            what,
            name: Some(name(&told.name)).filter(|name| !name.is_empty()),
            port_no: some(told.port_no).map(PortNo),
            entered: Some(Timestamp(told.entered)),
        })
    }
}

fn run_ended(body: &[u8]) -> Option<EventKind> {
    let (ended, _) = RunEnded::read_from_prefix(body).ok()?;
    runs::packets(&ended.key, &ended.run, true).map(EventKind::Packets)
}

fn process_exit(body: &[u8]) -> Option<EventKind> {
    let (process, exit_code) = process(body)?;
    // The layout of a wait status: <https://man7.org/linux/man-pages/man2/wait.2.html>.
    let status = exit_code.and_then(|code| i32::try_from(code).ok());
    Some(EventKind::ProcessExit {
        process,
        code: status.map(|status| status >> 8 & 0xff),
        signal: status.map(|status| status & 0x7f),
    })
}

fn process(body: &[u8]) -> Option<(Process, Option<u32>)> {
    let (process, _) = record::Process::read_from_prefix(body).ok()?;
    let seen = Process {
        pid: Pid(process.pid),
        parent: Pid(process.parent),
        comm: name(&process.comm),
    };
    Some((seen, some(process.exit_code)))
}

fn portids(body: &[u8]) -> Option<(Option<PortNo>, Option<Portids>)> {
    let (told, _) = record::Portids::read_from_prefix(body).ok()?;
    let pids = some(told.given).map(|given| Portids {
        given,
        bound: told.bound,
    });
    Some((some(told.port_no).map(PortNo), pids))
}

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;

fn flow_key(key: &record::FlowKey) -> FlowKey {
    FlowKey {
        in_port: PortNo(u32::from(key.in_port)),
        recirc_id: key.recirc_id,
        eth_src: Mac(key.eth_src),
        eth_dst: Mac(key.eth_dst),
        eth_type: key.eth_type,
        ip_src: address(key.eth_type, key.ip_src),
        ip_dst: address(key.eth_type, key.ip_dst),
        proto: key.proto,
        tp_src: key.tp_src,
        tp_dst: key.tp_dst,
    }
}

/// An address of a masked key; all zero is "not matched on".
fn address(eth_type: u16, bytes: [u8; 16]) -> Option<IpAddr> {
    let address = match eth_type {
        ETH_P_IP | ETH_P_ARP => IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk()?)),
        ETH_P_IPV6 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => return None,
    };
    (!address.is_unspecified()).then_some(address)
}

fn first(bytes: &[u8], count: u32) -> Option<&[u8]> {
    bytes.get(..usize::try_from(count).ok()?)
}

fn some(number: u32) -> Option<u32> {
    (number != NONE).then_some(number)
}

fn name(padded: &[u8]) -> String {
    let end = padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len());
    String::from_utf8_lossy(&padded[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::{Immutable, IntoBytes};

    use super::*;

    fn bytes(kind: Kind, body: &(impl IntoBytes + Immutable), trailing: &[u8]) -> Vec<u8> {
        let header = Header {
            kind: kind as u32,
            tgid: 7,
            at: 1_000,
            dp: 4,
            trailing: u32::try_from(trailing.len()).unwrap(),
        };
        [header.as_bytes(), body.as_bytes(), trailing].concat()
    }

    const KEY: record::FlowKey = record::FlowKey {
        recirc_id: 0,
        in_port: 2,
        eth_type: ETH_P_ARP,
        eth_src: [2, 0, 0, 0, 0, 1],
        eth_dst: [0xff; 6],
        tp_src: 0,
        tp_dst: 0,
        ip_src: [10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ip_dst: [0; 16],
        proto: 1,
        reserved: [0; 3],
    };

    #[test]
    fn an_inserted_megaflow() {
        let body = FlowInsert {
            ufid: [9; 16],
            key: KEY,
            actions_len: 8,
        };
        let event = decode(&bytes(Kind::FlowInsert, &body, &[8, 0, 1, 0, 3, 0, 0, 0])).unwrap();
        assert_eq!(event.at, Timestamp(1_000));
        let EventKind::FlowInsert {
            dp,
            tgid,
            ufid,
            key,
            actions,
        } = event.kind
        else {
            panic!("{event:?}");
        };
        assert_eq!((dp, tgid, ufid), (DpIfindex(4), Pid(7), Ufid([9; 16])));
        assert_eq!(key.in_port, PortNo(2));
        assert_eq!(key.ip_src, Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(key.ip_dst, None);
        assert_eq!(actions.outputs, [PortNo(3)]);
    }

    #[test]
    fn a_changed_megaflow() {
        let body = FlowSet {
            entered: 900,
            ufid: [9; 16],
            actions_len: 0,
            reserved: 0,
        };
        let event = decode(&bytes(Kind::FlowSet, &body, &[])).unwrap();
        let EventKind::FlowSet { entered, actions, .. } = event.kind else {
            panic!("{event:?}");
        };
        assert_eq!((entered, actions.length), (Timestamp(900), 0));
    }

    #[test]
    fn portids_given_and_not() {
        let given = record::Portids {
            port_no: NONE,
            given: 2,
            bound: 1,
            reserved: 0,
        };
        let event = decode(&bytes(Kind::DpChange, &given, &[])).unwrap();
        let pids = Some(Portids { given: 2, bound: 1 });
        assert_eq!(
            event.kind,
            EventKind::DpChange {
                dp: DpIfindex(4),
                tgid: Pid(7),
                pids
            }
        );
        let none = record::Portids { given: NONE, ..given };
        let event = decode(&bytes(Kind::DpChange, &none, &[])).unwrap();
        assert_eq!(
            event.kind,
            EventKind::DpChange {
                dp: DpIfindex(4),
                tgid: Pid(7),
                pids: None
            }
        );
    }

    #[test]
    fn a_process_killed_by_a_signal() {
        let comm = *b"ovs-vswitchd\0\0\0\0";
        let body = record::Process {
            pid: 11,
            parent: 1,
            exit_code: 9,
            reserved: 0,
            comm,
        };
        let event = decode(&bytes(Kind::ProcessExit, &body, &[])).unwrap();
        let EventKind::ProcessExit {
            process,
            code,
            signal,
        } = event.kind
        else {
            panic!("{event:?}");
        };
        assert_eq!(
            (process.comm.as_str(), code, signal),
            ("ovs-vswitchd", Some(0), Some(9))
        );
    }

    #[test]
    fn what_a_command_did_not_tell_is_none() {
        let body = Reconfigured {
            port_no: NONE,
            reserved: 0,
            entered: 800,
            name: [0; 16],
        };
        let event = decode(&bytes(Kind::VportDel, &body, &[])).unwrap();
        let EventKind::Reconfigured {
            what, name, port_no, ..
        } = event.kind
        else {
            panic!("{event:?}");
        };
        assert_eq!((what, name, port_no), (Reconfiguration::VportDel, None, None));
    }

    #[test]
    fn a_record_cut_short_is_no_event() {
        let body = FlowInsert {
            ufid: [9; 16],
            key: KEY,
            actions_len: 8,
        };
        let whole = bytes(Kind::FlowInsert, &body, &[8, 0, 1, 0, 3, 0, 0, 0]);
        for len in 0..whole.len() {
            assert_eq!(decode(&whole[..len]), None, "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(kind in 0_u32..17, mut record in proptest::collection::vec(any::<u8>(), 0..700)) {
            if let Some(first) = record.first_chunk_mut() {
                *first = kind.to_ne_bytes();
            }
            if let Some(event) = decode(&record) {
                prop_assert!(record.len() >= size_of::<Header>());
                prop_assert_eq!(event.at.0.to_ne_bytes().to_vec(), record[8..16].to_vec());
            }
        }
    }
}
