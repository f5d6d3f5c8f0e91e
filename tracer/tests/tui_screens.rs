//! Drawn screens: every pane and every state, at three sizes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;

mod proven;

use std::sync::Arc;

use proven::{prove, unknown_port};
use recorded::session::Session;
use recorded::story::ms;
use recorded::{Plot, events, recording, recording_of};
use tracer::historian::{Historian, Order, strangers};
use tracer::ready::Ready;
use tracer::tui::screen::Pane;
use tracer_core::event::{Event, EventKind, Hook, Unrecorded};
use tracer_core::packet::PacketFate;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];

/// One Pod waits longer than the others for its drop megaflow to go.
fn bug() -> Plot {
    Plot {
        straggling: 180,
        ..Plot::default()
    }
}

/// Draws at every size.
fn check(name: &str, recording: &[u8], keys: &str) {
    for (columns, rows) in SIZES {
        let session = Session::over(recording).sized(columns, rows).press(keys);
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), session.draw());
    }
}

#[test]
fn a_disruption_that_is_over() {
    check("over", &recording(&bug()), "");
}

#[test]
fn in_the_middle_of_a_disruption() {
    // Between the flush and the flows.
    check("exposed", &recording(&bug()), "^]]]]ll");
}

#[test]
fn before_the_flush() {
    check("waiting", &recording(&bug()), "^]]");
}

#[test]
fn before_anything_has_happened() {
    check("quiet", &recording(&bug()), "^lllllllllllllllllllllll");
}

#[test]
fn the_help_names_every_key_and_sign() {
    check("help", &recording(&bug()), "?");
}

#[test]
fn each_pane_alone() {
    for pane in Pane::ALL {
        let mut session = Session::over(&recording(&bug())).press("]]");
        session.screen.focus = pane;
        session.screen.shared = pane;
        let name = format!("alone_{}", pane.title().to_lowercase());
        insta::assert_snapshot!(name, session.press("z").draw());
    }
}

#[test]
fn each_pane_in_the_shared_place() {
    for pane in Pane::SHARED {
        let mut session = Session::over(&recording(&bug()));
        session.screen.focus = pane;
        session.screen.shared = pane;
        let name = format!("shared_{}", pane.title().to_lowercase());
        insta::assert_snapshot!(name, session.draw());
    }
}

#[test]
fn a_node_without_any_disruption() {
    let events = events(&bug()).into_iter().filter(|event| event.at < ms(1000));
    check("no_disruption", &recording_of(events), "");
}

#[test]
fn what_is_missing_is_in_sight_on_every_screen() {
    let mut events = events(&bug());
    let hook = Hook {
        name: "ovs_flow_tbl_flush".into(),
        attach: "kprobe".into(),
        ok: false,
        error: "no such function: load the module".into(),
        offsets: None,
    };
    events.insert(
        0,
        Event {
            at: ms(1),
            kind: EventKind::Hook(hook),
        },
    );
    events.retain(
        |event| !matches!(&event.kind, EventKind::Hook(hook) if hook.ok && hook.name == "ovs_flow_tbl_flush"),
    );
    events.push(Event {
        at: ms(2100),
        kind: EventKind::RecordsLost {
            hook: "ovs_dp_upcall".into(),
            count: 17,
            why: Some(Unrecorded::UpcallsFull),
        },
    });
    events.sort_by_key(|event| event.at);
    let recording = recording_of(events);
    check("missing", &recording, "");
    for pane in Pane::ALL {
        let mut session = Session::over(&recording).sized(80, 24);
        session.screen.focus = pane;
        let drawn = session.press("z").draw();
        assert!(drawn.contains("8 of 9 hooks, 17 lost"), "{pane:?}:\n{drawn}");
    }
}

/// The first Pod lost packets, the second is clear, of the third nothing can be said, and packets of somebody unknown were lost.
fn proven_screen((columns, rows): (u16, u16)) -> Session {
    let mut session = Session::over(&recording(&bug())).sized(columns, rows);
    let report = Arc::make_mut(&mut session.moment.report);
    let disruption = &mut report.disruptions[0];
    prove(&mut disruption.pods[0], 820, "");
    prove(&mut disruption.pods[1], 0, "");
    prove(
        &mut disruption.pods[2],
        0,
        "the flow monitor of br-int was closed",
    );
    disruption.unattributed = vec![unknown_port("port 9")];
    disruption.why = vec![
        "port 9 lost 7 packets, and nobody is known to own it.".to_owned(),
        "default/web-1 lost 820 packets.".to_owned(),
    ];
    session.moment.strangers = strangers::rows(disruption);
    session
}

