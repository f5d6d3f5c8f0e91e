//! Whether every source has told what there was when the capture began.
//!
//! Must not depend on: what it was. A command that restarts OVS must not start earlier: the state before
//! the restart would be missing.

use std::collections::BTreeSet;

use tracer_core::event::EventKind;

/// What has been told so far.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    ovsdb: bool,
    datapath: bool,
    kernel: bool,
    bridges: BTreeSet<String>,
    monitors: BTreeSet<String>,
    only: BTreeSet<String>,
}

impl Ready {
    /// Waits for the monitors of these bridges only; of all, where none is named.
    pub fn watching(only: BTreeSet<String>) -> Self {
        Self {
            only,
            ..Self::default()
        }
    }

    /// Takes an event in. A source that says that it cannot see has told all that it can.
    pub fn see(&mut self, kind: &EventKind) {
        match kind {
            EventKind::OvsdbSnapshot | EventKind::OvsdbDown { .. } => self.ovsdb = true,
            EventKind::DatapathStats { .. } => self.datapath = true,
            EventKind::Hook(_) => self.kernel = true,
            EventKind::BridgeRow { row: Some(row), .. } => drop(self.bridges.insert(row.name.clone())),
            EventKind::OpenFlowSnapshot { bridge } | EventKind::OpenFlowDown { bridge, .. } => {
                self.monitors.insert(bridge.clone());
            }
            EventKind::Source { name, ok: false, .. } => self.blind(name),
            _ => {}
        }
    }

    fn blind(&mut self, name: &str) {
        match name {
            "ovsdb" => self.ovsdb = true,
            "datapath" => self.datapath = true,
            "ebpf" => self.kernel = true,
            other => drop(
                other
                    .strip_prefix("openflow ")
                    .map(|bridge| self.monitors.insert(bridge.to_owned())),
            ),
        }
    }

    /// Whether all have.
    pub fn is_ready(&self) -> bool {
        let watched = |bridge: &&String| self.only.is_empty() || self.only.contains(*bridge);
        let monitored = self
            .bridges
            .iter()
            .filter(watched)
            .all(|bridge| self.monitors.contains(bridge));
        self.ovsdb && self.datapath && self.kernel && monitored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer_core::event::{BridgeRow, Hook};

    #[test]
    fn it_waits_for_every_bridge() {
        let mut ready = Ready::default();
        let row = BridgeRow {
            name: "br-int".to_owned(),
            ..BridgeRow::default()
        };
        ready.see(&EventKind::BridgeRow {
            uuid: "u".to_owned(),
            row: Some(row),
        });
        ready.see(&EventKind::OvsdbSnapshot);
        let hook = Hook {
            name: "h".to_owned(),
            attach: "kprobe".to_owned(),
            ok: true,
            error: String::new(),
            offsets: None,
        };
        ready.see(&EventKind::Hook(hook));
        ready.see(&EventKind::Source {
            name: "datapath".to_owned(),
            ok: false,
            detail: String::new(),
        });
        assert!(!ready.is_ready());
        ready.see(&EventKind::OpenFlowSnapshot {
            bridge: "br-int".to_owned(),
        });
        assert!(ready.is_ready());
    }
}
