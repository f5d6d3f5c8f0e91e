//! The programs, one attribute function per hook: each names its concern and does nothing itself.
//!
//! Must not depend on: how any of them works.
//!
//! Functions of the openvswitch module are hooked by kprobe and kretprobe only. A raw tracepoint of a
//! module holds a reference on it for as long as it is attached
//! (`bpf_get_raw_tracepoint_module` in <https://github.com/torvalds/linux/blob/v6.12/kernel/trace/bpf_trace.c>), so
//! `ovs-ctl force-reload-kmod` would fail on a node that is being watched.
#![no_std]
#![no_main]

mod call;
mod emit;
mod flow;
mod kernel;
mod latency;
mod maps;
mod netlink;
mod packet;
mod process;
mod run;
mod shared;
mod table;
mod traffic;
mod upcall;
mod vport;

use aya_ebpf::macros::{kprobe, kretprobe, raw_tracepoint};
use aya_ebpf::programs::{ProbeContext, RawTracePointContext, RetProbeContext};
use tracer_common::hook::Hook;
use tracer_common::record::Kind;

macro_rules! entry {
    ($name:ident => $($does:ident)::+($($argument:expr),*)) => {
        #[kprobe]
        fn $name(ctx: ProbeContext) -> u32 {
            $($does)::+($($argument,)* &ctx);
            0
        }
    };
}

macro_rules! exit {
    ($name:ident => $($does:ident)::+($($argument:expr),*)) => {
        #[kretprobe]
        fn $name(ctx: RetProbeContext) -> u32 {
            $($does)::+($($argument,)* &ctx);
            0
        }
    };
}

macro_rules! tracepoint {
    ($name:ident => $($does:ident)::+()) => {
        #[raw_tracepoint]
        fn $name(ctx: RawTracePointContext) -> i32 {
            $($does)::+(&ctx);
            0
        }
    };
}

entry!(ovs_dp_upcall => upcall::began());
exit!(ovs_dp_upcall_ret => upcall::ended());

entry!(ovs_packet_cmd_execute => latency::answered());

entry!(ovs_flow_tbl_flush => call::began(Hook::FlowFlush));
exit!(ovs_flow_tbl_flush_ret => flow::flushed());
entry!(ovs_flow_tbl_insert => call::began(Hook::FlowInsert));
exit!(ovs_flow_tbl_insert_ret => flow::inserted());
entry!(ovs_flow_cmd_set => call::began(Hook::FlowSet));
exit!(ovs_flow_cmd_set_ret => flow::set());
entry!(ovs_flow_tbl_remove => flow::removed());

entry!(ovs_dp_change => call::began(Hook::DpChange));
exit!(ovs_dp_change_ret => vport::datapath_changed());
entry!(ovs_vport_set_upcall_portids => call::began(Hook::VportPortids));
exit!(ovs_vport_set_upcall_portids_ret => vport::portids_set());
entry!(ovs_vport_cmd_new => call::began(Hook::VportNew));
exit!(ovs_vport_cmd_new_ret => vport::vport_command(Hook::VportNew, Kind::VportNew));
entry!(ovs_vport_cmd_del => call::began(Hook::VportDel));
exit!(ovs_vport_cmd_del_ret => vport::vport_command(Hook::VportDel, Kind::VportDel));
entry!(ovs_dp_cmd_new => call::began(Hook::DatapathNew));
exit!(ovs_dp_cmd_new_ret => vport::datapath_command(Hook::DatapathNew, Kind::DatapathNew));
entry!(ovs_dp_cmd_del => call::began(Hook::DatapathDel));
exit!(ovs_dp_cmd_del_ret => vport::datapath_command(Hook::DatapathDel, Kind::DatapathDel));

tracepoint!(sched_process_exec => process::exec());
tracepoint!(sched_process_fork => process::fork());
tracepoint!(sched_process_exit => process::exit());

entry!(ovs_execute_actions => packet::executed());
entry!(ovs_vport_send => packet::sent());
entry!(ovs_flow_key_extract_userspace => packet::extracted());
exit!(ovs_packet_cmd_execute_ret => packet::returned());

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Helpers that may be called by GPL-compatible programs only are used (`bpf_probe_read_kernel`).
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
