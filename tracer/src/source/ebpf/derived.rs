//! Where openvswitch keeps things on Linux 5.10, whose builds have BTF of the kernel but seldom of its modules: derived
//! from its source, with the sizes of what is not openvswitch's own.
//!
//! Must not depend on: BTF, files. The source: `net/openvswitch/{datapath,flow,flow_table,vport}.h` of Linux 5.10.

use tracer_common::offsets::Offsets;

/// Whether `release` (`uname -r`) and `build` (`uname -v`) are of a kernel whose source this is: one that Debian built. Other vendors
/// number theirs likewise and may have moved members, which would be read wrongly and unnoticed.
///
/// A build of Debian's says `#1 SMP Debian 5.10.218-1 (2024-06-01)` (debian/rules.real of its package linux).
pub(super) fn is_known(release: &str, build: &str) -> bool {
    release.starts_with("5.10.") && release.ends_with("-amd64") && build.contains(" Debian 5.10.")
}

/// Why a kernel of this release is not taken for one whose source is known, where that is not plain.
pub(super) fn why_unknown(release: &str, build: &str) -> Option<String> {
    let alike = release.starts_with("5.10.") && !is_known(release, build);
    alike.then(|| {
        format!(
            "of Linux 5.10 ovsgap knows how Debian builds it for amd64, and this is another build ({release}, {build}), whose \
             structures may be laid out differently"
        )
    })
}

/// The structures whose sizes are asked for.
pub(super) const SIZES: [&str; 2] = [TUNNEL_KEY, CPUMASK];
const TUNNEL_KEY: &str = "ip_tunnel_key";
const CPUMASK: &str = "cpumask";

/// Offsets on a 64-bit kernel; `size_of` tells the size of a structure of the kernel proper.
pub(super) fn offsets(size_of: impl Fn(&str) -> Option<u32>) -> Option<Offsets> {
    let key = Key::new(size_of(TUNNEL_KEY)?);
    let flow = Flow::new(key.size(), size_of(CPUMASK)?);
    Some(Offsets {
        datapath_table: DATAPATH_TABLE,
        datapath_ports: DATAPATH_TABLE + FLOW_TABLE,
        datapath_user_features: DATAPATH_TABLE + FLOW_TABLE + 3 * POINTER,
        vport_dev: 0,
        vport_dp: POINTER,
        vport_port_no: 3 * POINTER,
        vport_dp_hash_node: 4 * POINTER + LIST_NODE,
        flow_key: Flow::KEY,
        flow_ufid_len: flow.id,
        flow_ufid: flow.id + POINTER,
        flow_actions: flow.mask + POINTER,
        actions_len: RCU_HEAD + POINTER,
        actions: RCU_HEAD + POINTER + 4,
        key_in_port: key.phy + 8,
        key_recirc_id: key.phy + 16,
        key_eth_src: key.phy + 20,
        key_eth_dst: key.phy + 26,
        key_eth_type: key.phy + 40,
        key_proto: key.phy + 44,
        key_tp_src: key.phy + 50,
        key_tp_dst: key.phy + 52,
        key_ipv4_src: key.phy + Key::ADDRESSES,
        key_ipv4_dst: key.phy + Key::ADDRESSES + 4,
        key_ipv6_src: key.phy + Key::ADDRESSES,
        key_ipv6_dst: key.phy + Key::ADDRESSES + 16,
        key_nd_target: key.phy + Key::ADDRESSES + 36,
        upcall_cmd: 4 * POINTER,
        cb_input_vport: 0,
        ..Offsets::unknown()
    })
}

const POINTER: u32 = 8;
const RCU_HEAD: u32 = 2 * POINTER;
const LIST_NODE: u32 = 2 * POINTER;
/// `struct datapath`: `rcu`, `list_node`, `table`.
const DATAPATH_TABLE: u32 = RCU_HEAD + LIST_NODE;
/// `struct flow_table`: four pointers, `last_rehash`, two counts.
const FLOW_TABLE: u32 = 5 * POINTER + 2 * 4;

