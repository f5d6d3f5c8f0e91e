//! Every format over the recording that ships with the sources, and over what is rarer: nothing seen, many Pods, names
//! that try to break out.
//!
//! `OVSGAP_UPDATE=1 cargo test -p tracer --test formats` writes docs/examples and docs/report.schema.json anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;

mod format;
mod proven;

use std::path::{Path, PathBuf};

use format::{chrome, html, junit};
use proven::{prove, unknown_port};
use recorded::Plot;
use tracer::command::report::read;
use tracer::sink::{Format, Style, judged, render};
use tracer_core::budget::{Budget, judge};
use tracer_core::report::{Report, UpcallLatency, Verdict};
use tracer_core::vocabulary::capture::LatencyCount;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Formats and their example's name.
const EXAMPLES: [(Format, &str); 6] = [
    (Format::Text, "restart.txt"),
    (Format::Json, "restart.json"),
    (Format::Junit, "restart.junit.xml"),
    (Format::Markdown, "restart.md"),
    (Format::Html, "restart.html"),
    (Format::Perfetto, "restart.perfetto.json"),
];

fn style(format: Format) -> Style {
    Style {
        format,
        utc: false,
        explain: false,
    }
}

fn shipped() -> Report {
    let (report, flaw) = read(&Path::new(ROOT).join("demo/restart.jsonl")).unwrap();
    assert_eq!(flaw, None);
    report
}

fn told(plot: &Plot) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.jsonl");
    std::fs::write(&file, recorded::recording(plot)).unwrap();
    read(&file).unwrap().0
}

/// The report of a capture in which nothing was disrupted.
fn nothing() -> Report {
    let mut report = shipped();
    report.disruptions.clear();
    report.verdict = Verdict::Inconclusive;
    report.why = vec!["no disruption of Open vSwitch was seen".to_owned()];
    report
}

