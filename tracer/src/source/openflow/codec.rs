//! OpenFlow messages, those that a flow monitor needs: bytes in, messages out, and back.
//!
//! Must not depend on: sockets, events. Nothing that is sent changes the switch: hello, echo request and reply, and the request
//! for a flow monitor are all there is.

use std::fmt;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::malformed::Malformed;
use super::update::{self, Layout, Update};

/// An OpenFlow version as messages carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub u8);

impl Version {
    /// The versions in which a flow monitor can be had, best first: 1.0 with Nicira's extension works with
    /// every OVS since 1.8, the others since 3.0.
    pub const MONITORS: [Self; 4] = [Self(1), Self(6), Self(5), Self(4)];

    /// Which layout its flow monitor uses.
    fn layout(self) -> Layout {
        match self.0 {
            1..=3 => Layout::Nicira,
            4 => Layout::Onf,
            _ => Layout::Standard,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OpenFlow 1.{}", self.0.saturating_sub(1))
    }
}

/// A message of the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `OFPT_HELLO`: the versions it speaks, bit n for version n.
    Hello(u32),
    /// `OFPT_ERROR`.
    Error(Refusal),
    /// `OFPT_ECHO_REQUEST`, with what is to be sent back.
    EchoRequest {
        /// Its id.
        xid: u32,
        /// Its data.
        payload: Vec<u8>,
    },
    /// `OFPT_ECHO_REPLY`.
    EchoReply {
        /// The id of its request.
        xid: u32,
    },
    /// A part of the flow monitor's reply.
    Updates {
        /// Id of the request for the initial flows, 0 for what changes later.
        xid: u32,
        /// `OFPMPF_REPLY_MORE`: another part follows.
        more: bool,
        /// The entries.
        updates: Vec<Update>,
    },
    /// `NXT_FLOW_MONITOR_PAUSED` (`true`) or `_RESUMED`, or ONF's.
    Paused(bool),
    /// Anything else.
    Other,
}

/// An `OFPT_ERROR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `OFPET_*`; 0 is `OFPET_HELLO_FAILED`.
    pub kind: u16,
    /// Its code, by kind.
    pub code: u16,
    /// What the switch says about it, where it is text.
    pub text: String,
}

const HEADER: usize = 8;
const HELLO: u8 = 0;
const ERROR: u8 = 1;
const ECHO_REQUEST: u8 = 2;
const ECHO_REPLY: u8 = 3;
const EXPERIMENTER: u8 = 4;
const STATS_REQUEST: u8 = 16;
const STATS_REPLY: u8 = 17;
const MULTIPART_REQUEST: u8 = 18;
const MULTIPART_REPLY: u8 = 19;

const NICIRA: u32 = 0x2320;
const ONF: u32 = 0x4f4e_4600;
const NXST_FLOW_MONITOR: u32 = 2;
const ONFST_FLOW_MONITOR: u32 = 1870;
const OFPMP_FLOW_MONITOR: u16 = 16;
const OFPMP_EXPERIMENTER: u16 = 0xffff;

/// Takes the next whole message off the front of what was received.
pub fn split(received: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
    let Some(length) = received.get(2..4) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    if length < HEADER {
        return Err(Malformed("a message is shorter than its header"));
    }
    Ok((received.len() >= length).then(|| received.split_to(length).freeze()))
}

/// Reads one message.
pub fn decode(mut message: &[u8]) -> Result<Message, Malformed> {
    if message.len() < HEADER {
        return Err(Malformed("a message is shorter than its header"));
    }
    let version = Version(message.get_u8());
    let kind = message.get_u8();
    message.advance(2); // length
    let xid = message.get_u32();
    let body = message;
    match kind {
        HELLO => Ok(Message::Hello(hello_versions(version, body)?)),
        ERROR => error(body),
        ECHO_REQUEST => Ok(Message::EchoRequest {
            xid,
            payload: body.to_vec(),
        }),
        ECHO_REPLY => Ok(Message::EchoReply { xid }),
        EXPERIMENTER => Ok(experimenter(body)),
        STATS_REPLY if version.0 == 1 => updates(version, xid, body),
        MULTIPART_REPLY if version.0 >= 4 => updates(version, xid, body),
        _ => Ok(Message::Other),
    }
}

/// Bit n for version n: as the bitmap says, or where there is none every version up to the message's own.
fn hello_versions(version: Version, mut elements: &[u8]) -> Result<u32, Malformed> {
    const VERSION_BITMAP: u16 = 1;
    const ALIGNMENT: usize = 8;
    let cut = Malformed("a hello is cut short");
    while !elements.is_empty() {
        let kind = elements.try_get_u16().map_err(|_| cut)?;
        let length = elements.try_get_u16().map_err(|_| cut)?;
        let body = usize::from(length).checked_sub(4).ok_or(cut)?;
        let (mut value, rest) = elements.split_at_checked(body).ok_or(cut)?;
        if kind == VERSION_BITMAP && !value.is_empty() {
            return value.try_get_u32().map_err(|_| cut);
        }
        let padding = usize::from(length).next_multiple_of(ALIGNMENT) - usize::from(length);
        elements = rest.get(padding..).unwrap_or_default();
    }
    let up_to = u32::from(version.0).min(30) + 1;
    Ok((1 << up_to) - 2)
}

