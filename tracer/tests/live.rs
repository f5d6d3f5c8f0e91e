//! What is said while a capture runs, over the recording that ships.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use tracer::sink::live::Live;
use tracer_core::judge::Judge;
use tracer_core::log::Reader;
use tracer_core::report::{Cause, Report};

fn shipped() -> Report {
    let mut reader = Reader::new(include_bytes!("../../demo/restart.jsonl").as_slice()).unwrap();
    let mut judge = Judge::new(reader.header().clone());
    (&mut reader).for_each(|entry| judge.push(entry.unwrap()));
    judge.finish(None)
}

#[test]
fn a_pod_without_flows_is_named_once() {
    let mut report = shipped();
    let mut live = Live::default();
    assert_eq!(
        live.news(&report),
        Vec::<String>::new(),
        "what has healed is for the report"
    );
    report.disruptions[0].pods[1].cause = Some(Cause::FlowsNeverInstalled);
    let news = live.news(&report);
    assert_eq!(news.len(), 1);
    assert!(
        news[0].starts_with("Pod ") && news[0].contains("pod-2 still has no OpenFlow flows"),
        "{news:?}"
    );
    assert_eq!(live.news(&report), Vec::<String>::new());
}
