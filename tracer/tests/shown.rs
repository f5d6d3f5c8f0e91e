//! No character from outside has power over a terminal, a page, or who reads them: every field of a report, of runs and of a
//! recording, through every sink.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;

mod hostile;
#[allow(dead_code, reason = "one kind of port is enough")]
mod proven;
#[allow(dead_code, reason = "one terminal is enough")]
mod tmux;

use std::path::Path;
use std::process::{Command, Stdio};

use hostile::{CHARACTERS, Leaf, each_open_leaf, powers, with};
use proven::{prove, unknown_port};
use recorded::session::Session;
use recorded::story::ms;
use recorded::{Plot, events, recording_of};
use serde_json::Value;
use tracer::command::report::read;
use tracer::comparison;
use tracer::runs::{Run, Runs};
use tracer::sink::live::Live;
use tracer::sink::{self, Format, Style, judged, render};
use tracer::spoken;
use tracer::tui::screen::Pane;
use tracer::writing::width;
use tracer_core::budget::{Budget, judge};
use tracer_core::event::{Event, EventKind, Hook};
use tracer_core::report::{Cause, Condition, Report};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/restart.jsonl");

fn styles() -> impl Iterator<Item = Style> {
    Format::ALL.into_iter().map(|format| Style {
        format,
        utc: false,
        explain: true,
    })
}

/// A report in which every field has something.
fn full() -> Report {
    let mut report = read(Path::new(DEMO)).unwrap().0;
    report.why = vec!["nobody knows".to_owned()];
    report.capture.hooks[3].ok = false;
    report.capture.hooks[3].error = Some("no such symbol".to_owned());
    report.conditions = vec![Condition {
        cause: Cause::HandlersDown,
        since_ns: report.capture.started_ns,
        until_ns: None,
        detail: "nobody listens".to_owned(),
    }];
    let disruption = &mut report.disruptions[0];
    disruption.why = vec!["something else".to_owned()];
    disruption.unattributed = vec![unknown_port("port 9")];
    prove(&mut disruption.pods[0], 1, "");
    prove(&mut disruption.pods[1], 0, "the flow monitor was closed");
    disruption.pods[1].cause = Some(Cause::FlowsNeverInstalled);
    disruption.pods[2].network = Some("blue".to_owned());
    report
}

/// Everything that is printed of a report, by the name of the sink.
fn printed(report: &Report) -> Vec<(String, String)> {
    let judgement = judge(report, &Budget::nothing());
    let mut all: Vec<(String, String)> = Vec::new();
    for style in styles() {
        let name = format!("{:?}", style.format);
        all.push((name.clone(), render(report, style).to_string()));
        all.push((
            format!("{name}, judged"),
            judged(report, &judgement, style).to_string(),
        ));
    }
    let commands: Vec<_> = report.command.iter().cloned().collect();
    all.push((
        "gate".into(),
        sink::gate::render(&judgement, &commands, false).to_string(),
    ));
    all.push((
        "json, judged".into(),
        sink::json::judged(report, &judgement).to_string(),
    ));
    let runs = Runs::new(vec![Run::of(Some("a\u{202e}b".into()), report, &judgement)]);
    all.push(("runs".into(), sink::runs::text(&runs.runs).to_string()));
    all.push((
        "runs as json".into(),
        sink::runs::json(&runs, &judgement).to_string(),
    ));
    let news = Live::default().news(report);
    assert!(!news.is_empty());
    all.push((
        "log".into(),
        news.iter().map(|line| spoken::harmless(line) + "\n").collect(),
    ));
    all
}

#[track_caller]
fn harmless(name: &str, text: &str) {
    if let Some((at, letter)) = powers(text) {
        panic!(
            "{name}: {letter:?} comes out, in {:?}",
            &text[text[..at].rfind('\n').unwrap_or(0)..at]
        );
    }
}