#[test]
fn a_verdict_says_why_and_what_it_rests_on() {
    for (columns, rows) in SIZES {
        let drawn = proven_screen((columns, rows)).draw();
        assert!(drawn.contains("why: port 9 lost 7 packets"), "{drawn}");
        assert!(drawn.contains("9 of 9 hooks, 0 lost"), "{drawn}");
        assert!(drawn.contains("(+1 more)"), "{drawn}");
        insta::assert_snapshot!(format!("proven_{columns}x{rows}"), drawn);
    }
}

#[test]
fn a_recording_that_was_cut_off() {
    let bytes = recording(&bug());
    let cut = &bytes[..bytes.len() * 3 / 5];
    insta::assert_snapshot!(Session::over(cut).sized(120, 40).draw());
}

#[test]
fn flows_that_never_come_back_leave_the_end_unknown() {
    let plot = Plot {
        flows_after_flush: None,
        ..Plot::default()
    };
    check("unknown", &recording(&plot), "");
}

#[test]
fn packets_that_waited_and_were_delivered() {
    let plot = Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    };
    check("delayed", &recording(&plot), "");
}

#[test]
fn many_pods() {
    let plot = Plot {
        pods: 250,
        ..Plot::default()
    };
    check("many", &recording(&plot), "/web-24<Enter>jj");
}

#[test]
fn search_filter_and_sort() {
    let recording = recording(&bug());
    insta::assert_snapshot!("search", Session::over(&recording).press("/web-3").draw());
    insta::assert_snapshot!(
        "filter",
        Session::over(&recording).press("fweb-2<Enter>sS").draw()
    );
    insta::assert_snapshot!("none", Session::over(&recording).press("fnobody").draw());
}

#[test]
fn zoomed_in_on_the_flush() {
    insta::assert_snapshot!(
        Session::over(&recording(&bug()))
            .sized(120, 40)
            .press("^]]]]++++u")
            .draw()
    );
}

#[test]
fn on_a_terminal_of_ascii_alone() {
    let mut session = Session::over(&recording(&bug())).press("]]");
    session.theme.ascii = true;
    let drawn = session.draw();
    assert!(drawn.is_ascii(), "{drawn}");
    insta::assert_snapshot!(drawn);
    let drawn = session.press("?").draw();
    assert!(drawn.is_ascii(), "{drawn}");
}

/// A live screen after these events.
fn live(events: impl IntoIterator<Item = Event>) -> Session {
    let mut historian = Historian::live(recorded::header(), Ready::default());
    for event in events {
        historian.obey(Order::Event(event));
    }
    Session::of(historian)
}

#[test]
fn live_while_packets_are_lost() {
    // The kernel tells of an open run on every tick.
    let mut seen: Vec<Event> = events(&bug())
        .into_iter()
        .filter(|event| event.at < ms(2290))
        .collect();
    let open: Vec<Event> = events(&bug())
        .into_iter()
        .filter_map(|mut event| {
            let EventKind::Packets(run) = &mut event.kind else {
                return None;
            };
            if run.fate != PacketFate::DropFlow {
                return None;
            }
            (run.last, run.packets, run.closed) = (ms(2250), 246, false);
            event.at = ms(2260);
            Some(event)
        })
        .collect();
    seen.extend(open);
    seen.sort();
    // Half a second on, nothing that happened earlier can still come.
    seen.extend((23..=28).map(|tick| Event {
        at: ms(tick * 100),
        kind: EventKind::Tick,
    }));
    let session = live(seen);
    assert!(session.moment.following);
    insta::assert_snapshot!(session.sized(120, 40).draw());
}

#[test]
fn live_before_the_sources_have_told() {
    insta::assert_snapshot!(
        live([Event {
            at: ms(5),
            kind: EventKind::Tick
        }])
        .draw()
    );
}

#[test]
fn no_size_is_too_small() {
    let recording = recording(&bug());
    for size in [(1, 1), (2, 40), (300, 2), (20, 8), (79, 23), (250, 70)] {
        for keys in ["", "z", "?", "/x", "^"] {
            let drawn = Session::over(&recording).sized(size.0, size.1).press(keys).draw();
            assert!(
                drawn.lines().count() <= size.1.into(),
                "{size:?} {keys}:\n{drawn}"
            );
        }
    }
}
