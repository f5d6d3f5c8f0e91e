//! Recordings of made-up disruptions, for tests of what is drawn.
//!
//! Must not depend on: what is drawn. The stories are those of the judge's own tests, with upcalls and counters added.

#[path = "../../../tracer-core/tests/story/mod.rs"]
#[allow(dead_code, reason = "not every test tells every story")]
pub mod story;

pub use story::Plot;
#[allow(dead_code, reason = "not every test draws")]
pub mod session;

use story::{DP, Story, ms};
use tracer_core::event::{Event, EventKind, UpcallCommand, Upcalls};
use tracer_core::id::PortNo;
use tracer_core::log::{self, Header, VERSION};
use tracer_core::vocabulary::capture::LatencyCount;

/// Where all recordings are from.
pub fn header() -> Header {
    Header {
        ovsgap_log: VERSION,
        tool: "ovsgap test".into(),
        hostname: Some("node-1".into()),
        kernel: Some("6.12.0".into()),
        started_ns: ms(1),
        wall_offset_ns: 1_700_000_000_000_000_000,
    }
}

/// The events of a plot, in time order, with upcalls.
pub fn events(plot: &Plot) -> Vec<Event> {
    let mut events = Story::tell(plot);
    let mut upcalls = |at: u64, result: i32, count: u64| {
        let upcalls = Upcalls {
            dp: DP,
            port_no: PortNo(11),
            command: UpcallCommand::Miss,
            result,
            count,
            first: ms(at - 90),
            last: ms(at - 1),
        };
        events.push(Event {
            at: ms(at),
            kind: EventKind::Upcalls(upcalls),
        });
    };
    for tick in 2..=60 {
        upcalls(tick * 100, 0, 10 + tick % 7);
    }
    upcalls(2000, -107, 40);
    upcalls(2100, 0, 180);
    for at in [2100, 2400] {
        let wait = |at_least_us: u64, upcalls: u64| LatencyCount {
            at_least_ns: at_least_us * 1_000,
            below_ns: at_least_us * 1_040,
            upcalls,
        };
        let kind = EventKind::UpcallLatency {
            waits: vec![wait(180, 12), wait(350, 61), wait(700, 14), wait(12_000, 2)],
            ambiguous: 3,
        };
        events.push(Event { at: ms(at), kind });
    }
    events.sort();
    events
}

/// A whole recording of a plot.
pub fn recording(plot: &Plot) -> Vec<u8> {
    recording_of(events(plot))
}

/// A recording of events.
pub fn recording_of(events: impl IntoIterator<Item = Event>) -> Vec<u8> {
    let mut bytes = Vec::new();
    log::write_header(&mut bytes, &header()).unwrap();
    for (seq, event) in (0..).zip(events) {
        log::write_entry(&mut bytes, seq, &event).unwrap();
    }
    bytes
}
