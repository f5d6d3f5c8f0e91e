//! The arguments of a generic netlink command: `struct genl_info` and its attributes.
//!
//! Must not depend on: which commands there are.

use crate::kernel::{Address, offset};

/// `struct nlattr`: a 16-bit length that includes these 4 bytes, and a type.
const NLA_HDRLEN: u16 = 4;

/// One attribute's payload.
#[derive(Clone, Copy)]
pub struct Attribute {
    /// Where it begins.
    pub payload: Address,
    /// Its length in bytes.
    pub len: u16,
}

impl Attribute {
    /// The attribute at `address`.
    #[inline(always)]
    pub fn at(address: Address) -> Option<Self> {
        let len: u16 = address.read()?;
        Some(Self {
            payload: address.at(u32::from(NLA_HDRLEN))?,
            len: len.saturating_sub(NLA_HDRLEN),
        })
    }

    /// Attribute number `index` of a table of parsed attributes, where it was given.
    #[inline(always)]
    pub fn of_table(table: Address, index: u32) -> Option<Self> {
        Self::at(table.at(index * 8)?.pointer()?)
    }

    /// Attribute number `index` of a command.
    #[inline(always)]
    pub fn of_command(info: Address, index: u32) -> Option<Self> {
        Self::of_table(info.at(offset!(info_attrs))?.pointer()?, index)
    }

    /// Its payload as a number.
    #[inline(always)]
    pub fn number(self) -> Option<u32> {
        self.payload.read()
    }
}

/// `ovs_header.dp_ifindex` of a command; 0: not told.
#[inline(always)]
pub fn datapath(info: Address) -> u32 {
    /// `sizeof(struct genlmsghdr)`: `struct ovs_header` follows it.
    const GENL_HDRLEN: u32 = 4;
    info.at(offset!(info_genlhdr))
        .and_then(Address::pointer)
        .and_then(|header| header.at(GENL_HDRLEN))
        .and_then(Address::read)
        .unwrap_or(0)
}
