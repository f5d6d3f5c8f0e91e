//! What happened when: the report's milestones beside the steps that were done.
//!
//! Must not depend on: traffic. Pure.

use lab::words::report::Disruption;
use lab::words::way::Way;

use super::checks::{Checks, told};
use crate::outcome::Outcome;

/// Kind and milestones beside the steps of the restart.
pub fn check(checks: &mut Checks, outcome: &Outcome, restart: &Disruption) {
    let way = outcome.scenario.way;
    let (kind, exit) = match way {
        Way::Kill | Way::Term => ("killed", "vswitchd_killed"),
        Way::Module => ("module_reload", "script"),
        Way::Bridge => ("flush_only", "ports_gone"),
        _ => ("graceful", "vswitchd_exit"),
    };
    checks.equal("the kind of restart is right", &restart.kind.as_str(), &kind);
    match way {
        Way::Bridge => {
            let flush = restart.milestone("flush_ns");
            let made = outcome.step("ports_gone", None);
            checks.within("the flush came with the new bridge", flush, made, 0);
        }
        // What a script did when is not known, nor which of two starts is the restart's.
        Way::Script | Way::Module | Way::Interrupted => {}
        _ => of_daemon(checks, outcome, restart, exit),
    }
}

/// ovs-vswitchd left with the step `exit`, came back, and flushed.
fn of_daemon(checks: &mut Checks, outcome: &Outcome, restart: &Disruption, exit: &str) {
    let way = outcome.scenario.way;
    checks.within(
        "vswitchd_exit is right",
        restart.milestone("vswitchd_exit_ns"),
        outcome.step(exit, None),
        0,
    );
    let start = outcome.step("vswitchd_start", None);
    checks.within(
        "vswitchd_start is right",
        restart.milestone("vswitchd_start_ns"),
        start,
        0,
    );
    if way == Way::Stuck {
        checks.equal("nothing was flushed", &restart.milestone("flush_ns"), &None);
        return;
    }
    if way == Way::Noflag {
        checks.equal(
            "flag_removed is null",
            &restart.milestone("flag_removed_ns"),
            &None,
        );
        checks.within(
            "the flush came with the start",
            restart.milestone("flush_ns"),
            start,
            0,
        );
        return;
    }
    let removed = outcome.step("flag_removed", None);
    let at = restart.milestone("flag_removed_ns");
    checks.within("flag_removed is right", at, removed, told(outcome, removed, at));
    let flush = restart.milestone("flush_ns");
    let after = flush
        .zip(removed)
        .is_some_and(|(flush, removed)| flush >= removed.started_ns);
    checks.that(
        "the flush followed the flag's removal",
        if after {
            Ok(())
        } else {
            Err(format!("flush {flush:?}, removed {removed:?}"))
        },
    );
}
