//! The node: OVS, its bridge, Pods with the identities a CNI writes, the pipeline.
//!
//! Must not depend on: restarts, traffic.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ovs::{self, BRIDGE, Bundle, SECOND_BRIDGE};
use crate::pipeline::Pipeline;
use crate::pods::{self, NAMESPACE, Pod};
use crate::words::wire::PROGRAM;
use crate::{command, ovsdb};

/// The kernel's datapath.
const DATAPATH: &str = "system@ovs-system";
/// Where the node is described for the commands that come later.
const STATE: &str = "/run/ovsgap-lab-node.json";

/// A node that is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The bridge's internal port.
    pub gateway: Pod,
    /// Its Pods.
    pub pods: Vec<Pod>,
    /// Whether the pipeline uses conntrack.
    pub conntrack: bool,
    /// Whether there is a second bridge, with a patch between both.
    pub patched: bool,
}

/// The patch's ends, each with the `ofport` that is asked for: it has no port in the datapath that would keep it.
const PATCH: [(&str, &str, u32); 2] = [(BRIDGE, "patch-ext", 1000), (SECOND_BRIDGE, "patch-int", 1001)];

impl Node {
    /// Brings the node up with `count` Pods; their flows are installed.
    pub fn up(count: u16, conntrack: bool) -> Result<Self> {
        ovs::prepare()?;
        let mut node = Self {
            gateway: Pod::new(0),
            pods: (1..=count).map(Pod::new).collect(),
            conntrack,
            patched: false,
        };
        pods::create(&node.pods)?;
        ovs::start()?;
        vsctl(&node.bridge()).context("making the bridge")?;
        node.learn_ofports()?;
        node.gateway_addresses()?;
        node.install(1)?;
        node.save()?;
        Ok(node)
    }

    /// Describes the node for the commands that come later.
    pub fn save(&self) -> Result<()> {
        fs::write(STATE, serde_json::to_vec(self)?).with_context(|| format!("writing {STATE}"))
    }

    /// The node that was brought up earlier.
    pub fn find() -> Result<Self> {
        let text =
            fs::read(STATE).with_context(|| format!("reading {STATE}; run `{PROGRAM} node-up` first"))?;
        serde_json::from_slice(&text).with_context(|| format!("reading {STATE}"))
    }

