//! Recordings whose figures are as large as numbers can be, in every format and on the screen: they are added up like
//! all others, and a sum ends at the largest number.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;

use recorded::session::Session;
use recorded::{Plot, recording};
use tracer::sink::{Format, Style, render};
use tracer::tui::screen::Pane;
use tracer_core::event::EventKind;
use tracer_core::judge::judge;
use tracer_core::log::{Entry, Reader, write_entry, write_header};
use tracer_core::report::Report;
use tracer_core::time::Timestamp;

const SHIPPED: &[u8] = include_bytes!("../../demo/restart.jsonl");

/// The recording with each of its entries changed.
fn changed(recording: &[u8], change: impl Fn(&mut Entry)) -> Vec<u8> {
    let reader = Reader::new(recording).unwrap();
    let mut bytes = Vec::new();
    write_header(&mut bytes, reader.header()).unwrap();
    for entry in reader {
        let mut entry = entry.unwrap();
        change(&mut entry);
        write_entry(&mut bytes, entry.seq, &entry.event).unwrap();
    }
    bytes
}

/// All that was counted, as much as can be.
fn most(entry: &mut Entry) {
    match &mut entry.event.kind {
        EventKind::Packets(run) => (run.packets, run.bytes) = (u64::MAX, u64::MAX),
        EventKind::Upcalls(upcalls) => upcalls.count = u64::MAX,
        EventKind::UpcallLatency { waits, ambiguous } => {
            *ambiguous = u64::MAX;
            for wait in waits {
                wait.upcalls = u64::MAX;
            }
        }
        EventKind::RecordsLost { count, .. } | EventKind::HitsSkipped { count, .. } => *count = u64::MAX,
        EventKind::PacketsLost { runs, .. } => *runs = u64::MAX,
        _ => {}
    }
}

fn report(recording: &[u8]) -> Report {
    let reader = Reader::new(recording).unwrap();
    judge(reader.header().clone(), reader.map(|entry| entry.unwrap().event))
}

fn printed(report: &Report) {
    for format in Format::ALL {
        assert!(
            !render(
                report,
                Style {
                    format,
                    utc: true,
                    explain: true
                }
            )
            .is_empty()
        );
    }
}

/// Every pane at several points.
fn drawn(recording: &[u8]) {
    let mut session = Session::over(recording).sized(200, 50);
    for keys in ["", "^", "]]", "]]]"] {
        session = session.press(keys);
        for pane in Pane::ALL {
            session.screen.focus = pane;
            session.screen.shared = pane;
            assert!(!session.draw().is_empty());
        }
    }
}

#[test]
fn the_largest_counts_are_the_largest_sums() {
    for recording in [
        changed(SHIPPED, most),
        changed(&recording(&Plot::default()), most),
    ] {
        let report = report(&recording);
        assert_eq!(report.disruptions[0].summary.lost_packets, u64::MAX);
        assert_eq!(
            report.capture.upcall_latency.as_ref().unwrap().answered(),
            u64::MAX
        );
        printed(&report);
        drawn(&recording);
    }
}

#[test]
fn a_disruption_at_the_end_of_time_is_judged_and_drawn() {
    let last = Reader::new(SHIPPED)
        .unwrap()
        .map(|entry| entry.unwrap().event.at)
        .max()
        .unwrap();
    // Also beyond it: what comes last then comes at once.
    for later in [0, 200_000_000, 2_000_000_000] {
        let shift = |at: &mut Timestamp| *at = Timestamp(u64::MAX - last.since(*at)).plus(later);
        let moved = changed(SHIPPED, |entry| {
            shift(&mut entry.event.at);
            if let EventKind::Packets(run) = &mut entry.event.kind {
                shift(&mut run.first);
                shift(&mut run.last);
            }
        });
        assert!(!report(&moved).disruptions.is_empty());
        printed(&report(&moved));
        drawn(&moved);
    }
}
