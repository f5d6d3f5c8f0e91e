//! Guarded reads of kernel structures through the offsets that userspace found.
//!
//! Must not depend on: records, maps other than the offsets.

use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use aya_ebpf::helpers::{bpf_probe_read_kernel, bpf_probe_read_kernel_buf};
use tracer_common::offsets::UNKNOWN;
use tracer_common::record::FlowKey;

/// Reads one member offset. Volatile, so that the value userspace put there is used and not the one
/// the compiler saw; the verifier knows it as a constant.
macro_rules! offset {
    ($($member:ident).+) => {{
        let offsets = (&raw const $crate::maps::OFFSETS).cast::<tracer_common::offsets::Offsets>();
        // SAFETY: `Global<T>` is a transparent wrapper of an initialised `T` that nothing writes to.
        unsafe { core::ptr::read_volatile(&raw const (*offsets).$($member).+) }
    }};
}
pub(crate) use offset;

/// `CLOCK_MONOTONIC`, in nanoseconds.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// This CPU's number.
#[inline(always)]
pub fn cpu() -> u32 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_smp_processor_id() }
}

/// An address in kernel memory; it need not be valid.
#[derive(Clone, Copy)]
pub struct Address(pub u64);

impl Address {
    /// The address `offset` bytes further; `None` where the offset is not known.
    #[inline(always)]
    pub fn at(self, offset: u32) -> Option<Self> {
        (offset != UNKNOWN).then(|| Self(self.0.wrapping_add(u64::from(offset))))
    }

    /// The value there.
    #[inline(always)]
    pub fn read<T: Copy>(self) -> Option<T> {
        // SAFETY: the helper checks the address; T is plain old data by this module's use.
        unsafe { bpf_probe_read_kernel(self.0 as *const T) }.ok()
    }

    /// The pointer there, unless it is null.
    #[inline(always)]
    pub fn pointer(self) -> Option<Self> {
        self.read::<u64>().filter(|address| *address != 0).map(Self)
    }

    /// Copies the value there to `to`.
    #[inline(always)]
    pub fn read_to<T: Copy>(self, to: &mut T) -> Option<()> {
        // SAFETY: T is plain old data by this module's use, so any bytes make one.
        let bytes = unsafe { core::slice::from_raw_parts_mut((&raw mut *to).cast::<u8>(), size_of::<T>()) };
        self.read_into(bytes)
    }

    /// Fills `to` with the bytes there.
    #[inline(always)]
    pub fn read_into(self, to: &mut [u8]) -> Option<()> {
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_kernel_buf(self.0 as *const u8, to) }.ok()
    }
}

/// `OVSP_LOCAL` is in the first hash bucket, with at most one vport per 1024 numbers before it.
const LOCAL_PORT_STEPS: u32 = 8;

/// The ifindex of a datapath's local port, as `get_dpifindex()` finds it; 0: it has none (yet).
#[inline(always)]
pub fn datapath_ifindex(datapath: Address) -> u32 {
    local_port(datapath).and_then(vport_ifindex).unwrap_or(0)
}

#[inline(always)]
fn local_port(datapath: Address) -> Option<Address> {
    let node_offset = u64::from(offset!(vport_dp_hash_node));
    let buckets = datapath.at(offset!(datapath_ports))?.pointer()?;
    let mut node = buckets.pointer()?;
    for _ in 0..LOCAL_PORT_STEPS {
        let vport = Address(node.0.wrapping_sub(node_offset));
        if vport_number(vport)? == 0 {
            return Some(vport);
        }
        node = node.pointer()?;
    }
    None
}

/// `vport->port_no`.
#[inline(always)]
pub fn vport_number(vport: Address) -> Option<u16> {
    vport.at(offset!(vport_port_no))?.read()
}

#[inline(always)]
fn vport_ifindex(vport: Address) -> Option<u32> {
    vport
        .at(offset!(vport_dev))?
        .pointer()?
        .at(offset!(net_device_ifindex))?
        .read()
}

/// The datapath in which a flow table is embedded.
#[inline(always)]
pub fn datapath_of_table(table: Address) -> Option<Address> {
    let offset = offset!(datapath_table);
    (offset != UNKNOWN).then(|| Address(table.0.wrapping_sub(u64::from(offset))))
}

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;

/// Reads the parts of `struct sw_flow_key` that can name a Pod.
///
/// Member by member into its place: a copy of the key would not fit on the stack.
#[inline(always)]
pub fn read_flow_key(key: Address, to: &mut FlowKey) -> Option<()> {
    key.at(offset!(key_recirc_id))?.read_to(&mut to.recirc_id)?;
    key.at(offset!(key_in_port))?.read_to(&mut to.in_port)?;
    key.at(offset!(key_eth_type))?.read_to(&mut to.eth_type)?;
    key.at(offset!(key_eth_src))?.read_to(&mut to.eth_src)?;
    key.at(offset!(key_eth_dst))?.read_to(&mut to.eth_dst)?;
    key.at(offset!(key_tp_src))?.read_to(&mut to.tp_src)?;
    key.at(offset!(key_tp_dst))?.read_to(&mut to.tp_dst)?;
    key.at(offset!(key_proto))?.read_to(&mut to.proto)?;
    to.eth_type = u16::from_be(to.eth_type);
    to.tp_src = u16::from_be(to.tp_src);
    to.tp_dst = u16::from_be(to.tp_dst);
    to.ip_src = [0; 16];
    to.ip_dst = [0; 16];
    to.reserved = [0; 3];
    match to.eth_type {
        ETH_P_IP | ETH_P_ARP => {
            key.at(offset!(key_ipv4_src))?.read_into(&mut to.ip_src[..4])?;
            key.at(offset!(key_ipv4_dst))?.read_into(&mut to.ip_dst[..4])
        }
        ETH_P_IPV6 => {
            key.at(offset!(key_ipv6_src))?.read_to(&mut to.ip_src)?;
            key.at(offset!(key_ipv6_dst))?.read_to(&mut to.ip_dst)
        }
        _ => Some(()),
    }
}