    /// The node's bridges.
    pub fn bridges(&self) -> &'static [&'static str] {
        if self.patched {
            &[BRIDGE, SECOND_BRIDGE]
        } else {
            &[BRIDGE]
        }
    }

    /// The pipeline of a bridge as the agent of round `round` builds it.
    pub fn pipeline(&self, bridge: &str, round: u16) -> Pipeline {
        let patch = PATCH.iter().find(|end| self.patched && end.0 == bridge);
        Pipeline {
            patch: patch.map(|end| end.2),
            round,
            conntrack: self.conntrack,
        }
    }

    /// The flows of a bridge that need no Pod.
    pub fn base(&self, bridge: &str, round: u16) -> String {
        let gateway = (bridge == BRIDGE).then_some(&self.gateway);
        self.pipeline(bridge, round).base(gateway)
    }

    /// Puts the tables into the state in which all traffic flows, whatever they hold.
    pub fn heal(&self, round: u16) -> Result<()> {
        ovsdb::remove_flow_restore_wait()?;
        if !ovs::is_up() {
            ovs::start()?;
        }
        self.install(round)
    }

    fn install(&self, round: u16) -> Result<()> {
        for bridge in self.bridges() {
            ovs::delete_flows(bridge)?;
            let pods = self.pods.iter().filter(|pod| pod.bridge == *bridge);
            let flows = pods.fold(self.base(bridge, round), |all, pod| {
                all + &self.pipeline(bridge, round).pod(pod)
            });
            Bundle::prepare(bridge, flows)?.commit()?;
        }
        Ok(())
    }

    /// Puts Pods on a second bridge, behind a patch.
    pub fn patch(&mut self, behind: &[&str]) -> Result<()> {
        let mut text = format!(
            "add-br {SECOND_BRIDGE} -- set Bridge {SECOND_BRIDGE} fail_mode=secure protocols=OpenFlow10,OpenFlow14,OpenFlow15"
        );
        let [int, ext] = PATCH;
        for ((bridge, end, ofport), peer) in [(int, ext.1), (ext, int.1)] {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                " -- add-port {bridge} {end} -- set Interface {end} type=patch options:peer={peer} ofport_request={ofport}"
            );
        }
        vsctl(&text)?;
        self.patched = true;
        self.move_to(SECOND_BRIDGE, behind)
    }

    /// The opposite: one bridge again.
    pub fn unpatch(&mut self) -> Result<()> {
        let all: Vec<String> = self.pods.iter().map(|pod| pod.name.clone()).collect();
        self.move_to(BRIDGE, &all.iter().map(String::as_str).collect::<Vec<_>>())?;
        vsctl(&format!(
            "del-br {SECOND_BRIDGE} -- del-port {BRIDGE} {}",
            PATCH[0].1
        ))?;
        self.patched = false;
        Ok(())
    }

    fn move_to(&mut self, bridge: &str, names: &[&str]) -> Result<()> {
        let moved = |pod: &&mut Pod| names.contains(&pod.name.as_str()) && pod.bridge != bridge;
        for pod in self.pods.iter_mut().filter(moved) {
            bridge.clone_into(&mut pod.bridge);
            vsctl(&format!("del-port {} -- {}", pod.device, add_port(pod)))?;
        }
        self.learn_ofports()
    }

    /// Adds idle Pods until there are `count`, or takes those away.
    pub fn resize(&mut self, count: u16) -> Result<()> {
        let there = u16::try_from(self.pods.len()).context("so many Pods")?;
        let idle: Vec<Pod> = (there + 1..=count).map(Pod::new).collect();
        let gone = self.pods.split_off(usize::from(count.min(there)));
        if !gone.is_empty() {
            let ports: Vec<String> = gone
                .iter()
                .map(|pod| format!("del-port {}", pod.device))
                .collect();
            vsctl(&ports.join(" -- "))?;
            pods::delete_idle(&gone)?;
        }
        if !idle.is_empty() {
            pods::create_idle(&idle)?;
            let ports: Vec<String> = idle.iter().map(add_port).collect();
            vsctl(&ports.join(" -- "))?;
            self.pods.extend(idle);
            self.learn_ofports()?;
        }
        Ok(())
    }

    /// Deletes the bridge with its ports, and makes it again.
    pub fn remake_bridge(&mut self) -> Result<()> {
        vsctl(&format!("del-br {BRIDGE}"))?;
        vsctl(&self.bridge())?;
        self.learn_ofports()?;
        self.gateway_addresses()?;
        self.save()
    }

    /// Deletes the bridge's rows and makes them anew, while no ovs-vswitchd listens.
    pub fn exchange_bridge(&self) -> Result<()> {
        vsctl(&format!("--no-wait del-br {BRIDGE}"))?;
        vsctl(&format!("--no-wait {}", self.bridge()))
    }

    /// Gives each Pod the numbers that another one had, in OpenFlow and in the datapath, while no ovs-vswitchd listens.
    pub fn renumber(&self) -> Result<()> {
        let after = || self.pods.iter().cycle().skip(1);
        let ports = self.pods.iter().zip(after()).map(|(pod, other)| {
            let Pod { device, .. } = pod;
            format!(
                "del-port {device} -- {} -- set Interface {device} ofport_request={}",
                add_port(pod),
                other.ofport
            )
        });
        let ports: Vec<String> = ports.collect();
        vsctl(&format!("--no-wait {}", ports.join(" -- ")))?;
        // The kernel gives the lowest number that is free: each is another Pod's then.
        let shown = command::output("ovs-dpctl", &["show"])?;
        let devices = self.by_number(&shown);
        let mut turned = devices.clone();
        turned.rotate_left(1);
        command::output("ovs-dpctl", &[["del-if", DATAPATH].as_slice(), &devices].concat())?;
        command::output("ovs-dpctl", &[["add-if", DATAPATH].as_slice(), &turned].concat()).map(drop)
    }

    /// The Pods' devices in the order of their numbers in the datapath, as `ovs-dpctl show` lists them (`port 3: NAME`).
    fn by_number(&self, shown: &str) -> Vec<&str> {
        let number = |device: &str| {
            let mut ports = shown
                .lines()
                .filter_map(|line| line.trim().strip_prefix("port ")?.split_once(": "));
            let found = ports.find(|(_, name)| name.split(' ').next() == Some(device));
            found.and_then(|(number, _)| number.parse::<u32>().ok())
        };
        let mut devices: Vec<&str> = self.pods.iter().map(|pod| pod.device.as_str()).collect();
        devices.sort_by_key(|device| number(device));
        devices
    }

    /// As an agent does after a restart that left nothing of the datapath.
    pub fn come_back(&mut self) -> Result<()> {
        self.learn()?;
        self.gateway_addresses()?;
        self.heal(1)
    }

    /// Reads which `ofport` each port has now.
    pub fn learn(&mut self) -> Result<()> {
        self.learn_ofports()?;
        self.save()
    }

    /// Gives a new Pod its port.
    pub fn add(&mut self, pod: Pod) -> Result<()> {
        vsctl(&add_port(&pod))?;
        self.pods.push(pod);
        self.learn_ofports()
    }

    /// Takes a Pod's port away.
    pub fn remove(&mut self, name: &str) -> Result<Pod> {
        let at = self.pods.iter().position(|pod| pod.name == name);
        let pod = self
            .pods
            .remove(at.with_context(|| format!("there is no Pod named {name}"))?);
        vsctl(&format!("del-port {}", pod.device))?;
        Ok(pod)
    }

    /// One `ovs-vsctl` call that makes bridge, gateway and all Pods' ports. `ovs-save` of Open vSwitch 2.15 restores flows by OpenFlow 1.4
    /// whatever else a bridge speaks.
    fn bridge(&self) -> String {
        let gateway = &self.gateway;
        let bridge = format!(
            "--may-exist add-br {BRIDGE} -- set Bridge {BRIDGE} fail_mode=secure protocols=OpenFlow10,OpenFlow14,OpenFlow15 \
             external_ids:roundNum=1 -- add-port {BRIDGE} {0} -- set Interface {0} type=internal mac=\"{1}\" \
             -- set Port {0} external_ids:antrea-type=gateway",
            gateway.device, gateway.mac,
        );
        self.pods
            .iter()
            .fold(bridge, |all, pod| all + " -- " + &add_port(pod))
    }

    fn learn_ofports(&mut self) -> Result<()> {
        let listed = command::output(
            "ovs-vsctl",
            &["-f", "json", "--columns=name,ofport", "list", "Interface"],
        )?;
        let ofports = ofports(&listed).context("reading the interfaces' ofports")?;
        for pod in self.pods.iter_mut().chain([&mut self.gateway]) {
            let known = ofports.get(&pod.device);
            pod.ofport = *known.with_context(|| format!("OVS gave {} no ofport", pod.device))?;
        }
        Ok(())
    }

    fn gateway_addresses(&self) -> Result<()> {
        let Pod {
            device, ipv4, ipv6, ..
        } = &self.gateway;
        let batch = format!(
            "link set {device} up\naddr add {ipv4}/16 dev {device}\naddr add {ipv6}/64 dev {device} nodad\n"
        );
        command::input("ip", &["-batch", "-"], &batch)
            .context("giving the gateway its addresses")
            .map(drop)
    }
}

