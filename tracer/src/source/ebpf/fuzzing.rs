//! What the kernel's side gives, as fuzz targets: records, action lists, counters, types.
//!
//! Must not depend on: the ring, maps.

use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::Once;

use tracer_common::counters::UpcallSlot;
use tracer_common::latency;
use tracer_common::run::RunSlot;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::actions::Dialect;
use super::runs::Told;
use super::upcalls::Seen;
use super::{actions, decode, offsets, waits};

/// A record of the ring.
pub fn record(bytes: &[u8]) {
    drop(decode::decode(bytes));
}

/// An action list: its dialect, the length it had, and what was recorded of it.
pub fn action_list(bytes: &[u8]) {
    let Some((&[dialect, low, high], list)) = bytes.split_first_chunk() else {
        return;
    };
    let dialect = if dialect & 1 == 0 {
        Dialect::Netlink
    } else {
        Dialect::Kernel
    };
    let length = u16::from_le_bytes([low, high]).into();
    let found = actions::parse(list, length, dialect);
    assert_eq!(found.length, length);
    assert!(found.outputs.len() + found.recirculates.len() <= list.len() / 4);
}

/// Values of maps as they are read one after the other: runs, upcalls, or waits, as the first byte says.
pub fn counters(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, rest)) => runs(rest),
        Some((1, rest)) => upcalls(rest),
        Some((_, rest)) => waited(rest),
        None => {}
    }
}

/// Of so many slots.
const SLOTS: u32 = 64;

fn runs(mut bytes: &[u8]) {
    let mut told = Told::default();
    let mut events = Vec::new();
    while let Ok((RunSlot { run, key }, rest)) = RunSlot::read_from_prefix(bytes) {
        told.update(key.cpu % SLOTS, key, run, &mut events);
        bytes = rest;
    }
}

/// Each reading has two slots.
fn upcalls(mut bytes: &[u8]) {
    let mut seen = Seen::default();
    while let Ok((read, rest)) = <[UpcallSlot; 2]>::read_from_prefix(bytes) {
        let slots = read.map(|slot| (slot.key.cpu % SLOTS, slot));
        for upcalls in seen.update(&slots, slots[0].1.count.earlier_tick) {
            assert!(upcalls.count > 0 && upcalls.first <= upcalls.last);
        }
        bytes = rest;
    }
}

fn waited(bytes: &[u8]) {
    let (before, now) = bytes.split_at(bytes.len() / 2);
    let waits = |bytes: &[u8]| {
        let mut waits = latency::Waits::new_zeroed();
        for (to, from) in waits.as_mut_bytes().iter_mut().zip(bytes) {
            *to = *from;
        }
        waits
    };
    drop(waits::since(&[waits(before)], &[waits(now), waits(before)]));
}

/// BTF: the length of vmlinux's (two bytes), vmlinux's, a module's.
pub fn types(bytes: &[u8]) {
    let Some((length, bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(bytes.len());
    let (vmlinux, module) = bytes.split_at(length);
    let_btf_rs_panic();
    // As `Layout::of_running_kernel` does, without the cost of a thread.
    drop(catch_unwind(|| offsets::of_bytes(vmlinux, module)));
}

/// What is read with btf-rs is read in a thread of its own because btf-rs panics at some bytes: those panics are no
/// finding, all others are.
fn let_btf_rs_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let fatal = take_hook();
        set_hook(Box::new(move |info| {
            let within = info.location().map_or("", |location| location.file());
            if !within.contains("/btf-rs-") {
                fatal(info);
            }
        }));
    });
}
