//! What keys change: the model alone, without a terminal.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;

use recorded::session::Session;
use recorded::story::ms;
use recorded::{Plot, events, header, recording, recording_of};
use tracer::historian::Target;
use tracer::historian::moment::Moment;
use tracer::historian::{Historian, Order};
use tracer::ready::Ready;
use tracer::tui::action::{Action, Effect};
use tracer::tui::axis;
use tracer::tui::layout;
use tracer::tui::rows::{label, rows};
use tracer::tui::screen::{Mode, Pane, REAL_TIME, Sort};
use tracer::tui::update::wanted;
use tracer_core::event::{Event, EventKind};
use tracer_core::time::Timestamp;

fn session() -> Session {
    let plot = Plot {
        straggling: 180,
        ..Plot::default()
    };
    Session::over(&recording(&plot))
}

fn shown(session: &Session) -> Vec<String> {
    rows(&session.moment, &session.screen)
        .into_iter()
        .map(label)
        .collect()
}

fn two_disruptions() -> Vec<u8> {
    let first = events(&Plot::default());
    let later = first
        .iter()
        .filter(|event| event.at > ms(900))
        .cloned()
        .map(|mut event| {
            event.at = event.at.plus(ms(10_000).0);
            // The second time, the process that was started first goes.
            let text = serde_json::to_string(&event).unwrap();
            let text = text
                .replace("\"pid\":100,", "\"pid\":200,")
                .replace("\"pid\":200,\"parent\":1,\"comm\":\"ovs-vswitchd\"}},", "");
            serde_json::from_str::<Event>(&text).unwrap()
        });
    let ended = |event: &Event| event.kind == EventKind::CaptureEnded;
    let mut all: Vec<Event> = first
        .iter()
        .filter(|event| !ended(event))
        .cloned()
        .chain(later)
        .collect();
    all.sort_by_key(|event| event.at);
    recording_of(all)
}

#[test]
fn pods_are_sorted_filtered_and_searched() {
    let session = session();
    assert_eq!(
        shown(&session),
        ["default/web-1", "default/web-3", "default/web-2"],
        "most lost first"
    );
    let session = session.press("sss");
    assert_eq!(session.screen.sort, Sort::Name);
    assert_eq!(
        shown(&session),
        ["default/web-1", "default/web-2", "default/web-3"]
    );
    let session = session.press("S");
    assert_eq!(shown(&session)[0], "default/web-3");
    let session = session.press("fWEB-2<Enter>");
    assert_eq!(shown(&session), ["default/web-2"]);
    let session = session.press("<Esc>");
    assert_eq!(shown(&session).len(), 3);
    let session = session.press("/web-1<Enter>");
    assert_eq!(wanted(&session.screen, &session.moment).unwrap(), "veth1");
    let session = session.press("/web<Enter>nn");
    assert_eq!(
        wanted(&session.screen, &session.moment).unwrap(),
        "veth2",
        "around the end"
    );
    let session = session.press("N");
    assert_eq!(wanted(&session.screen, &session.moment).unwrap(), "veth3");
}

#[test]
fn what_is_typed_can_be_taken_back() {
    let session = session().press("fweb-22<Backspace>");
    assert_eq!(session.screen.filter, "web-2");
    let session = session.press("<Esc>");
    assert_eq!(
        (session.screen.filter.as_str(), &session.screen.mode),
        ("", &Mode::Normal)
    );
    let session = session.press("/nobody<Enter>");
    assert_eq!(session.screen.notice.as_deref(), Some("no Pod matches `nobody`"));
}

#[test]
fn affected_pods_alone() {
    let healthy = Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    };
    let session = Session::over(&recording(&healthy)).press("a");
    assert!(shown(&session).is_empty());
    assert_eq!(shown(&session.press("<Esc>")).len(), 3);
}

#[test]
fn the_selection_stays_with_its_pod() {
    let session = session().press("j");
    let selected = wanted(&session.screen, &session.moment);
    let session = session.press("sS");
    assert_eq!(wanted(&session.screen, &session.moment), selected);
    let session = session.press("G");
    let last = shown(&session).len() - 1;
    assert_eq!(
        tracer::tui::update::selected(&session.screen, &session.moment),
        last
    );
}

fn at(session: &Session) -> u64 {
    session.moment.at.0 / 1_000_000
}

#[test]
fn milestones_are_stops() {
    let mut session = session().press("^");
    assert_eq!(at(&session), 0);
    let mut stops = Vec::new();
    while !session.moment.following {
        session = session.press("]");
        stops.push(at(&session));
        if session.screen.notice.is_some() {
            break;
        }
    }
    assert_eq!(stops, [1000, 1050, 1100, 1998, 1999, 2000, 2300, 2320, 2320]);
    assert_eq!(session.screen.notice.as_deref(), Some("nothing there"));
    let session = session.press("[[");
    assert_eq!(at(&session), 2000);
}