#[test]
fn no_field_of_a_report_has_power_in_any_format() {
    let whole = serde_json::to_value(full()).unwrap();
    let open = each_open_leaf(&whole, |value| {
        serde_json::from_value::<Report>(value.clone()).is_ok()
    });
    let of = |leaf: &str| open.iter().any(|path: &Leaf| path.to_string().contains(leaf));
    for leaf in [
        "hostname",
        "argv",
        "detail",
        "interface",
        "/name",
        "namespace",
        "datapath",
        "error",
        "why",
        "ips",
    ] {
        assert!(of(leaf), "{leaf} is not tried");
    }
    for some in CHARACTERS.chunks(6) {
        let report: Report = serde_json::from_value(with(&whole, &open, some)).unwrap();
        for (name, text) in printed(&report) {
            harmless(&name, &text);
        }
        // Nothing is lost on the way to a program.
        let json = render(&report, style(Format::Json));
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}

fn style(format: Format) -> Style {
    Style {
        format,
        ..Style::default()
    }
}

#[test]
fn no_field_of_a_report_begins_a_line() {
    let whole = serde_json::to_value(full()).unwrap();
    let open = each_open_leaf(&whole, |value| {
        serde_json::from_value::<Report>(value.clone()).is_ok()
    });
    let lines = |letter: char| -> Vec<(String, usize)> {
        let report: Report = serde_json::from_value(with(&whole, &open, &[letter])).unwrap();
        let begun = |name: &str, line: &&str| name != "log" || !line.starts_with("      ");
        let count = |(name, text): (String, String)| {
            let lines = text.lines().filter(|line| begun(&name, line)).count();
            (name, lines)
        };
        printed(&report).into_iter().map(count).collect()
    };
    assert_eq!(lines('\n'), lines('¶'));
}

#[test]
fn no_name_of_a_run_has_power_in_a_comparison() {
    let fixture = include_str!("fixtures/runs/bug.json");
    let whole: Value = serde_json::from_str(fixture).unwrap();
    let open = each_open_leaf(&whole, |value| {
        serde_json::from_value::<Runs>(value.clone()).is_ok()
    });
    for some in CHARACTERS.chunks(6) {
        let runs: Runs = serde_json::from_value(with(&whole, &open, some)).unwrap();
        let comparison = comparison::compare(&runs.runs, &runs.runs);
        harmless("comparison", &sink::comparison::text(&comparison));
        harmless("comparison as JSON", &sink::comparison::json(&comparison));
        harmless("runs", &sink::runs::text(&runs.runs));
    }
}

/// A recording in which others say a great deal.
fn talkative() -> Vec<u8> {
    let mut events = events(&Plot::default());
    let more = [
        EventKind::OvsdbDown { error: "no".into() },
        EventKind::OpenFlowDown {
            bridge: "br-int".into(),
            error: "garbage".into(),
        },
        EventKind::Source {
            name: "ovsdb".into(),
            ok: false,
            detail: "it says nonsense".into(),
        },
        EventKind::CommandStarted {
            argv: vec!["sh".into(), "-c".into(), "restart".into()],
        },
        EventKind::Hook(Hook {
            name: "drop".into(),
            attach: "kprobe:nowhere".into(),
            ok: false,
            error: "no such symbol".into(),
            offsets: None,
        }),
    ];
    let at = ms(1_500);
    events.extend(more.map(|kind| Event { at, kind }));
    events.sort();
    recording_of(events)
}

/// What decides, and would only be another name for nothing.
const DECIDE: [&str; 4] = ["ovs-vswitchd", "true", "system", "Ethernet"];

/// The same with characters at the end of every name, so that names still name the same.
fn spoiled(recording: &[u8], some: &[char]) -> Vec<u8> {
    let text = std::str::from_utf8(recording).unwrap();
    let mut lines = text.lines().enumerate().map(|(number, line)| {
        let whole: Value = serde_json::from_str(line).unwrap();
        let is_read = |value: &Value| match number {
            0 => serde_json::from_value::<tracer_core::log::Header>(value.clone()).is_ok(),
            _ => tracer_core::log::parse(value.to_string().as_bytes()).is_ok(),
        };
        let open = each_open_leaf(&whole, is_read);
        let open: Vec<Leaf> = open
            .into_iter()
            .filter(|leaf| !DECIDE.contains(&leaf.of(&whole)))
            .collect();
        with(&whole, &open, some).to_string()
    });
    let mut out = lines.next().unwrap();
    for line in lines {
        out += "\n";
        out += &line;
    }
    (out + "\n").into_bytes()
}

fn told(recording: &[u8]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.jsonl");
    std::fs::write(&file, recording).unwrap();
    read(&file).unwrap().0
}

fn ovsgap(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ovsgap"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said).unwrap()
}

#[test]
fn no_name_of_a_recording_has_power_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    // Names of files come from outside, too.
    let name = "run\u{1b}]0;owned\u{7}\u{202e}\u{9b}.jsonl";
    let recording = talkative();
    for some in CHARACTERS.chunks(16) {
        let recording = spoiled(&recording, some);
        std::fs::write(folder.path().join(name), &recording).unwrap();
        for format in ["text", "json", "junit", "markdown", "html", "perfetto"] {
            for command in ["report", "check"] {
                let said = ovsgap(folder.path(), &[command, name, "--format", format]);
                assert!(said.contains("web-1"), "{said}");
                harmless(&format!("{command} --format {format}"), &said);
            }
        }
        let said = ovsgap(folder.path(), &["report", name, "--explain", "--utc"]);
        harmless("report --explain", &said);
        let said = ovsgap(folder.path(), &["compare", name, "--against", name]);
        harmless("compare", &said);
    }
}

