//! Who may name whom: the directions of ARCHITECTURE.md as a table.
//!
//! Must not depend on: files, how names are found. Pure.

use super::names::Name;

/// What the files below one place must not name.
struct Rule {
    /// Path of a file or of a folder (ending in `/`), from the workspace's root.
    place: &'static str,
    /// Places inside it that the rule leaves out.
    but: &'static [&'static str],
    /// Beginnings of paths that must not be named.
    not: &'static [&'static str],
    /// Beginnings of paths that may, all the same.
    unless: &'static [&'static str],
    /// Why.
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        place: "tracer-core/src/",
        but: &[],
        not: &[
            "tokio",
            "aya",
            "ratatui",
            "std::time::Instant",
            "std::time::SystemTime",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "std::os",
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::collections::HashMap",
            "std::collections::HashSet",
        ],
        unless: &[],
        why: "the judge is pure: no clock, no I/O, no order that changes from run to run",
    },
    Rule {
        place: "tracer/src/source/",
        but: &[],
        not: &["tracer_core"],
        unless: &[
            "tracer_core::event",
            "tracer_core::id",
            "tracer_core::time",
            "tracer_core::flow",
            "tracer_core::packet",
            "tracer_core::log",
        ],
        why: "a source makes events and never sees what follows from them",
    },
    Rule {
        place: "tracer/src/source/",
        but: &[],
        not: &["crate::sink", "crate::tui", "crate::command"],
        unless: &[],
        why: "events flow from sources to sinks and not back",
    },
    Rule {
        place: "tracer/src/sink/",
        but: &[],
        not: &[
            "crate::source",
            "crate::command",
            "tracer_core::event",
            "tracer_core::judge",
        ],
        unless: &[],
        why: "a sink prints a report and never sees an event",
    },
    Rule {
        place: "tracer/src/tui/",
        but: &[],
        not: &["crate::source", "crate::command", "tracer_core::event"],
        unless: &[],
        why: "the screen shows a report and never sees a source",
    },
    Rule {
        place: "tracer/src/",
        but: &["tracer/src/source/ebpf/"],
        not: &["aya", "aya_log"],
        unless: &[],
        why: "only source::ebpf knows aya",
    },
    Rule {
        place: "tracer/src/",
        but: &["tracer/src/source/clock.rs"],
        not: &[
            "std::time::Instant",
            "std::time::SystemTime",
            "rustix::time::clock_gettime",
        ],
        unless: &[],
        why: "only source::clock reads the clock",
    },
    Rule {
        place: "tracer/src/",
        but: &["tracer/src/cli.rs", "tracer/src/main.rs", "tracer/src/command/"],
        not: &["clap"],
        unless: &[],
        why: "only the command line knows clap",
    },
    Rule {
        place: "lab/src/",
        but: &[],
        not: &["tracer_core", "tracer_common", "tracer"],
        unless: &[],
        why: "the lab looks at ovsgap from outside",
    },
    Rule {
        place: "lab/src/words/",
        but: &[],
        not: &["crate"],
        unless: &["crate::words"],
        why: "the words that both sides share know neither side",
    },
    Rule {
        place: "xtask/src/",
        but: &[],
        not: &["tracer_core", "tracer_common", "tracer"],
        unless: &[],
        why: "the lab judges ovsgap from outside",
    },
    Rule {
        place: "xtask/src/",
        but: &[],
        not: &["lab"],
        unless: &["lab::words"],
        why: "the host knows what the node writes, and not how it comes about",
    },
];

/// What a file names and must not, each with the reason.
pub fn breaches(file: &str, names: &[Name]) -> Vec<String> {
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| applies(rule, file)) {
        for name in names {
            let forbidden = rule.not.iter().any(|not| begins(name, not) || hides(name, not));
            if forbidden && !rule.unless.iter().any(|may| begins(name, may)) {
                found.push(format!("{file}: must not name {}: {}", name.join("::"), rule.why));
            }
        }
    }
    found.dedup();
    found
}

fn applies(rule: &Rule, file: &str) -> bool {
    !is_test(file) && file.starts_with(rule.place) && !rule.but.iter().any(|but| file.starts_with(but))
}

/// Whether a file holds tests and nothing else.
pub fn is_test(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

fn begins(name: &Name, with: &str) -> bool {
    let mut parts = name.iter();
    with.split("::")
        .all(|part| parts.next().is_some_and(|own| own == part))
}

/// Whether a glob (`std::*`) takes the forbidden path in.
fn hides(name: &Name, not: &str) -> bool {
    let Some((last, base)) = name.split_last() else {
        return false;
    };
    let mut parts = not.split("::");
    last == "*" && base.iter().all(|part| parts.next() == Some(part.as_str())) && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    fn found(file: &str, text: &str) -> usize {
        breaches(file, &names::of(text, &names::module(file)).unwrap()).len()
    }

    #[test]
    fn the_judge_depends_on_nothing_of_the_world() {
        let bad = "use std::{collections::HashMap, time::Instant};\nfn f() { std::fs::read(tokio::x()); }\nuse std::net::*;";
        assert_eq!(found("tracer-core/src/engine.rs", bad), 5);
        let good = "use std::collections::BTreeMap;\nuse std::net::IpAddr;\n// std::fs";
        assert_eq!(found("tracer-core/src/engine.rs", good), 0);
    }

    #[test]
    fn events_flow_one_way() {
        let text = "use tracer_core::{event::Event, report::Report}; use crate::sink;";
        assert_eq!(found("tracer/src/source/process.rs", text), 2);
        assert_eq!(
            found(
                "tracer/src/sink/json.rs",
                "use crate::source::clock; use tracer_core::report::Report;"
            ),
            1
        );
        assert_eq!(
            found(
                "tracer/src/tui/pane/pods.rs",
                "use super::super::super::source::clock;"
            ),
            0
        );
        assert_eq!(
            found(
                "tracer/src/pipeline.rs",
                "use crate::source::ebpf; use tracer_core::judge::Judge;"
            ),
            0
        );
    }

    #[test]
    fn libraries_stay_where_they_belong() {
        assert_eq!(
            found(
                "tracer/src/pipeline.rs",
                "use aya::Ebpf; use clap::Args; use std::time::Instant;"
            ),
            3
        );
        assert_eq!(found("tracer/src/source/ebpf/mod.rs", "use aya::Ebpf;"), 0);
        assert_eq!(found("tracer/src/cli.rs", "use clap::Args;"), 0);
        assert_eq!(found("tracer/src/source/clock.rs", "use std::time::Instant;"), 0);
    }

    #[test]
    fn the_host_knows_the_words_alone() {
        let text = "use lab::words::wire::Job; use lab::init; use crate::vm;";
        assert_eq!(found("xtask/src/boots.rs", text), 1);
        let text = "use crate::words::way::Way; use crate::node::Node;";
        assert_eq!(found("lab/src/words/scenario.rs", text), 1);
    }
}
