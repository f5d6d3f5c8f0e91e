//! The OpenFlow pipeline of the node, shaped like Antrea's: which flows there are without Pods and for each Pod.
//!
//! Must not depend on: how flows get into OVS. Pure: text in the syntax of `ovs-ofctl add-flows`.
//!
//! Tables, priorities, matches and cookies follow Antrea's `InstallPodFlows` and cookie allocator
//! (round 16 bits, category 8 bits, 8 bits reserved, object 32 bits).

use std::fmt::Write as _;

use crate::pods::Pod;
use crate::words::truth::POLICY_DROPS;

/// Cookie category of flows that are there without Pods.
const DEFAULT: u64 = 0;
/// Cookie category of a Pod's flows.
const POD_CONNECTIVITY: u64 = 1;

const ROOT: u8 = 0;
const ARP_SPOOF_GUARD: u8 = 1;
const ARP_RESPONDER: u8 = 2;
const CLASSIFIER: u8 = 3;
const SPOOF_GUARD: u8 = 4;
const CONNTRACK: u8 = 5;
const L3_FORWARDING: u8 = 6;
const L2_FORWARDING: u8 = 7;
const OUTPUT: u8 = 8;

/// How the pipeline of a bridge is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// The `ofport` of the patch to another bridge: what is not this bridge's goes there.
    pub patch: Option<u32>,
    /// The agent's round: one more at each start of the agent.
    pub round: u16,
    /// Whether IP packets pass through conntrack (and are recirculated), as Antrea's do.
    pub conntrack: bool,
}

impl Pipeline {
    fn cookie(self, category: u64, object: u64) -> String {
        format!("{:#x}", (u64::from(self.round) << 48) | (category << 40) | object)
    }

    /// Flows that need no Pod: table-miss flows, the gateway where the bridge has one, policy.
    pub fn base(self, gateway: Option<&Pod>) -> String {
        let cookie = self.cookie(DEFAULT, 0);
        let mut flows = String::new();
        let mut add = |table: u8, flow: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(flows, "cookie={cookie},table={table},{flow}");
        };
        add(
            ROOT,
            &format!("priority=200,arp,actions=goto_table:{ARP_SPOOF_GUARD}"),
        );
        for family in ["ip", "ipv6"] {
            let flow = format!("priority=200,{family},actions=goto_table:{CLASSIFIER}");
            add(ROOT, &flow);
        }
        for table in [
            ROOT,
            ARP_SPOOF_GUARD,
            ARP_RESPONDER,
            CLASSIFIER,
            SPOOF_GUARD,
            OUTPUT,
        ] {
            add(table, "priority=0,actions=drop");
        }
        add(ARP_RESPONDER, "priority=190,arp,actions=NORMAL");
        // Link-local addresses are used for nothing else; a spoof guard knows a Pod's own only.
        let link_local = format!("priority=200,icmp6,ipv6_src=fe80::/10,actions=goto_table:{CONNTRACK}");
        add(SPOOF_GUARD, &link_local);
        for kind in ["icmp_type=135", "icmp_type=136"] {
            let flow = format!("priority=210,icmp6,{kind},icmp_code=0,actions=NORMAL");
            add(CONNTRACK, &flow);
        }
        if self.conntrack {
            for family in ["ip", "ipv6"] {
                let actions = format!("ct(table={L3_FORWARDING},zone=65520)");
                add(CONNTRACK, &format!("priority=200,{family},actions={actions}"));
            }
        }
        let past = format!("priority=0,actions=goto_table:{L3_FORWARDING}");
        add(CONNTRACK, &past);
        for family in ["udp", "udp6"] {
            add(
                L3_FORWARDING,
                &format!("priority=210,{family},tp_dst={POLICY_DROPS},actions=drop"),
            );
        }
        add(
            L3_FORWARDING,
            &format!("priority=0,actions=goto_table:{L2_FORWARDING}"),
        );
        add(L2_FORWARDING, &format!("priority=0,actions=goto_table:{OUTPUT}"));
        for (table, flow) in self.patch.into_iter().flat_map(across) {
            add(table, &flow);
        }
        add(
            OUTPUT,
            "priority=200,reg0=0x100/0x100,actions=output:NXM_NX_REG1[]",
        );
        flows
            + &gateway
                .map(|gateway| self.port(gateway, DEFAULT))
                .unwrap_or_default()
    }

    /// The flows of one Pod: what goes into one bundle.
    pub fn pod(self, pod: &Pod) -> String {
        self.port(pod, POD_CONNECTIVITY)
    }

    fn port(self, pod: &Pod, category: u64) -> String {
        let Pod {
            mac,
            ipv4,
            ipv6,
            ofport,
            ..
        } = pod;
        let cookie = self.cookie(category, u64::from(*ofport));
        let routed = "reg0=0x200/0x200";
        let rewrite = format!("set_field:{mac}->eth_dst,goto_table:{L2_FORWARDING}");
        [
            format!("table={CLASSIFIER},priority=190,in_port={ofport},actions=set_field:0x3/0xf->reg0,goto_table:{SPOOF_GUARD}"),
            format!("table={SPOOF_GUARD},priority=200,ip,in_port={ofport},dl_src={mac},nw_src={ipv4},actions=goto_table:{CONNTRACK}"),
            format!("table={SPOOF_GUARD},priority=200,ipv6,in_port={ofport},dl_src={mac},ipv6_src={ipv6},actions=goto_table:{CONNTRACK}"),
            format!("table={ARP_SPOOF_GUARD},priority=200,arp,in_port={ofport},arp_spa={ipv4},arp_sha={mac},actions=goto_table:{ARP_RESPONDER}"),
            format!("table={L3_FORWARDING},priority=200,ip,{routed},nw_dst={ipv4},actions={rewrite}"),
            format!("table={L3_FORWARDING},priority=200,ipv6,{routed},ipv6_dst={ipv6},actions={rewrite}"),
            format!("table={L2_FORWARDING},priority=200,dl_dst={mac},actions=set_field:{ofport}->reg1,set_field:0x100/0x100->reg0,goto_table:{OUTPUT}"),
        ]
        .iter()
        .fold(String::new(), |all, flow| all + "cookie=" + &cookie + "," + flow + "\n")
    }
}

