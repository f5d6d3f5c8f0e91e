//! OVSDB's encoding of column values as JSON (RFC 7047, 5.1).
//!
//! Must not depend on: tables. A set of one is written as the atom itself, so every reader takes both.

use serde_json::Value;
use tracer_core::event::Map;

/// A column's value that is not of the type its reader wants.
#[derive(Debug, PartialEq, Eq)]
pub struct Unexpected;

/// The atoms of a set: `["set", [atom…]]` or one atom.
fn atoms(value: &Value) -> Result<&[Value], Unexpected> {
    let Value::Array(array) = value else {
        return Ok(std::slice::from_ref(value));
    };
    match array.as_slice() {
        [Value::String(tag), Value::Array(atoms)] if tag == "set" => Ok(atoms),
        [Value::String(tag), Value::String(_)] if tag == "uuid" => Ok(std::slice::from_ref(value)),
        _ => Err(Unexpected),
    }
}

/// A set of strings.
pub fn strings(value: &Value) -> Result<Vec<String>, Unexpected> {
    atoms(value)?
        .iter()
        .map(|atom| atom.as_str().map(str::to_owned).ok_or(Unexpected))
        .collect()
}

/// A set of row references: `["uuid", id]`.
pub fn uuids(value: &Value) -> Result<Vec<String>, Unexpected> {
    let uuid = |atom: &Value| match atom.as_array().map(Vec::as_slice) {
        Some([Value::String(tag), Value::String(id)]) if tag == "uuid" => Ok(id.clone()),
        _ => Err(Unexpected),
    };
    atoms(value)?.iter().map(uuid).collect()
}

/// A string, or the empty set.
pub fn optional_string(value: &Value) -> Result<Option<String>, Unexpected> {
    at_most_one(strings(value)?)
}

/// An integer, or the empty set.
pub fn optional_integer(value: &Value) -> Result<Option<i64>, Unexpected> {
    let integers: Result<Vec<i64>, Unexpected> = atoms(value)?
        .iter()
        .map(|atom| atom.as_i64().ok_or(Unexpected))
        .collect();
    at_most_one(integers?)
}

fn at_most_one<T>(mut set: Vec<T>) -> Result<Option<T>, Unexpected> {
    let last = set.pop();
    if set.is_empty() { Ok(last) } else { Err(Unexpected) }
}

/// A map of strings: `["map", [[key, value]…]]`.
pub fn map(value: &Value) -> Result<Map, Unexpected> {
    let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(key), Value::String(value)]) => Ok((key.clone(), value.clone())),
        _ => Err(Unexpected),
    };
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(tag), Value::Array(pairs)]) if tag == "map" => pairs.iter().map(pair).collect(),
        _ => Err(Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_of_one_is_its_atom() {
        assert_eq!(strings(&json!("a")), Ok(vec!["a".to_owned()]));
        assert_eq!(
            strings(&json!(["set", ["a", "b"]])),
            Ok(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(strings(&json!(["set", []])), Ok(vec![]));
        assert_eq!(uuids(&json!(["uuid", "x"])), Ok(vec!["x".to_owned()]));
        let two = json!(["set", [["uuid", "x"], ["uuid", "y"]]]);
        assert_eq!(uuids(&two), Ok(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(optional_integer(&json!(-1)), Ok(Some(-1)));
        assert_eq!(optional_integer(&json!(["set", []])), Ok(None));
        assert_eq!(
            optional_string(&json!(["set", ["3.1.0"]])),
            Ok(Some("3.1.0".to_owned()))
        );
    }

    #[test]
    fn maps_are_sorted_by_key() {
        let value = json!(["map", [["b", "2"], ["a", "1"]]]);
        assert_eq!(
            map(&value),
            Ok([("a", "1"), ("b", "2")].map(|(k, v)| (k.into(), v.into())).into())
        );
        assert_eq!(map(&json!(["map", []])), Ok(Map::new()));
    }

    #[test]
    fn values_of_another_type_are_told() {
        for value in [
            json!(1),
            json!(null),
            json!(["set", 1]),
            json!(["map", [["a"]]]),
            json!([]),
            json!({}),
        ] {
            assert_eq!(strings(&value), Err(Unexpected), "{value}");
            assert_eq!(uuids(&value), Err(Unexpected), "{value}");
            assert_eq!(map(&value), Err(Unexpected), "{value}");
        }
        assert_eq!(optional_string(&json!(["set", ["a", "b"]])), Err(Unexpected));
        assert_eq!(optional_integer(&json!(1.5)), Err(Unexpected));
    }
}
