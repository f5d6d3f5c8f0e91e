//! The sources of what runs already and of time passing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use tracer::source::{channel, clock, process};
use tracer_core::event::{Event, EventKind, Process};
use tracer_core::id::Pid;

async fn seen(proc: &Path) -> Vec<EventKind> {
    let (sender, mut events) = channel(16);
    process::run(
        process::Config {
            proc: proc.to_owned(),
        },
        sender,
    )
    .await
    .unwrap();
    let mut kinds = Vec::new();
    while let Some(Event { kind, .. }) = events.recv().await {
        kinds.push(kind);
    }
    kinds
}

fn add(proc: &Path, pid: &str, stat: &str) {
    std::fs::create_dir(proc.join(pid)).unwrap();
    std::fs::write(proc.join(pid).join("stat"), stat).unwrap();
}

#[tokio::test]
async fn daemons_of_ovs_are_found_and_nothing_else() {
    let proc = tempfile::tempdir().unwrap();
    add(
        proc.path(),
        "412",
        "412 (ovs-vswitchd) S 411 411 411 0 -1 4194560 3054",
    );
    add(
        proc.path(),
        "411",
        "411 (ovs-vswitchd) S 1 411 411 0 -1 4194368 150",
    );
    add(
        proc.path(),
        "398",
        "398 (ovsdb-server) S 397 397 397 0 -1 4194560 742",
    );
    add(proc.path(), "500", "500 (ovs-vsctl) S 1 500 500 0");
    std::fs::create_dir(proc.path().join("501")).unwrap();
    std::fs::write(proc.path().join("uptime"), "1 1").unwrap();
    let process = |pid, parent, comm: &str| {
        EventKind::ProcessSeen(Process {
            pid: Pid(pid),
            parent: Pid(parent),
            comm: comm.into(),
        })
    };
    assert_eq!(
        seen(proc.path()).await,
        [
            process(398, 397, "ovsdb-server"),
            process(411, 1, "ovs-vswitchd"),
            process(412, 411, "ovs-vswitchd")
        ]
    );
}

#[tokio::test]
async fn the_real_procfs_can_be_read() {
    let sees_all = |kind: &EventKind| matches!(kind, EventKind::ProcessSeen(_));
    assert!(seen(Path::new("/proc")).await.iter().all(sees_all));
}

#[tokio::test]
async fn a_missing_procfs_is_told() {
    let kinds = seen(Path::new("/nowhere/proc")).await;
    assert!(
        matches!(kinds.as_slice(), [EventKind::Source { ok: false, detail, .. }] if detail.contains("procfs")),
        "{kinds:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn time_passes_ten_times_a_second_until_nobody_listens() {
    let (sender, mut events) = channel(1);
    let source = tokio::spawn(clock::run(clock::Config::default(), sender));
    let began = tokio::time::Instant::now();
    let first = events.recv().await.unwrap();
    for _ in 0..10 {
        assert_eq!(events.recv().await.unwrap().kind, EventKind::Tick);
    }
    assert_eq!(began.elapsed().as_millis(), 1000);
    assert!(first.at <= clock::now());
    drop(events);
    source.await.unwrap().unwrap();
}

#[test]
fn the_wall_clock_is_this_far_from_the_monotonic_one() {
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let told = i128::from(clock::now().0) + i128::from(clock::wall_offset_ns());
    let off = told - i128::try_from(wall).unwrap();
    assert!(off.abs() < 1_000_000_000, "{off} ns");
}
