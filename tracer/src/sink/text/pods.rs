//! A row per Pod: its exposed window, what it lost, why.
//!
//! May not know: other restarts.

use tracer_core::report::{Cause, EndedBy, Exposed, Loss, Pod, Reason, Restart};

use super::timeline::label;
use super::units::{self, Clock};
use super::{line, table, verdict};

/// The rows of a restart, and below them what each window consists of.
pub fn rows(out: &mut String, restart: &Restart, clock: Clock) {
    let shown: Vec<&Pod> = restart.pods.iter().filter(|pod| is_shown(pod)).collect();
    if shown.is_empty() {
        return;
    }
    line(out, "");
    let head = [
        "POD",
        "EXPOSED ms",
        "ENDED BY",
        "AT",
        "LOST TO",
        "LOST FROM",
        "HOLE ms",
        "CAUSE",
        "VERDICT",
    ];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(shown.iter().map(|pod| row(pod, clock)));
    table::write(out, &cells);
    let silent = restart.pods.len() - shown.len();
    if silent > 0 {
        line(
            out,
            &format!(
                "  and {} without a window that are no Pod",
                units::count(silent as u64, "port")
            ),
        );
    }
    let details: Vec<String> = shown.iter().flat_map(|pod| details(pod)).collect();
    if !details.is_empty() {
        line(out, "");
    }
    for detail in details {
        line(out, &format!("  {detail}"));
    }
}

fn is_shown(pod: &Pod) -> bool {
    pod.namespace.is_some() || pod.cause.is_some()
}

fn row(pod: &Pod, clock: Clock) -> Vec<String> {
    let exposed = pod.exposed.as_ref();
    let end = exposed.and_then(|exposed| exposed.end_ns);
    vec![
        label(pod),
        exposed.map_or_else(|| "-".to_owned(), duration),
        exposed
            .and_then(|exposed| exposed.ended_by)
            .map_or("-", ended_by)
            .to_owned(),
        end.map_or_else(|| "-".to_owned(), |at| clock.point(at)),
        pod.observed
            .to_pod
            .as_ref()
            .map_or_else(|| "-".to_owned(), |loss| loss.lost_packets.to_string()),
        pod.observed
            .from_pod
            .as_ref()
            .map_or_else(|| "-".to_owned(), |loss| loss.lost_packets.to_string()),
        hole(pod),
        pod.cause.map_or("-", cause).to_owned(),
        verdict(pod.verdict).to_owned(),
    ]
}

fn duration(exposed: &Exposed) -> String {
    exposed
        .duration_ns
        .map_or_else(|| "open".to_owned(), units::millis)
}

/// The longer of the two directions' holes, as its bounds.
fn hole(pod: &Pod) -> String {
    let losses = [&pod.observed.to_pod, &pod.observed.from_pod]
        .into_iter()
        .flatten();
    let longest = losses
        .filter(|loss| loss.lost_packets > 0)
        .max_by_key(|loss| (loss.max_ns, loss.min_ns));
    longest.map_or_else(|| "-".to_owned(), bounds)
}

fn bounds(loss: &Loss) -> String {
    let most = loss.max_ns.map_or_else(|| "…".to_owned(), units::millis);
    format!(
        "{}–{most}",
        loss.min_ns.map_or_else(|| "…".to_owned(), units::millis)
    )
}

fn details(pod: &Pod) -> Vec<String> {
    let mut lines = Vec::new();
    if !pod.waterfall.is_empty() {
        let phases: Vec<String> = pod
            .waterfall
            .iter()
            .map(|phase| format!("{} {}", phase.phase, units::span(phase.ns)))
            .collect();
        lines.push(format!("{}: {}", label(pod), phases.join(" · ")));
    }
    for (way, loss) in [
        ("to it", &pod.observed.to_pod),
        ("from it", &pod.observed.from_pod),
    ] {
        let Some(loss) = loss.as_ref().filter(|loss| loss.lost_packets > 0) else {
            continue;
        };
        let reasons: Vec<String> = loss
            .by_reason
            .iter()
            .map(|(why, count)| format!("{count} {}", reason(*why)))
            .collect();
        let holes = if loss.holes > 1 {
            format!(" in {} holes", loss.holes)
        } else {
            String::new()
        };
        lines.push(format!(
            "{}: lost {way} {}{holes}",
            label(pod),
            reasons.join(", ")
        ));
    }
    if let Some(delayed) = &pod.delayed {
        let packets = units::count(delayed.packets, "packet");
        lines.push(format!(
            "{}: {packets} waited for userspace up to {} and were delivered",
            label(pod),
            units::span(delayed.max_ns)
        ));
    }
    if pod.leak.is_some() {
        lines.push(format!(
            "{}: traffic was forwarded although its flows were absent (leak)",
            label(pod)
        ));
    }
    lines
}

fn ended_by(ended_by: EndedBy) -> &'static str {
    match ended_by {
        EndedBy::Converged => "datapath flow",
        EndedBy::Delivered => "packet",
        EndedBy::FlowsInstalled => "flows installed",
        EndedBy::DropFlowsRemoved => "drop flows gone",
        EndedBy::FlowsBeforeFlush => "flows kept",
        EndedBy::PortDeleted => "port deleted",
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

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoHandler => "no handler",
        Reason::QueueFull => "queue full",
        Reason::DropFlow => "drop flow",
        Reason::UserspaceDrop => "dropped in userspace",
        Reason::UpcallError => "upcall error",
    }
}
