//! The database as the events have told it: turns updates into events for what changed.
//!
//! Must not depend on: connections, clocks. Columns may change that no event holds (keys of `other_config`), and
//! a row is reported only if what the event holds changed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map as Object, Value};
use tracer_core::event::{BridgeRow, EventKind};

use super::rows::{self, BadColumn, Table};

/// `<table-updates>` (RFC 7047, 4.1.5): by table, by row.
pub type TableUpdates = BTreeMap<String, BTreeMap<String, RowUpdate>>;

/// `<row-update>`; a row without `new` was deleted.
#[derive(Debug, Deserialize)]
pub struct RowUpdate {
    #[serde(default)]
    new: Option<Object<String, Value>>,
}

/// The rows as reported last.
#[derive(Debug, Default)]
pub struct Mirror {
    rows: BTreeMap<(Table, String), EventKind>,
}

impl Mirror {
    /// Takes in an update; what is to be reported, tables in the order of [`Table`]. A row that cannot be
    /// read is left as it was and named by a [`EventKind::Source`].
    pub fn apply(&mut self, mut updates: TableUpdates) -> Vec<EventKind> {
        let mut events = Vec::new();
        for table in Table::ALL {
            for (uuid, update) in updates.remove(table.name()).unwrap_or_default() {
                events.extend(self.apply_row(table, uuid, &update));
            }
        }
        events
    }

    fn apply_row(&mut self, table: Table, uuid: String, update: &RowUpdate) -> Option<EventKind> {
        let Some(columns) = &update.new else {
            return self
                .rows
                .remove(&(table, uuid.clone()))
                .map(|_| rows::gone(table, &uuid));
        };
        let row = match rows::row(table, &uuid, columns) {
            Ok(row) => row,
            Err(BadColumn(column)) => return Some(unreadable(table, &uuid, column, columns)),
        };
        let known = self.rows.insert((table, uuid), row.clone());
        (known.as_ref() != Some(&row)).then_some(row)
    }

    /// `other_config:flow-restore-wait` as vswitchd reads it (`smap_get_bool`: any case).
    pub fn flow_restore_wait(&self) -> bool {
        self.rows.values().any(|row| {
            let EventKind::OpenVswitchRow {
                flow_restore_wait: Some(value),
                ..
            } = row
            else {
                return false;
            };
            value.eq_ignore_ascii_case("true")
        })
    }

    /// The bridges by name.
    pub fn bridges(&self) -> BTreeMap<String, BridgeRow> {
        let bridge = |row: &EventKind| match row {
            EventKind::BridgeRow { row: Some(row), .. } => Some((row.name.clone(), row.clone())),
            _ => None,
        };
        self.rows.values().filter_map(bridge).collect()
    }
}

fn unreadable(table: Table, uuid: &str, column: &str, columns: &Object<String, Value>) -> EventKind {
    let value = columns.get(column).unwrap_or(&Value::Null);
    let detail = format!(
        "row {uuid} of table {} is ignored: column {column} holds {value}, which is not of its type",
        table.name()
    );
    EventKind::Source {
        name: "ovsdb".to_owned(),
        ok: false,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn apply(mirror: &mut Mirror, updates: Value) -> Vec<EventKind> {
        mirror.apply(serde_json::from_value(updates).unwrap())
    }

    fn config(pairs: &Value) -> Value {
        json!({"Open_vSwitch": {"r": {"new": {"ovs_version": "3.1.0", "other_config": ["map", pairs]}}}})
    }

    #[test]
    fn only_what_an_event_holds_makes_a_change() {
        let mut mirror = Mirror::default();
        assert_eq!(apply(&mut mirror, config(&json!([]))).len(), 1);
        assert_eq!(apply(&mut mirror, config(&json!([["hw-offload", "true"]]))), []);
        assert!(!mirror.flow_restore_wait());
        let armed = apply(&mut mirror, config(&json!([["flow-restore-wait", "True"]])));
        let flow_restore_wait = Some("True".to_owned());
        assert_eq!(
            armed,
            [EventKind::OpenVswitchRow {
                ovs_version: Some("3.1.0".into()),
                flow_restore_wait
            }]
        );
        assert!(mirror.flow_restore_wait());
    }

    #[test]
    fn deletion_is_told_once_and_only_of_known_rows() {
        let mut mirror = Mirror::default();
        let bridge = json!({"Bridge": {"b": {"new": {"name": "br0", "fail_mode": ["set", []]}}}});
        assert_eq!(apply(&mut mirror, bridge).len(), 1);
        assert!(mirror.bridges().contains_key("br0"));
        let gone = json!({"Bridge": {"b": {"old": {"name": "br0"}}, "c": {"old": {}}}});
        assert_eq!(
            apply(&mut mirror, gone),
            [EventKind::BridgeRow {
                uuid: "b".into(),
                row: None
            }]
        );
        assert!(mirror.bridges().is_empty());
    }

    #[test]
    fn a_row_that_cannot_be_read_is_named() {
        let mut mirror = Mirror::default();
        let events = apply(
            &mut mirror,
            json!({"Interface": {"i": {"new": {"mac_in_use": "xyz"}}}}),
        );
        let [
            EventKind::Source {
                ok: false, detail, ..
            },
        ] = events.as_slice()
        else {
            panic!("{events:?}")
        };
        assert!(
            detail.contains("mac_in_use") && detail.contains("xyz"),
            "{detail}"
        );
    }
}