fn vsctl(commands: &str) -> Result<()> {
    // An ovs-vswitchd that has died never says that it is done.
    let arguments: Vec<&str> = ["--timeout=60"]
        .into_iter()
        .chain(commands.split_whitespace())
        .collect();
    command::output("ovs-vsctl", &arguments).map(drop)
}

/// The port of a Pod with the identity that a CNI writes.
fn add_port(pod: &Pod) -> String {
    let Pod {
        name,
        device,
        mac,
        ipv4,
        ipv6,
        bridge,
        ..
    } = pod;
    format!(
        "add-port {bridge} {device} -- set Port {device} external_ids:antrea-type=container \
         external_ids:pod-name={name} external_ids:pod-namespace={NAMESPACE} \
         external_ids:ip-address=\"{ipv4},{ipv6}\" external_ids:attached-mac=\"{mac}\" \
         external_ids:container-id={}",
        pod.container()
    )
}

/// `ovs-vsctl -f json` prints `{"data": [[name, ofport], …], …}`; an interface without ofport has an empty set.
fn ofports(listed: &str) -> Result<BTreeMap<String, u32>> {
    let listed: Value = serde_json::from_str(listed)?;
    let rows = listed.get("data").and_then(Value::as_array).context("no rows")?;
    let read = |row: &Value| {
        let ofport = u32::try_from(row.get(1)?.as_i64()?).ok()?;
        Some((row.get(0)?.as_str()?.to_owned(), ofport))
    };
    Ok(rows.iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ofports_that_were_not_given_are_left_out() {
        let listed =
            r#"{"data":[["veth1",3],["veth2",["set",[]]],["veth3",-1]],"headings":["name","ofport"]}"#;
        assert_eq!(
            ofports(listed).unwrap(),
            BTreeMap::from([("veth1".to_owned(), 3)])
        );
        assert!(ofports("[]").is_err());
    }

    #[test]
    fn devices_are_sorted_by_their_numbers() {
        let node = Node {
            gateway: Pod::new(0),
            pods: vec![Pod::new(1), Pod::new(2), Pod::new(3)],
            conntrack: false,
            patched: false,
        };
        let [one, two, three] = [1, 2, 3].map(|number| Pod::new(number).device);
        let shown = format!(
            "system@ovs-system:\n  port 0: ovs-system (internal)\n  port 12: {two}\n  port 1: {one}\n  port 3: {three}\n"
        );
        assert_eq!(node.by_number(&shown), [one.as_str(), &three, &two]);
    }

    #[test]
    fn one_call_makes_all_ports() {
        let node = Node {
            gateway: Pod::new(0),
            pods: vec![Pod::new(1), Pod::new(2)],
            conntrack: false,
            patched: false,
        };
        let call = node.bridge();
        assert_eq!(call.matches("add-port").count(), 3);
        assert!(call.contains(r#"external_ids:ip-address="10.10.0.3,fd00:10:10::3""#));
    }
}
