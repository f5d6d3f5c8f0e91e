//! Records of the ring buffer: a [`Header`], then the body of its [`Kind`], then trailing bytes.
//!
//! Must not depend on: how records become events.

use crate::run::{Run, RunKey};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How much of an action list is recorded.
pub const MAX_ACTIONS: usize = 512;
/// How many portids of a list are looked at.
pub const MAX_PORTIDS: u32 = 64;
/// `IFNAMSIZ` and `TASK_COMM_LEN`.
pub const NAME_LEN: usize = 16;
/// A number that the record does not tell.
pub const NONE: u32 = u32::MAX;

/// What a record's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// No body.
    FlowFlush = 1,
    /// [`FlowInsert`], then the actions.
    FlowInsert = 2,
    /// [`FlowSet`], then the actions.
    FlowSet = 3,
    /// [`FlowRemove`].
    FlowRemove = 4,
    /// [`Portids`] of the datapath.
    DpChange = 5,
    /// [`Portids`] of a vport.
    VportPortids = 6,
    /// [`Reconfigured`].
    VportNew = 7,
    /// [`Reconfigured`].
    VportDel = 8,
    /// [`Reconfigured`].
    DatapathNew = 9,
    /// [`Reconfigured`].
    DatapathDel = 10,
    /// [`Process`].
    ProcessExec = 11,
    /// [`Process`].
    ProcessFork = 12,
    /// [`Process`].
    ProcessExit = 13,
    /// [`RunEnded`].
    RunEnded = 14,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::FlowFlush,
        Self::FlowInsert,
        Self::FlowSet,
        Self::FlowRemove,
        Self::DpChange,
        Self::VportPortids,
        Self::VportNew,
        Self::VportDel,
        Self::DatapathNew,
        Self::DatapathDel,
        Self::ProcessExec,
        Self::ProcessFork,
        Self::ProcessExit,
        Self::RunEnded,
    ];
}

/// What every record begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// A [`Kind`].
    pub kind: u32,
    /// The process in whose context it happened.
    pub tgid: u32,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub at: u64,
    /// Datapath, 0 where it could not be told or does not apply.
    pub dp: u32,
    /// Bytes after the body.
    pub trailing: u32,
}

/// The parts of `struct sw_flow_key` that can name a Pod. Numbers are in host order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlowKey {
    /// Recirculation id.
    pub recirc_id: u32,
    /// Input port.
    pub in_port: u16,
    /// Ethernet type.
    pub eth_type: u16,
    /// Ethernet source.
    pub eth_src: [u8; 6],
    /// Ethernet destination.
    pub eth_dst: [u8; 6],
    /// L4 source port.
    pub tp_src: u16,
    /// L4 destination port.
    pub tp_dst: u16,
    /// IP source (IPv4: the first four bytes) or ARP sender.
    pub ip_src: [u8; 16],
    /// IP destination or ARP target, likewise.
    pub ip_dst: [u8; 16],
    /// IP protocol or ARP opcode.
    pub proto: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// A megaflow is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlowInsert {
    /// Its unique id; zero: identified by its key.
    pub ufid: [u8; 16],
    /// Its masked key.
    pub key: FlowKey,
    /// Length of its action list, of which at most [`MAX_ACTIONS`] bytes follow, in the kernel's dialect.
    pub actions_len: u32,
}

/// A megaflow's actions were replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlowSet {
    /// When the command entered the kernel.
    pub entered: u64,
    /// Its unique id; zero: the command named it by its key.
    pub ufid: [u8; 16],
    /// Length of the action list, of which at most [`MAX_ACTIONS`] bytes follow, in netlink's dialect.
    pub actions_len: u32,
    /// Zero.
    pub reserved: u32,
}

/// A megaflow is taken out of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlowRemove {
    /// Its unique id; zero: identified by its key.
    pub ufid: [u8; 16],
    /// Its masked key.
    pub key: FlowKey,
    /// Zero.
    pub reserved: u32,
}

/// Who gets upcalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Portids {
    /// The vport; [`NONE`]: the datapath.
    pub port_no: u32,
    /// How many were given; [`NONE`]: no list was given.
    pub given: u32,
    /// How many of the first [`MAX_PORTIDS`] are not 0.
    pub bound: u32,
    /// Zero.
    pub reserved: u32,
}

/// Ports or datapaths changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Reconfigured {
    /// The port; [`NONE`]: the message did not tell.
    pub port_no: u32,
    /// Zero.
    pub reserved: u32,
    /// When the command entered the kernel.
    pub entered: u64,
    /// The port's or datapath's name, NUL-padded; empty: the message did not tell.
    pub name: [u8; NAME_LEN],
}

/// A process of OVS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's, 0 where it could not be told.
    pub parent: u32,
    /// `task_struct.exit_code`; [`NONE`]: not read.
    pub exit_code: u32,
    /// Zero.
    pub reserved: u32,
    /// Its `comm`, NUL-padded.
    pub comm: [u8; NAME_LEN],
}

/// Another fate has ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RunEnded {
    /// Whose packets.
    pub key: RunKey,
    /// What became of them.
    pub run: Run,
}
