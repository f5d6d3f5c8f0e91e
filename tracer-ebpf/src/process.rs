//! Processes of OVS: exec, fork, exit.
//!
//! Must not depend on: the datapath.

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid};
use aya_ebpf::programs::RawTracePointContext;
use tracer_common::hook::Hook;
use tracer_common::record::{Kind, NAME_LEN, NONE, Process};

use crate::emit;
use crate::kernel::{Address, offset};

const VSWITCHD: [u8; NAME_LEN] = *b"ovs-vswitchd\0\0\0\0";
const OVSDB_SERVER: [u8; NAME_LEN] = *b"ovsdb-server\0\0\0\0";

/// `sched_process_exec(task, old_pid, bprm)`: the current task has its new name.
#[inline(always)]
pub fn exec(ctx: &RawTracePointContext) {
    if let Some(comm) = comm_of_interest() {
        let process = Process {
            pid: tgid(),
            parent: parent(ctx.arg(0)),
            exit_code: NONE,
            reserved: 0,
            comm,
        };
        emit::send(Hook::ProcessExec, emit::header(Kind::ProcessExec, 0), process);
    }
}

/// `sched_process_fork(parent, child)`: threads come by here too.
#[inline(always)]
pub fn fork(ctx: &RawTracePointContext) {
    let Some(comm) = comm_of_interest() else {
        return;
    };
    let child = Address(ctx.arg(1));
    let (Some(thread), Some(pid)) = (
        child.at(offset!(task_pid)).and_then(Address::read::<u32>),
        child.at(offset!(task_tgid)).and_then(Address::read::<u32>),
    ) else {
        return;
    };
    if thread == pid {
        let process = Process {
            pid,
            parent: tgid(),
            exit_code: NONE,
            reserved: 0,
            comm,
        };
        emit::send(Hook::ProcessFork, emit::header(Kind::ProcessFork, 0), process);
    }
}

/// `sched_process_exit(task)` of a main thread.
#[inline(always)]
pub fn exit(ctx: &RawTracePointContext) {
    let Some(comm) = comm_of_interest() else {
        return;
    };
    if bpf_get_current_pid_tgid() as u32 != tgid() {
        return;
    }
    let task = Address(ctx.arg(0));
    let exit_code = task
        .at(offset!(task_exit_code))
        .and_then(Address::read)
        .unwrap_or(NONE);
    let process = Process {
        pid: tgid(),
        parent: parent(task.0),
        exit_code,
        reserved: 0,
        comm,
    };
    emit::send(Hook::ProcessExit, emit::header(Kind::ProcessExit, 0), process);
}

#[inline(always)]
fn tgid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

#[inline(always)]
fn parent(task: u64) -> u32 {
    Address(task)
        .at(offset!(task_parent))
        .and_then(Address::pointer)
        .and_then(|parent| parent.at(offset!(task_tgid)))
        .and_then(Address::read)
        .unwrap_or(0)
}

/// The current task's name, if it is one of OVS's.
#[inline(always)]
fn comm_of_interest() -> Option<[u8; NAME_LEN]> {
    let comm = bpf_get_current_comm().ok()?;
    (comm == VSWITCHD || comm == OVSDB_SERVER).then_some(comm)
}
