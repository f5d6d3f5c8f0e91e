//! Where this kernel keeps what the programs read: its BTF → [`Offsets`].
//!
//! Must not depend on: aya, hooks. The types of openvswitch are in the module's own ("split") BTF, whose numbering
//! goes on from vmlinux's; it may hold copies of vmlinux's types, and several of one of its own.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::{fs, io, thread};

use anyhow::{Context as _, bail};
use btf_rs::{Backend, Btf, Type};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::system::uname;
use tracer_common::offsets::Offsets;
use tracer_core::event;

use super::derived;
use super::members;
use super::module;
use super::names::{self, Named};

const DIRECTORY: &str = "/sys/kernel/btf";

/// Structures that are never a module's own.
const OF_KERNEL: [&str; 4] = ["task_struct", "net_device", "genl_info", "sk_buff"];

/// What is known of the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Where things are.
    pub(super) offsets: Offsets,
    /// How the places of what is openvswitch's own were found, where they were.
    pub(super) of_module: event::Offsets,
    /// Why that is not all that is asked for.
    pub(super) why_unknown: Option<String>,
}

/// Whether a member (`sk_buff.len`) is of a structure of the kernel proper.
pub(super) fn is_of_kernel(member: &str) -> bool {
    let structure = member.split_once('.').map_or(member, |(structure, _)| structure);
    OF_KERNEL.contains(&structure)
}

impl Layout {
    /// Reads the BTF of vmlinux, and that of openvswitch where it has its own. `loaded`: openvswitch is there, as a module or as a part
    /// of the kernel.
    ///
    /// In a thread of its own: the many MiB that it takes meanwhile then go back to the system.
    pub(super) fn of_running_kernel(loaded: bool) -> anyhow::Result<Self> {
        thread::scope(|scope| scope.spawn(|| Self::read(loaded)).join())
            .unwrap_or_else(|_| bail!("the kernel's BTF cannot be read: it is not well-formed"))
    }

    fn read(loaded: bool) -> anyhow::Result<Self> {
        let path = Path::new(DIRECTORY).join("vmlinux");
        let vmlinux = Kernel::read(&path).with_context(|| {
            format!(
                "{} cannot be read: this kernel has to be built with CONFIG_DEBUG_INFO_BTF",
                path.display()
            )
        })?;
        let of_kernel = vmlinux.find(|structure| OF_KERNEL.contains(&structure));
        let within = vmlinux.find(|structure| !OF_KERNEL.contains(&structure));
        let module = Path::new(DIRECTORY).join(module::NAME);
        let mut layout = if has_own_types(loaded, module.exists(), within.know_datapath()) {
            Self::of_module(&module, &vmlinux)
        } else {
            Self {
                offsets: within,
                of_module: event::Offsets::VmlinuxBtf,
                why_unknown: None,
            }
        };
        layout.offsets = of_kernel.or(&layout.offsets).checked();
        Ok(layout)
    }

    /// Of what is in the module alone.
    fn of_module(path: &Path, vmlinux: &Kernel) -> Self {
        let error = match Btf::from_split_file(path, &vmlinux.btf) {
            Ok(module) => {
                return Self {
                    offsets: of_split(&module),
                    of_module: event::Offsets::ModuleBtf,
                    why_unknown: None,
                };
            }
            Err(error) => error,
        };
        let system = uname();
        let (release, build) = (
            system.release().to_string_lossy(),
            system.version().to_string_lossy(),
        );
        let alike = derived::why_unknown(&release, &build);
        let why = format!(
            "{}: {error}; the module has to be built with CONFIG_DEBUG_INFO_BTF_MODULES{}",
            path.display(),
            alike.map_or_else(String::new, |why| format!("; {why}"))
        );
        let derived = derived::is_known(&release, &build)
            .then(|| of_known_source(vmlinux))
            .flatten();
        if derived.is_some() {
            tracing::warn!("{why}; going by the source of Linux 5.10 instead");
        }
        Self {
            offsets: derived.unwrap_or(Offsets::unknown()),
            of_module: event::Offsets::Derived,
            why_unknown: derived.is_none().then_some(why),
        }
    }
}

/// Whether openvswitch's types are to be looked for in BTF of its own. Parts of the kernel, too, may have a directory in `/sys/module`
/// (`param_sysfs_builtin` in kernel/params.c), and no BTF of their own: their types are the kernel's.
fn has_own_types(loaded: bool, own: bool, known_to_kernel: bool) -> bool {
    loaded && (own || !known_to_kernel)
}

