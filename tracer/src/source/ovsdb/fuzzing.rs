//! What ovsdb-server sends, as a fuzz target.
//!
//! Must not depend on: connections.

use serde_json::Value;

use super::framing::Framing;
use super::link::{self, Incoming};
use super::mirror::Mirror;
use super::{rows, table_updates, updates_of};

/// Far below [`link`]'s own, so that it is met.
const LONGEST: usize = 1 << 16;

/// A stream: messages cut out of pieces of the length that its first byte says, each a schema, all rows, or a change.
pub fn stream(bytes: &[u8]) {
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    let mut framing = Framing::new(LONGEST);
    let mut mirror = Mirror::default();
    for piece in bytes.chunks(usize::from(piece).max(1)) {
        framing.received().extend_from_slice(piece);
        loop {
            match framing.next() {
                Ok(Some(object)) => take(&mut mirror, &object),
                Ok(None) => break,
                Err(garbage) => {
                    assert!(!garbage.to_string().is_empty(), "garbage is named");
                    return;
                }
            }
        }
    }
}

fn take(mirror: &mut Mirror, object: &[u8]) {
    let updates = match link::parse(object) {
        Ok(Incoming::Reply { outcome, .. }) => {
            let result: Value = outcome.unwrap_or_else(|error| error);
            rows::plan(&result);
            table_updates(result).map(Some)
        }
        Ok(call) => updates_of(call),
        Err(error) => Err(error),
    };
    if let Ok(Some(updates)) = updates {
        mirror.apply(updates);
        mirror.bridges();
        mirror.flow_restore_wait();
    }
}
