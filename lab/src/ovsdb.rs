//! The one write to OVSDB whose moment matters: `other_config:flow-restore-wait`.
//!
//! Must not depend on: daemons, flows. Spoken directly (RFC 7047, section 4.1.3) because starting `ovs-vsctl` takes
//! longer than the holes to be made: an agent, too, has its connection open.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// ovsdb-server's socket.
pub const SOCKET: &str = "/run/openvswitch/db.sock";

const KEY: &str = "flow-restore-wait";

/// Sets the flag to `true`.
pub fn set_flow_restore_wait() -> Result<()> {
    mutate(&json!([["other_config", "insert", ["map", [[KEY, "true"]]]]]))
        .context("setting flow-restore-wait")
}

/// Removes the flag, as Antrea's agent does.
pub fn remove_flow_restore_wait() -> Result<()> {
    mutate(&json!([["other_config", "delete", ["set", [KEY]]]])).context("removing flow-restore-wait")
}

fn mutate(mutations: &Value) -> Result<()> {
    let operation = json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": mutations});
    let request = json!({"method": "transact", "params": ["Open_vSwitch", operation], "id": 1});
    let mut socket = UnixStream::connect(SOCKET).with_context(|| format!("connecting to {SOCKET}"))?;
    socket
        .write_all(request.to_string().as_bytes())
        .context("asking ovsdb-server")?;
    let mut answers = serde_json::Deserializer::from_reader(socket);
    accepted(&Value::deserialize(&mut answers).context("reading ovsdb-server's answer")?)
}

/// Whether an answer says that the one row was changed.
fn accepted(answer: &Value) -> Result<()> {
    if answer.pointer("/result/0/count") != Some(&json!(1)) {
        bail!("ovsdb-server answered {answer}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_changed_row_is_an_error() {
        assert!(accepted(&json!({"id": 1, "error": null, "result": [{"count": 1}]})).is_ok());
        assert!(accepted(&json!({"id": 1, "error": null, "result": [{"count": 0}]})).is_err());
        assert!(accepted(&json!({"id": 1, "error": null, "result": [{"error": "not allowed"}]})).is_err());
    }
}
