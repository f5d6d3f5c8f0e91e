//! What a packet is addressed to: its flow key → its traffic key.
//!
//! Must not depend on: what becomes of packets.

use tracer_common::offsets::{KEY_HEAD, KEY_WINDOW, UNKNOWN};
use tracer_common::run::{RunKey, family};

use crate::kernel::{Address, offset};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
const IPPROTO_TCP: u8 = 6;
const IPPROTO_UDP: u8 = 17;
const IPPROTO_ICMPV6: u8 = 58;
const IPPROTO_SCTP: u8 = 132;
/// `NDISC_NEIGHBOUR_SOLICITATION`, which `tp.src` holds for ICMPv6: it goes to a group of addresses, and means its
/// target. (An advertisement's target is its sender.)
const ND_SOLICITATION: u16 = 135;

/// A part of `struct sw_flow_key`: userspace has seen to it that all members of interest are inside
/// (`Offsets::checked`).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Window {
    head: [u8; KEY_HEAD as usize],
    /// Only of IPv6: else what another packet left.
    tail: [u8; (KEY_WINDOW - KEY_HEAD) as usize],
}

/// The member at its offset in the window.
macro_rules! member {
    ($window:expr, $member:ident, $type:ty) => {
        $window.at::<$type>(offset!(window.$member))
    };
}

impl Window {
    /// Whether this kernel's flow key is laid out so.
    #[inline(always)]
    pub fn can_be_read() -> bool {
        offset!(key_nd_target) != UNKNOWN
    }

    /// Reads the window of the flow key at `key`.
    #[inline(always)]
    pub fn fill(&mut self, key: Address) -> Option<()> {
        let from = key.at(offset!(key_in_port))?;
        from.read_into(&mut self.head)?;
        if u16::from_be(member!(self, eth_type, u16)) == ETH_P_IPV6 {
            from.at(KEY_HEAD)?.read_into(&mut self.tail)?;
        }
        Some(())
    }

    #[inline(always)]
    fn at<T: Copy + Default>(&self, at: u32) -> T {
        // A constant to the verifier, which needs to be told that it is inside.
        if at > KEY_WINDOW - size_of::<[u32; 4]>() as u32 {
            return T::default();
        }
        // SAFETY: inside the window by the check above; userspace has checked that it is aligned.
        unsafe {
            (&raw const *self)
                .cast::<u8>()
                .add(at as usize)
                .cast::<T>()
                .read()
        }
    }

    /// `phy.in_port`.
    #[inline(always)]
    pub fn in_port(&self) -> u16 {
        self.at(0)
    }

    /// `recirc_id`.
    #[inline(always)]
    pub fn recirc_id(&self) -> u32 {
        member!(self, recirc_id, u32)
    }

    /// The traffic key of a packet with this flow key, on no CPU.
    #[inline(always)]
    pub fn traffic(&self, datapath: Address) -> RunKey {
        let eth_type = u16::from_be(member!(self, eth_type, u16));
        let (family, dst) = self.destination(eth_type);
        RunKey {
            datapath: datapath.0 as u32,
            dst,
            in_port: self.in_port(),
            eth_type,
            port: self.lower_port(eth_type),
            proto: self.proto(eth_type),
            family,
            cpu: 0,
        }
    }

    #[inline(always)]
    fn destination(&self, eth_type: u16) -> (u8, [u32; 4]) {
        match eth_type {
            ETH_P_IP | ETH_P_ARP => (family::IPV4, [member!(self, ipv4_dst, u32), 0, 0, 0]),
            ETH_P_IPV6 if self.is_neighbour_solicitation() => {
                (family::IPV6, member!(self, nd_target, [u32; 4]))
            }
            ETH_P_IPV6 => (family::IPV6, member!(self, ipv6_dst, [u32; 4])),
            _ => {
                let mac = member!(self, eth_dst, [u16; 3]).map(u32::from);
                (family::MAC, [mac[0] | mac[1] << 16, mac[2], 0, 0])
            }
        }
    }

    #[inline(always)]
    fn is_neighbour_solicitation(&self) -> bool {
        let kind = u16::from_be(member!(self, tp_src, u16));
        member!(self, proto, u8) == IPPROTO_ICMPV6
            && member!(self, tp_dst, u16) == 0
            && kind == ND_SOLICITATION
    }

    #[inline(always)]
    fn proto(&self, eth_type: u16) -> u8 {
        match eth_type {
            ETH_P_IP | ETH_P_ARP | ETH_P_IPV6 => member!(self, proto, u8),
            _ => 0,
        }
    }

    #[inline(always)]
    fn lower_port(&self, eth_type: u16) -> u16 {
        if eth_type != ETH_P_IP && eth_type != ETH_P_IPV6 {
            return 0;
        }
        match member!(self, proto, u8) {
            IPPROTO_TCP | IPPROTO_UDP | IPPROTO_SCTP => {
                let src = u16::from_be(member!(self, tp_src, u16));
                let dst = u16::from_be(member!(self, tp_dst, u16));
                if src < dst { src } else { dst }
            }
            _ => 0,
        }
    }

    /// What tells packets of a later pass apart: an address of the source, and both L4 ports.
    #[inline(always)]
    pub fn source(&self) -> ([u32; 4], u32) {
        let src = match u16::from_be(member!(self, eth_type, u16)) {
            ETH_P_IPV6 => member!(self, ipv6_src, [u32; 4]),
            _ => [member!(self, ipv4_src, u32), 0, 0, 0],
        };
        let ports = u32::from(member!(self, tp_src, u16)) << 16 | u32::from(member!(self, tp_dst, u16));
        (src, ports)
    }
}
