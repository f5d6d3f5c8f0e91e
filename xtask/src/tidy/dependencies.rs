//! Which crate may depend on which: a new one is a decision, one that is no longer used is struck out.
//!
//! Must not depend on: cargo, files. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Where a decision is written down.
const HERE: &str = "xtask/src/tidy/dependencies.rs";

/// What each crate may depend on (dev-dependencies included), and does; a new one is a decision.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("tracer-common", &["zerocopy"]),
    ("tracer-ebpf", &["aya-ebpf", "aya-log-ebpf", "tracer-common"]),
    (
        "tracer-core",
        &[
            "hdrhistogram",
            "imbl",
            "insta",
            "peak_alloc",
            "proptest",
            "schemars",
            "serde",
            "serde_json",
            "xxhash-rust",
        ],
    ),
    (
        "tracer",
        &[
            "anyhow",
            "aya",
            "aya-log",
            "aya-obj",
            "btf-rs",
            "bytes",
            "clap",
            "clap_complete",
            "clap_mangen",
            "crossterm",
            "hdrhistogram",
            "insta",
            "jiff",
            "jsonschema",
            "libfuzzer-sys",
            "log",
            "memmap2",
            "netlink-bindings",
            "netlink-sys",
            "nix",
            "proptest",
            "quick-junit",
            "quick-xml",
            "ratatui",
            "rustix",
            "schemars",
            "serde",
            "serde_json",
            "statrs",
            "tempfile",
            "tokio",
            "toml",
            "tracer-common",
            "tracer-core",
            "tracing",
            "tracing-subscriber",
            "unicode-width",
            "zerocopy",
        ],
    ),
    (
        "lab",
        &["anyhow", "aya", "clap", "nix", "rustix", "serde", "serde_json"],
    ),
    (
        "xtask",
        &[
            "anyhow",
            "clap",
            "indicatif",
            "lab",
            "nix",
            "proc-macro2",
            "rustix",
            "serde",
            "serde_json",
        ],
    ),
];

/// What each crate's manifest depends on.
pub type Manifests = BTreeMap<String, BTreeSet<String>>;

/// Dependencies that are not allowed, and allowed ones that no manifest names.
pub fn breaches(manifests: &Manifests) -> Vec<String> {
    let mut breaches = Vec::new();
    for (package, depends_on) in manifests {
        match DEPENDENCIES.iter().find(|(name, _)| name == package) {
            None => breaches.push(format!(
                "{package}: is in no list of allowed dependencies ({HERE})"
            )),
            Some((_, allowed)) => {
                let bad = depends_on.iter().filter(|name| !allowed.contains(&name.as_str()));
                breaches.extend(bad.map(|name| format!("{package}: must not depend on {name} ({HERE})")));
            }
        }
    }
    for (package, allowed) in DEPENDENCIES {
        let depends_on = manifests.get(*package);
        let unused = allowed
            .iter()
            .filter(|name| !depends_on.is_some_and(|names| names.contains(**name)));
        breaches.extend(unused.map(|name| {
            format!("{package}: does not depend on {name}, which is allowed: strike it out ({HERE})")
        }));
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Manifests that depend on all that is allowed.
    fn allowed() -> Manifests {
        let lists = DEPENDENCIES.iter();
        lists
            .map(|(name, list)| {
                (
                    (*name).to_owned(),
                    list.iter().map(|name| (*name).to_owned()).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn a_new_dependency_is_a_decision() {
        let mut manifests = allowed();
        assert_eq!(breaches(&manifests), Vec::<String>::new());
        manifests
            .entry("tracer-core".to_owned())
            .or_default()
            .insert("tokio".to_owned());
        manifests
            .entry("new-crate".to_owned())
            .or_default()
            .insert("serde".to_owned());
        let found = breaches(&manifests);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("new-crate: is in no list"));
        assert!(found[1].starts_with("tracer-core: must not depend on tokio"));
    }

    #[test]
    fn what_no_manifest_depends_on_is_not_allowed_for_later() {
        let mut manifests = allowed();
        manifests.get_mut("tracer-core").unwrap().remove("serde");
        manifests.remove("tracer-common");
        let found = breaches(&manifests);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("tracer-common: does not depend on zerocopy"));
        assert!(found[1].starts_with("tracer-core: does not depend on serde"));
    }
}
