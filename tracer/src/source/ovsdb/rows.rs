//! Which tables and columns are read, and rows of them as events.
//!
//! Must not depend on: connections. Columns are those the events hold and no more: `Interface:statistics`, which
//! changes every 5 s, would wake us for nothing (columns: vswitchd/vswitch.ovsschema of OVS).

use serde_json::{Map as Object, Value, json};
use tracer_core::event::{BridgeRow, EventKind, InterfaceRow, Map, PortRow};
use tracer_core::id::OfPort;

use super::value::{self, Unexpected};

/// The tables that are read, in the order in which a snapshot reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// `Open_vSwitch`
    OpenVswitch,
    /// `Bridge`
    Bridge,
    /// `Port`
    Port,
    /// `Interface`
    Interface,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OpenVswitch, Self::Bridge, Self::Port, Self::Interface];

    /// Its name in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenVswitch => "Open_vSwitch",
            Self::Bridge => "Bridge",
            Self::Port => "Port",
            Self::Interface => "Interface",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::OpenVswitch => &["other_config", "ovs_version"],
            Self::Bridge => &[
                "name",
                "datapath_type",
                "fail_mode",
                "protocols",
                "ports",
                "external_ids",
            ],
            Self::Port => &["name", "interfaces", "external_ids"],
            Self::Interface => &[
                "name",
                "type",
                "ofport",
                "mac_in_use",
                "options",
                "external_ids",
                "error",
            ],
        }
    }
}

/// What to ask of a server, given its schema.
#[derive(Debug)]
pub struct Plan {
    /// `<monitor-requests>` (RFC 7047, 4.1.5).
    pub requests: Value,
    /// Columns we read that this schema lacks: `Table:column`.
    pub missing: Vec<String>,
}

/// Picks from the wanted columns those that a `<database-schema>` has: older servers refuse a monitor
/// that names a column they do not know.
pub fn plan(schema: &Value) -> Plan {
    let mut requests = Object::new();
    let mut missing = Vec::new();
    for table in Table::ALL {
        let has = |column: &str| schema["tables"][table.name()]["columns"].get(column).is_some();
        let (present, absent): (Vec<&str>, Vec<&str>) =
            table.columns().iter().copied().partition(|column| has(column));
        missing.extend(absent.iter().map(|column| format!("{}:{column}", table.name())));
        if !present.is_empty() {
            requests.insert(table.name().to_owned(), json!([{ "columns": present }]));
        }
    }
    Plan {
        requests: requests.into(),
        missing,
    }
}

/// A column whose value is not of its type.
#[derive(Debug, PartialEq, Eq)]
pub struct BadColumn(pub &'static str);

/// The columns of one row, some of which the schema may lack.
struct Columns<'a>(&'a Object<String, Value>);

impl Columns<'_> {
    fn read<T: Default>(
        &self,
        column: &'static str,
        reader: fn(&Value) -> Result<T, Unexpected>,
    ) -> Result<T, BadColumn> {
        self.0
            .get(column)
            .map_or(Ok(T::default()), reader)
            .map_err(|Unexpected| BadColumn(column))
    }
}

/// A row as it is now.
pub fn row(table: Table, uuid: &str, columns: &Object<String, Value>) -> Result<EventKind, BadColumn> {
    let columns = Columns(columns);
    let uuid = uuid.to_owned();
    Ok(match table {
        Table::OpenVswitch => EventKind::OpenVswitchRow {
            ovs_version: columns.read("ovs_version", value::optional_string)?,
            flow_restore_wait: columns
                .read("other_config", value::map)?
                .remove("flow-restore-wait"),
        },
        Table::Bridge => EventKind::BridgeRow {
            uuid,
            row: Some(bridge(&columns)?),
        },
        Table::Port => EventKind::PortRow {
            uuid,
            row: Some(port(&columns)?),
        },
        Table::Interface => EventKind::InterfaceRow {
            uuid,
            row: Some(interface(&columns)?),
        },
    })
}

/// A row that is no more.
pub fn gone(table: Table, uuid: &str) -> EventKind {
    let uuid = uuid.to_owned();
    match table {
        Table::OpenVswitch => EventKind::OpenVswitchRow {
            ovs_version: None,
            flow_restore_wait: None,
        },
        Table::Bridge => EventKind::BridgeRow { uuid, row: None },
        Table::Port => EventKind::PortRow { uuid, row: None },
        Table::Interface => EventKind::InterfaceRow { uuid, row: None },
    }
}

fn string(value: &Value) -> Result<String, Unexpected> {
    value::optional_string(value).map(Option::unwrap_or_default)
}

fn bridge(columns: &Columns<'_>) -> Result<BridgeRow, BadColumn> {
    Ok(BridgeRow {
        name: columns.read("name", string)?,
        datapath_type: columns.read("datapath_type", string)?,
        fail_mode: columns.read("fail_mode", value::optional_string)?,
        protocols: columns.read("protocols", value::strings)?,
        ports: columns.read("ports", value::uuids)?,
        external_ids: external_ids(columns)?,
    })
}

fn port(columns: &Columns<'_>) -> Result<PortRow, BadColumn> {
    Ok(PortRow {
        name: columns.read("name", string)?,
        interfaces: columns.read("interfaces", value::uuids)?,
        external_ids: external_ids(columns)?,
    })
}

fn interface(columns: &Columns<'_>) -> Result<InterfaceRow, BadColumn> {
    // -1: the number could not be assigned (ovs-vswitchd.conf.db(5), Interface:ofport).
    let ofport = columns.read("ofport", value::optional_integer)?;
    let mac = columns.read("mac_in_use", value::optional_string)?;
    Ok(InterfaceRow {
        name: columns.read("name", string)?,
        kind: columns.read("type", string)?,
        ofport: ofport.and_then(|number| u32::try_from(number).ok()).map(OfPort),
        mac_in_use: mac
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| BadColumn("mac_in_use"))?,
        options: columns.read("options", value::map)?,
        external_ids: external_ids(columns)?,
        error: columns.read("error", value::optional_string)?,
    })
}

fn external_ids(columns: &Columns<'_>) -> Result<Map, BadColumn> {
    columns.read("external_ids", value::map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn only_columns_that_the_schema_has_are_asked_for() {
        let schema = json!({"tables": {
            "Open_vSwitch": {"columns": {"other_config": {}, "ovs_version": {}, "next_cfg": {}}},
            "Interface": {"columns": {"name": {}, "ofport": {}}},
        }});
        let plan = plan(&schema);
        assert_eq!(
            plan.requests,
            json!({
                "Open_vSwitch": [{"columns": ["other_config", "ovs_version"]}],
                "Interface": [{"columns": ["name", "ofport"]}],
            })
        );
        assert!(plan.missing.contains(&"Port:external_ids".to_owned()));
        assert!(plan.missing.contains(&"Interface:mac_in_use".to_owned()));
        assert!(!plan.missing.contains(&"Interface:ofport".to_owned()));
    }

    #[test]
    fn a_failed_or_missing_ofport_is_none() {
        let of = |value: Value| match row(Table::Interface, "u", &object(json!({ "ofport": value }))) {
            Ok(EventKind::InterfaceRow { row: Some(row), .. }) => row.ofport,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(json!(-1)), None);
        assert_eq!(of(json!(["set", []])), None);
        assert_eq!(of(json!(65534)), Some(OfPort(65534)));
    }

    #[test]
    fn a_column_of_the_wrong_type_is_named() {
        let columns = object(json!({"name": "p", "external_ids": "none"}));
        assert_eq!(row(Table::Port, "u", &columns), Err(BadColumn("external_ids")));
    }
}
