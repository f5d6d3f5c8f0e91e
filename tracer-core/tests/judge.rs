//! What the judge makes of whole stories, told in good order and in bad.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod story;

use proptest::prelude::*;
use story::{Plot, Story, ms};
use tracer_core::event::{Event, EventKind};
use tracer_core::judge::{Judge, judge};
use tracer_core::log::{Entry, Header, Reader, write_entry, write_header};
use tracer_core::report::{Cause, EndedBy, Kind, Pod, Reason, Report, Verdict};
use tracer_core::time::MILLISECOND;

fn report(plot: &Plot) -> Report {
    judge(header(), Story::tell(plot))
}

fn header() -> Header {
    Header {
        ovsgap_log: 1,
        ..Header::default()
    }
}

fn pods(report: &Report) -> &[Pod] {
    assert_eq!(report.disruptions.len(), 1, "{report:#?}");
    &report.disruptions[0].pods
}

fn exposed(pod: &Pod) -> (Option<u64>, Option<EndedBy>) {
    let exposed = pod.exposed.as_ref().unwrap();
    (exposed.duration_ns.map(|ns| ns / MILLISECOND), exposed.ended_by)
}

/// The report where packets are followed since then.
fn followed_since(at: u64) -> Report {
    let mut events = Story::tell(&Plot {
        followed: false,
        ..Plot::default()
    });
    events.push(Event {
        at: ms(at),
        kind: EventKind::Evidence { armed: true },
    });
    events.sort_by_key(|event| event.at);
    judge(header(), events)
}

#[test]
fn packets_that_were_followed_only_after_the_flush_are_said_to_be_too_few() {
    let late = |report: &Report| {
        let findings = report.coverage.iter();
        let late = findings.filter(|finding| finding.kind == "evidence_late");
        late.map(|finding| (finding.from_ns, finding.to_ns, finding.weakens))
            .collect::<Vec<_>>()
    };
    assert_eq!(late(&followed_since(1500)), []);
    let expected = [(Some(ms(2000)), Some(ms(2100)), true)];
    assert_eq!(late(&followed_since(2100)), expected);
}

/// The report where the capture ends at `end`.
fn until(plot: &Plot, end: u64, seen: impl Fn(&EventKind) -> bool) -> Report {
    let events = Story::tell(plot).into_iter();
    let before = events.filter(|event| event.at < ms(end) && seen(&event.kind));
    let ended = Event {
        at: ms(end),
        kind: EventKind::CaptureEnded,
    };
    judge(header(), before.chain([ended]).collect::<Vec<_>>())
}

fn unanswered(report: &Report) -> Vec<(Option<u64>, bool)> {
    let findings = report.coverage.iter();
    findings
        .filter(|finding| finding.kind == "unanswered")
        .map(|finding| (finding.from_ns.map(|at| at.0 / MILLISECOND), finding.weakens))
        .collect()
}

/// Two recorders of one restart, of which one was stopped 940 ms after the flush, told 392 and 322 lost packets, and nothing of why.
#[test]
fn a_capture_that_ends_before_it_is_known_what_was_lost_says_so() {
    let plot = Plot::default();
    assert_eq!(unanswered(&until(&plot, 2900, |_| true)), [(Some(2000), true)]);
    let whole = until(&plot, 8000, |_| true);
    assert_eq!(unanswered(&whole), []);
    let lost = |report: &Report| report.disruptions[0].summary.lost_packets;
    assert!(lost(&until(&plot, 2900, |_| true)) < lost(&whole));
}

#[test]
fn packets_that_have_not_come_back_yet_are_no_pass() {
    let fixed = Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    };
    assert_eq!(until(&fixed, 3800, |_| true).verdict, Verdict::Pass);
    let unexecuted = |kind: &EventKind| !matches!(kind, EventKind::Packets(run) if run.executed);
    let early = until(&fixed, 2900, unexecuted);
    assert_eq!(early.verdict, Verdict::Inconclusive);
    assert_eq!(unanswered(&early), [(Some(2000), true)]);
    assert_eq!(until(&fixed, 8000, unexecuted).verdict, Verdict::Fail);
}

