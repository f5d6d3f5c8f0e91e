//! Which flows connect a Pod, and when they went and came.
//!
//! Must not depend on: disruptions, packets.

use super::*;
use crate::vocabulary::event::{BridgeRow, InterfaceRow, Map, PortRow};
use crate::vocabulary::id::OfPort;

const CONNECTS: u64 = 7 << 48 | 1 << 40 | 3;
const POLICY: u64 = 7 << 48 | 2 << 40 | 9;

fn topology(external_ids: Map) -> Topology {
    let mut topology = Topology::default();
    let bridge = BridgeRow {
        name: "br-int".to_owned(),
        ports: vec!["p".to_owned()],
        external_ids,
        ..BridgeRow::default()
    };
    let port = PortRow {
        name: "veth1".to_owned(),
        interfaces: vec!["i".to_owned()],
        ..PortRow::default()
    };
    let interface = InterfaceRow {
        name: "veth1".to_owned(),
        ofport: Some(OfPort(3)),
        ..InterfaceRow::default()
    };
    topology.bridge("b", Some(bridge));
    topology.port("p", Some(port));
    topology.interface(Timestamp(1), "i", Some(interface));
    topology.settle();
    topology
}

fn flow(change: Change, table: u8, cookie: u64) -> OpenFlowChange {
    OpenFlowChange {
        change,
        table,
        priority: 200,
        cookie,
        matches: OpenFlowMatch {
            in_port: Some(OfPort(3)),
            wire: format!("{table:02x}"),
            ..OpenFlowMatch::default()
        },
    }
}

/// Where the Pod stands when, of two flows that name it, the one with `cookie` in table 4 comes back alone.
fn standing(external_ids: Map, cookie: u64) -> Standing {
    let topology = topology(external_ids);
    let mut flows = OpenFlow::default();
    let both = [flow(Change::Added, 4, cookie), flow(Change::Added, 9, POLICY)];
    flows.changes(Timestamp(5), "br-int", &both, &topology);
    let mut baseline = flows.baseline(&topology, Timestamp(10), None);
    flows.up(Timestamp(20), "br-int");
    baseline.up(Timestamp(20), "br-int");
    let again = [flow(Change::Added, 4, cookie)];
    let moved = flows.changes(Timestamp(30), "br-int", &again, &topology);
    baseline.moved(Timestamp(30), &moved);
    baseline.standing("veth1")
}

#[test]
fn antreas_cookie_tells_which_flows_connect_a_pod() {
    let antrea = || Map::from([(ROUND.to_owned(), "7".to_owned())]);
    assert_eq!(standing(antrea(), CONNECTS), Standing::Installed(Timestamp(30)));
    assert_eq!(standing(antrea(), POLICY), Standing::Missing);
}

#[test]
fn flows_that_went_seconds_before_the_exit_were_there_before_it() {
    let topology = topology(Map::new());
    let mut flows = OpenFlow::default();
    flows.changes(Timestamp(5), "br-int", &[flow(Change::Added, 4, 0)], &topology);
    let removed = [flow(Change::Removed, 4, 0)];
    flows.changes(Timestamp(SECOND), "br-int", &removed, &topology);
    let standing = |began| {
        flows
            .baseline(&topology, Timestamp(began), None)
            .standing("veth1")
    };
    assert_ne!(standing(SECOND * 7 / 2), Standing::Unknown);
    assert_eq!(standing(7 * SECOND), Standing::Unknown);
}

#[test]
fn flows_that_go_with_the_next_restart_were_installed_all_the_same() {
    let topology = topology(Map::new());
    let mut flows = OpenFlow::default();
    let one = [flow(Change::Added, 4, 0)];
    let came = flows.changes(Timestamp(5), "br-int", &one, &topology);
    let mut baseline = flows.baseline(&topology, Timestamp(10), None);
    baseline.up(Timestamp(20), "br-int");
    baseline.moved(Timestamp(30), &came);
    let gone: Vec<(FlowId, bool)> = came.into_iter().map(|(id, _)| (id, false)).collect();
    baseline.moved(Timestamp(SECOND), &gone);
    assert_eq!(baseline.standing("veth1"), Standing::Missing);
    let mut late = baseline.clone();
    baseline.ends(Timestamp(2 * SECOND));
    assert_eq!(baseline.standing("veth1"), Standing::Installed(Timestamp(30)));
    late.ends(Timestamp(9 * SECOND));
    assert_eq!(late.standing("veth1"), Standing::Missing);
}

#[test]
fn a_cookie_that_looks_like_antreas_means_nothing_elsewhere() {
    assert_eq!(standing(Map::new(), CONNECTS), Standing::Missing);
    assert!(connects(CONNECTS) && !connects(POLICY) && !connects(1 << 40) && !connects(CONNECTS | 1 << 32));
}

#[test]
fn a_flow_is_its_devices_whatever_number_that_has() {
    let numbered = |ofport: u32| {
        let mut topology = topology(Map::new());
        let row = InterfaceRow {
            name: "veth1".to_owned(),
            ofport: Some(OfPort(ofport)),
            ..InterfaceRow::default()
        };
        topology.interface(Timestamp(2), "i", Some(row));
        topology.settle();
        topology
    };
    let at = |ofport: u32| {
        let mut change = flow(Change::Added, 4, 0);
        change.matches.in_port = Some(OfPort(ofport));
        change.matches.wire = format!("00000002{ofport:04x}000006020800");
        change
    };
    let mut flows = OpenFlow::default();
    flows.changes(Timestamp(5), "br-int", &[at(3)], &numbered(3));
    let mut baseline = flows.baseline(&numbered(3), Timestamp(10), None);
    flows.up(Timestamp(20), "br-int");
    baseline.up(Timestamp(20), "br-int");
    // Another Pod has the old number now.
    let others = flows.changes(Timestamp(30), "br-int", &[at(3)], &numbered(4));
    baseline.moved(Timestamp(30), &others);
    assert_eq!(baseline.standing("veth1"), Standing::Missing);
    let own = flows.changes(Timestamp(40), "br-int", &[at(4)], &numbered(4));
    baseline.moved(Timestamp(40), &own);
    assert_eq!(baseline.standing("veth1"), Standing::Installed(Timestamp(40)));
}