/// Names that mean something to one or the other format.
fn hostile() -> Report {
    let mut report = shipped();
    let name = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>|`*_[x](http://e)\n]]>&amp;\u{202e}\u{0}";
    report.node.hostname = Some(name.to_owned());
    report.node.kernel = Some(name.to_owned());
    report.command.as_mut().unwrap().argv.push(name.to_owned());
    for finding in &mut report.coverage {
        finding.detail = name.into();
        finding.kind = name.into();
    }
    report.why = vec![name.to_owned()];
    report.disruptions[0].why = vec![format!("{name} again")];
    report.disruptions[0].unattributed = vec![unknown_port(name)];
    let pods = report
        .disruptions
        .iter_mut()
        .flat_map(|disruption| &mut disruption.pods);
    for (pod, number) in pods.zip(0..) {
        pod.name = name.into();
        pod.interface = format!("{name}{number}");
        pod.bridge = Some(name.to_owned());
        pod.network = Some(name.to_owned());
        prove(pod, 1, name);
        pod.ips = vec![name.to_owned()];
        let losses = [&mut pod.observed.to_pod, &mut pod.observed.from_pod];
        for key in losses.into_iter().flatten().flat_map(|loss| &mut loss.keys) {
            key.interface = name.into();
            key.dst = name.into();
        }
    }
    report
}

/// Windows without an end, upcalls with their waits, a hook that is missing.
fn rare() -> Report {
    let mut report = shipped();
    let disruption = &mut report.disruptions[0];
    let wait = |at_least_ns: u64, upcalls| LatencyCount {
        at_least_ns,
        below_ns: at_least_ns + at_least_ns / 16,
        upcalls,
    };
    disruption.upcall_latency = Some(UpcallLatency {
        timed: 1_530,
        ambiguous: 12,
        min_ns: Some(65_536),
        p50_ns: Some(278_528),
        p90_ns: Some(1_114_112),
        p99_ns: Some(35_651_584),
        max_ns: Some(142_606_336),
        waits: vec![
            wait(65_536, 210),
            wait(131_072, 480),
            wait(262_144, 500),
            wait(524_288, 190),
            wait(1_048_576, 120),
            wait(33_554_432, 22),
            wait(134_217_728, 8),
        ],
    });
    let pod = &mut disruption.pods[1];
    let exposed = pod.exposed.as_mut().unwrap();
    (exposed.end_ns, exposed.duration_ns, exposed.ended_by) = (None, None, None);
    pod.waterfall.clear();
    pod.observed.to_pod = None;
    pod.converged_ns = None;
    prove(
        &mut disruption.pods[2],
        0,
        "the flow monitor of br-int was closed from +0.1 s on",
    );
    disruption.unattributed = vec![unknown_port("port 9")];
    disruption.pods[2].leak = Some(tracer_core::report::Leak {
        start_ns: disruption.milestones.flush_ns.unwrap(),
        end_ns: disruption.milestones.converged_ns,
    });
    disruption.milestones.flag_set_ns = None;
    report.capture.hooks[3].ok = false;
    report.capture.hooks[3].error = Some("no such symbol".to_owned());
    report.coverage[0].weakens = true;
    report
}

fn all() -> Vec<(&'static str, Report)> {
    let many = Plot {
        pods: 500,
        ..Plot::default()
    };
    let fixed = Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    };
    let alone = Plot {
        pods: 1,
        traffic: false,
        ..Plot::default()
    };
    vec![
        ("shipped", shipped()),
        ("nothing", nothing()),
        ("hostile", hostile()),
        ("rare", rare()),
        ("many", told(&many)),
        ("fixed", told(&fixed)),
        ("alone", told(&alone)),
    ]
}

#[track_caller]
fn compare(path: &Path, text: &str) {
    if std::env::var_os("OVSGAP_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == text,
        "{} is out of date: OVSGAP_UPDATE=1 writes it anew",
        path.display()
    );
}

fn docs(name: &str) -> PathBuf {
    Path::new(ROOT).join("docs").join(name)
}

#[test]
fn examples_are_what_is_printed() {
    let report = shipped();
    for (format, name) in EXAMPLES {
        compare(&docs("examples").join(name), &render(&report, style(format)));
    }
}

#[test]
fn the_readme_shows_the_report_of_the_shipped_recording() {
    let path = Path::new(ROOT).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let shown = readme
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let text = render(&shipped(), style(Format::Text));
    // What follows belongs to every report, and says little about this one.
    let (told, _) = text.split_once("\nsteady drops").unwrap();
    compare(&path, &readme.replacen(shown.unwrap(), told, 1));
}

/// Pages to look at, for who works on them: `OVSGAP_PAGES=DIR`.
#[test]
fn pages_are_well_formed_and_powerless() {
    for (name, report) in all() {
        let page = render(&report, style(Format::Html));
        if let Some(folder) = std::env::var_os("OVSGAP_PAGES") {
            std::fs::write(Path::new(&folder).join(format!("{name}.html")), &*page).unwrap();
        }
        html::check(&page).unwrap_or_else(|error| panic!("{name}: {error}"));
        for disruption in &report.disruptions {
            assert!(page.contains(&format!("id=\"grid-{}\"", disruption.id)), "{name}");
        }
    }
}

#[test]
fn a_page_says_what_was_not_seen() {
    let page = render(&rare(), style(Format::Html));
    for words in [
        "end not seen",
        "no packet seen",
        "Not seen: flag set.",
        "1 finding weakens the verdict",
        "28 of 29 attached",
        "no such symbol",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let page = render(&nothing(), style(Format::Html));
    assert!(page.contains("No disruption of Open vSwitch was seen"));
}

#[test]
fn the_page_of_500_pods_stays_handy() {
    let many = told(&Plot {
        pods: 500,
        ..Plot::default()
    });
    let page = render(&many, style(Format::Html));
    assert_eq!(page.matches("class=\"inside\"").count(), 500);
    assert!(page.contains("and 460 more"));
    // What a mail or an issue takes as an attachment without a word.
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
}

#[test]
fn junit_keeps_to_the_schema_of_its_readers() {
    for (name, report) in all() {
        let judgement = judge(&report, &Budget::nothing());
        for (worst, text) in [
            (report.verdict, render(&report, style(Format::Junit))),
            (
                judgement.verdict,
                judged(&report, &judgement, style(Format::Junit)),
            ),
        ] {
            let counts = junit::check(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            let seen = match (counts.failures, counts.errors) {
                (0, 0) => Verdict::Pass,
                (0, _) => Verdict::Inconclusive,
                _ => Verdict::Fail,
            };
            assert_eq!(seen, worst, "{name}:\n{text}");
        }
    }
}

#[test]
fn a_budget_decides_what_fails() {
    let report = shipped();
    let generous = judge(&report, &Budget::default());
    let text = judged(&report, &generous, style(Format::Junit));
    assert_eq!(junit::check(&text).unwrap().failures, 0, "{text}");
    let strict = judge(&report, &Budget::nothing());
    insta::assert_snapshot!("judged_junit", judged(&report, &strict, style(Format::Junit)));
    insta::assert_snapshot!(
        "judged_markdown",
        judged(&report, &strict, style(Format::Markdown))
    );
}

#[test]
fn what_is_rare_reads_well() {
    insta::assert_snapshot!("rare_junit", render(&rare(), style(Format::Junit)));
    insta::assert_snapshot!("rare_markdown", render(&rare(), style(Format::Markdown)));
    insta::assert_snapshot!("nothing_junit", render(&nothing(), style(Format::Junit)));
    insta::assert_snapshot!("nothing_markdown", render(&nothing(), style(Format::Markdown)));
    insta::assert_snapshot!("hostile_markdown", render(&hostile(), style(Format::Markdown)));
}

#[test]
fn traces_keep_to_the_format() {
    for (name, report) in all() {
        let text = render(&report, style(Format::Perfetto));
        chrome::check(&text, &report).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_schema_is_that_of_the_report() {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Report>();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    compare(&docs("report.schema.json"), &text);
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    for (name, report) in all() {
        let json: serde_json::Value = serde_json::from_str(&render(&report, style(Format::Json))).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let mut wrong = serde_json::to_value(shipped()).unwrap();
    wrong["disruptions"][0]["pods"][0]["cause"] = "because".into();
    assert!(!validator.is_valid(&wrong));
    let mut wrong = serde_json::to_value(shipped()).unwrap();
    wrong["schema"] = "ovsgap.report/1".into();
    assert!(!validator.is_valid(&wrong));
}
