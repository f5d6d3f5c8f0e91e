//! `docs/fuzzing.md`: what each target reads, and what came of the last run of it.
//!
//! Must not depend on: how a target is run.

use std::collections::BTreeMap;

use super::outcome::{LONGEST_INPUT, Outcome};

/// What each target reads, in the order of the page.
pub const READ: &[(&str, &str)] = &[
    (
        "record",
        "a record of the ring buffer, as the programs in the kernel send it",
    ),
    (
        "actions",
        "a megaflow's action list, from netlink or from the kernel",
    ),
    (
        "counters",
        "values of the maps in which the kernel counts: runs, upcalls, waits",
    ),
    ("btf", "the kernel's own types (vmlinux's and a module's)"),
    ("netlink", "datagrams of the kernel's netlink families"),
    (
        "ovsdb",
        "what ovsdb-server sends: replies, schemas, rows, changes",
    ),
    ("openflow", "what a bridge's management socket sends, in pieces"),
    ("oxm", "the match of an OpenFlow flow"),
    (
        "log",
        "a recording, to the report and to one of its formats; each line read in both ways",
    ),
    (
        "judge",
        "a real restart's events left out, repeated, in another order, at other times",
    ),
    ("budget", "a budget's file"),
    ("compare", "what `ovsgap compare` reads"),
];

const HEAD: &str = "# Fuzzing
<!-- Written by `cargo xtask fuzz --write`. -->

Everything that reads bytes from outside is a target: a function of bytes that panics where an invariant breaks, and that may take
neither long nor much memory. libFuzzer drives it, on the pinned stable Rust, with overflows as panics; the corpus in
`tracer/fuzz/corpus` is replayed, cut at many places and mutated by `cargo test`. What came of the last run that was written down:
";

const COLUMNS: &str = "| target | reads | inputs | seconds | inputs/s | edges | features | corpus | MiB | |\n\
    |---|---|--:|--:|--:|--:|--:|--:|--:|---|\n";

const TAIL: &str = "
*Edges* and *features* are libFuzzer's: places in the program, and combinations of how often they were passed, that some input reached.
The machine was shared with other work: seconds are no measure of the program. Where no bound is named, an input has at most 4096
bytes, or as many as the longest of the corpus; `judge` has four bytes an event, so that its longest input has 64 events.

```
cargo xtask fuzz                              # a million inputs each
cargo xtask fuzz --inputs 10000000 --write    # what this page shows
cargo xtask fuzz log judge                    # some of them
```
";

/// The page with the figures of these runs; those of other targets stay as they were `before`.
pub fn page(before: &str, outcomes: &[Outcome]) -> String {
    let mut rows: BTreeMap<&str, String> = BTreeMap::new();
    for line in before.lines() {
        if let Some((name, rest)) = line.strip_prefix("| `").and_then(|line| line.split_once('`'))
            && let Some(figures) = rest.splitn(3, " | ").nth(2)
        {
            rows.insert(name, figures.to_owned());
        }
    }
    for outcome in outcomes {
        rows.insert(&outcome.target, figures(outcome));
    }
    let mut page = format!("{HEAD}\n{COLUMNS}");
    for (name, what) in READ {
        let none = "| | | | | | | not yet |".to_owned();
        let figures = rows.remove(name).unwrap_or(none);
        let bound = LONGEST_INPUT.iter().find(|(target, _)| target == name);
        let bound = bound.map_or_else(String::new, |(_, longest)| format!(" (at most {longest} bytes)"));
        page.extend(["| `", name, "` | ", what, &bound, " | ", &figures, "\n"]);
    }
    page + TAIL
}

fn figures(outcome: &Outcome) -> String {
    let Outcome {
        target: _,
        inputs,
        millis,
        edges,
        features,
        corpus,
        mebibytes,
        broken,
    } = outcome;
    let rate = outcome.rate();
    let came = if broken.is_some() { "broken" } else { "held" };
    format!(
        "{inputs} | {} | {rate} | {edges} | {features} | {corpus} | {mebibytes} | {came} |",
        millis / 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(target: &str, inputs: u64) -> Outcome {
        Outcome {
            target: target.to_owned(),
            inputs,
            millis: 2000,
            edges: 200,
            features: 300,
            corpus: 40,
            mebibytes: 32,
            broken: None,
        }
    }

    #[test]
    fn a_page_keeps_what_is_not_run_again() {
        let first = page("", &[outcome("log", 10), outcome("oxm", 20)]);
        let again = page(&first, &[outcome("oxm", 30)]);
        let row = |page: &str, target: &str| {
            let start = format!("| `{target}` |");
            page.lines()
                .find(|line| line.starts_with(&start))
                .unwrap()
                .to_owned()
        };
        assert!(row(&first, "oxm").ends_with("| 20 | 2 | 10 | 200 | 300 | 40 | 32 | held |"));
        assert!(row(&again, "oxm").ends_with("| 30 | 2 | 15 | 200 | 300 | 40 | 32 | held |"));
        assert_eq!(row(&first, "log"), row(&again, "log"));
        assert!(row(&again, "btf").ends_with("| | | | | | | not yet |"));
        assert_eq!(page(&again, &[]), again);
    }
}
