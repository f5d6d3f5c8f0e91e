//! Signs in every order, and the disruptions that they make.
//!
//! Must not depend on: Pods.

use super::*;
use crate::memory::daemon::VSWITCHD;

const DP: DpIfindex = DpIfindex(5);

fn process(pid: u32) -> Process {
    Process {
        pid: Pid(pid),
        parent: Pid(1),
        comm: VSWITCHD.to_owned(),
    }
}

fn running() -> Disruptions {
    let mut disruptions = Disruptions::default();
    disruptions.daemon.seen(&process(10));
    disruptions.flag_is(Timestamp(1), false);
    disruptions
}

fn bound() -> Portids {
    Portids { given: 2, bound: 2 }
}

fn come_back(disruptions: &mut Disruptions, at: u64, pid: u32) {
    disruptions.daemon.born(Timestamp(at), &process(pid));
    disruptions.commands(Timestamp(at + 5), DP, Pid(pid));
}

#[test]
fn a_graceful_restart_with_the_flag_is_one_restart() {
    let mut disruptions = running();
    assert_eq!(
        disruptions.exited(Timestamp(100), &process(10), Some(0)),
        Effect::Began
    );
    assert_eq!(disruptions.flag_is(Timestamp(110), true), Effect::None);
    come_back(&mut disruptions, 120, 20);
    disruptions.flag_is(Timestamp(200), false);
    disruptions.portids(Timestamp(201), DP, Pid(20), &bound());
    assert_eq!(disruptions.flushed(Timestamp(202), DP, Pid(20)), Effect::Flushed);
    assert_eq!(disruptions.list.len(), 1);
    let expected = Milestones {
        flag_set_ns: Some(Timestamp(110)),
        vswitchd_exit_ns: Some(Timestamp(100)),
        vswitchd_start_ns: Some(Timestamp(120)),
        flag_removed_ns: Some(Timestamp(200)),
        upcalls_bound_ns: Some(Timestamp(201)),
        flush_ns: Some(Timestamp(202)),
        ..Milestones::default()
    };
    assert_eq!(disruptions.list[0].milestones, expected);
    assert_eq!(disruptions.list[0].kind(), Kind::Graceful);
}

#[test]
fn a_second_exit_begins_a_second_restart() {
    let mut disruptions = running();
    disruptions.exited(Timestamp(100), &process(10), Some(9));
    come_back(&mut disruptions, 120, 20);
    disruptions.flushed(Timestamp(130), DP, Pid(20));
    assert_eq!(
        disruptions.exited(Timestamp(LEAVING * 2), &process(20), Some(0)),
        Effect::Began
    );
    assert_eq!(
        disruptions.list.iter().map(Disruption::kind).collect::<Vec<_>>(),
        [Kind::Killed, Kind::Graceful]
    );
}

#[test]
fn a_crash_while_waiting_is_a_restart_of_its_own() {
    let mut disruptions = running();
    disruptions.exited(Timestamp(100), &process(10), Some(0));
    come_back(&mut disruptions, 120, 20);
    disruptions.exited(Timestamp(140), &process(20), Some(11));
    assert_eq!(disruptions.list.len(), 2);
}

#[test]
fn cleanup_on_exit_flushes_first() {
    let mut disruptions = running();
    disruptions.flushed(Timestamp(90), DP, Pid(10));
    disruptions.exited(Timestamp(100), &process(10), Some(0));
    assert_eq!(disruptions.list.len(), 1);
    assert_eq!(disruptions.list[0].kind(), Kind::Graceful);
    come_back(&mut disruptions, 120, 20);
    disruptions.flushed(Timestamp(140), DP, Pid(20));
    assert_eq!(disruptions.list.len(), 1);
    let Disruption {
        emptied, milestones, ..
    } = &disruptions.list[0];
    assert_eq!(*emptied, Some(Timestamp(90)));
    assert_eq!(milestones.flush_ns, Some(Timestamp(140)));
    disruptions.flushed(Timestamp(LEAVING * 3), DP, Pid(20));
    assert_eq!(disruptions.list.len(), 2);
}