/// The verdict where records of megaflows did not fit during the restart.
fn with_a_full_ring(plot: &Plot) -> Verdict {
    let mut events = Story::tell(plot);
    events.push(Event {
        at: ms(2200),
        kind: EventKind::RecordsLost {
            hook: "ovs_flow_tbl_insert".into(),
            count: 3,
            why: None,
        },
    });
    events.sort_by_key(|event| event.at);
    judge(header(), events).verdict
}

#[test]
fn a_window_without_losses_is_no_failure_where_records_are_missing() {
    let idle = Plot {
        traffic: false,
        ..Plot::default()
    };
    assert_eq!(report(&idle).verdict, Verdict::Fail);
    assert_eq!(with_a_full_ring(&idle), Verdict::Inconclusive);
    // Packets that were seen to be dropped are.
    assert_eq!(with_a_full_ring(&Plot::default()), Verdict::Fail);
}

#[test]
fn the_bug_is_found_and_measured() {
    let report = report(&Plot::default());
    assert_eq!(report.verdict, Verdict::Fail);
    let restart = &report.disruptions[0];
    assert_eq!(restart.kind, Kind::Graceful);
    assert_eq!(restart.milestones.flush_ns, Some(ms(2000)));
    assert_eq!(restart.milestones.vswitchd_start_ns, Some(ms(1100)));
    assert_eq!(restart.milestones.last_flows_installed_ns, Some(ms(2300)));
    assert_eq!(restart.summary.pods, 3);
    // Each packet is one Pod's "from" and another's "to": counted once.
    assert_eq!(restart.summary.lost_packets, 3 * 320);
    for pod in pods(&report) {
        assert_eq!(pod.cause, Some(Cause::FlagBeforeFlows), "{}", pod.name);
        assert_eq!(exposed(pod), (Some(320), Some(EndedBy::Converged)));
        let phases: Vec<_> = pod
            .waterfall
            .iter()
            .map(|phase| (phase.phase.as_str(), phase.ns / MILLISECOND))
            .collect();
        assert_eq!(
            phases,
            [
                ("flush→flows_installed", 300),
                ("flows_installed→converged", 20),
                ("converged→first delivered", 0)
            ]
        );
        let loss = pod.observed.to_pod.as_ref().unwrap();
        assert_eq!(
            loss.by_reason,
            [(Reason::DropFlow, 316), (Reason::UserspaceDrop, 4)].into()
        );
        assert_eq!(
            (loss.min_ns, loss.max_ns),
            (Some(319 * MILLISECOND), Some(321 * MILLISECOND))
        );
    }
}

#[test]
fn the_fixed_order_only_delays() {
    let report = report(&Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    });
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.coverage);
    for pod in pods(&report) {
        assert_eq!(exposed(pod), (Some(0), Some(EndedBy::FlowsBeforeFlush)));
        assert_eq!(pod.cause, None);
        assert_eq!(pod.observed.to_pod.as_ref().unwrap().lost_packets, 0);
        assert_eq!(
            pod.delayed
                .as_ref()
                .map(|delayed| (delayed.packets, delayed.max_ns)),
            Some((10, 9 * MILLISECOND))
        );
    }
}

#[test]
fn without_packets_and_without_a_monitor_the_megaflows_tell() {
    let report = report(&Plot {
        monitored: false,
        traffic: false,
        ..Plot::default()
    });
    assert_eq!(report.verdict, Verdict::Fail);
    for pod in pods(&report) {
        assert_eq!(exposed(pod), (Some(320), Some(EndedBy::Converged)));
        assert_eq!(pod.observed.to_pod, None);
        assert_eq!(pod.cause, Some(Cause::FlagBeforeFlows));
    }
}

#[test]
fn flows_that_never_come_are_named_while_the_capture_runs() {
    let mut judge = Judge::new(header());
    let events = Story::tell(&Plot {
        flows_after_flush: None,
        ..Plot::default()
    });
    let mut named_at = None;
    for (seq, event) in (0..).zip(events) {
        let at = event.at;
        judge.push(Entry { seq, event });
        let report = judge.report();
        let names = |pod: &Pod| pod.cause == Some(Cause::FlowsNeverInstalled);
        if named_at.is_none()
            && report
                .disruptions
                .iter()
                .flat_map(|restart| &restart.pods)
                .any(names)
        {
            named_at = Some(at);
        }
    }
    // 5 s after the flush, once the sorter has let go of that time.
    let named_at = named_at.unwrap();
    assert!(ms(7500) <= named_at && named_at <= ms(7600), "{named_at:?}");
    let report = judge.finish(None);
    assert_eq!(report.verdict, Verdict::Fail);
    for pod in pods(&report) {
        assert_eq!(exposed(pod), (None, None));
        assert_eq!(pod.observed.to_pod.as_ref().unwrap().lost_packets, 3001);
    }
}

