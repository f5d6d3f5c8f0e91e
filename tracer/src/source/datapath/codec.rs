//! Generic netlink messages of families `nlctrl`, `ovs_datapath` and `ovs_vport`: bytes in, facts out.
//!
//! Must not depend on: sockets, events. The bindings read attributes; the headers are ours, as the bindings' requests
//! leave out the generic one (include/uapi/linux/{netlink,genetlink,openvswitch}.h of Linux).

use std::fmt;

use netlink_bindings::utils::ErrorContext;
use netlink_bindings::{nlctrl, ovs_datapath, ovs_vport};
use tracer_core::id::{DpIfindex, Ifindex, PortNo};

/// `GENL_ID_CTRL`: the family that tells about families.
pub const CONTROL: u16 = 0x10;
/// `CTRL_CMD_GETFAMILY`.
pub const GET_FAMILY: u8 = 3;
/// `OVS_DP_CMD_GET` and `OVS_VPORT_CMD_GET`.
pub const GET: u8 = 3;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;

/// Bytes that are not what the kernel sends.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the kernel's netlink message cannot be read: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

impl From<ErrorContext> for Malformed {
    fn from(error: ErrorContext) -> Self {
        Self(error.to_string())
    }
}

/// One message of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The request it answers, by number.
    pub seq: u32,
    /// What it holds.
    pub body: Body<'a>,
}

/// What a message holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// `NLMSG_DONE` or `NLMSG_ERROR`: a dump or request has ended, with 0 or a negative errno.
    End(i32),
    /// Generic netlink.
    Generic {
        /// Family id.
        family: u16,
        /// `*_CMD_*`.
        command: u8,
        /// The dump it is part of was not of one moment (`NLM_F_DUMP_INTR`).
        interrupted: bool,
        /// What follows the generic header.
        payload: &'a [u8],
    },
}

/// The messages of a datagram.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || (!rest.is_empty()).then(|| message(&mut rest).inspect_err(|_| rest = &[])))
}

fn message<'a>(rest: &mut &'a [u8]) -> Result<Message<'a>, Malformed> {
    const HEADER: usize = 16;
    let cut = || Malformed("it is cut short".to_owned());
    let (header, _) = rest.split_first_chunk::<HEADER>().ok_or_else(cut)?;
    let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = usize::try_from(word(0)).map_err(|_| cut())?;
    let payload = rest.get(HEADER..length).ok_or_else(cut)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    let body = match half(4) {
        NLMSG_ERROR | NLMSG_DONE => Body::End(
            payload
                .first_chunk()
                .map_or(0, |errno| i32::from_ne_bytes(*errno)),
        ),
        family => {
            let ([command, ..], payload) = payload.split_first_chunk::<4>().ok_or_else(cut)?;
            let interrupted = half(6) & NLM_F_DUMP_INTR != 0;
            Body::Generic {
                family,
                command: *command,
                interrupted,
                payload,
            }
        }
    };
    Ok(Message { seq: word(8), body })
}

/// What is asked of the kernel. Only `GET`s: nothing that changes it can be said.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Family id.
    pub family: u16,
    /// Command.
    pub command: u8,
    /// Everything there is, else the one named in `header`.
    pub dump: bool,
    /// `struct ovs_header`, where the family has it.
    pub header: Option<DpIfindex>,
}

impl Request {
    /// Its bytes, numbered `seq`.
    pub fn encode(self, seq: u32) -> Vec<u8> {
        let Self {
            family,
            command,
            dump,
            header,
        } = self;
        let header = header.map(|dp| dp.0.to_ne_bytes());
        let length = 20 + header.map_or(0, |header| header.len());
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
        bytes.extend(family.to_ne_bytes());
        bytes.extend((NLM_F_REQUEST | if dump { NLM_F_DUMP } else { 0 }).to_ne_bytes());
        bytes.extend(seq.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend([command, 1, 0, 0]);
        bytes.extend(header.into_iter().flatten());
        bytes
    }
}

/// A family as the kernel numbers it until it is unregistered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// The type of its messages.
    pub id: u16,
    /// Its multicast groups by name.
    pub groups: Vec<(String, u32)>,
}

/// `CTRL_CMD_NEWFAMILY` or `_DELFAMILY`.
pub fn family(payload: &[u8]) -> Result<Family, Malformed> {
    let attributes = nlctrl::CtrlAttrs::new(payload);
    let name = attributes.get_family_name()?.to_string_lossy().into_owned();
    let id = attributes.get_family_id()?;
    let mut groups = Vec::new();
    // A family without groups has no such attribute.
    if let Ok(listed) = attributes.get_mcast_groups() {
        for group in listed {
            groups.push((group.get_name()?.to_string_lossy().into_owned(), group.get_id()?));
        }
    }
    Ok(Family { name, id, groups })
}

/// `OVS_DP_ATTR_STATS`, `struct ovs_dp_stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// `n_hit`
    pub hit: u64,
    /// `n_missed`
    pub missed: u64,
    /// `n_lost`
    pub lost: u64,
    /// `n_flows`
    pub flows: u64,
}

/// A datapath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datapath {
    /// Its id.
    pub dp: DpIfindex,
    /// Its name.
    pub name: String,
    /// Its counters.
    pub stats: Option<Stats>,
}

/// Any message of family `ovs_datapath`.
pub fn datapath(payload: &[u8]) -> Result<Datapath, Malformed> {
    let (dp, attributes) = ovs_header(payload)?;
    let attributes = ovs_datapath::Datapath::new(attributes);
    let name = attributes.get_name()?.to_string_lossy().into_owned();
    let stats = attributes.get_stats().ok().map(|stats| Stats {
        hit: stats.n_hit,
        missed: stats.n_missed,
        lost: stats.n_lost,
        flows: stats.n_flows,
    });
    Ok(Datapath { dp, name, stats })
}

/// A vport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vport {
    /// Its datapath.
    pub dp: DpIfindex,
    /// Its number there.
    pub port_no: PortNo,
    /// Its device's name.
    pub name: String,
    /// Its device: in this network namespace only, elsewhere the number would name another one.
    pub ifindex: Option<Ifindex>,
    /// `OVS_VPORT_TYPE_*`.
    pub kind: u32,
}

/// Any message of family `ovs_vport`.
pub fn vport(payload: &[u8]) -> Result<Vport, Malformed> {
    let (dp, attributes) = ovs_header(payload)?;
    let attributes = ovs_vport::Vport::new(attributes);
    let elsewhere = attributes.get_netnsid().is_ok();
    Ok(Vport {
        dp,
        port_no: PortNo(attributes.get_port_no()?),
        name: attributes.get_name()?.to_string_lossy().into_owned(),
        ifindex: attributes.get_ifindex().ok().filter(|_| !elsewhere).map(Ifindex),
        kind: attributes.get_type()?,
    })
}

/// `struct ovs_header`, then attributes.
fn ovs_header(payload: &[u8]) -> Result<(DpIfindex, &[u8]), Malformed> {
    let (header, attributes) = payload
        .split_first_chunk()
        .ok_or_else(|| Malformed("it has no OVS header".to_owned()))?;
    Ok((DpIfindex(u32::from_ne_bytes(*header)), attributes))
}
