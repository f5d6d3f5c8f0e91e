//! The codec on bytes: what OVS 3.1.0 sent, what was encoded, and anything at all.

use proptest::prelude::*;
use tracer_core::event::{Change, OpenFlowChange, OpenFlowMatch};

use super::*;

fn stream(bytes: &[u8]) -> Result<Vec<Message>, Malformed> {
    let mut received = BytesMut::from(bytes);
    let mut messages = Vec::new();
    while let Some(message) = split(&mut received)? {
        messages.push(decode(&message)?);
    }
    Ok(messages)
}

fn captured(name: &str) -> Vec<Message> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openflow-3.1.0/");
    stream(&std::fs::read(format!("{path}{name}.bin")).unwrap()).unwrap()
}

/// The changes of a capture, one list a message.
fn changes(messages: &[Message]) -> Vec<Vec<OpenFlowChange>> {
    let flow = |update: &Update| match update {
        Update::Flow(change) => change.clone(),
        other => panic!("{other:?}"),
    };
    let of = |message: &Message| match message {
        Message::Updates { updates, .. } => Some(updates.iter().map(flow).collect()),
        _ => None,
    };
    messages.iter().filter_map(of).collect()
}

/// Without what differs between versions by nature.
fn comparable(change: &OpenFlowChange) -> OpenFlowChange {
    let matches = OpenFlowMatch {
        wire: String::new(),
        ..change.matches.clone()
    };
    let change_kind = if change.change == Change::Initial {
        Change::Added
    } else {
        change.change
    };
    OpenFlowChange {
        change: change_kind,
        matches,
        ..change.clone()
    }
}

#[test]
fn every_version_tells_the_same_flows() {
    let of10 = changes(&captured("of1.0"));
    let kinds: Vec<Vec<Change>> = of10
        .iter()
        .map(|list| list.iter().map(|flow| flow.change).collect())
        .collect();
    assert_eq!(kinds[0].len(), 13, "the flows that were there");
    assert_eq!(
        kinds[1..],
        [
            vec![Change::Added; 2],
            vec![Change::Modified],
            vec![Change::Removed]
        ]
    );
    let plain = |lists: &[Vec<OpenFlowChange>]| -> Vec<Vec<OpenFlowChange>> {
        let sorted = |list: &Vec<OpenFlowChange>| {
            let mut list: Vec<_> = list.iter().map(comparable).collect();
            list.sort();
            list
        };
        lists.iter().map(sorted).collect()
    };
    for version in ["of1.3", "of1.4", "of1.5"] {
        assert_eq!(plain(&changes(&captured(version))), plain(&of10), "{version}");
    }
}

#[test]
fn what_a_pod_is_known_by_is_read_from_a_capture() {
    insta::assert_json_snapshot!("of10", changes(&captured("of1.0")));
    insta::assert_json_snapshot!("of15", changes(&captured("of1.5")));
}

#[test]
fn a_capture_frames_its_updates() {
    let messages = captured("of1.0");
    let [
        Message::Hello(0x7e),
        Message::Updates {
            xid: 7, more: false, ..
        },
        live,
        ..,
    ] = messages.as_slice()
    else {
        panic!("{messages:?}")
    };
    assert!(
        matches!(
            live,
            Message::Updates {
                xid: 0,
                more: false,
                ..
            }
        ),
        "{live:?}"
    );
    assert!(
        matches!(messages.last(), Some(Message::EchoReply { .. })),
        "{messages:?}"
    );
}

#[test]
fn a_failed_hello_says_why() {
    let messages = captured("hello-refused");
    let [
        Message::Hello(_),
        Message::Error(Refusal {
            kind: 0,
            code: 0,
            text,
        }),
    ] = messages.as_slice()
    else {
        panic!("{messages:?}")
    };
    assert!(text.contains("no common version"), "{text}");
    let refused = captured("of1.0-refused");
    assert!(
        matches!(refused.last(), Some(Message::Error(Refusal { kind: 1, .. }))),
        "{refused:?}"
    );
}

#[test]
fn a_hello_offers_what_its_bitmap_says() {
    assert_eq!(stream(&hello(Version(6))), Ok(vec![Message::Hello(1 << 6)]));
    assert_eq!(stream(&[1, 0, 0, 8, 0, 0, 0, 1]), Ok(vec![Message::Hello(0b10)]));
    assert_eq!(
        stream(&[255, 0, 0, 8, 0, 0, 0, 1]),
        Ok(vec![Message::Hello(u32::MAX >> 1 & !1)])
    );
}

