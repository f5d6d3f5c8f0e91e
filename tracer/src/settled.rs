//! When a capture around a command may end: the disruption it caused is over.
//!
//! Must not depend on: events.

use tracer_core::report::Report;
use tracer_core::verdict::docket::over;
use tracer_core::verdict::pods::AFTERMATH;

/// Whether the disruption is over for every Pod, and its packets are accounted for. Without any disruption: no.
pub fn settled(report: &Report) -> bool {
    report
        .disruptions
        .last()
        .and_then(over)
        .is_some_and(|over| report.capture.ended_ns.since(over) >= AFTERMATH)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use tracer_core::report::Kind;

    fn shipped() -> Report {
        let bytes = &include_bytes!("../../demo/restart.jsonl")[..];
        crate::command::report::judge(bytes).unwrap().0
    }

    #[test]
    fn a_capture_waits_until_every_window_is_closed() {
        let mut report = shipped();
        assert!(settled(&report));
        let exposed = report.disruptions[0].pods[0].exposed.as_mut().unwrap();
        exposed.end_ns = None;
        assert!(!settled(&report), "one is open");
        report.disruptions.clear();
        assert!(!settled(&report), "nothing has begun");
    }

    #[test]
    fn a_gap_without_an_end_is_waited_for() {
        let mut report = shipped();
        let loss = report.disruptions[0].pods[0].observed.to_pod.as_mut().unwrap();
        loss.first_delivered_after_ns = None;
        assert!(!settled(&report));
    }

    #[test]
    fn without_a_restart_no_flush_is_waited_for() {
        let mut report = shipped();
        report.disruptions[0].milestones.flush_ns = None;
        assert!(!settled(&report), "a restart flushes");
        report.disruptions[0].kind = Kind::FlowsRemoved;
        assert!(settled(&report));
    }
}