/// What comes over the patch at an `ofport` was let in on the other side; what is not known on this side goes there.
fn across(patch: u32) -> [(u8, String); 4] {
    let out = format!("set_field:{patch}->reg1,set_field:0x100/0x100->reg0,goto_table:{OUTPUT}");
    [
        (
            ARP_SPOOF_GUARD,
            format!("priority=200,arp,in_port={patch},actions=goto_table:{ARP_RESPONDER}"),
        ),
        (
            CLASSIFIER,
            format!("priority=200,in_port={patch},actions=goto_table:{L3_FORWARDING}"),
        ),
        (
            L2_FORWARDING,
            format!("priority=20,in_port={patch},actions=goto_table:{OUTPUT}"),
        ),
        (L2_FORWARDING, format!("priority=10,actions={out}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: Pipeline = Pipeline {
        patch: None,
        round: 2,
        conntrack: false,
    };

    #[test]
    fn a_pods_flows_have_its_addresses_and_cookie() {
        let pod = Pod {
            ofport: 7,
            ..Pod::new(3)
        };
        let flows = PIPELINE.pod(&pod);
        assert_eq!(flows.lines().count(), 7);
        assert!(
            flows
                .lines()
                .all(|flow| flow.starts_with("cookie=0x2010000000007,table="))
        );
        assert!(
            flows.contains("priority=190,in_port=7,")
                && flows.contains("arp_spa=10.10.0.4,arp_sha=0a:00:00:00:00:04")
        );
    }

    #[test]
    fn every_table_that_ends_the_pipeline_drops_what_it_does_not_know() {
        let base = PIPELINE.base(Some(&Pod {
            ofport: 1,
            ..Pod::new(0)
        }));
        assert_eq!(
            base.lines()
                .filter(|flow| flow.ends_with("priority=0,actions=drop"))
                .count(),
            6
        );
        assert!(!base.contains("ct("));
        assert!(
            Pipeline {
                conntrack: true,
                ..PIPELINE
            }
            .base(None)
            .contains("ct(table=6,zone=65520)")
        );
    }
}