#[test]
fn a_bridge_that_is_deleted_and_made_again_is_one_restart() {
    let mut disruptions = running();
    disruptions.flushed(Timestamp(90), DP, Pid(10));
    disruptions.datapath_gone(Timestamp(95), DP);
    let anew = DpIfindex(DP.0 + 3);
    disruptions.datapath(Timestamp(110), anew);
    disruptions.flushed(Timestamp(120), anew, Pid(10));
    assert_eq!(disruptions.list.len(), 1);
    let now = &disruptions.list[0];
    assert_eq!(now.kind(), Kind::FlushOnly);
    assert_eq!(now.dark(), Some(Timestamp(90)));
    assert_eq!(now.milestones.flush_ns, Some(Timestamp(120)));
    assert_eq!(now.without_datapath, Some((Timestamp(95), Some(Timestamp(110)))));
}

#[test]
fn a_datapath_that_goes_without_its_flush_is_another_matter() {
    let mut disruptions = running();
    disruptions.flushed(Timestamp(90), DP, Pid(10));
    disruptions.datapath_gone(Timestamp(95), DpIfindex(DP.0 + 1));
    disruptions.datapath_gone(Timestamp(91 + LEAVING), DP);
    assert_eq!(disruptions.list[0].dark(), None);
    disruptions.flushed(Timestamp(LEAVING * 2), DP, Pid(10));
    assert_eq!(disruptions.list.len(), 2);
}

#[test]
fn a_flag_that_was_set_before_the_capture_has_no_time() {
    let mut disruptions = Disruptions::default();
    assert_eq!(disruptions.flag_is(Timestamp(5), true), Effect::Began);
    assert_eq!(disruptions.list[0].milestones.flag_set_ns, None);
    assert_eq!(disruptions.list[0].kind(), Kind::FlagOnly);
}

/// As a node with Linux 6.1 told it: hooked again 1.8 s after the module was loaded, by when ovs-vswitchd had said all it had
/// to say; 310 ms later it is restarted.
#[test]
fn what_came_up_with_a_module_that_was_not_hooked_yet_can_be_restarted() {
    let mut disruptions = running();
    disruptions.flushed(Timestamp(146), DP, Pid(10));
    disruptions.datapath_gone(Timestamp(248), DP);
    disruptions.exited(Timestamp(287), &process(10), Some(0));
    disruptions.module_gone(Timestamp(621));
    disruptions.daemon.born(Timestamp(699), &process(20));
    disruptions.daemon.watched(Timestamp(2500));
    assert_eq!(
        disruptions.exited(Timestamp(2810), &process(20), Some(0)),
        Effect::Began
    );
    come_back(&mut disruptions, 2822, 30);
    disruptions.flushed(Timestamp(3521), DP, Pid(30));
    let kinds: Vec<Kind> = disruptions.list.iter().map(Disruption::kind).collect();
    assert_eq!(kinds, [Kind::ModuleReload, Kind::Graceful]);
    let [first, second] = [0, 1].map(|index| disruptions.list[index].milestones.clone());
    assert_eq!(first.vswitchd_start_ns, Some(Timestamp(699)));
    assert_eq!(second.vswitchd_exit_ns, Some(Timestamp(2810)));
    assert_eq!(second.vswitchd_start_ns, Some(Timestamp(2822)));
    assert_eq!(second.flush_ns, Some(Timestamp(3521)));
}

#[test]
fn a_stranger_binds_no_upcalls() {
    let mut disruptions = running();
    disruptions.exited(Timestamp(100), &process(10), Some(0));
    disruptions.portids(Timestamp(110), DP, Pid(99), &bound());
    assert_eq!(disruptions.list[0].milestones.upcalls_bound_ns, None);
}
