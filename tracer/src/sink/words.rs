//! The words in which all formats for people say the same things.
//!
//! May not know: where they stand.

use tracer_core::report::{Cause, Command, EndedBy, Finding, Kind, Loss, Pod, Reason, Verdict};

use crate::writing::Clock;

/// How a restart went.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Graceful => "graceful exit of ovs-vswitchd",
        Kind::Killed => "ovs-vswitchd killed",
        Kind::Restarted => "ovs-vswitchd restarted",
        Kind::FlagOnly => "flow-restore-wait changed, ovs-vswitchd kept running",
        Kind::FlushOnly => "datapath flushed, ovs-vswitchd kept running",
        Kind::ModuleReload => "kernel module reloaded",
    }
}

/// A verdict.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

/// A cause by the name it has in JSON.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::FlagBeforeFlows => "flag_before_flows",
        Cause::FlowsNeverInstalled => "flows_never_installed",
        Cause::RevalidationLag => "revalidation_lag",
        Cause::NoFlag => "no_flag",
        Cause::FlagStuck => "flag_stuck",
        Cause::HandlersDown => "handlers_down",
        Cause::QueueOverflow => "queue_overflow",
        Cause::ModuleReload => "module_reload",
        Cause::PortRecreated => "port_recreated",
        Cause::Unknown => "unknown",
    }
}

/// Why packets were lost.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoHandler => "no handler",
        Reason::QueueFull => "queue full",
        Reason::DropFlow => "drop flow",
        Reason::UserspaceDrop => "dropped in userspace",
        Reason::UpcallError => "upcall error",
    }
}

/// What ended an exposed window.
pub fn ended_by(ended_by: EndedBy) -> &'static str {
    match ended_by {
        EndedBy::Converged => "datapath flow",
        EndedBy::Delivered => "packet",
        EndedBy::FlowsInstalled => "flows installed",
        EndedBy::DropFlowsRemoved => "drop flows gone",
        EndedBy::FlowsBeforeFlush => "flows kept",
    }
}

/// What a Pod is called.
pub fn label(pod: &Pod) -> String {
    match &pod.namespace {
        Some(namespace) => format!("{namespace}/{}", pod.name),
        None => pod.name.clone(),
    }
}

/// Whether a port is worth a row: Pods always, others where something befell them.
pub fn is_shown(pod: &Pod) -> bool {
    pod.namespace.is_some() || pod.cause.is_some()
}

/// How a command ended.
pub fn ending(command: &Command) -> String {
    match (command.exit_code, command.signal, command.ended_ns) {
        (Some(code), ..) => format!("exited with {code}"),
        (None, Some(signal), _) => format!("was ended by signal {signal}"),
        (None, None, Some(_)) => "ended".to_owned(),
        (None, None, None) => "was still running".to_owned(),
    }
}

/// From when to when, counted from the beginning of the capture, where it is not the whole of it.
pub fn when(finding: &Finding, clock: Clock) -> String {
    match (finding.from_ns, finding.to_ns) {
        (None, None) => String::new(),
        (from, to) => {
            let from = from.map_or_else(|| "the beginning".to_owned(), |at| clock.point(at));
            let to = to.map_or_else(|| "the end".to_owned(), |at| clock.point(at));
            format!(" (from {from} to {to} of the capture)")
        }
    }
}

/// A figure that is known as least and most.
pub fn range([least, most]: [u64; 2]) -> String {
    if least == most {
        least.to_string()
    } else {
        format!("{least}–{most}")
    }
}

/// The longer of the two directions' holes.
pub fn longest_hole(pod: &Pod) -> Option<&Loss> {
    let losses = [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten();
    losses
        .filter(|loss| loss.lost_packets > 0)
        .max_by_key(|loss| (loss.max_ns, loss.min_ns))
}