#[test]
fn steps_go_over_ticks_and_back() {
    let session = session().press("^");
    let begin = session.moment.position;
    let session = session.press("lllll");
    let there = session.moment.position;
    assert!(there >= begin + 5);
    let session = session.press("lh");
    assert_eq!(session.moment.position, there);
    let session = session.press("$h");
    assert!(!session.moment.following);
    let session = session.press("l");
    assert!(
        session.moment.following,
        "the end of a recording is its newest point"
    );
}

#[test]
fn stepping_sees_every_event_but_ticks_once() {
    let plot = Plot::default();
    let worth: Vec<Event> = events(&plot)
        .into_iter()
        .filter(|event| event.kind != EventKind::Tick)
        .collect();
    let mut session = Session::over(&recording(&plot)).press("^");
    let mut seen = Vec::new();
    while !session.moment.following {
        session.act(Action::StepForward);
        seen.push(session.moment.at);
    }
    assert_eq!(
        seen,
        worth.iter().map(|event| event.at).collect::<Vec<Timestamp>>()
    );
}

#[test]
fn disruptions_are_stops() {
    let session = Session::over(&two_disruptions());
    assert_eq!(
        session.moment.report.disruptions.len(),
        2,
        "{:?}",
        session.moment.report.disruptions
    );
    let session = session.press("{");
    assert_eq!(session.moment.report.disruptions.len(), 1);
    assert_eq!(
        session.moment.disruption().unwrap().summary.affected,
        3,
        "everything of the first is known"
    );
    let session = session.press("}");
    assert!(session.moment.following);
    assert_eq!(session.moment.disruption().unwrap().id, 2);
}

#[test]
fn the_axis_is_zoomed_around_the_shown_point_and_moved() {
    let session = session().press("^]]]]]]");
    let (from, to) = axis::shown(&session.screen, &session.moment);
    let session = session.press("++");
    let (near, far) = axis::shown(&session.screen, &session.moment);
    assert_eq!(far.since(near), to.since(from) / 4);
    assert!((near..far).contains(&session.moment.at));
    let session = session.press("L");
    assert_eq!(
        axis::shown(&session.screen, &session.moment).0,
        near.plus(far.since(near) / 4)
    );
    let session = session.press("H-");
    assert_eq!(
        axis::shown(&session.screen, &session.moment).1.since(near),
        to.since(from) / 2 - near.since(axis::shown(&session.screen, &session.moment).0)
    );
    let session = session.press("0");
    assert_eq!(axis::shown(&session.screen, &session.moment), (from, to));
}

#[test]
fn the_shown_point_is_always_on_the_axis() {
    let mut session = session().press("^");
    while !session.moment.following {
        let (from, to) = axis::shown(&session.screen, &session.moment);
        assert!(
            (from..=to).contains(&session.moment.at),
            "{:?}",
            session.moment.at
        );
        session.act(Action::StepForward);
    }
}

#[test]
fn a_recording_is_played() {
    let mut session = session().press(">> ");
    assert!(session.screen.playing && !session.moment.following);
    assert_eq!(session.screen.speed, 4 * REAL_TIME);
    let began = session.moment.at;
    session.act(Action::Passed(10_000_000));
    assert_eq!(session.moment.at, began.plus(40_000_000));
    let mut session = session.press(" ");
    let stopped = session.moment.at;
    assert!(session.act(Action::Passed(10_000_000)).is_empty());
    assert_eq!(session.moment.at, stopped);
    session.act(Action::Pause);
    for _ in 0..10_000 {
        session.act(Action::Passed(10_000_000));
    }
    assert!(
        session.moment.following && !session.screen.playing,
        "it stops at the end"
    );
}

#[test]
fn keys_that_need_the_world_say_so() {
    let mut session = session();
    assert_eq!(session.act(Action::Quit), [Effect::Quit]);
    assert_eq!(session.act(Action::Export), [Effect::Export]);
    assert_eq!(session.act(Action::Record), [Effect::Record]);
    assert_eq!(session.act(Action::Mouse), [Effect::Mouse(true)]);
    assert_eq!(session.act(Action::Mouse), [Effect::Mouse(false)]);
}

