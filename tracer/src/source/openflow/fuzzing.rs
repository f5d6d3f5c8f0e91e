//! What a switch sends, as fuzz targets.
//!
//! Must not depend on: connections.

use bytes::BytesMut;

use super::codec::{self, Message, Version};
use super::monitor::Monitor;
use super::oxm;

/// A stream of messages through a flow monitor; its first byte chooses the version and the length of the pieces in
/// which it comes.
pub fn stream(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    let version = Version::MONITORS[usize::from(first) % Version::MONITORS.len()];
    let mut monitor = Monitor::new("br-int".to_owned(), version);
    let mut received = BytesMut::new();
    for piece in bytes.chunks(usize::from(first).max(1)) {
        received.extend_from_slice(piece);
        loop {
            let message = match codec::split(&mut received) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(_) => return,
            };
            match codec::decode(&message) {
                Ok(Message::EchoRequest { xid, payload }) => {
                    assert_eq!(codec::echo_reply(version, xid, &payload).len(), message.len());
                }
                Ok(message) => drop(monitor.take(message)),
                Err(_) => return,
            }
        }
    }
}

/// The fields of a match.
pub fn fields(bytes: &[u8]) {
    if let Ok(matches) = oxm::decode(bytes) {
        assert_eq!(matches.wire.len(), 2 * bytes.len(), "no byte is left out");
    }
}
