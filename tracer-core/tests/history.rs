//! A capture that is wound back says what the judge says of the events up to there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "other tests tell other stories")]
mod story;

use story::{Plot, Story, ms};
use tracer_core::class::Direction;
use tracer_core::event::{Event, EventKind};
use tracer_core::history::{History, Limits};
use tracer_core::judge::{Judge, judge};
use tracer_core::log::{Entry, Header};
use tracer_core::memory::story::Gap;
use tracer_core::time::Timestamp;
use tracer_core::{detail, report};

fn entries(events: &[Event]) -> Vec<Entry> {
    (0..)
        .zip(events.iter().cloned())
        .map(|(seq, event)| Entry { seq, event })
        .collect()
}

fn recorded(stride: u64) -> (History, report::Report, Vec<Event>) {
    let events = Story::tell(&Plot::default());
    let (history, report) = History::of_recording(Header::default(), entries(&events), None, stride);
    (history, report, events)
}

#[test]
fn the_end_is_the_report_over_the_recording() {
    let (history, report, events) = recorded(16);
    assert_eq!(report, judge(Header::default(), events));
    assert_eq!(history.report(history.head()), report);
}

#[test]
fn any_point_is_the_judge_over_the_events_up_to_it() {
    let (history, _, events) = recorded(16);
    let mut near = None;
    for at in [0, 1500, 2100, 2299, 2301, 2350, 1200, 8000].map(ms) {
        let position = history.position_at(at);
        let book = history.book(position, near.take());
        assert_eq!(book.position, position);
        let mut judge = Judge::new(Header::default());
        let up_to: Vec<Event> = events.iter().filter(|event| event.at <= at).cloned().collect();
        for entry in entries(&up_to) {
            judge.push(entry);
        }
        let mut expected = judge.finish(None);
        expected
            .coverage
            .retain(|finding| finding.kind != "log_truncated");
        let mut found = history.report(&book);
        // The judge knows that no end mark came; it weakens its verdicts, and only that may differ.
        for report in [&mut expected, &mut found] {
            report.verdict = report::Verdict::Fail;
            report.why.clear();
            for restart in &mut report.disruptions {
                restart.verdict = report::Verdict::Fail;
                restart.why.clear();
                for pod in &mut restart.pods {
                    pod.verdict = report::Verdict::Fail;
                    pod.witnesses.clear();
                    pod.proof = None;
                }
            }
        }
        assert_eq!(found, expected, "at {at:?}");
        near = Some(book);
    }
}

#[test]
fn what_is_wrong_with_the_recording_is_said_at_every_point() {
    let mut entries = entries(&Story::tell(&Plot::default()));
    entries.remove(entries.len() / 2);
    let (history, report) = History::of_recording(Header::default(), entries, Some("cut"), 16);
    let early = history.report(&history.book(3, None));
    assert_eq!(early.capture.lost_events, 1);
    for kind in ["log_gap", "log_truncated"] {
        assert!(
            report.coverage.iter().any(|finding| finding.kind == kind),
            "{kind}"
        );
        assert!(
            early.coverage.iter().any(|finding| finding.kind == kind),
            "{kind}"
        );
    }
}

fn tick(at: u64) -> Event {
    Event {
        at: ms(at),
        kind: EventKind::Tick,
    }
}

#[test]
fn quiet_time_costs_two_ticks_a_second() {
    let limits = Limits {
        stride: 64,
        events: None,
    };
    let mut history = History::new(Header::default(), limits);
    for at in 0..50_000 {
        history.follow(tick(at * 100));
    }
    assert_eq!(history.head().now(), ms(4_999_900));
    let kept: Vec<Timestamp> = history.events().map(|event| event.at).collect();
    assert!(kept.len() <= 10_002, "{}", kept.len());
    assert_eq!(
        kept.last(),
        Some(&ms(4_999_900)),
        "the last tick says that time has passed"
    );
    let silent = |pair: &[Timestamp]| pair[1].since(pair[0]) > ms(500).0;
    assert!(!kept.windows(2).any(silent));
    let early = history.book(history.position_at(ms(60_000)), None);
    let found = history.report(&early).coverage;
    assert!(
        !found.iter().any(|finding| finding.kind == "clock_silent"),
        "{found:?}"
    );
}

#[test]
fn a_long_capture_forgets_its_beginning_but_not_what_followed_from_it() {
    let limits = Limits {
        stride: 64,
        events: Some(256),
    };
    let mut history = History::new(Header::default(), limits);
    let story = Story::tell(&Plot::default());
    let last = story.last().unwrap().at;
    for event in story {
        if event.kind != EventKind::CaptureEnded {
            history.follow(event);
        }
    }
    for at in 0..2000 {
        let at = Timestamp(last.0 + at * 1000);
        history.follow(Event {
            at,
            kind: EventKind::Evidence { armed: false },
        });
    }
    assert!(history.events().count() <= 256 + 64);
    assert!(history.begin() > 0);
    let oldest = history.book(0, None);
    assert_eq!(
        oldest.position,
        history.begin(),
        "no farther back than what is kept"
    );
    let report = history.report(&oldest);
    assert_eq!(report.disruptions[0].summary.affected, 3, "judged when it came");
    assert_eq!(history.report(history.head()).disruptions, report.disruptions);
}

#[test]
fn traffic_of_a_pod_is_told_from_both_ends() {
    let (history, ..) = recorded(64);
    let engine = &history.head().docket.engine;
    let rows = detail::traffic(engine, &story::device(2));
    let seen: Vec<(Direction, &str, u64)> = rows
        .iter()
        .map(|row| {
            let lost = row.story.gaps.iter().map(Gap::packets).sum();
            (row.direction, row.peer.as_str(), lost)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Direction::ToPod, "default/web-1", 320),
            (Direction::FromPod, "default/web-3", 320)
        ]
    );
    let names: Vec<String> = detail::roster(engine).into_iter().map(|pod| pod.name).collect();
    assert_eq!(names, ["web-1", "web-2", "web-3"]);
}