/// Offsets by the source of the running kernel, which is known.
fn of_known_source(vmlinux: &Kernel) -> Option<Offsets> {
    derived::offsets(|structure| match vmlinux.types(structure).first()? {
        Type::Struct(structure) => u32::try_from(structure.size()).ok(),
        _ => None,
    })
}

/// The BTF of vmlinux, without a table of all its names: it has some 10⁵, of which a handful is asked for.
struct Kernel {
    btf: Btf,
    named: Named,
}

impl Kernel {
    fn read(path: &Path) -> anyhow::Result<Self> {
        Self::of(fs::read(path)?)
    }

    /// Kernels before 6.16 cannot map the file itself (`btf_vmlinux_mmap` in `kernel/bpf/sysfs_btf.c`), so that a copy is mapped; the
    /// bytes are let go before its pages count as well.
    fn of(bytes: Vec<u8>) -> anyhow::Result<Self> {
        let named = names::find(&bytes, &structures());
        let copy = fs::File::from(memfd_create("btf", MemfdFlags::CLOEXEC).map_err(io::Error::from)?);
        (&copy).write_all(&bytes)?;
        drop(bytes);
        let copy = format!("/proc/self/fd/{}", copy.as_raw_fd());
        let btf = Btf::from_file_with_backend(copy, Backend::Mmap)?;
        Ok(Self { btf, named })
    }

    /// The structures of that name, which is one of [`structures`].
    fn types(&self, name: &str) -> Vec<Type> {
        let ids = self.named.get(name).into_iter().flatten();
        ids.filter_map(|id| self.btf.resolve_type_by_id(*id).ok())
            .collect()
    }

    fn find(&self, asked: impl Fn(&str) -> bool) -> Offsets {
        members::find(&self.btf, |name| self.types(name), asked)
    }
}

/// All structures that are asked for, in any kernel.
fn structures() -> Vec<&'static str> {
    let mut names: Vec<_> = Offsets::unknown()
        .members()
        .map(|(structure, _, _)| structure)
        .chain(derived::SIZES)
        .collect();
    names.dedup();
    names
}

/// Offsets of what is openvswitch's own, in a module's BTF.
fn of_split(module: &Btf) -> Offsets {
    let types = |name: &str| {
        let section = module.split();
        section.and_then(|section| section.resolve_types_by_name(name).ok())
    };
    members::find(
        module,
        |name| types(name).unwrap_or_default(),
        |structure| !OF_KERNEL.contains(&structure),
    )
}

/// Offsets by the BTF of vmlinux and of a module.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn of_bytes(vmlinux: &[u8], module: &[u8]) -> anyhow::Result<Offsets> {
    let vmlinux = Kernel::of(vmlinux.to_vec())?;
    let of_kernel = vmlinux.find(|structure| OF_KERNEL.contains(&structure));
    let module = Btf::from_split_bytes(module, &vmlinux.btf)?;
    Ok(of_kernel.or(&of_split(&module)).checked())
}

#[cfg(test)]
mod tests {
    use tracer_common::offsets::UNKNOWN;

    use super::*;

    /// Types of Debian's kernels: those of openvswitch that are asked for, with all that is inside them, split from a
    /// base with the members of the kernel's own structures that are asked for.
    macro_rules! kernel {
        ($version:literal) => {{
            let base = include_bytes!(concat!("../../../tests/btf/vmlinux-", $version, ".btf"));
            let module = include_bytes!(concat!("../../../tests/btf/openvswitch-", $version, ".btf"));
            of_bytes(base, module).unwrap()
        }};
    }

    #[test]
    fn linux_6_1() {
        let found = kernel!("6.1");
        assert_eq!(
            (
                found.datapath_table,
                found.datapath_user_features,
                found.datapath_upcall_portids
            ),
            (32, 104, 128)
        );
        assert_eq!((found.vport_dev, found.vport_dp, found.vport_port_no), (0, 8, 24));
        assert_eq!(
            (
                found.flow_key,
                found.flow_ufid_len,
                found.flow_ufid,
                found.flow_actions
            ),
            (104, 568, 576, 1624)
        );
        assert_eq!((found.actions_len, found.actions), (24, 28));
        assert_eq!(
            (
                found.key_in_port,
                found.key_recirc_id,
                found.key_eth_src,
                found.key_eth_dst
            ),
            (320, 328, 332, 338)
        );
        assert_eq!(
            (found.key_proto, found.key_tp_src, found.key_tp_dst),
            (356, 362, 364)
        );
        assert_eq!((found.key_ipv4_src, found.key_ipv4_dst), (368, 372));
        assert_eq!((found.info_genlhdr, found.info_attrs), (16, 32));
    }