#[test]
fn wide_names_shift_no_column_and_long_ones_are_shortened() {
    let wide = ['日', '本', 'e', '\u{301}', '👍'];
    let long = vec!['長'; 5_000];
    for some in [&wide[..], &long] {
        let recording = spoiled(&recording_of(events(&Plot::default())), some);
        let report = told(&recording);
        let text = render(&report, style(Format::Text));
        let places = |mark: &str| -> Vec<usize> {
            let lines = text
                .lines()
                .filter(|line| line.starts_with("  default") && line.contains(mark));
            lines
                .map(|line| width(&line[..line.find(mark).unwrap()]))
                .collect()
        };
        for mark in ["─", "FAIL"] {
            let places = places(mark);
            assert!(places.len() > 2, "{text}");
            assert!(
                places.windows(2).all(|pair| pair[0] == pair[1]),
                "{places:?} {text}"
            );
        }
        assert!(text.lines().all(|line| width(line) <= 2_000), "{text}");
        for format in [Format::Text, Format::Markdown, Format::Junit, Format::Html] {
            let size = render(&report, style(format)).len();
            assert!(size < 150_000, "{format:?}: {size} bytes");
        }
        // A wide letter has two cells there, and the second is drawn as a blank.
        let screen = Session::over(&recording)
            .sized(120, 40)
            .draw()
            .replace('\u{301}', "");
        let lanes = screen.lines().filter(|line| line.contains("───█"));
        let places: Vec<usize> = lanes
            .map(|line| line[..line.find("───█").unwrap()].chars().count())
            .collect();
        assert!(
            places.len() == 3 && places.windows(2).all(|pair| pair[0] == pair[1]),
            "{places:?} {screen}"
        );
        assert!(screen.lines().all(|line| line.chars().count() <= 120), "{screen}");
    }
}

#[test]
fn no_word_on_standard_error_has_power() {
    let folder = tempfile::tempdir().unwrap();
    let name = "a\u{1b}]0;owned\u{7}\u{202e}\u{85}\nINFO check: PASS";
    let absent = ovsgap(folder.path(), &["report", name]);
    harmless("an absent file", &absent);
    let unknown = ovsgap(folder.path(), &["report", "x", name]);
    harmless("an argument too many", &unknown);
    std::fs::write(
        folder.path().join("budget.toml"),
        format!("[pod.\"{}\"]\nmax_lost = 1\n", "a\\u001b\\n\\u202e/b"),
    )
    .unwrap();
    let stranger = ovsgap(folder.path(), &["check", DEMO, "--budget", "budget.toml"]);
    assert!(stranger.contains("which was not on this node"), "{stranger}");
    harmless("a budget", &stranger);
    std::fs::write(folder.path().join("br\u{1b}[2J\u{202e}.mgmt"), "").unwrap();
    let doctor = ovsgap(folder.path(), &["doctor", "--ovs-rundir", "."]);
    assert!(doctor.contains("bridge br"), "{doctor}");
    harmless("doctor", &doctor);
    for said in [absent, unknown, stranger, doctor] {
        assert!(!said.lines().any(|line| line.starts_with("INFO check")), "{said}");
    }
}

#[test]
fn no_cell_of_the_screen_has_power() {
    let recording = talkative();
    for some in CHARACTERS.chunks(16) {
        let recording = spoiled(&recording, some);
        for pane in Pane::ALL {
            let mut session = Session::named("a\u{1b}\u{202e}b.jsonl", &recording).sized(200, 50);
            session.screen.focus = pane;
            session.screen.shared = pane;
            harmless("the screen", &session.press("z").draw());
        }
        let session = Session::over(&recording)
            .sized(120, 40)
            .press("/a\u{202e}<Enter>");
        harmless("the screen", &session.draw());
    }
}

#[test]
fn a_terminal_is_told_nothing_by_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let some = [
        '\u{1b}', ']', '0', ';', 'o', 'w', 'n', 'e', 'd', '\u{7}', '\u{202e}', '\u{9d}',
    ];
    std::fs::write(folder.path().join("story.jsonl"), spoiled(&talkative(), &some)).unwrap();
    let command = format!("{} watch story.jsonl", env!("CARGO_BIN_EXE_ovsgap"));
    let command = format!("script -qc \"{command}\" -E never typed.raw");
    let Some(tmux) = tmux::Tmux::start((120, 40), folder.path(), &command) else {
        return;
    };
    tmux.until("coverage:");
    tmux.press("q");
    tmux.until("left with 0");
    let raw = std::fs::read(folder.path().join("typed.raw")).unwrap();
    let raw = String::from_utf8_lossy(&raw);
    assert!(raw.contains("web-1"), "{raw}");
    for power in ["\u{1b}]", "\u{7}", "\u{202e}", "\u{9d}"] {
        assert!(!raw.contains(power), "{power:?} came out: {raw:?}");
    }
}
