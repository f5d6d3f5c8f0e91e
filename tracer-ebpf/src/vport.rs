//! Datapaths and vports: who gets their upcalls, and which exist.
//!
//! Must not depend on: packets, megaflows.

use aya_ebpf::helpers::bpf_probe_read_kernel_str_bytes;
use aya_ebpf::programs::RetProbeContext;
use tracer_common::hook::Hook;
use tracer_common::lost::Obstacle;
use tracer_common::offsets::UNKNOWN;
use tracer_common::record::{Kind, MAX_PORTIDS, NAME_LEN, NONE, Portids, Reconfigured};

use crate::kernel::{self, Address, offset};
use crate::netlink::{self, Attribute};
use crate::{call, emit};

/// `OVS_DP_ATTR_NAME`.
const DP_ATTR_NAME: u32 = 1;
/// `OVS_DP_ATTR_PER_CPU_PIDS`.
const DP_ATTR_PER_CPU_PIDS: u32 = 8;
/// `OVS_VPORT_ATTR_PORT_NO`.
const VPORT_ATTR_PORT_NO: u32 = 1;
/// `OVS_VPORT_ATTR_NAME`.
const VPORT_ATTR_NAME: u32 = 3;
/// `OVS_DP_F_DISPATCH_UPCALL_PER_CPU`: without it a list of portids is not taken.
const DISPATCH_PER_CPU: u32 = 8;

/// `ovs_dp_change(dp, a)` succeeded.
#[inline(always)]
pub fn datapath_changed(ctx: &RetProbeContext) {
    let Some(call) = call::succeeded(Hook::DpChange, ctx) else {
        return;
    };
    let header = emit::header(Kind::DpChange, kernel::datapath_ifindex(call.first));
    let (given, bound) = per_cpu_portids(call.first, call.second).map_or((NONE, 0), count_bound);
    emit::send(
        Hook::DpChange,
        header,
        Portids {
            port_no: NONE,
            given,
            bound,
            reserved: 0,
        },
    );
}

/// The list of portids that was given and taken. Kernels whose `struct datapath` has no place for
/// portids parse fewer attributes, so that entry 8 of the table is past its end there.
#[inline(always)]
fn per_cpu_portids(datapath: Address, attributes: Address) -> Option<Attribute> {
    if offset!(datapath_upcall_portids) == UNKNOWN {
        return None;
    }
    let features: u32 = datapath.at(offset!(datapath_user_features))?.read()?;
    (features & DISPATCH_PER_CPU != 0).then(|| Attribute::of_table(attributes, DP_ATTR_PER_CPU_PIDS))?
}

/// `ovs_vport_set_upcall_portids(vport, ids)` succeeded.
#[inline(always)]
pub fn portids_set(ctx: &RetProbeContext) {
    let Some(call) = call::succeeded(Hook::VportPortids, ctx) else {
        return;
    };
    let datapath = call.first.at(offset!(vport_dp)).and_then(Address::pointer);
    let header = emit::header(Kind::VportPortids, datapath.map_or(0, kernel::datapath_ifindex));
    let Some((given, bound)) = Attribute::at(call.second).map(count_bound) else {
        return emit::lost(Hook::VportPortids, Obstacle::Unreadable);
    };
    let port_no = kernel::vport_number(call.first).map_or(NONE, u32::from);
    emit::send(
        Hook::VportPortids,
        header,
        Portids {
            port_no,
            given,
            bound,
            reserved: 0,
        },
    );
}

/// How many portids a list holds, and how many of those looked at are not 0.
#[inline(always)]
fn count_bound(list: Attribute) -> (u32, u32) {
    let given = u32::from(list.len) / 4;
    let mut bound = 0;
    for index in 0..MAX_PORTIDS {
        if index >= given {
            break;
        }
        let portid = list.payload.at(index * 4).and_then(Address::read::<u32>);
        bound += u32::from(portid.unwrap_or(0) != 0);
    }
    (given, bound)
}

/// `ovs_vport_cmd_new(skb, info)` or `ovs_vport_cmd_del(skb, info)` succeeded.
#[inline(always)]
pub fn vport_command(hook: Hook, kind: Kind, ctx: &RetProbeContext) {
    if let Some(call) = call::succeeded(hook, ctx) {
        let port_no = Attribute::of_command(call.second, VPORT_ATTR_PORT_NO).and_then(Attribute::number);
        reconfigured(hook, kind, &call, VPORT_ATTR_NAME, port_no);
    }
}

/// `ovs_dp_cmd_new(skb, info)` or `ovs_dp_cmd_del(skb, info)` succeeded.
#[inline(always)]
pub fn datapath_command(hook: Hook, kind: Kind, ctx: &RetProbeContext) {
    if let Some(call) = call::succeeded(hook, ctx) {
        reconfigured(hook, kind, &call, DP_ATTR_NAME, None);
    }
}

#[inline(always)]
fn reconfigured(hook: Hook, kind: Kind, call: &call::Call, name: u32, port_no: Option<u32>) {
    let info = call.second;
    let mut body = Reconfigured {
        port_no: port_no.unwrap_or(NONE),
        reserved: 0,
        entered: call.entered,
        name: [0; NAME_LEN],
    };
    if let Some(name) = Attribute::of_command(info, name) {
        // SAFETY: the helper checks the address.
        let _ = unsafe { bpf_probe_read_kernel_str_bytes(name.payload.0 as *const u8, &mut body.name) };
    }
    emit::send(hook, emit::header(kind, netlink::datapath(info)), body);
}