    #[test]
    fn linux_6_12() {
        let found = kernel!("6.12");
        assert_eq!(
            (found.flow_key, found.flow_ufid_len, found.flow_actions),
            (104, 576, 616)
        );
        assert_eq!(
            (found.key_in_port, found.key_recirc_id, found.key_eth_src),
            (328, 336, 340)
        );
        assert_eq!(
            (found.key_proto, found.key_tp_src, found.key_ipv4_src),
            (364, 370, 376)
        );
        assert_eq!((found.key_ipv6_src, found.key_ipv6_dst), (376, 392));
        assert_eq!((found.info_genlhdr, found.info_attrs), (24, 32));
        assert_eq!((found.upcall_cmd, found.cb_input_vport), (32, 0));
    }

    #[test]
    fn everything_that_is_asked_for_is_in_recent_kernels() {
        for found in [kernel!("6.1"), kernel!("6.12"), kernel!("7.2")] {
            for (structure, path, offset) in found.members() {
                assert_ne!(offset, UNKNOWN, "{structure}.{path}");
            }
        }
    }

    #[test]
    fn openvswitch_as_a_part_of_the_kernel_has_no_types_of_its_own() {
        assert!(has_own_types(true, true, false), "a module");
        assert!(
            has_own_types(true, false, false),
            "a module that does not tell them"
        );
        assert!(
            !has_own_types(true, false, true),
            "a part of the kernel with a directory in /sys/module"
        );
        assert!(!has_own_types(false, false, true), "a part of the kernel without");
        assert!(!has_own_types(false, false, false), "not there");
    }

    #[test]
    fn without_the_modules_types_nothing_of_it_is_known() {
        let base = Kernel::of(include_bytes!("../../../tests/btf/vmlinux-6.12.btf").to_vec()).unwrap();
        let found = base.find(|_| true);
        assert!(!found.know_datapath());
        assert_ne!(found.task_exit_code, UNKNOWN);
    }

    /// BTF of these types and names: what <https://docs.kernel.org/bpf/btf.html> says, little endian.
    fn btf(types: &[u32], names: &[u8]) -> Vec<u8> {
        let length = |bytes: usize| u32::try_from(bytes).unwrap();
        let (types_len, names_len) = (length(types.len() * 4), length(names.len()));
        let header = [0x1_eb9f, 24, 0, types_len, types_len, names_len];
        let words = header.iter().chain(types).flat_map(|word| word.to_le_bytes());
        words.chain(names.iter().copied()).collect()
    }

    const STRUCT: u32 = 4 << 24;
    const TYPEDEF: u32 = 8 << 24;

    #[test]
    fn a_type_name_that_names_itself_ends() {
        // struct sk_buff { t *; } with typedef t t.
        let types = [1, STRUCT | 1, 8, 0, 2, 0, 9, TYPEDEF, 2];
        let vmlinux = Kernel::of(btf(&types, b"\0sk_buff\0t\0")).unwrap();
        assert_eq!(vmlinux.find(|_| true).skb_len, UNKNOWN);
    }

    #[test]
    fn structures_that_contain_themselves_end() {
        // struct sk_buff of 200 anonymous members, each a struct sk_buff: 200⁸ members but for the bound.
        let mut types = vec![1, STRUCT | 0xc8, 8];
        types.extend([0, 1, 0].repeat(200));
        let vmlinux = Kernel::of(btf(&types, b"\0sk_buff\0")).unwrap();
        assert_eq!(vmlinux.find(|_| true).skb_len, UNKNOWN);
    }

    #[test]
    fn the_largest_offsets_add_up() {
        // struct sk_buff { struct { len; } }, both members at the last bit there is.
        let types = [1, STRUCT | 1, 8, 0, 2, u32::MAX, 0, STRUCT | 1, 8, 9, 1, u32::MAX];
        let vmlinux = Kernel::of(btf(&types, b"\0sk_buff\0len\0")).unwrap();
        assert_eq!(vmlinux.find(|_| true).skb_len, 2 * (u32::MAX / 8));
    }
}
