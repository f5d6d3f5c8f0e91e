//! What the messages of one flow monitor mean: pure, from message to events.
//!
//! Must not depend on: sockets, time.

use tracer_core::event::{Change, EventKind, OpenFlowChange};

use super::codec::{Message, Refusal, Version};
use super::update::Update;

/// The id of our only request; later changes carry 0.
pub const REQUEST: u32 = 1;

/// How far the monitor of one bridge has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request is on its way.
    Asked,
    /// The flows that were there are coming.
    Initial,
    /// They have all come.
    Live,
}

/// The monitor of one bridge.
#[derive(Debug)]
pub struct Monitor {
    bridge: String,
    version: Version,
    phase: Phase,
}

impl Monitor {
    /// A monitor that was asked for in this version.
    pub fn new(bridge: String, version: Version) -> Self {
        Self {
            bridge,
            version,
            phase: Phase::Asked,
        }
    }

    /// All flows that were there have been reported.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// The switch has answered.
    pub fn is_on(&self) -> bool {
        self.phase != Phase::Asked
    }

    /// What a message tells.
    ///
    /// Errors: the switch refuses.
    pub fn take(&mut self, message: Message) -> Result<Vec<EventKind>, Refusal> {
        match message {
            Message::Error(refusal) => Err(refusal),
            Message::Paused(paused) => Ok(vec![self.paused(paused)]),
            Message::Updates { xid, more, updates } => Ok(self.updates(xid == REQUEST, more, updates)),
            Message::Hello(_) | Message::EchoRequest { .. } | Message::EchoReply { .. } | Message::Other => {
                Ok(Vec::new())
            }
        }
    }

    fn updates(&mut self, initial: bool, more: bool, updates: Vec<Update>) -> Vec<EventKind> {
        let initial = initial && self.phase != Phase::Live;
        let mut events = Vec::new();
        if self.phase == Phase::Asked {
            self.phase = Phase::Initial;
            events.push(EventKind::OpenFlowUp {
                bridge: self.bridge.clone(),
                version: self.version.0,
            });
        }
        let mut changes = Vec::with_capacity(updates.len());
        for update in updates {
            match update {
                // Nicira's monitor has no event of its own for a flow that was there.
                Update::Flow(change) if initial => {
                    changes.push(OpenFlowChange {
                        change: Change::Initial,
                        ..change
                    });
                }
                Update::Flow(change) => changes.push(change),
                Update::Abbreviated => {}
                Update::Paused(paused) => {
                    self.flush(&mut changes, &mut events);
                    events.push(self.paused(paused));
                }
            }
        }
        self.flush(&mut changes, &mut events);
        if initial && !more {
            self.phase = Phase::Live;
            events.push(EventKind::OpenFlowSnapshot {
                bridge: self.bridge.clone(),
            });
        }
        events
    }

    fn flush(&self, changes: &mut Vec<OpenFlowChange>, events: &mut Vec<EventKind>) {
        if !changes.is_empty() {
            let changes = std::mem::take(changes);
            events.push(EventKind::OpenFlowFlows {
                bridge: self.bridge.clone(),
                changes,
            });
        }
    }

    fn paused(&self, paused: bool) -> EventKind {
        EventKind::OpenFlowPaused {
            bridge: self.bridge.clone(),
            paused,
        }
    }
}
