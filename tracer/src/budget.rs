//! Budgets as people write them: lengths of time, a TOML file.
//!
//! Must not depend on: reports. The file, key by key: docs/ci.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use tracer_core::budget::{Budget, Limit, Limits};

/// A length of time in ns: `50ms`, `1.5s`, `0`.
pub fn duration(text: &str) -> Result<u64, String> {
    if text == "0" {
        return Ok(0);
    }
    let remedy = || format!("`{text}` is no length of time: write 50ms, 1.5s or 2m");
    let length: SignedDuration = text.parse().map_err(|_| remedy())?;
    u64::try_from(length.as_nanos()).map_err(|_| remedy())
}

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    max_window: Time,
    #[serde(default)]
    max_exposed: Time,
    #[serde(default)]
    max_lost: Count,
    #[serde(default)]
    max_pods: Count,
    #[serde(default)]
    allow_stuck_flag: bool,
    #[serde(default)]
    namespace: BTreeMap<String, Scope>,
    #[serde(default)]
    pod: BTreeMap<String, Scope>,
}

/// A table for a namespace or a Pod.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    #[serde(default, rename = "max_window")]
    window: Time,
    #[serde(default, rename = "max_exposed")]
    exposed: Time,
    #[serde(default, rename = "max_lost")]
    lost: Count,
}

impl Scope {
    fn limits(self) -> Limits {
        Limits {
            window: self.window.0,
            exposed: self.exposed.0,
            lost: self.lost.0,
        }
    }
}

/// `"50ms"` or `"unlimited"`.
#[derive(Clone, Copy, Debug, Default)]
struct Time(Limit);

/// `10` or `"unlimited"`.
#[derive(Clone, Copy, Debug, Default)]
struct Count(Limit);

const UNLIMITED: &str = "unlimited";

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let remedy = "write a length of time in quotes (\"50ms\", \"1.5s\"), or \"unlimited\"";
        match Value::deserialize(from).map_err(|_| D::Error::custom(remedy))? {
            Value::Text(text) if text == UNLIMITED => Ok(Self(Limit::Unlimited)),
            Value::Text(text) => duration(&text)
                .map(|ns| Self(Limit::AtMost(ns)))
                .map_err(D::Error::custom),
            Value::Number(_) => Err(D::Error::custom(format!("a number has no unit: {remedy}"))),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let remedy = || D::Error::custom("write a whole number from 0 on, or \"unlimited\"");
        match Value::deserialize(from).map_err(|_| remedy())? {
            Value::Text(text) if text == UNLIMITED => Ok(Self(Limit::Unlimited)),
            Value::Number(number) => u64::try_from(number)
                .map(|count| Self(Limit::AtMost(count)))
                .map_err(|_| remedy()),
            Value::Text(_) => Err(remedy()),
        }
    }
}

/// The budget in a file.
pub fn read(path: &Path) -> anyhow::Result<Budget> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the budget {name}: name a TOML file (docs/ci.md)"))?;
    parse(&text)
        .with_context(|| format!("the budget {name} is not understood: mend it (its keys: docs/ci.md)"))
}

/// The budget that a file's text is.
pub(crate) fn parse(text: &str) -> anyhow::Result<Budget> {
    let file: File =
        toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.to_string().trim_end()))?;
    for name in file.pod.keys() {
        let halves = name.split_once('/');
        ensure!(
            halves.is_some_and(|(namespace, pod)| !namespace.is_empty()
                && !pod.is_empty()
                && !pod.contains('/')),
            "[pod.\"{name}\"]: a Pod is named by its namespace and its name: [pod.\"default/{}\"]",
            name.trim_matches('/')
        );
    }
    let limits = |scopes: BTreeMap<String, Scope>| {
        scopes
            .into_iter()
            .map(|(name, scope)| (name, scope.limits()))
            .collect()
    };
    let budget = Budget {
        every: Limits {
            window: file.max_window.0,
            exposed: file.max_exposed.0,
            lost: file.max_lost.0,
        },
        namespaces: limits(file.namespace),
        pods: limits(file.pod),
        affected: file.max_pods.0,
        allow_stuck_flag: file.allow_stuck_flag,
    };
    if budget.is_unlimited() {
        bail!(
            "it limits nothing, so nothing could fail: give it max_window, max_exposed, max_lost or max_pods"
        );
    }
    Ok(budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_units() {
        let read = |text| duration(text).ok();
        assert_eq!(read("50ms"), Some(50_000_000));
        assert_eq!(read("1.5s"), Some(1_500_000_000));
        assert_eq!(read("250us"), Some(250_000));
        assert_eq!(read("2m"), Some(120_000_000_000));
        assert_eq!(read("0"), Some(0));
        for bad in ["50", "", "-1s", "fast", "1 fortnight"] {
            assert!(duration(bad).is_err_and(|error| error.contains("50ms")), "{bad}");
        }
    }

    #[test]
    fn the_narrowest_scope_that_says_something_counts() {
        let budget = parse(
            "max_window = \"50ms\"\nmax_lost = 10\nmax_pods = 2\n\
             [namespace.kube-system]\nmax_window = \"200ms\"\n\
             [pod.\"kube-system/dns-1\"]\nmax_lost = \"unlimited\"\n",
        )
        .unwrap();
        let figures = |namespace, name| {
            let limits = budget.limits(namespace, name);
            (limits.window.most(), limits.lost.most())
        };
        assert_eq!(figures(Some("default"), "web-1"), (Some(50_000_000), Some(10)));
        assert_eq!(figures(Some("kube-system"), "x"), (Some(200_000_000), Some(10)));
        assert_eq!(figures(Some("kube-system"), "dns-1"), (Some(200_000_000), None));
        assert_eq!(figures(None, "uplink"), (Some(50_000_000), Some(10)));
        assert_eq!(budget.affected.most(), Some(2));
    }

    #[test]
    fn the_documents_example_is_a_budget() {
        let document = include_str!("../../docs/ci.md");
        let (_, rest) = document.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let budget = parse(example).unwrap();
        let limits = budget.limits(Some("default"), "web-1");
        assert_eq!((limits.window.most(), limits.lost.most()), (None, Some(0)));
        assert_eq!(limits.exposed.most(), Some(100_000_000));
    }

    #[track_caller]
    fn refused(text: &str, words: &[&str]) {
        let error = format!("{:#}", parse(text).unwrap_err());
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        refused("max_windw = \"50ms\"", &["line 1", "max_windw", "max_window"]);
        refused("max_window = 50", &["line 1", "no unit", "\"50ms\""]);
        refused("max_window = \"50\"", &["line 1", "no length of time"]);
        refused("max_lost = -1", &["line 1", "whole number"]);
        refused("max_lost = 1.5", &["line 1", "whole number"]);
        refused("max_pods = \"many\"", &["line 1", "whole number"]);
        refused("[pod.web-1]\nmax_lost = 1", &["web-1", "default/web-1"]);
        refused("[namespace.a]\nmax_pods = 1", &["line 2", "max_pods"]);
        refused("max_window = ", &["line 1"]);
        refused("", &["limits nothing", "max_window"]);
        refused("max_window = \"unlimited\"", &["limits nothing"]);
    }
}
