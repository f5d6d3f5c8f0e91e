//! One JSON-RPC connection to ovsdb-server: messages in with the time they came, requests out.
//!
//! Must not depend on: tables, events. Answers `echo` by itself (RFC 7047, 4.1.11); never sends `transact`.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::BytesMut;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tracer_core::time::Timestamp;

use super::framing::{Framing, excerpt};
use crate::source::clock;

/// How long a server may be silent: nothing of an answer has come, or nothing at all, and it is asked for a sign of life.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Far above the database of any node; a bound for a peer that is not ovsdb-server.
const LONGEST_MESSAGE: usize = 64 << 20;

/// A JSON-RPC message of any kind.
#[derive(Debug, Deserialize)]
struct Message {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Value,
}

/// What a server sent.
#[derive(Debug)]
pub enum Incoming {
    /// A request or notification.
    Call {
        /// What its answer must carry; null in a notification.
        id: Value,
        /// Its name.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// The answer to one of ours, or its refusal.
    Reply {
        /// The request's id.
        id: Value,
        /// `result`, else `error`.
        outcome: Result<Value, Value>,
    },
}

/// A connection.
pub struct Link {
    stream: UnixStream,
    framing: Framing,
    received_at: Timestamp,
}

impl Link {
    /// Speaks over `stream`.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            framing: Framing::new(LONGEST_MESSAGE),
            received_at: clock::now(),
        }
    }

    /// Sends a request whose id is its method.
    pub async fn ask(&mut self, method: &str, params: Value) -> anyhow::Result<()> {
        self.send(&json!({"method": method, "params": params, "id": method}))
            .await
    }

    /// Waits for the answer to [`Self::ask`], for as long as bytes of it keep coming; notifications that come before it are
    /// dropped. `None`: the server has been silent for [`PATIENCE`]. It may be asked again and loses nothing.
    ///
    /// Errors: the connection is lost, or the server refuses.
    pub async fn answer(&mut self, method: &str) -> anyhow::Result<Option<(Timestamp, Value)>> {
        loop {
            let Some((at, incoming)) = self.received().await? else {
                match timeout(PATIENCE, self.fill()).await {
                    Ok(received) => received?,
                    Err(_) => return Ok(None),
                }
                continue;
            };
            if let Incoming::Reply { id, outcome } = incoming
                && id == method
            {
                return match outcome {
                    Ok(result) => Ok(Some((at, result))),
                    Err(error) => Err(refusal(method, &error)),
                };
            }
        }
    }

    /// The next message, with the time at which its last byte was received. A server that is silent is
    /// asked for a sign of life: a hung one would otherwise look like one with nothing to say.
    pub async fn next(&mut self) -> anyhow::Result<(Timestamp, Incoming)> {
        let mut asked = false;
        loop {
            if let Some(message) = self.received().await? {
                return Ok(message);
            }
            match timeout(PATIENCE, self.fill()).await {
                Ok(received) => {
                    received?;
                    asked = false;
                }
                Err(_) if asked => return Err(hang("echo", PATIENCE)),
                Err(_) => {
                    self.send(&json!({"method": "echo", "params": [], "id": "echo"}))
                        .await?;
                    asked = true;
                }
            }
        }
    }

    /// The next message that has been received whole.
    async fn received(&mut self) -> anyhow::Result<Option<(Timestamp, Incoming)>> {
        while let Some(object) = self.framing.next().context("ovsdb-server sent garbage")? {
            if let Some(incoming) = self.take(&object).await? {
                return Ok(Some((self.received_at, incoming)));
            }
        }
        Ok(None)
    }

    /// Reads once; loses nothing when it is dropped before it is ready.
    async fn fill(&mut self) -> anyhow::Result<()> {
        const CHUNK: usize = 16 << 10;
        let received = self.framing.received();
        received.reserve(CHUNK);
        let read = self
            .stream
            .read_buf(received)
            .await
            .context("reading from ovsdb-server")?;
        self.received_at = clock::now();
        if read == 0 {
            bail!("ovsdb-server closed the connection");
        }
        Ok(())
    }

    async fn take(&mut self, object: &BytesMut) -> anyhow::Result<Option<Incoming>> {
        Ok(match parse(object)? {
            Incoming::Call { id, method, params } if method == "echo" => {
                self.send(&json!({"id": id, "result": params, "error": null}))
                    .await?;
                None
            }
            other => Some(other),
        })
    }

    async fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        let bytes = message.to_string();
        match timeout(PATIENCE, self.stream.write_all(bytes.as_bytes())).await {
            Ok(written) => written.context("writing to ovsdb-server"),
            Err(_) => bail!("ovsdb-server hangs: it does not read"),
        }
    }
}

/// What an object says.
pub fn parse(object: &[u8]) -> anyhow::Result<Incoming> {
    let message: Message = serde_json::from_slice(object)
        .with_context(|| format!("ovsdb-server sent garbage: `{}`", excerpt(object)))?;
    let Message {
        method,
        params,
        id,
        result,
        error,
    } = message;
    Ok(match method {
        Some(method) => Incoming::Call { id, method, params },
        None => Incoming::Reply {
            id,
            outcome: if error.is_null() { Ok(result) } else { Err(error) },
        },
    })
}

/// What is said of a server that has been silent for so long.
pub fn hang(method: &str, silent: Duration) -> anyhow::Error {
    anyhow!("ovsdb-server hangs: nothing of a reply to `{method}` within {silent:?}")
}

fn refusal(method: &str, error: &Value) -> anyhow::Error {
    anyhow!("ovsdb-server refused `{method}`: {error}; is it the server of database Open_vSwitch?")
}
