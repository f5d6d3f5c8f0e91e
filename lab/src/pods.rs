//! The node's Pods: network namespaces with the names, addresses and devices a CNI would give them.
//!
//! Must not depend on: OVS, traffic.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::command;
use crate::ovs::BRIDGE;

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
    /// Its bridge.
    pub bridge: String,
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
            bridge: BRIDGE.into(),
        }
    }

    /// The link-local address that the kernel makes of its Ethernet address (RFC 4291, appendix A).
    pub fn link_local(&self) -> Ipv6Addr {
        let byte = |digits| u128::from_str_radix(digits, 16).unwrap_or_default();
        let mac = self.mac.split(':').fold(0, |all, digits| all << 8 | byte(digits));
        let interface = (mac >> 24) << 40 | 0xff_fe00_0000 | mac & 0xff_ffff;
        Ipv6Addr::from(0xfe80_u128 << 112 | interface ^ 2 << 56)
    }

    /// The container that Antrea would name: any unique text does.
    pub fn container(&self) -> String {
        format!("{:0>64}", self.mac.replace(':', ""))
    }
}

/// Makes the namespaces and the pairs of devices.
pub fn create(pods: &[Pod]) -> Result<()> {
    let batch = pods.iter().fold(String::new(), |all, pod| all + &outside(pod));
    command::input("ip", &["-batch", "-"], &batch).context("making the Pods' namespaces and devices")?;
    for (at, pod) in pods.iter().enumerate() {
        configure(pod, &inside(pod, &neighbours(pods, at)))?;
    }
    Ok(())
}

/// Makes the pairs of devices of Pods that have no traffic: the far end is down, so that no kernel sends anything there.
pub fn create_idle(pods: &[Pod]) -> Result<()> {
    let pair = |Pod { device, name, .. }: &Pod| {
        format!("link add {device} type veth peer name i-{name}\nlink set {device} up\n")
    };
    let batch: String = pods.iter().map(pair).collect();
    command::input("ip", &["-batch", "-"], &batch)
        .context("making the idle Pods' devices")
        .map(drop)
}

/// The opposite.
pub fn delete_idle(pods: &[Pod]) -> Result<()> {
    let batch = pods
        .iter()
        .fold(String::new(), |all, pod| all + "link del " + &pod.device + "\n");
    command::input("ip", &["-batch", "-"], &batch)
        .context("deleting the idle Pods' devices")
        .map(drop)
}

/// Makes one more Pod, which knows the others and is known to them.
pub fn create_beside(pod: &Pod, others: &[Pod]) -> Result<()> {
    command::input("ip", &["-batch", "-"], &outside(pod))?;
    configure(pod, &inside(pod, &others.iter().collect::<Vec<_>>()))?;
    others.iter().try_for_each(|other| configure(other, &knows(pod)))
}

/// Removes a Pod's devices and the name of its namespace.
pub fn delete(pod: &Pod) -> Result<()> {
    let Pod { name, device, .. } = pod;
    let batch = format!("link del {device}\nnetns del {name}\n");
    command::input("ip", &["-batch", "-"], &batch)
        .with_context(|| format!("deleting {name}"))
        .map(drop)
}

/// Lets Pods find each other by neighbour discovery (IPv6), and often: an entry is good for some tenths of a second and
/// is then asked for again at once.
pub fn discover(pods: &[Pod]) -> Result<()> {
    let settings = [
        "base_reachable_time_ms=300",
        "delay_first_probe_time=0",
        "retrans_time_ms=50",
        // An entry that nobody answers for is asked for again, not given up: a hole may be longer than three probes.
        "mcast_solicit=200",
    ];
    for pod in pods {
        let settings = settings.map(|setting| format!("net.ipv6.neigh.eth0.{setting}"));
        let mut arguments = vec!["netns", "exec", &pod.name, "sysctl", "-qw"];
        arguments.extend(settings.iter().map(String::as_str));
        command::output("ip", &arguments)?;
        configure(pod, "neigh flush dev eth0 nud permanent\n")?;
        let others = pods.iter().filter(|other| other.name != pod.name);
        configure(
            pod,
            &others.fold(String::new(), |all, other| all + &knows_ipv4(other)),
        )?;
    }
    Ok(())
}

/// The opposite: every Pod knows the others again.
pub fn introduce(pods: &[Pod]) -> Result<()> {
    for (at, pod) in pods.iter().enumerate() {
        let known = neighbours(pods, at);
        configure(
            pod,
            &known.iter().fold(String::new(), |all, other| all + &knows(other)),
        )?;
    }
    Ok(())
}

/// Makes each TCP segment a packet of its own on its way: a datapath counts what it is handed, and what it hands to
/// userspace comes back cut into segments.
pub fn without_offload(pods: &[Pod]) -> Result<()> {
    pods.iter()
        .try_for_each(|pod| configure(pod, "link set dev eth0 gso_max_segs 1\n"))
}

fn configure(pod: &Pod, batch: &str) -> Result<()> {
    command::input("ip", &["-n", &pod.name, "-batch", "-"], batch)
        .with_context(|| format!("configuring {}", pod.name))
        .map(drop)
}

fn outside(pod: &Pod) -> String {
    let Pod { name, device, .. } = pod;
    format!(
        "netns add {name}\n\
         link add {device} type veth peer name eth0 netns {name}\n\
         link set {device} up\n"
    )
}

fn knows_ipv4(other: &Pod) -> String {
    let Pod { mac, ipv4, .. } = other;
    format!("neigh replace {ipv4} lladdr {mac} dev eth0 nud permanent\n")
}

fn knows(other: &Pod) -> String {
    let Pod { mac, ipv6, .. } = other;
    knows_ipv4(other) + &format!("neigh replace {ipv6} lladdr {mac} dev eth0 nud permanent\n")
}

/// What is set up inside a Pod's namespace. Neighbours are static, so that a stream of UDP does not depend on ARP.
fn inside(pod: &Pod, neighbours: &[&Pod]) -> String {
    let Pod { mac, ipv4, ipv6, .. } = pod;
    let batch = format!(
        "link set lo up\n\
         link set eth0 address {mac}\n\
         link set eth0 up\n\
         addr add {ipv4}/16 dev eth0\n\
         addr add {ipv6}/64 dev eth0 nodad\n"
    );
    neighbours.iter().fold(batch, |all, other| all + &knows(other))
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
    fn a_link_local_address_is_made_of_the_ethernet_address() {
        assert_eq!(Pod::new(3).link_local().to_string(), "fe80::800:ff:fe00:4");
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
