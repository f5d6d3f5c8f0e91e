//! What the kernel's netlink families send, as a fuzz target.
//!
//! Must not depend on: sockets.

use super::codec::{self, Body};

/// The messages of a datagram, each read as every family's.
pub fn datagram(bytes: &[u8]) {
    for message in codec::messages(bytes) {
        match message {
            Ok(message) => {
                if let Body::Generic { payload, .. } = message.body {
                    drop(codec::family(payload));
                    drop(codec::datapath(payload));
                    drop(codec::vport(payload));
                }
            }
            Err(malformed) => assert!(!malformed.to_string().is_empty(), "what is wrong is named"),
        }
    }
}
