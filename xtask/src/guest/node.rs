//! The node: OVS, its bridge, Pods with the identities a CNI writes, the pipeline.
//!
//! May not know: restarts, traffic.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ovs::{self, BRIDGE, Bundle};
use super::pipeline::Pipeline;
use super::pods::{self, NAMESPACE, Pod};
use super::{command, ovsdb};

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
}

impl Node {
    /// Brings the node up with `count` Pods; their flows are installed.
    pub fn up(count: u16, conntrack: bool) -> Result<Self> {
        ovs::prepare()?;
        let mut node = Self {
            gateway: Pod::new(0),
            pods: (1..=count).map(Pod::new).collect(),
            conntrack,
        };
        pods::create(&node.pods)?;
        ovs::start()?;
        let list = node.bridge();
        let arguments: Vec<&str> = list.iter().map(String::as_str).collect();
        command::output("ovs-vsctl", &arguments).context("making the bridge")?;
        node.learn_ofports()?;
        node.gateway_addresses()?;
        node.install(1)?;
        fs::write(STATE, serde_json::to_vec(&node)?).with_context(|| format!("writing {STATE}"))?;
        Ok(node)
    }

    /// The node that was brought up earlier.
    pub fn find() -> Result<Self> {
        let text =
            fs::read(STATE).with_context(|| format!("reading {STATE}; run `xtask guest node-up` first"))?;
        serde_json::from_slice(&text).with_context(|| format!("reading {STATE}"))
    }

    /// The pipeline as the agent of round `round` builds it.
    pub fn pipeline(&self, round: u16) -> Pipeline {
        Pipeline {
            round,
            conntrack: self.conntrack,
        }
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
        ovs::delete_flows()?;
        let pipeline = self.pipeline(round);
        let flows = self
            .pods
            .iter()
            .fold(pipeline.base(&self.gateway), |all, pod| all + &pipeline.pod(pod));
        Bundle::prepare(flows)?.commit()
    }

    /// One `ovs-vsctl` call that makes bridge, gateway and all Pods' ports.
    fn bridge(&self) -> Vec<String> {
        let gateway = &self.gateway;
        let mut text = format!(
            "--may-exist add-br {BRIDGE} -- set Bridge {BRIDGE} fail_mode=secure protocols=OpenFlow10,OpenFlow15 \
             external_ids:roundNum=1 -- add-port {BRIDGE} {0} -- set Interface {0} type=internal mac=\"{1}\" \
             -- set Port {0} external_ids:antrea-type=gateway",
            gateway.device, gateway.mac,
        );
        for pod in &self.pods {
            let Pod {
                name,
                device,
                mac,
                ipv4,
                ipv6,
                ..
            } = pod;
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                " -- add-port {BRIDGE} {device} -- set Port {device} external_ids:antrea-type=container \
                 external_ids:pod-name={name} external_ids:pod-namespace={NAMESPACE} \
                 external_ids:ip-address=\"{ipv4},{ipv6}\" external_ids:attached-mac=\"{mac}\" \
                 external_ids:container-id={}",
                pod.container()
            );
        }
        text.split_whitespace().map(str::to_owned).collect()
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
    fn one_call_makes_all_ports() {
        let node = Node {
            gateway: Pod::new(0),
            pods: vec![Pod::new(1), Pod::new(2)],
            conntrack: false,
        };
        let call = node.bridge().join(" ");
        assert_eq!(call.matches("add-port").count(), 3);
        assert!(call.contains(r#"external_ids:ip-address="10.10.0.3,fd00:10:10::3""#));
    }
}
