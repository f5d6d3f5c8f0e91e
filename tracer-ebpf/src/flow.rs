//! Megaflows: flush, insert, change of actions, removal.
//!
//! Must not depend on: OpenFlow, packets.

use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use tracer_common::hook::Hook;
use tracer_common::lost::Obstacle;
use tracer_common::record::{FlowInsert, FlowRemove, FlowSet, Header, Kind};

use crate::emit::Draft;
use crate::kernel::{self, Address, offset};
use crate::netlink::{self, Attribute};
use crate::{call, emit};

/// `OVS_FLOW_ATTR_ACTIONS`.
const FLOW_ATTR_ACTIONS: u32 = 2;
/// `OVS_FLOW_ATTR_UFID`.
const FLOW_ATTR_UFID: u32 = 9;
/// `MAX_UFID_LENGTH`, which ovs-vswitchd always uses.
const UFID_LEN: usize = 16;

/// `ovs_flow_tbl_flush(table)` succeeded; it took effect when it was entered.
#[inline(always)]
pub fn flushed(ctx: &RetProbeContext) {
    let Some(call) = call::succeeded(Hook::FlowFlush, ctx) else {
        return;
    };
    let mut header = emit::header(Kind::FlowFlush, datapath(call.first));
    header.at = call.entered;
    emit::send(Hook::FlowFlush, header, ());
    aya_log_ebpf::debug!(
        ctx,
        "megaflows of datapath {} flushed by {}",
        header.dp,
        header.tgid
    );
}

/// `ovs_flow_tbl_insert(table, flow, mask)` succeeded.
#[inline(always)]
pub fn inserted(ctx: &RetProbeContext) {
    let Some(call) = call::succeeded(Hook::FlowInsert, ctx) else {
        return;
    };
    let header = emit::header(Kind::FlowInsert, datapath(call.first));
    if send_insert(header, call.second).is_none() {
        emit::lost(Hook::FlowInsert, Obstacle::Unreadable);
        aya_log_ebpf::warn!(ctx, "a new megaflow of datapath {} cannot be read", header.dp);
    }
}

#[inline(always)]
fn send_insert(header: Header, flow: Address) -> Option<()> {
    let actions = flow.at(offset!(flow_actions))?.pointer()?;
    let len: u32 = actions.at(offset!(actions_len))?.read()?;
    let mut draft = Draft::<FlowInsert>::new(header)?;
    draft.body().actions_len = len;
    read_ufid(flow, &mut draft.body().ufid);
    kernel::read_flow_key(flow.at(offset!(flow_key))?, &mut draft.body().key)?;
    draft.send_with_actions(Hook::FlowInsert, actions.at(offset!(actions))?, len);
    Some(())
}

/// `ovs_flow_tbl_remove(table, flow)` begins; it cannot fail.
#[inline(always)]
pub fn removed(ctx: &ProbeContext) {
    let (Some(table), Some(flow)) = (ctx.arg(0), ctx.arg(1)) else {
        return;
    };
    let header = emit::header(Kind::FlowRemove, datapath(Address(table)));
    if send_remove(header, Address(flow)).is_none() {
        emit::lost(Hook::FlowRemove, Obstacle::Unreadable);
    }
}

#[inline(always)]
fn send_remove(header: Header, flow: Address) -> Option<()> {
    let mut draft = Draft::<FlowRemove>::new(header)?;
    draft.body().reserved = 0;
    read_ufid(flow, &mut draft.body().ufid);
    kernel::read_flow_key(flow.at(offset!(flow_key))?, &mut draft.body().key)?;
    draft.send(Hook::FlowRemove);
    Some(())
}

/// `ovs_flow_cmd_set(skb, info)` succeeded. Without actions it only cleared statistics.
#[inline(always)]
pub fn set(ctx: &RetProbeContext) {
    let Some(call) = call::succeeded(Hook::FlowSet, ctx) else {
        return;
    };
    let info = call.second;
    let Some(actions) = Attribute::of_command(info, FLOW_ATTR_ACTIONS) else {
        return;
    };
    let Some(mut draft) = Draft::<FlowSet>::new(emit::header(Kind::FlowSet, netlink::datapath(info))) else {
        return;
    };
    let len = u32::from(actions.len);
    *draft.body() = FlowSet {
        entered: call.entered,
        ufid: [0; UFID_LEN],
        actions_len: len,
        reserved: 0,
    };
    if let Some(ufid) =
        Attribute::of_command(info, FLOW_ATTR_UFID).filter(|ufid| ufid.len as usize == UFID_LEN)
    {
        let _ = ufid.payload.read_to(&mut draft.body().ufid);
    }
    draft.send_with_actions(Hook::FlowSet, actions.payload, len);
}

#[inline(always)]
fn datapath(table: Address) -> u32 {
    kernel::datapath_of_table(table).map_or(0, kernel::datapath_ifindex)
}

/// Reads a megaflow's unique id; zero where it is identified by its key.
#[inline(always)]
fn read_ufid(flow: Address, to: &mut [u8; UFID_LEN]) {
    let len = flow.at(offset!(flow_ufid_len)).and_then(Address::read::<u32>);
    let copied = match flow.at(offset!(flow_ufid)) {
        Some(ufid) if len == Some(UFID_LEN as u32) => ufid.read_to(to),
        _ => None,
    };
    if copied.is_none() {
        *to = [0; UFID_LEN];
    }
}
