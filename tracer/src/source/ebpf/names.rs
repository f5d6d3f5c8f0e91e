//! Which structures of the kernel proper bear a name that is asked for: all names in one pass over its BTF.
//!
//! Must not depend on: members, modules. What the bytes mean: <https://docs.kernel.org/bpf/btf.html>, little endian.

use std::collections::BTreeMap;

/// Types by name, in the order of their numbers.
pub(super) type Named = BTreeMap<&'static str, Vec<u32>>;

const HEADER: usize = 24;
/// The fixed part of a type: its name, its kind and count, its size or another type.
const TYPE: usize = 12;

const STRUCT: u32 = 4;
const UNION: u32 = 5;

/// Structures and unions that bear one of `names`. What is not well-formed ends the search; whoever reads the types says so.
pub(super) fn find(btf: &[u8], names: &[&'static str]) -> Named {
    let mut found = Named::new();
    let Some((types, strings)) = sections(btf) else {
        return found;
    };
    let (mut at, mut id) = (0, 1);
    while let (Some(name), Some(info)) = (word(types, at), word(types, at + 4)) {
        let (kind, count) = (info >> 24 & 0x1f, info & 0xffff);
        if matches!(kind, STRUCT | UNION)
            && let Some(name) = names.iter().find(|asked| is_at(strings, name, asked))
        {
            found.entry(name).or_default().push(id);
        }
        let Some(rest) = after_fixed(kind, count) else {
            break;
        };
        (at, id) = (at + TYPE + rest, id + 1);
    }
    found
}

/// The types and the strings.
fn sections(btf: &[u8]) -> Option<(&[u8], &[u8])> {
    let part = |offset: usize| {
        let length = usize::try_from(word(btf, 4)?).ok()?.max(HEADER);
        let from = length.checked_add(word(btf, offset)?.try_into().ok()?)?;
        btf.get(from..from.checked_add(word(btf, offset + 4)?.try_into().ok()?)?)
    };
    Some((part(8)?, part(16)?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

fn is_at(strings: &[u8], offset: u32, name: &str) -> bool {
    let string = usize::try_from(offset)
        .ok()
        .and_then(|offset| strings.get(offset..));
    let rest = string.and_then(|string| string.strip_prefix(name.as_bytes()));
    rest.and_then(<[u8]>::first) == Some(&0)
}

/// Bytes of a type beyond its fixed part; `None`: no kind that is known.
fn after_fixed(kind: u32, count: u32) -> Option<usize> {
    let count = usize::try_from(count).ok()?;
    Some(match kind {
        // Ptr, Fwd, Typedef, Volatile, Const, Restrict, Func, Float, TypeTag
        2 | 7..=12 | 16 | 18 => 0,
        // Int, Var, DeclTag
        1 | 14 | 17 => 4,
        // Array
        3 => 12,
        // Enum, FuncProto
        6 | 13 => count * 8,
        // Struct, Union, Datasec, Enum64
        STRUCT | UNION | 15 | 19 => count * 12,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use btf_rs::Btf;

    use super::*;

    const VMLINUX: &[u8] = include_bytes!("../../../tests/btf/vmlinux-6.12.btf");

    #[test]
    fn the_same_types_as_by_each_name() {
        let names = ["task_struct", "net_device", "genl_info", "sk_buff"];
        let found = find(VMLINUX, &names);
        let btf = Btf::from_bytes(VMLINUX).unwrap();
        for name in names {
            assert_eq!(
                found.get(name),
                Some(&btf.resolve_ids_by_name(name).unwrap()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_is_found_as_a_whole() {
        assert_eq!(find(VMLINUX, &["sk_buf", "uff", "sk_buffs"]), Named::new());
    }

    #[test]
    fn bytes_that_end_anywhere_end_the_search() {
        for end in 0..VMLINUX.len().min(4096) {
            let _found = find(VMLINUX.get(..end).unwrap_or_default(), &["sk_buff"]);
        }
        let mut huge = VMLINUX.to_vec();
        huge[4..24].fill(0xff);
        assert_eq!(find(&huge, &["sk_buff"]), Named::new());
    }
}
