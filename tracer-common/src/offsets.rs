//! Where the kernel keeps what the programs read: member offsets, found at load time.
//!
//! Must not depend on: how they are found (that is `source::ebpf::offsets`).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An offset that is not known on this kernel.
pub const UNKNOWN: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident: $type:literal . $path:literal),+ $(,)?) => {
        /// Byte offsets of members of kernel structures; [`UNKNOWN`] where this kernel has no such member.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct Offsets {
            $($(#[$doc])* pub $name: u32,)+
            /// Members of a flow key once more, for packets.
            pub window: KeyWindow,
        }

        impl Offsets {
            /// Nothing is known.
            pub const fn unknown() -> Self {
                Self { $($name: UNKNOWN,)+ window: KeyWindow::unknown() }
            }

            /// Asks `find(structure, member path)` for each member and keeps what it answers.
            pub fn resolve(mut find: impl FnMut(&'static str, &'static str) -> Option<u32>) -> Self {
                Self { $($name: find($type, $path).unwrap_or(UNKNOWN),)+ window: KeyWindow::unknown() }
            }

            /// The offsets of `self`, and those of `other` where `self` knows none.
            #[must_use]
            pub const fn or(&self, other: &Self) -> Self {
                Self {
                    $($name: if self.$name == UNKNOWN { other.$name } else { self.$name },)+
                    window: KeyWindow::unknown(),
                }
            }

            /// Every member: its structure, its path there, and its offset.
            pub fn members(&self) -> impl Iterator<Item = (&'static str, &'static str, u32)> {
                [$(($type, $path, self.$name),)+].into_iter()
            }
        }
    };
}

offsets! {
    /// The flow table, embedded.
    datapath_table: "datapath"."table",
    /// Hash buckets of vports.
    datapath_ports: "datapath"."ports",
    /// `OVS_DP_F_*`.
    datapath_user_features: "datapath"."user_features",
    /// Portids of per-CPU upcall dispatch: kernels that have it also have `OVS_DP_ATTR_PER_CPU_PIDS`.
    datapath_upcall_portids: "datapath"."upcall_portids",

    /// Its network device.
    vport_dev: "vport"."dev",
    /// Its datapath.
    vport_dp: "vport"."dp",
    /// Its number.
    vport_port_no: "vport"."port_no",
    /// Its node in the datapath's hash buckets.
    vport_dp_hash_node: "vport"."dp_hash_node",
    /// A device's index.
    net_device_ifindex: "net_device"."ifindex",

    /// A megaflow's masked key.
    flow_key: "sw_flow"."key",
    /// Length of its unique id; 0: it is identified by its key.
    flow_ufid_len: "sw_flow"."id.ufid_len",
    /// Its unique id.
    flow_ufid: "sw_flow"."id.ufid",
    /// Its actions.
    flow_actions: "sw_flow"."sf_acts",
    /// Length of an action list.
    actions_len: "sw_flow_actions"."actions_len",
    /// The list itself.
    actions: "sw_flow_actions"."actions",

    /// Input port.
    key_in_port: "sw_flow_key"."phy.in_port",
    /// Recirculation id.
    key_recirc_id: "sw_flow_key"."recirc_id",
    /// Ethernet source.
    key_eth_src: "sw_flow_key"."eth.src",
    /// Ethernet destination.
    key_eth_dst: "sw_flow_key"."eth.dst",
    /// Ethernet type, big endian.
    key_eth_type: "sw_flow_key"."eth.type",
    /// IP protocol or ARP opcode.
    key_proto: "sw_flow_key"."ip.proto",
    /// L4 source port, big endian.
    key_tp_src: "sw_flow_key"."tp.src",
    /// L4 destination port, big endian.
    key_tp_dst: "sw_flow_key"."tp.dst",
    /// IPv4 source or ARP sender.
    key_ipv4_src: "sw_flow_key"."ipv4.addr.src",
    /// IPv4 destination or ARP target.
    key_ipv4_dst: "sw_flow_key"."ipv4.addr.dst",
    /// IPv6 source.
    key_ipv6_src: "sw_flow_key"."ipv6.addr.src",
    /// IPv6 destination.
    key_ipv6_dst: "sw_flow_key"."ipv6.addr.dst",
    /// Neighbour discovery's target.
    key_nd_target: "sw_flow_key"."ipv6.nd.target",

    /// A packet's length.
    skb_len: "sk_buff"."len",
    /// How much of it is not in its linear part.
    skb_data_len: "sk_buff"."data_len",
    /// The buffer of its linear part.
    skb_head: "sk_buff"."head",
    /// Where the packet begins in it: with the L2 header.
    skb_data: "sk_buff"."data",
    /// From the buffer's beginning to the L3 header.
    skb_network_header: "sk_buff"."network_header",
    /// A packet's control block, here `struct ovs_skb_cb`.
    skb_cb: "sk_buff"."cb",
    /// The vport at which a packet came in.
    cb_input_vport: "ovs_skb_cb"."input_vport",

    /// Why an upcall is made.
    upcall_cmd: "dp_upcall_info"."cmd",

    /// The generic netlink header, followed by `struct ovs_header`.
    info_genlhdr: "genl_info"."genlhdr",
    /// The parsed attributes.
    info_attrs: "genl_info"."attrs",

    /// Thread id.
    task_pid: "task_struct"."pid",
    /// Process id.
    task_tgid: "task_struct"."tgid",
    /// `exit()` status and signal.
    task_exit_code: "task_struct"."exit_code",
    /// Its parent.
    task_parent: "task_struct"."real_parent",
}

