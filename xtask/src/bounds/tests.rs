//! The very packets pass; their neighbours do not.
//!
//! Must not depend on: reports of real nodes.

use super::*;

const MS: u64 = 1_000_000;

/// One packet each millisecond from 1 ms; those of `lost` never arrived, the others at once.
fn packets(count: u64, lost: &[u64]) -> Packets {
    let sent: Vec<u64> = (1..=count).map(|at| at * MS).collect();
    Packets {
        received: sent
            .iter()
            .map(|at| (!lost.contains(&(at / MS))).then_some(at + 20_000))
            .collect(),
        done: sent.iter().map(|at| at + 10_000).collect(),
        sent,
    }
}

fn key(before: u64, first: u64, last: u64, after: u64, count: u64) -> KeyLoss {
    KeyLoss {
        lost_packets: count,
        last_delivered_before_ns: Some(before * MS + 5000),
        first_lost_ns: first * MS + 5000,
        last_lost_ns: last * MS + 5000,
        first_delivered_after_ns: Some(after * MS + 5000),
        ..KeyLoss::default()
    }
}

fn check(packets: &Packets, key: &KeyLoss) -> Result<(), String> {
    let stream = Stream {
        packets,
        began: 0,
        ended: 1000 * MS,
        error: 100,
        prober: &[],
        tapped: false,
    };
    stream.check(key)
}

#[test]
fn the_very_packets_pass_and_their_neighbours_do_not() {
    let packets = packets(40, &[10, 11, 12, 13, 14, 15, 16, 17, 18, 30]);
    assert_eq!(check(&packets, &key(9, 10, 18, 19, 10)), Ok(()));
    for (wrong, what) in [
        (key(9, 10, 18, 19, 9), "lost and"),
        (key(7, 10, 18, 19, 10), "arrived"),
        (key(9, 10, 18, 21, 10), "arrived"),
        (key(9, 12, 18, 19, 10), "no hole"),
        (key(9, 10, 15, 19, 10), "no hole"),
        (key(29, 30, 30, 31, 10), "longest"),
    ] {
        assert!(check(&packets, &wrong).unwrap_err().contains(what), "{wrong:?}");
    }
}

#[test]
fn a_delivery_that_was_never_made_is_found() {
    let packets = packets(30, &[10, 11, 12]);
    let mut wrong = key(9, 10, 12, 13, 3);
    wrong.last_delivered_before_ns = Some(9 * MS + 500_000);
    assert!(
        check(&packets, &wrong)
            .unwrap_err()
            .contains("no packet was delivered")
    );
    wrong.last_delivered_before_ns = None;
    assert!(
        check(&packets, &wrong)
            .unwrap_err()
            .contains("no delivery before")
    );
}

#[test]
fn a_packet_that_waited_ends_no_hole_before_it_came() {
    let mut packets = packets(30, &[11, 12, 13]);
    // Number 10 waited for userspace while the others were lost.
    packets.received[9] = Some(13 * MS + 500_000);
    let mut told = key(9, 11, 13, 13, 3);
    told.first_delivered_after_ns = Some(13 * MS + 490_000);
    assert_eq!(check(&packets, &told), Ok(()));
}

#[test]
fn a_hole_that_is_open_counts_up_to_the_last_reading() {
    let packets = packets(30, &(10..=30).collect::<Vec<_>>());
    let mut open = key(9, 10, 20, 0, 11);
    open.first_delivered_after_ns = None;
    assert_eq!(check(&packets, &open), Ok(()));
    open.lost_packets = 21;
    assert!(check(&packets, &open).is_err());
}

#[test]
fn of_packets_that_waited_with_one_that_was_delivered_the_last_lost_is_not_known() {
    let mut packets = packets(30, &[11, 12, 13]);
    let mut told = key(10, 11, 12, 14, 3);
    // Number 14 waited with 12 and 13, which were dropped when it was delivered.
    packets.received[13] = Some(16 * MS + 500_000);
    for at in 14..16 {
        packets.received[at] = Some((at as u64 + 4) * MS);
    }
    told.first_delivered_after_ns = Some(16 * MS + 490_000);
    assert_eq!(check(&packets, &told), Ok(()));
    packets.received[13] = Some(14 * MS + 20_000);
    told.first_delivered_after_ns = Some(14 * MS + 5000);
    assert!(check(&packets, &told).is_err());
}

#[test]
fn what_a_tap_saw_may_wait_as_long_as_the_prober_did() {
    assert_eq!(stall(&[10, 20, 50, 60], 30, 40), 30);
    assert_eq!(stall(&[10, 20, 50, 60], 11, 12), 10);
    assert_eq!(stall(&[], 11, 12), 0);
}

#[test]
fn a_lost_packet_may_wait_for_a_processor_as_long_as_the_prober_did() {
    let packets = packets(40, &[10, 11, 12]);
    let late = KeyLoss {
        first_lost_ns: 10 * MS + 1_700_000,
        ..key(9, 10, 12, 13, 3)
    };
    let check = |prober: &[u64]| {
        let stream = Stream {
            packets: &packets,
            began: 0,
            ended: 1000 * MS,
            error: 100,
            prober,
            tapped: false,
        };
        stream.meets(&packets.iter().nth(9).unwrap(), late.first_lost_ns)
    };
    let each = |step: usize| {
        (1..80)
            .map(|half| half * MS / 2)
            .step_by(step)
            .collect::<Vec<_>>()
    };
    assert!(!check(&each(1)));
    // Nothing at all was sent from 10.0 to 12.0 ms.
    let stalled: Vec<u64> = each(1)
        .into_iter()
        .filter(|at| !(10 * MS + 1..12 * MS).contains(at))
        .collect();
    assert!(check(&stalled));
}