#[test]
fn a_restart_without_the_flag_says_so() {
    let report = report(&Plot {
        flag: false,
        ..Plot::default()
    });
    assert!(pods(&report).iter().all(|pod| pod.cause == Some(Cause::NoFlag)));
}

#[test]
fn a_recording_judges_like_the_live_run() {
    let events = Story::tell(&Plot::default());
    let mut bytes = Vec::new();
    write_header(&mut bytes, &header()).unwrap();
    for (seq, event) in (0..).zip(&events) {
        write_entry(&mut bytes, seq, event).unwrap();
    }
    let mut reader = Reader::new(bytes.as_slice()).unwrap();
    let mut replay = Judge::new(reader.header().clone());
    (&mut reader).for_each(|entry| replay.push(entry.unwrap()));
    let live = serde_json::to_string(&judge(header(), events)).unwrap();
    assert_eq!(serde_json::to_string(&replay.finish(None)).unwrap(), live);
}

/// What can happen to a line of a recording.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Drop,
    Duplicate,
    /// It arrives this many lines later.
    Delay(usize),
}

fn fault() -> impl Strategy<Value = (usize, Fault)> {
    let kind = prop_oneof![
        Just(Fault::Drop),
        Just(Fault::Duplicate),
        (1_usize..200).prop_map(Fault::Delay)
    ];
    (0_usize..10_000, kind)
}

fn plot() -> impl Strategy<Value = Plot> {
    let after = prop_oneof![
        Just(None),
        (-200_i64..0).prop_map(Some),
        (1_i64..1000).prop_map(Some)
    ];
    (
        1_u16..4,
        after,
        1_u64..50,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(pods, flows_after_flush, revalidation, monitored, traffic, flag)| Plot {
                pods,
                flows_after_flush,
                revalidation,
                straggling: 0,
                monitored,
                traffic,
                flag,
                followed: true,
            },
        )
}

fn entries(events: Vec<Event>) -> Vec<Entry> {
    (0..)
        .zip(events)
        .map(|(seq, event)| Entry { seq, event })
        .collect()
}

fn judge_entries(entries: Vec<Entry>) -> Report {
    let mut judge = Judge::new(header());
    for entry in entries {
        judge.push(entry);
    }
    judge.finish(None)
}

fn apply(entries: &mut Vec<Entry>, (place, fault): (usize, Fault)) {
    let index = place % entries.len();
    match fault {
        Fault::Drop => drop(entries.remove(index)),
        Fault::Duplicate => entries.push(entries[index].clone()),
        Fault::Delay(by) => {
            let entry = entries.remove(index);
            entries.insert((index + by).min(entries.len()), entry);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Lost, repeated, late lines never make a bad report good.
    #[test]
    fn faults_never_make_it_pass(plot in plot(), faults in prop::collection::vec(fault(), 1..6)) {
        let good = entries(Story::tell(&plot));
        let verdict = judge_entries(good.clone()).verdict;
        let mut bad = good;
        for fault in faults {
            apply(&mut bad, fault);
        }
        let found = judge_entries(bad).verdict;
        prop_assert!(verdict == Verdict::Pass || found != Verdict::Pass, "{verdict:?} became {found:?}");
    }

    /// Inside the reorder window, the order of arrival changes nothing.
    #[test]
    fn arrival_order_is_irrelevant(plot in plot(), places in prop::collection::vec(any::<prop::sample::Index>(), 1..40)) {
        let told = Story::tell(&plot);
        let mut shuffled = told.clone();
        for place in places {
            let index = place.index(shuffled.len() - 1);
            if shuffled[index + 1].at.since(shuffled[index].at) < 100 * MILLISECOND {
                shuffled.swap(index, index + 1);
            }
        }
        prop_assert_eq!(judge(header(), shuffled), judge(header(), told));
    }
}