/// How much of a flow key, from its input port on, is read for a packet.
pub const KEY_WINDOW: u32 = 128;
/// The part of it that is read for every packet, and not only where it is IPv6.
pub const KEY_HEAD: u32 = 64;

macro_rules! window {
    ($($name:ident: $of:ident, $size:literal, $align:literal, $end:ident;)+) => {
        /// Where members of a flow key are from its input port on, so that no program need reckon it for every packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct KeyWindow {
            $(#[doc = concat!("[`Offsets::", stringify!($of), "`]")] pub $name: u32,)+
        }

        impl KeyWindow {
            const fn unknown() -> Self {
                Self { $($name: UNKNOWN,)+ }
            }

            /// `None` where a member is outside, or where it cannot be read in one piece.
            const fn of(offsets: &Offsets) -> Option<Self> {
                $(let $name = offsets.$of.wrapping_sub(offsets.key_in_port);
                if $name > $end - $size || $name & ($align - 1) != 0 {
                    return None;
                })+
                Some(Self { $($name,)+ })
            }
        }
    };
}

// Size and alignment of what is read there, and where it must end. Addresses are read as 32-bit words.
window! {
    recirc_id: key_recirc_id, 4, 4, KEY_HEAD;
    eth_dst: key_eth_dst, 6, 2, KEY_HEAD;
    eth_type: key_eth_type, 2, 2, KEY_HEAD;
    proto: key_proto, 1, 1, KEY_HEAD;
    tp_src: key_tp_src, 2, 2, KEY_HEAD;
    tp_dst: key_tp_dst, 2, 2, KEY_HEAD;
    ipv4_src: key_ipv4_src, 4, 4, KEY_HEAD;
    ipv4_dst: key_ipv4_dst, 4, 4, KEY_HEAD;
    ipv6_src: key_ipv6_src, 16, 4, KEY_WINDOW;
    ipv6_dst: key_ipv6_dst, 16, 4, KEY_WINDOW;
    nd_target: key_nd_target, 16, 4, KEY_WINDOW;
}

impl Offsets {
    /// The same, with its window; but for [`Self::key_nd_target`], which is not told where not all fits the window: the
    /// programs then follow no packet.
    #[must_use]
    pub const fn checked(mut self) -> Self {
        match KeyWindow::of(&self) {
            Some(window) => self.window = window,
            None => self.key_nd_target = UNKNOWN,
        }
        self
    }

    /// Whether the types of openvswitch were found at all.
    pub const fn know_datapath(&self) -> bool {
        self.datapath_ports != UNKNOWN
    }
}
