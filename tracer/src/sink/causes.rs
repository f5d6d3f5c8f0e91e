//! Causes: what each means, and what to do about it.
//!
//! Must not depend on: where that is said, single Pods.

use tracer_core::report::Cause;

/// What it means.
pub fn meaning(cause: Cause) -> &'static str {
    match cause {
        Cause::FlagBeforeFlows => "flow-restore-wait was removed before this Pod's OpenFlow flows were back",
        Cause::FlowsNeverInstalled => "this Pod's OpenFlow flows have not come back",
        Cause::SharedFlowsLate => {
            "this Pod's own OpenFlow flows were back, but a flow that all Pods share was not"
        }
        Cause::RevalidationLag => {
            "its flows were back, but drop megaflows made before outlived them until the revalidator came"
        }
        Cause::NoFlag => "the restart was made without flow-restore-wait: the flush came before any flow",
        Cause::FlagStuck => "flow-restore-wait stays set, so ovs-vswitchd takes no upcalls",
        Cause::AgentClearedFlows => {
            "the agent removed this Pod's OpenFlow flows while ovs-vswitchd kept running, and brought them back later"
        }
        Cause::HandlersDown => "nobody listened for upcalls: the first packet of each connection was lost",
        Cause::QueueOverflow => "upcalls came faster than ovs-vswitchd took them: their socket was full",
        Cause::ModuleReload => "the kernel module was reloaded: no datapath was there",
        Cause::PortRecreated => "its port was deleted and made again",
        Cause::PortMissing => {
            "its port is gone from the datapath and not back, though its device or its row in OVSDB is still there"
        }
        Cause::DatapathTakenOver => "two instances of ovs-vswitchd command the same datapath",
        Cause::Unknown => "the evidence names none of the known causes",
    }
}

/// What to do about it; `None`: nothing is known to help.
pub fn remedy(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::FlagBeforeFlows => {
            "let the agent install all flows first and remove flow-restore-wait after the last of them"
        }
        Cause::FlowsNeverInstalled => "see the agent's log: it has not programmed this Pod again",
        Cause::SharedFlowsLate => {
            "let the agent install the flows that all Pods share before it removes flow-restore-wait"
        }
        Cause::RevalidationLag => {
            "keep packets away until the flows are there (flow-restore-wait), so that no drop megaflow is made"
        }
        Cause::NoFlag => {
            "set flow-restore-wait before ovs-vswitchd is stopped and remove it after the flows are back"
        }
        Cause::FlagStuck => {
            "have the agent remove flow-restore-wait, or `ovs-vsctl remove Open_vSwitch . other_config flow-restore-wait`"
        }
        Cause::AgentClearedFlows => {
            "let the agent replace flows in one bundle, or under a new cookie, instead of deleting them first"
        }
        Cause::HandlersDown => "see why ovs-vswitchd was down or had no handler threads: its log says so",
        Cause::QueueOverflow => "spread new connections over time, or leave ovs-vswitchd more processor time",
        Cause::ModuleReload => "move the node's Pods away before the kernel module is reloaded",
        Cause::PortRecreated => {
            "keep the Pod's port across the restart: see what deleted it in the agent's log"
        }
        Cause::PortMissing => {
            "see Interface.error of its row (`ovs-vsctl list Interface`) and add the port again"
        }
        Cause::DatapathTakenOver => {
            "stop one of them: a container and its host must not both run ovs-vswitchd on one kernel"
        }
        Cause::Unknown => return None,
    })
}