fn error(mut body: &[u8]) -> Result<Message, Malformed> {
    let cut = Malformed("an error is cut short");
    let kind = body.try_get_u16().map_err(|_| cut)?;
    let code = body.try_get_u16().map_err(|_| cut)?;
    // Only a failed hello carries text, the others the request they refuse.
    let text = if kind == 0 {
        String::from_utf8_lossy(body).trim_end_matches('\0').to_owned()
    } else {
        String::new()
    };
    Ok(Message::Error(Refusal { kind, code, text }))
}

fn experimenter(mut body: &[u8]) -> Message {
    let mut field = || body.try_get_u32().unwrap_or_default();
    match (field(), field()) {
        (NICIRA, 22) | (ONF, 1871) => Message::Paused(true),
        (NICIRA, 23) | (ONF, 1872) => Message::Paused(false),
        _ => Message::Other,
    }
}

fn updates(version: Version, xid: u32, mut body: &[u8]) -> Result<Message, Malformed> {
    let cut = Malformed("a reply is cut short");
    let layout = version.layout();
    let kind = body.try_get_u16().map_err(|_| cut)?;
    let more = body.try_get_u16().map_err(|_| cut)? & 1 == 1;
    let mut field = || body.try_get_u32().map_err(|_| cut);
    let ours = match layout {
        // vendor, subtype, padding
        Layout::Nicira => (field()?, field()?, field()?).0 == NICIRA && kind == OFPMP_EXPERIMENTER,
        // padding, experimenter, type
        Layout::Onf => (field()?, field()?, field()?).1 == ONF && kind == OFPMP_EXPERIMENTER,
        Layout::Standard => field().map(|_padding| kind == OFPMP_FLOW_MONITOR)?,
    };
    if !ours {
        return Ok(Message::Other);
    }
    Ok(Message::Updates {
        xid,
        more,
        updates: update::decode(layout, body)?,
    })
}

/// `OFPT_HELLO` that offers one version only.
pub fn hello(version: Version) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u16(1); // OFPHET_VERSIONBITMAP
    body.put_u16(8);
    body.put_u32(1 << version.0);
    message(version, HELLO, 0, &body)
}

/// `OFPT_ECHO_REQUEST`, without data.
pub fn echo_request(version: Version, xid: u32) -> Bytes {
    message(version, ECHO_REQUEST, xid, &[])
}

/// The answer to an `OFPT_ECHO_REQUEST`.
pub fn echo_reply(version: Version, xid: u32, payload: &[u8]) -> Bytes {
    message(version, ECHO_REPLY, xid, payload)
}

/// Asks for all flows of all tables, and for all that happens to them later, without actions.
pub fn monitor_request(version: Version, xid: u32) -> Bytes {
    /// `INITIAL | ADD | DELETE | MODIFY`, the same in all layouts.
    const FLAGS: u16 = 15;
    const MONITOR_ID: u32 = 1;
    const ALL_TABLES: u8 = 0xff;
    const NO_PORT: u16 = 0xffff;
    const ANY: u32 = 0xffff_ffff;
    let mut body = BytesMut::new();
    let put_match = |body: &mut BytesMut| body.put_slice(&[0, 1, 0, 4, 0, 0, 0, 0]);
    match version.layout() {
        Layout::Nicira => {
            put_experimenter(&mut body, &[NICIRA, NXST_FLOW_MONITOR, 0]);
            body.put_u32(MONITOR_ID);
            body.put_u16(FLAGS);
            body.put_u16(NO_PORT);
            body.put_u16(0); // match length
            body.put_u8(ALL_TABLES);
            body.put_slice(&[0; 5]);
            return message(version, STATS_REQUEST, xid, &body);
        }
        Layout::Onf => {
            put_experimenter(&mut body, &[0, ONF, ONFST_FLOW_MONITOR]);
            body.put_u32(MONITOR_ID);
            body.put_u16(FLAGS);
            body.put_u16(4); // match length
            body.put_u32(ANY);
            body.put_u8(ALL_TABLES);
            body.put_slice(&[0; 3]);
            put_match(&mut body);
        }
        Layout::Standard => {
            body.put_u16(OFPMP_FLOW_MONITOR);
            body.put_slice(&[0; 6]); // flags, padding
            body.put_u32(MONITOR_ID);
            body.put_u32(ANY); // port
            body.put_u32(ANY); // group
            body.put_u16(FLAGS);
            body.put_u8(ALL_TABLES);
            body.put_u8(0); // OFPFMC_ADD
            put_match(&mut body);
        }
    }
    message(version, MULTIPART_REQUEST, xid, &body)
}

fn put_experimenter(body: &mut BytesMut, fields: &[u32; 3]) {
    body.put_u16(OFPMP_EXPERIMENTER);
    body.put_u16(0); // flags
    for field in fields {
        body.put_u32(*field);
    }
}

/// Everything sent is far shorter than 64 KiB but an echo, which is no longer than its request.
fn message(version: Version, kind: u8, xid: u32, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEADER + body.len());
    bytes.put_u8(version.0);
    bytes.put_u8(kind);
    bytes.put_u16(u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX));
    bytes.put_u32(xid);
    bytes.put_slice(body);
    bytes.freeze()
}

#[cfg(test)]
mod tests;
