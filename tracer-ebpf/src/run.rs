//! Runs: packets of one traffic key on one CPU that met the same fate. A change of fate ends the run and sends it.
//!
//! Must not depend on: who saw a packet, how its fate is told.

use tracer_common::hook::Hook;
use tracer_common::lost::Obstacle;
use tracer_common::record::{Kind, RunEnded};
use tracer_common::run::{FLAP_WINDOW, MAX_FLAPS, Run, RunKey, RunSlot, fate};

use crate::emit::{self, Draft};
use crate::kernel::{self, Address};
use crate::maps::{CHANGES, runs};
use crate::shared::Shared;

/// What became of a packet.
#[derive(Clone, Copy)]
pub struct Booking {
    /// In which datapath.
    pub datapath: Address,
    /// One of `run::fate`.
    pub fate: u32,
    /// The vport, or the errno.
    pub subject: u64,
    /// 1: it came back from userspace.
    pub executed: u32,
    /// `maps::session()`.
    pub session: u32,
    /// Its bytes, where it was not delivered.
    pub len: u32,
    /// When it met its fate: before userspace could have answered it.
    pub at: u64,
}

/// When the fate of any traffic last changed: as long as it has not, no run need look into [`CHANGES`].
static GENERATION: Shared<u64> = Shared::new(0);

/// Books a packet of `key`, whose `cpu` is set to this one.
#[inline(always)]
pub fn book(key: &mut RunKey, booking: Booking) {
    let now = booking.at;
    key.cpu = kernel::cpu();
    let Some(slot) = runs().find(key) else {
        changed(key, now);
        let run = begin(key, booking, now);
        let fill = |slot: &mut RunSlot| {
            // SAFETY: plain memory; before the run, in which userspace sees whether there is one.
            unsafe { core::ptr::write_volatile(&raw mut slot.key, *key) };
            slot.run.window = now;
            replace(&mut slot.run, run);
        };
        if !runs().insert(key, fill) {
            emit::lost(Hook::Execute, Obstacle::Keys);
        }
        return;
    };
    // SAFETY: only programs on this CPU write to this key, one at a time.
    let run = unsafe { &mut (*slot).run };
    let same = run.subject == booking.subject
        && run.fate == booking.fate
        && run.executed == booking.executed
        && run.session == booking.session;
    if same && is_current(key, run) {
        run.packets += 1;
        run.bytes += u64::from(booking.len);
        run.last = now;
        return;
    }
    if !same {
        changed(key, now);
    }
    end(key, run, now);
    replace(run, begin(key, booking, now));
}

/// Says to the runs of this traffic on other CPUs that its fate has changed.
#[inline(always)]
fn changed(key: &mut RunKey, now: u64) {
    let cpu = key.cpu;
    key.cpu = 0;
    let noted = CHANGES.insert(*key, now, 0);
    key.cpu = cpu;
    if noted.is_err() {
        return emit::lost(Hook::Execute, Obstacle::Keys);
    }
    GENERATION.write(now);
}

/// When the fate of this traffic last changed.
#[inline(always)]
fn last_change(key: &mut RunKey) -> u64 {
    let cpu = key.cpu;
    key.cpu = 0;
    let change = CHANGES.get_ptr(*key);
    key.cpu = cpu;
    // SAFETY: memory of a hash that stays an element of it as long as the map is there. Userspace takes elements out only while packets are
    // not followed; one that has become another traffic's says another time, and the run ends early.
    change.map_or(0, |change| unsafe { *change })
}

/// Whether no CPU has seen another fate of this traffic since the run began.
#[inline(always)]
fn is_current(key: &mut RunKey, run: &mut Run) -> bool {
    let generation = GENERATION.read();
    if run.generation == generation {
        return true;
    }
    if last_change(key) != run.change {
        return false;
    }
    run.generation = generation;
    true
}

#[inline(always)]
fn begin(key: &mut RunKey, booking: Booking, now: u64) -> Run {
    // Read in this order: a change in between makes the run end early, never late.
    let generation = GENERATION.read();
    let change = last_change(key);
    let detail = match booking.fate {
        fate::DELIVERED => kernel::vport_number(Address(booking.subject)).map_or(-1, i32::from),
        _ => booking.subject as i32,
    };
    Run {
        ended: 0,
        dp: kernel::datapath_ifindex(booking.datapath),
        first: now,
        last: now,
        packets: 1,
        bytes: u64::from(booking.len),
        subject: booking.subject,
        fate: booking.fate,
        detail,
        executed: booking.executed,
        session: booking.session,
        generation,
        change,
        window: now,
        flaps: 0,
        flapped: 0,
        unsent: 0,
        begun: 0,
    }
}

/// Sends a run that has ended, unless its key flaps.
#[inline(always)]
fn end(key: &RunKey, run: &mut Run, now: u64) {
    if now.wrapping_sub(run.window) > FLAP_WINDOW {
        run.window = now;
        run.flaps = 0;
    }
    run.flaps += 1;
    if run.flaps > MAX_FLAPS {
        run.flapped += 1;
        return;
    }
    let Some(mut draft) = Draft::<RunEnded>::new(emit::header(Kind::RunEnded, run.dp)) else {
        return;
    };
    draft.body().key = *key;
    draft.body().run = *run;
    if !draft.try_send() {
        run.unsent += 1;
    }
}

/// Replaces a run; userspace can tell a value that it copied meanwhile (see [`Run`]).
#[inline(always)]
fn replace(run: &mut Run, by: Run) {
    let replaced = run.begun.wrapping_add(1);
    // Volatile writes stay in their order; there is no compiler fence for this target.
    macro_rules! put {
        ($($member:ident = $value:expr),+ $(,)?) => {
            // SAFETY: plain members of a value that only this CPU writes to.
            $(unsafe { core::ptr::write_volatile(&raw mut run.$member, $value) };)+
        };
    }
    put! {
        begun = replaced,
        dp = by.dp,
        first = by.first,
        last = by.last,
        packets = by.packets,
        bytes = by.bytes,
        subject = by.subject,
        fate = by.fate,
        detail = by.detail,
        executed = by.executed,
        session = by.session,
        generation = by.generation,
        change = by.change,
        ended = replaced,
    }
}