/// `struct sw_flow_key`.
struct Key {
    /// `phy`, after `tun_opts`, their length and `tun_key`.
    phy: u32,
}

impl Key {
    /// From `phy` to the union of addresses.
    const ADDRESSES: u32 = 56;
    /// The longest of that union: `ipv6` with two addresses, a label and the original direction.
    const LONGEST: u32 = 16 + 16 + 4 + 32;
    /// `ct`: ports, mark, labels.
    const CT: u32 = 4 + 4 + 16;

    const fn new(tunnel_key: u32) -> Self {
        Self {
            phy: 256 + tunnel_key,
        }
    }

    const fn size(&self) -> u32 {
        (self.phy + Self::ADDRESSES + Self::LONGEST + Self::CT).next_multiple_of(POINTER)
    }
}

/// `struct sw_flow`.
struct Flow {
    id: u32,
    mask: u32,
}

impl Flow {
    /// After `rcu`, two hash nodes with their hashes, and `stats_last_writer`.
    const KEY: u32 = RCU_HEAD + 2 * (2 * LIST_NODE + 8) + 8;
    /// `struct sw_flow_id`.
    const ID: u32 = POINTER + 16;

    const fn new(key: u32, cpumask: u32) -> Self {
        let id = Self::KEY + key;
        Self {
            id,
            mask: (id + Self::ID + cpumask).next_multiple_of(POINTER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_kernel_probed_by_hand_has_it() {
        let size_of = |name: &str| match name {
            "ip_tunnel_key" => Some(56),
            "cpumask" => Some(1024),
            _ => None,
        };
        let found = offsets(size_of).unwrap();
        assert_eq!((found.datapath_table, found.datapath_user_features), (32, 104));
        assert_eq!(
            (found.vport_dp, found.vport_port_no, found.vport_dp_hash_node),
            (8, 24, 48)
        );
        assert_eq!(
            (found.flow_key, found.flow_ufid_len, found.flow_actions),
            (104, 568, 1624)
        );
        assert_eq!(
            (found.key_in_port, found.key_recirc_id, found.key_proto),
            (320, 328, 356)
        );
        assert_eq!(
            (found.key_tp_src, found.key_ipv4_src, found.key_ipv6_dst),
            (362, 368, 384)
        );
        assert_eq!((found.actions_len, found.actions, found.upcall_cmd), (24, 28, 32));
        let checked = found.checked();
        assert_eq!(
            found.key_nd_target, checked.key_nd_target,
            "a packet's key fits the window"
        );
    }

    #[test]
    fn only_debians_builds_of_linux_5_10_are_known() {
        let debian = "#1 SMP Debian 5.10.223-1 (2024-08-10)";
        assert!(is_known("5.10.0-32-cloud-amd64", debian) && is_known("5.10.0-35-amd64", debian));
        assert_eq!(why_unknown("5.10.0-32-cloud-amd64", debian), None);
        for (release, build) in [
            (
                "5.10.217-205.860.amzn2.x86_64",
                "#1 SMP Tue May 21 16:52:24 UTC 2024",
            ),
            (
                "5.10.0-136.12.0.86.oe2203sp1.x86_64",
                "#1 SMP Tue Jun 27 17:50:15 CST 2023",
            ),
            ("5.10.220", "#1 SMP PREEMPT Sun Jul 7 10:00:00 UTC 2024"),
            ("5.10.220-flatcar", "#1 SMP Debian is not what this is"),
            ("5.10.0-32-arm64", debian),
            ("5.10.0-1-amd64", "#1 SMP somebody's own"),
        ] {
            assert!(!is_known(release, build), "{release}");
            let why = why_unknown(release, build).unwrap();
            assert!(why.contains(release) && why.contains("Debian"), "{why}");
        }
        assert!(!is_known("5.15.0-1-amd64", debian));
        assert_eq!(why_unknown("5.15.0-1-generic", debian), None, "nothing like it");
    }

    #[test]
    fn a_kernel_that_does_not_tell_sizes_is_not_guessed_at() {
        assert_eq!(offsets(|_| None), None);
    }
}