#[test]
fn a_length_below_the_header_is_garbage() {
    assert!(stream(&[1, 0, 0, 7, 0, 0, 0, 1]).is_err());
    assert!(stream(&[1, 0, 0, 0]).is_err());
    assert_eq!(stream(&[1, 0, 0]), Ok(vec![]));
}

/// A reply as a switch would send it.
fn encode(version: Version, xid: u32, more: bool, entries: &[(u16, u8, u16, u64, Vec<u8>)]) -> Bytes {
    let mut body = BytesMut::new();
    let standard = version.layout() == Layout::Standard;
    body.put_u16(if standard {
        OFPMP_FLOW_MONITOR
    } else {
        OFPMP_EXPERIMENTER
    });
    body.put_u16(more.into());
    let head: &[u32] = match version.layout() {
        Layout::Nicira => &[NICIRA, NXST_FLOW_MONITOR, 0],
        Layout::Onf => &[0, ONF, ONFST_FLOW_MONITOR],
        Layout::Standard => &[0],
    };
    for field in head {
        body.put_u32(*field);
    }
    for (event, table, priority, cookie, fields) in entries {
        let own_header = if version.layout() == Layout::Nicira { 0 } else { 4 };
        let match_length = own_header + fields.len();
        body.put_u16(u16::try_from(24 + match_length.next_multiple_of(8)).unwrap());
        body.put_u16(*event);
        if standard {
            body.put_u8(*table);
            body.put_slice(&[0; 5]);
            body.put_u16(*priority);
            body.put_slice(&[0; 4]);
        } else {
            body.put_u16(0);
            body.put_u16(*priority);
            body.put_slice(&[0; 4]);
            body.put_u16(u16::try_from(match_length).unwrap());
            body.put_u8(*table);
            body.put_u8(0);
        }
        body.put_u64(*cookie);
        if own_header > 0 {
            body.put_u16(1);
            body.put_u16(u16::try_from(match_length).unwrap());
        }
        body.put_slice(fields);
        body.put_bytes(0, match_length.next_multiple_of(8) - match_length);
    }
    message(
        version,
        if version == Version(1) {
            STATS_REPLY
        } else {
            MULTIPART_REPLY
        },
        xid,
        &body,
    )
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    (
        any::<u16>(),
        any::<u8>(),
        proptest::collection::vec(any::<u8>(), 0..20),
    )
        .prop_map(|(class, number, value)| {
            let mut field = class.to_be_bytes().to_vec();
            field.extend([number, u8::try_from(value.len()).unwrap()]);
            field.extend(value);
            field
        })
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = stream(&bytes);
        let _ = decode(&bytes);
    }

    #[test]
    fn a_capture_with_bytes_changed_is_survived(changed: [(u16, u8); 4], version in 0_usize..4) {
        let name = ["of1.0", "of1.3", "of1.4", "of1.5"][version];
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openflow-3.1.0/");
        let mut bytes = std::fs::read(format!("{path}{name}.bin")).unwrap();
        for (at, value) in changed {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        let _ = stream(&bytes);
    }

    #[test]
    fn updates_read_back(
        version in 0_usize..4,
        xid: u32,
        more: bool,
        flows in proptest::collection::vec(
            (0_u16..3, any::<u8>(), any::<u16>(), any::<u64>(), proptest::collection::vec(field(), 0..4)), 0..6),
    ) {
        let version = Version::MONITORS[version];
        let entries: Vec<_> = flows.into_iter().map(|(e, t, p, c, fields)| (e, t, p, c, fields.concat())).collect();
        let messages = stream(&encode(version, xid, more, &entries)).unwrap();
        let [Message::Updates { xid: read_xid, more: read_more, updates }] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        prop_assert_eq!((*read_xid, *read_more, updates.len()), (xid, more, entries.len()));
        for (update, (event, table, priority, cookie, fields)) in updates.iter().zip(entries) {
            let kinds = match version.layout() {
                Layout::Standard => [Change::Initial, Change::Added, Change::Removed],
                Layout::Nicira | Layout::Onf => [Change::Added, Change::Removed, Change::Modified],
            };
            let matches = super::super::oxm::decode(&fields).unwrap();
            let change = kinds[usize::from(event)];
            prop_assert_eq!(update, &Update::Flow(OpenFlowChange { change, table, priority, cookie, matches }));
        }
    }
}
