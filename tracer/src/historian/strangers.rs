//! Ports that nobody is known to own and that lost packets, as rows beside the Pods.
//!
//! Must not depend on: screens.

use tracer_core::report::{Disruption, Observed, Pod, Unattributed};
use tracer_core::vocabulary::bounds::Bounds;
use tracer_core::witness::proof::{Claim, Proof};

/// A row for each.
pub fn rows(disruption: &Disruption) -> Vec<Pod> {
    disruption.unattributed.iter().map(row).collect()
}

fn row(port: &Unattributed) -> Pod {
    let proof = Proof::of(&Claim {
        lost: port.loss.lost_packets,
        gap: Bounds {
            at_least: port.loss.min_ns.unwrap_or(0),
            at_most: port.loss.max_ns,
        },
        exposed: Bounds::exactly(0),
        carried: false,
        reachable: false,
        doubts: &["nobody is known to own this port".to_owned()],
        witnesses: &[],
    });
    Pod {
        namespace: None,
        name: crate::sink::words::unknown(port),
        bridge: None,
        interface: port.interface.clone(),
        ofport: None,
        port_no: None,
        mac: None,
        ips: Vec::new(),
        network: None,
        reachable_ns: None,
        flows_installed_ns: None,
        converged_ns: None,
        exposed: None,
        observed: Observed {
            to_pod: None,
            from_pod: Some(port.loss.clone()),
        },
        delayed: None,
        leak: None,
        cause: None,
        waterfall: Vec::new(),
        counterfactual: None,
        witnesses: Vec::new(),
        verdict: proof.verdict(),
        proof: Some(proof),
    }
}