#[test]
fn the_focus_goes_round_and_arrows_follow_it() {
    let mut session = session();
    let mut seen = vec![session.screen.focus];
    for _ in 0..Pane::ALL.len() - 1 {
        session = session.press("<Tab>");
        seen.push(session.screen.focus);
    }
    seen.sort();
    assert_eq!(seen, Pane::ALL);
    session.screen.focus = Pane::Events;
    assert_eq!(session.act(Action::Up), [Effect::Go(Target::Step(-1))]);
    session.screen.focus = Pane::Milestones;
    assert_eq!(session.act(Action::Up).len(), 1);
    session.screen.focus = Pane::Detail;
    let session = session.press("jjk");
    assert_eq!(session.screen.scrolled.0, 1);
    let session = session.press("<Enter>");
    assert!(session.screen.maximized);
    assert!(!session.press("<Esc>").screen.maximized);
}

#[test]
fn help_is_scrolled_and_closed() {
    let session = session().press("?jjk");
    assert_eq!(session.screen.mode, Mode::Help(1));
    assert_eq!(session.press("<Esc>").screen.mode, Mode::Normal);
}

#[test]
fn the_mouse_selects_pods_and_times() {
    let mut session = session().sized(120, 40);
    let rows = rows(&session.moment, &session.screen).len();
    let panes = layout::panes(&session.screen, rows);
    let place = |pane: Pane| panes.iter().find(|(known, _)| *known == pane).unwrap().1;
    let table = layout::table(place(Pane::Pods));
    session.act(Action::Click(table.x + 3, table.y + 2));
    assert_eq!(wanted(&session.screen, &session.moment).unwrap(), "veth2");
    let timeline = place(Pane::Timeline);
    session.act(Action::Click(timeline.right() - 30, timeline.y + 3));
    let (from, to) = axis::shown(&session.screen, &session.moment);
    assert!((from..to).contains(&session.moment.at) && !session.moment.following);
    assert_eq!(session.screen.focus, Pane::Timeline);
    assert!(session.act(Action::Click(0, 0)).is_empty());
}

fn live(events: Vec<Event>) -> Historian {
    let mut historian = Historian::live(header(), Ready::default());
    for event in events {
        historian.obey(Order::Event(event));
    }
    historian
}

#[test]
fn live_goes_on_underneath_a_pause() {
    let (early, late): (Vec<Event>, Vec<Event>) = events(&Plot::default())
        .into_iter()
        .partition(|event| event.at <= ms(1500));
    let mut session = Session::of(live(early));
    assert!(session.moment.following);
    session.act(Action::Pause);
    let paused: Moment = session.moment.clone();
    assert!(!paused.following);
    for event in late {
        session.historian.obey(Order::Event(event));
    }
    session.look();
    assert_eq!(session.moment.at, paused.at);
    assert_eq!(
        session.moment.report, paused.report,
        "the shown point does not move"
    );
    assert_eq!(
        session.moment.whole.disruptions[0].summary.affected, 3,
        "but what is known does"
    );
    session.act(Action::Pause);
    assert!(session.moment.following);
    assert_eq!(session.moment.report, session.moment.whole);
}

/// The datapath's counters, as they are read every second.
fn counters(at: Timestamp, hit: u64, missed: u64) -> Event {
    let kind = EventKind::DatapathStats {
        dp: recorded::story::DP,
        hit,
        missed,
        lost: 0,
        flows: 3,
        upcalls_before: None,
        upcalls_after: None,
    };
    Event { at, kind }
}

#[test]
fn a_quiet_live_screen_does_not_grow() {
    let mut historian = live(events(&Plot::default()));
    let mut pass = |ticks: std::ops::Range<u64>| {
        for tick in ticks {
            let at = ms(tick * 100);
            historian.obey(Order::Event(Event {
                at,
                kind: EventKind::Tick,
            }));
            if tick % 10 == 0 {
                // Traffic goes its way.
                historian.obey(Order::Event(counters(at, tick * 1000, 7)));
            }
        }
        let moment = historian.moment();
        (moment.log.len(), moment.end, moment.at)
    };
    let (lines, events, _) = pass(81..100);
    let (more, kept, at) = pass(100..20_000);
    assert_eq!((more, at), (lines, ms(1_999_400)), "time goes on, nothing else");
    // Each second a reading, and three ticks: what shows that nobody fell silent.
    assert!(kept - events <= 4 * 1990, "{}", kept - events);
}

#[test]
fn a_busy_live_screen_forgets_what_is_oldest() {
    let mut historian = live(events(&Plot::default()));
    for second in 0..210_000 {
        let at = ms(8_000 + second * 1000);
        historian.obey(Order::Event(counters(at, second, second)));
    }
    let moment = historian.moment();
    assert!(moment.end > 210_000, "every event counts");
    let kept = moment.end - moment.begin;
    assert!((150_000..=200_000).contains(&kept), "{kept} are kept");
    assert_eq!(
        moment.whole.disruptions[0].summary.affected, 3,
        "what follows from those that are forgotten is not"
    );
}
