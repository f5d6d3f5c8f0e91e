//! The node's Pods: network namespaces with the names, addresses and devices a CNI would give them.
//!
//! May not know: OVS, traffic.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::command;

/// Kubernetes namespace of all Pods of the lab.
pub const NAMESPACE: &str = "default";

/// A Pod. The gateway of the node is described the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name, also that of its network namespace.
    pub name: String,
    /// Its device on the node.
    pub device: String,
    /// Its Ethernet address.
    pub mac: String,
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address.
    pub ipv6: Ipv6Addr,
    /// Its `ofport`, once OVS gave one.
    pub ofport: u32,
}

impl Pod {
    /// Pod number `number` (from 1); 0 is the gateway.
    pub fn new(number: u16) -> Self {
        let [high, low] = (number + 1).to_be_bytes();
        let name = format!("pod-{number}");
        // As Antrea does it: the name, cut, and a piece of a hash that keeps devices apart.
        let hash = u32::from(number).wrapping_mul(2_654_435_761) >> 8;
        Self {
            device: if number == 0 {
                "antrea-gw0".into()
            } else {
                format!("{name}-{hash:06x}")
            },
            name,
            mac: format!("0a:00:00:00:{high:02x}:{low:02x}"),
            ipv4: Ipv4Addr::new(10, 10, high, low),
            ipv6: Ipv6Addr::new(0xfd00, 0x10, 0x10, 0, 0, 0, 0, number + 1),
            ofport: 0,
        }
    }

    /// The container that Antrea would name: any unique text does.
    pub fn container(&self) -> String {
        format!("{:0>64}", self.mac.replace(':', ""))
    }
}

/// Makes the namespaces and the pairs of devices.
pub fn create(pods: &[Pod]) -> Result<()> {
    let mut batch = String::new();
    for Pod { name, device, .. } in pods {
        // Writing to a string cannot fail.
        let _ = write!(
            batch,
            "netns add {name}\n\
             link add {device} type veth peer name eth0 netns {name}\n\
             link set {device} up\n"
        );
    }
    command::input("ip", &["-batch", "-"], &batch).context("making the Pods' namespaces and devices")?;
    for (at, pod) in pods.iter().enumerate() {
        let batch = inside(pod, &neighbours(pods, at));
        command::input("ip", &["-n", &pod.name, "-batch", "-"], &batch)
            .with_context(|| format!("giving {} its addresses", pod.name))?;
    }
    Ok(())
}

/// What is set up inside a Pod's namespace. Neighbours are static, so that a stream of UDP does not depend on ARP.
fn inside(pod: &Pod, neighbours: &[&Pod]) -> String {
    let Pod { mac, ipv4, ipv6, .. } = pod;
    let mut batch = format!(
        "link set lo up\n\
         link set eth0 address {mac}\n\
         link set eth0 up\n\
         addr add {ipv4}/16 dev eth0\n\
         addr add {ipv6}/64 dev eth0 nodad\n"
    );
    for Pod { mac, ipv4, ipv6, .. } in neighbours {
        let _ = write!(
            batch,
            "neigh replace {ipv4} lladdr {mac} dev eth0 nud permanent\n\
             neigh replace {ipv6} lladdr {mac} dev eth0 nud permanent\n"
        );
    }
    batch
}

/// Up to this many Pods each knows every other; beyond it, those on both sides in the ring.
const ALL_KNOW_ALL: usize = 10;

fn neighbours(pods: &[Pod], at: usize) -> Vec<&Pod> {
    let length = pods.len();
    let near = |other: usize| (other + 1) % length == at || (at + 1) % length == other;
    let known = |&(other, _): &(usize, &Pod)| other != at && (length <= ALL_KNOW_ALL || near(other));
    pods.iter()
        .enumerate()
        .filter(known)
        .map(|(_, pod)| pod)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_told_apart_and_their_devices_names_are_short_enough() {
        let pods: Vec<Pod> = (0..300).map(Pod::new).collect();
        for (at, pod) in pods.iter().enumerate() {
            assert!(pod.device.len() <= 15, "{}", pod.device);
            let same =
                |other: &&Pod| other.device == pod.device || other.mac == pod.mac || other.ipv4 == pod.ipv4;
            assert_eq!(pods.iter().filter(same).count(), 1, "{at}");
        }
    }

    #[test]
    fn few_pods_know_all_others_and_many_know_the_ring() {
        let few: Vec<Pod> = (1..=3).map(Pod::new).collect();
        assert_eq!(neighbours(&few, 0).len(), 2);
        let many: Vec<Pod> = (1..=50).map(Pod::new).collect();
        let names: Vec<&str> = neighbours(&many, 0).iter().map(|pod| pod.name.as_str()).collect();
        assert_eq!(names, ["pod-2", "pod-50"]);
    }
}
