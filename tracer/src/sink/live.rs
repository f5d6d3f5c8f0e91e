//! What a person at a running capture should hear at once, and not only in the report at its end: one line each.
//!
//! Must not depend on: events, terminals.

use std::collections::BTreeSet;

use tracer_core::report::{Cause, Condition, Pod, Report};
use tracer_core::time::Timestamp;

use super::words::label;

/// Says each thing once.
#[derive(Debug, Default)]
pub struct Live {
    pods: BTreeSet<(u32, String)>,
    conditions: BTreeSet<Timestamp>,
}

impl Live {
    /// What is new in a report: states that will not heal by themselves.
    pub fn news(&mut self, report: &Report) -> Vec<String> {
        let mut news = Vec::new();
        for disruption in &report.disruptions {
            for pod in &disruption.pods {
                let Some(what) = pod.cause.and_then(lasting) else {
                    continue;
                };
                if self.pods.insert((disruption.id, pod.interface.clone())) {
                    news.push(format!("{} {what}", name(pod)));
                }
            }
        }
        for Condition { since_ns, detail, .. } in &report.conditions {
            if self.conditions.insert(*since_ns) {
                news.push(detail.clone());
            }
        }
        news
    }
}

fn name(pod: &Pod) -> String {
    let what = if pod.namespace.is_some() { "Pod" } else { "port" };
    format!("{what} {}", label(pod))
}

/// What such a cause means for a Pod now.
fn lasting(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::FlowsNeverInstalled => Some(
            "still has no OpenFlow flows 5 s after the flush: its traffic is lost (flows_never_installed)",
        ),
        Cause::FlagStuck => {
            Some("loses packets and flow-restore-wait is still set: nothing new is forwarded (flag_stuck)")
        }
        Cause::PortMissing => Some(
            "has lost its datapath port, and its device or OVSDB row is still there: its traffic is lost (port_missing)",
        ),
        Cause::DatapathTakenOver => Some(
            "shares its datapath with a second ovs-vswitchd, which removes what the first one installs: stop one of them (datapath_taken_over)",
        ),
        _ => None,
    }
}
