//! Ports that go, come back and change numbers; rows that are exchanged.
//!
//! Must not depend on: packets.

use super::*;

const DP: DpIfindex = DpIfindex(5);

fn row(name: &str) -> InterfaceRow {
    InterfaceRow {
        name: name.to_owned(),
        ..InterfaceRow::default()
    }
}

/// `veth1` and `veth2` at ports 1 and 2.
fn two() -> Topology {
    let mut topology = Topology::default();
    for (number, name) in [(1, "veth1"), (2, "veth2")] {
        topology.vport(Timestamp(10), DP, PortNo(number), name);
        topology.interface(Timestamp(11), name, Some(row(name)));
    }
    topology
}

#[test]
fn a_row_that_is_exchanged_for_another_deletes_no_port() {
    for new_first in [true, false] {
        let mut topology = two();
        let mut changes = [("veth1", None), ("anew", Some(row("veth1")))];
        if new_first {
            changes.reverse();
        }
        for (uuid, row) in changes {
            topology.interface(Timestamp(20), uuid, row);
        }
        let endpoint = &topology.endpoints()["veth1"];
        assert_eq!((endpoint.until, endpoint.recreated), (None, None));
        topology.interface(Timestamp(30), "anew", None);
        assert_eq!(topology.endpoints()["veth1"].until, Some(Timestamp(30)));
    }
}

#[test]
fn a_number_is_another_devices_from_when_it_was_asked_for() {
    let mut topology = two();
    for number in [1, 2] {
        topology.vport_gone(Timestamp(20), DP, PortNo(number));
    }
    // The kernel does it, and tells of it later.
    topology.vport_asked(Timestamp(40), DP, "veth2");
    topology.vport_asked(Timestamp(41), DP, "veth1");
    topology.vport(Timestamp(60), DP, PortNo(1), "veth2");
    topology.vport(Timestamp(61), DP, PortNo(2), "veth1");
    let device = |number: u32, at: u64| topology.device_at(DP, PortNo(number), Timestamp(at));
    assert_eq!((device(1, 15), device(1, 45)), (Some("veth1"), Some("veth2")));
    assert_eq!((device(2, 15), device(2, 45)), (Some("veth2"), Some("veth1")));
    let endpoint = &topology.endpoints()["veth1"];
    assert_eq!(endpoint.away, [(Timestamp(20), Timestamp(41))]);
    assert_eq!(endpoint.renumbered, Some(Timestamp(41)));
    assert_eq!(endpoint.vport, Some((DP, PortNo(2))));
}

#[test]
fn a_link_local_address_is_of_whoever_has_its_ethernet_address() {
    let of = |ip: &str| interface_identifier(ip.parse().unwrap());
    assert_eq!(of("fe80::800:ff:fe00:2"), Some(Mac([10, 0, 0, 0, 0, 2])));
    for other in [
        "fe80::1",
        "fd00::800:ff:fe00:2",
        "fe80:0:0:1:800:ff:fe00:2",
        "10.0.0.2",
    ] {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn a_port_that_goes_while_its_row_stays_is_missing_and_not_deleted() {
    let mut topology = two();
    topology.vport_gone(Timestamp(20), DP, PortNo(1));
    let endpoint = topology.endpoints()["veth1"].clone();
    assert_eq!((endpoint.missing, endpoint.until), (Some(Timestamp(20)), None));
    topology.vport(Timestamp(30), DP, PortNo(1), "veth1");
    let endpoint = &topology.endpoints()["veth1"];
    assert_eq!(endpoint.missing, None);
    assert_eq!(endpoint.away, [(Timestamp(20), Timestamp(30))]);
}

#[test]
fn a_port_and_its_row_that_go_together_are_deleted() {
    for row_first in [true, false] {
        let mut topology = two();
        for turn in [row_first, !row_first] {
            if turn {
                topology.interface(Timestamp(21), "veth1", None);
            } else {
                topology.vport_gone(Timestamp(20), DP, PortNo(1));
            }
        }
        let endpoint = &topology.endpoints()["veth1"];
        assert_eq!(endpoint.missing, None);
        assert!(endpoint.until.is_some());
    }
}
