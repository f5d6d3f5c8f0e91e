//! What is said of what could not be seen.

use super::*;

fn hook(name: &str, offsets: Option<Offsets>) -> Hook {
    Hook {
        name: name.to_owned(),
        attach: "kprobe".to_owned(),
        ok: true,
        error: String::new(),
        offsets,
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * SECOND)
}

#[test]
fn of_too_many_findings_the_oldest_become_one_over_their_whole_time() {
    let mut coverage = Coverage::default();
    for seconds in 0..3000 {
        coverage.paused(at(2 * seconds), "br-int");
        coverage.resumed(at(2 * seconds + 1), "br-int");
    }
    let found = coverage.blemishes();
    assert_eq!(found.len(), PAST);
    let first = found.iter().min_by_key(|one| one.finding.from_ns).unwrap();
    assert_eq!(first.finding.from_ns, Some(at(0)));
    assert!(first.finding.to_ns > Some(at(3900)), "{first:?}");
}

#[test]
fn skipped_hits_weaken_the_time_in_which_they_were_skipped_and_no_other() {
    let mut coverage = Coverage::default();
    for (seconds, count) in [(5, 3), (6, 4), (20, 1)] {
        coverage.skipped(at(seconds), "ovs_execute_actions", count);
    }
    let found = coverage.blemishes();
    let touched = |from, to| {
        let touching = found
            .iter()
            .filter(|one| one.finding.weakens && one.finding.touches(from, Some(to)));
        touching.count()
    };
    assert_eq!(found.len(), 2);
    assert!(found[0].finding.detail.contains("skipped 7 hits"));
    assert_eq!(found[0].of, Of::Packets);
    assert_eq!((touched(at(4), at(5)), touched(at(10), at(15))), (1, 0));
}

#[test]
fn what_was_full_is_named_with_the_flag_that_enlarges_it() {
    let remedies = [
        (Some(Unrecorded::RingFull), "the ring", Some("--ring-size")),
        (
            Some(Unrecorded::KeysFull),
            "the table of traffic keys",
            Some("--max-keys"),
        ),
        (
            Some(Unrecorded::UpcallsFull),
            "the table of kinds of upcalls",
            Some("--max-keys"),
        ),
        (Some(Unrecorded::CallsFull), "the table of calls under way", None),
        (Some(Unrecorded::HalfSeen), "only one end of a call", None),
        (
            Some(Unrecorded::Unreadable),
            "kernel memory could not be read",
            None,
        ),
        (Some(Unrecorded::Flapped), "changed too often", None),
        (None, "does not say which", None),
    ];
    for (why, what, flag) in remedies {
        let mut coverage = Coverage::default();
        coverage.lost(at(5), "ovs_flow_tbl_insert", why, 3);
        coverage.lost(at(5), PACKET_EVIDENCE, why, 4);
        let found = coverage.blemishes();
        let of: Vec<Of> = found.iter().map(|one| one.of.clone()).collect();
        assert_eq!(of, [Of::Megaflows, Of::Packets]);
        for one in &found {
            let said = &one.finding.detail;
            assert!(one.finding.weakens && said.contains(what), "{said}");
            for known in ["--ring-size", "--max-keys"] {
                assert_eq!(said.contains(known), flag == Some(known), "{said}");
            }
        }
    }
}

#[test]
fn what_was_lost_for_two_reasons_is_two_findings() {
    let mut coverage = Coverage::default();
    for (why, count) in [(Unrecorded::KeysFull, 3), (Unrecorded::RingFull, 4)] {
        coverage.lost(at(5), PACKET_EVIDENCE, Some(why), count);
    }
    let found = coverage.blemishes();
    assert_eq!((found.len(), coverage.lost_total()), (2, 7));
}

#[test]
fn what_weakens_nothing_is_said_once() {
    let mut coverage = Coverage::default();
    coverage.skips_untold();
    coverage.skips_untold();
    for name in ["c", "d"] {
        coverage.hook(Timestamp(1), &hook(name, Some(Offsets::Derived)));
    }
    let found = coverage.blemishes();
    let kinds: Vec<_> = found
        .iter()
        .map(|one| (one.finding.kind.as_str(), one.finding.weakens))
        .collect();
    assert_eq!(kinds, [("types_derived", false), ("skips_untold", false)]);
    assert!(found[0].finding.detail.contains("2 hooks"));
}

#[test]
fn a_missing_hook_takes_away_what_it_alone_tells() {
    let mut coverage = Coverage::default();
    let hooks = [
        ("ovs_dp_change", Of::Upcalls),
        ("ovs_dp_cmd_new", Of::Packets),
        ("ovs_flow_key_extract_userspace", Of::Packets),
        ("ovs_vport_send", Of::Packets),
        ("ovs_vport_set_upcall_portids", Of::Upcalls),
        ("sched_process_exec", Of::Kernel),
        ("something_else", Of::Nothing),
    ];
    for (name, _) in &hooks {
        let missing = Hook {
            ok: false,
            ..hook(name, None)
        };
        coverage.hook(Timestamp(1), &missing);
    }
    let found = coverage.blemishes();
    let of: Vec<(bool, &Of)> = found.iter().map(|one| (one.finding.weakens, &one.of)).collect();
    let expected: Vec<(bool, &Of)> = hooks.iter().map(|(_, of)| (*of != Of::Nothing, of)).collect();
    assert_eq!(of, expected);
    assert!(
        found[0]
            .finding
            .detail
            .contains("cannot tell when upcalls were bound")
    );
}
