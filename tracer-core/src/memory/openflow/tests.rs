//! Which flows connect a Pod, and when they went and came.
//!
//! Must not depend on: disruptions, packets.

use super::*;
use crate::vocabulary::event::{BridgeRow, InterfaceRow, Map, PortRow};
use crate::vocabulary::id::OfPort;
use crate::vocabulary::time::SECOND;

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
    topology.bridge(Timestamp(0), "b", Some(bridge));
    topology.port(Timestamp(0), "p", Some(port));
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
    baseline.moved(Timestamp(30), "br-int", &moved);
    baseline.standing("veth1")
}

#[test]
fn antreas_cookie_tells_which_flows_connect_a_pod() {
    let antrea = || Map::from([(ROUND.to_owned(), "7".to_owned())]);
    assert_eq!(standing(antrea(), CONNECTS), Standing::Installed(Timestamp(30)));
    // Another flow fills the role of the one that is missing.
    assert_eq!(standing(antrea(), POLICY), Standing::Installed(Timestamp(30)));
}

#[test]
fn flows_that_went_seconds_before_the_exit_were_there_before_it() {
    let topology = topology(Map::new());
    let mut flows = OpenFlow::default();
    flows.changes(Timestamp(5), "br-int", &[flow(Change::Added, 4, 0)], &topology);
    let removed = [flow(Change::Removed, 4, 0)];
    flows.changes(Timestamp(SECOND), "br-int", &removed, &topology);
    let mut standing = |began| {
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
    baseline.moved(Timestamp(30), "br-int", &came);
    let removed = [flow(Change::Removed, 4, 0)];
    let gone = flows.changes(Timestamp(SECOND), "br-int", &removed, &topology);
    assert_eq!(gone.cut.iter().collect::<Vec<_>>(), ["veth1"]);
    baseline.moved(Timestamp(SECOND), "br-int", &gone);
    assert_eq!(baseline.standing("veth1"), Standing::Missing);
    let mut late = baseline.clone();
    baseline.ends(Timestamp(2 * SECOND));
    assert_eq!(baseline.standing("veth1"), Standing::Installed(Timestamp(30)));
    late.ends(Timestamp(9 * SECOND));
    assert_eq!(late.standing("veth1"), Standing::Missing);
}

#[test]
fn a_cookie_that_looks_like_antreas_means_nothing_elsewhere() {
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
    baseline.moved(Timestamp(30), "br-int", &others);
    assert_eq!(baseline.standing("veth1"), Standing::Missing);
    let own = flows.changes(Timestamp(40), "br-int", &[at(4)], &numbered(4));
    baseline.moved(Timestamp(40), "br-int", &own);
    assert_eq!(baseline.standing("veth1"), Standing::Installed(Timestamp(40)));
}

fn shared(change: Change, table: u8) -> OpenFlowChange {
    OpenFlowChange {
        matches: OpenFlowMatch::default(),
        ..flow(change, table, 0)
    }
}

#[test]
fn a_flow_that_all_pods_share_counts_whatever_its_table() {
    let topology = topology(Map::new());
    let mut flows = OpenFlow::default();
    let had = [flow(Change::Added, 4, 0), shared(Change::Added, 20)];
    flows.changes(Timestamp(5), "br-int", &had, &topology);
    let mut baseline = flows.baseline(&topology, Timestamp(10), None);
    assert_eq!(baseline.shared("br-int"), SharedStanding::Kept);
    flows.up(Timestamp(20), "br-int");
    baseline.up(Timestamp(20), "br-int");
    assert_eq!(baseline.shared("br-int"), SharedStanding::Missing(None));
    let own = flows.changes(Timestamp(30), "br-int", &had[..1], &topology);
    baseline.moved(Timestamp(30), "br-int", &own);
    assert_eq!(baseline.standing("veth1"), Standing::Installed(Timestamp(30)));
    let anew = flows.changes(Timestamp(40), "br-int", &[shared(Change::Added, 25)], &topology);
    baseline.moved(Timestamp(40), "br-int", &anew);
    assert_eq!(
        baseline.shared("br-int"),
        SharedStanding::Installed(Timestamp(40))
    );
}

#[test]
fn many_flows_are_told_again_in_one_pass() {
    let topology = topology(Map::new());
    let mut flows = OpenFlow::default();
    let all: Vec<OpenFlowChange> = (0..20_000_u32)
        .map(|number| OpenFlowChange {
            matches: OpenFlowMatch {
                ip_dst: Some(std::net::IpAddr::from(number.to_be_bytes())),
                wire: format!("{number:08x}"),
                ..OpenFlowMatch::default()
            },
            ..flow(Change::Initial, 1, 0)
        })
        .collect();
    flows.changes(Timestamp(5), "br-int", &all, &topology);
    flows.up(Timestamp(SECOND), "br-int");
    let leaving = |flows: &OpenFlow| flows.bridges["br-int"].leaving();
    assert_eq!(leaving(&flows), 20_000);
    flows.changes(
        Timestamp(20 * SECOND),
        "br-int",
        &[flow(Change::Added, 4, 0)],
        &topology,
    );
    flows.changes(
        Timestamp(20 * SECOND),
        "br-int",
        &[flow(Change::Removed, 4, 0)],
        &topology,
    );
    assert_eq!(leaving(&flows), 1);
}
