//! The entries of a flow monitor's reply: flows that came, went or changed.
//!
//! Must not depend on: connections, which part of the reply is the initial one. Layouts: `nx_flow_update_full` in
//! include/openflow/nicira-ext.h, `ofp_flow_update_full` in include/openflow/openflow-1.4.h of OVS.

use bytes::Buf as _;
use tracer_core::event::{Change, OpenFlowChange};

use super::malformed::Malformed;
use super::oxm;

/// How the entries of a reply are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `NXST_FLOW_MONITOR`, OpenFlow 1.0.
    Nicira,
    /// `ONFST_FLOW_MONITOR`, OpenFlow 1.3: as Nicira's, with an OXM match.
    Onf,
    /// `OFPMP_FLOW_MONITOR`, OpenFlow 1.4 and 1.5.
    Standard,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// A flow.
    Flow(OpenFlowChange),
    /// A change that this connection itself asked for: never seen, as we ask for none.
    Abbreviated,
    /// The monitor was paused (`true`) or resumed.
    Paused(bool),
}

const FULL_LENGTH: usize = 24;
const CUT: Malformed = Malformed("a flow update is cut short");
const UNKNOWN: Malformed = Malformed("a flow update has an unknown event");

/// Reads the body of one reply.
pub fn decode(layout: Layout, mut body: &[u8]) -> Result<Vec<Update>, Malformed> {
    let mut updates = Vec::new();
    while !body.is_empty() {
        let length = usize::from(body.try_get_u16().map_err(|_| CUT)?);
        let rest = length.checked_sub(2).ok_or(CUT)?;
        let (entry, later) = body.split_at_checked(rest).ok_or(CUT)?;
        body = later;
        updates.push(match layout {
            Layout::Nicira | Layout::Onf => nicira(layout, entry)?,
            Layout::Standard => standard(entry)?,
        });
    }
    Ok(updates)
}

/// An entry without its length, which precedes it.
fn nicira(layout: Layout, mut entry: &[u8]) -> Result<Update, Malformed> {
    let change = match entry.try_get_u16().map_err(|_| CUT)? {
        0 => Change::Added,
        1 => Change::Removed,
        2 => Change::Modified,
        3 => return Ok(Update::Abbreviated),
        _ => return Err(UNKNOWN),
    };
    if entry.len() < FULL_LENGTH - 4 {
        return Err(CUT);
    }
    entry.advance(2); // reason
    let priority = entry.get_u16();
    entry.advance(4); // idle and hard timeout
    let match_length = usize::from(entry.get_u16());
    let table = entry.get_u8();
    entry.advance(1);
    let cookie = entry.get_u64();
    let matches = match layout {
        Layout::Nicira => oxm::decode(entry.get(..match_length).ok_or(CUT)?)?,
        Layout::Onf | Layout::Standard => oxm::decode(ofp11_match(entry)?)?,
    };
    Ok(Update::Flow(OpenFlowChange {
        change,
        table,
        priority,
        cookie,
        matches,
    }))
}

/// An entry without its length, which precedes it.
fn standard(mut entry: &[u8]) -> Result<Update, Malformed> {
    let change = match entry.try_get_u16().map_err(|_| CUT)? {
        0 => Change::Initial,
        1 => Change::Added,
        2 => Change::Removed,
        3 => Change::Modified,
        4 => return Ok(Update::Abbreviated),
        5 => return Ok(Update::Paused(true)),
        6 => return Ok(Update::Paused(false)),
        _ => return Err(UNKNOWN),
    };
    if entry.len() < FULL_LENGTH - 4 {
        return Err(CUT);
    }
    let table = entry.get_u8();
    entry.advance(5); // reason, idle and hard timeout
    let priority = entry.get_u16();
    entry.advance(4);
    let cookie = entry.get_u64();
    let matches = oxm::decode(ofp11_match(entry)?)?;
    Ok(Update::Flow(OpenFlowChange {
        change,
        table,
        priority,
        cookie,
        matches,
    }))
}

/// The fields of a `struct ofp11_match_header`: type, length with this header but without padding, fields.
fn ofp11_match(mut bytes: &[u8]) -> Result<&[u8], Malformed> {
    const OXM: u16 = 1;
    let whole = bytes;
    let kind = bytes.try_get_u16().map_err(|_| CUT)?;
    let length = usize::from(bytes.try_get_u16().map_err(|_| CUT)?);
    if kind != OXM {
        return Err(Malformed("a match is not of type OXM"));
    }
    whole.get(4..length).ok_or(CUT)
}
