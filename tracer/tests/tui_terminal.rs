//! The real binary in a real terminal (tmux): every key of the table, and the terminal given back whatever happens.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every test needs every story")]
mod recorded;
mod tmux;

use std::path::Path;

use crossterm::event::KeyCode;
use recorded::session::Session;
use recorded::{Plot, recording};
use tmux::Tmux;
use tracer::tui::keys::{self, Key, TABLE};
use tracer::tui::screen::Mode;

fn bug() -> Plot {
    Plot {
        straggling: 180,
        ..Plot::default()
    }
}

/// A folder with a recording in it, and a terminal in which it is watched.
fn watching(size: (u16, u16), environment: &str) -> Option<(tempfile::TempDir, Tmux)> {
    watching_this(&recording(&bug()), size, environment)
}

fn watching_this(recording: &[u8], size: (u16, u16), environment: &str) -> Option<(tempfile::TempDir, Tmux)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("story.jsonl"), recording).unwrap();
    let command = format!("{environment} {} watch story.jsonl", env!("CARGO_BIN_EXE_ovsgap"));
    let tmux = Tmux::start(size, folder.path(), &command)?;
    tmux.until("coverage:");
    Some((folder, tmux))
}

/// Each key, what is pressed before it, and what the screen says once it has had its effect.
const EFFECTS: &[(&str, &[&str], &str)] = &[
    ("Space", &[], "PLAYING"),
    ("<", &[], "at ×1/2"),
    (">", &["<"], "at ×1"),
    ("^", &[], "event 0 of"),
    ("$", &[], "end +7000.000 ms"),
    ("h", &["$"], "at +6507.000 ms"),
    ("l", &["$", "h"], "end +7000.000 ms"),
    ("Left", &["$"], "at +6507.000 ms"),
    ("Right", &["$", "h"], "end +7000.000 ms"),
    ("[", &["$"], "at +1320.000 ms"),
    ("]", &["["], "nothing there"),
    ("{", &["$"], "nothing there"),
    ("}", &["["], "end +7000.000 ms"),
    ("j", &[], "Detail · default/web-3"),
    ("k", &["j"], "Detail · default/web-1"),
    ("Down", &[], "Detail · default/web-3"),
    ("Up", &["j"], "Detail · default/web-1"),
    ("G", &[], "Detail · default/web-2"),
    ("g", &["G"], "Detail · default/web-1"),
    ("End", &[], "Detail · default/web-2"),
    ("Home", &["G"], "Detail · default/web-1"),
    ("C-d", &[], "Detail · default/web-2"),
    ("C-u", &["G"], "Detail · default/web-1"),
    ("PgDn", &[], "Detail · default/web-2"),
    ("PgUp", &["G"], "Detail · default/web-1"),
    ("s", &[], "by exposed"),
    ("S", &["s"], "by exposed, reversed"),
    ("a", &[], "affected only"),
    ("Esc", &["s", "S", "a"], "by exposed, reversed · times in ms ─"),
    ("Tab", &[], "▌Detail"),
    ("S-Tab", &["Tab"], "▌Pods"),
    ("z", &["["], "WINDOW"),
    ("Enter", &[], "TRAFFIC"),
    ("+", &[], "zoomed"),
    ("-", &[], "zoomed"),
    ("=", &[], "zoomed"),
    ("H", &["+"], "zoomed"),
    ("L", &["+"], "zoomed"),
    ("0", &["+"], "584.500 ms wide ─"),
    ("u", &[], "22:13:28.000000Z"),
    ("w", &[], "this is a recording already"),
    ("e", &[], "wrote story-report.txt and story-report.json"),
    ("m", &[], "584.500 ms wide"),
    ("?", &[], "keys and signs"),
    ("F1", &[], "keys and signs"),
    ("/", &[], "search:"),
    ("n", &["/", "web-1", "Enter"], "Detail · default/web-1"),
    ("N", &["/", "web-1", "Enter"], "Detail · default/web-1"),
    ("f", &[], "show Pods with:"),
    ("q", &[], "left with 0"),
    ("C-c", &[], "left with 0"),
];

/// As tmux calls a key.
fn tmux_name(key: &str) -> &str {
    match key {
        "S-Tab" => "BTab",
        "PgDn" => "PageDown",
        "PgUp" => "PageUp",
        "Esc" => "Escape",
        other => other,
    }
}

#[test]
fn every_key_of_the_table_does_something_that_can_be_read() {
    for binding in TABLE {
        for key in binding.keys {
            let name = keys::name(*key);
            let Some((_, before, expected)) = EFFECTS.iter().find(|(known, ..)| *known == name) else {
                panic!("nothing is expected of {name}");
            };
            let Some((folder, tmux)) = watching((120, 40), "") else {
                return;
            };
            for before in *before {
                tmux.press(tmux_name(before));
            }
            tmux.press(tmux_name(&name));
            tmux.until(expected);
            if name == "e" {
                let report = std::fs::read_to_string(folder.path().join("story-report.txt")).unwrap();
                assert!(report.contains("flag_before_flows"), "{report}");
                assert!(folder.path().join("story-report.json").exists());
            }
        }
    }
}

/// Where the recording that ships with the sources lies; the lab makes it.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/restart.jsonl");

/// Keys after which the screen goes on by itself, or says what was written where; and the ends.
const APART: [&str; 5] = ["Space", "w", "e", "q", "C-c"];

#[test]
fn over_the_shipped_recording_the_terminal_shows_what_the_model_draws() {
    let path = std::env::var("OVSGAP_DEMO").unwrap_or_else(|_| SHIPPED.to_owned());
    let Ok(shipped) = std::fs::read(&path) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{path} is missing: the lab makes it"
        );
        eprintln!("{path} is missing: nothing is tested over it");
        return;
    };
    same_as_the_model(&shipped);
}

#[test]
fn the_terminal_shows_what_the_model_draws() {
    same_as_the_model(&recording(&bug()));
}

/// Presses every key, one after another, in both.
fn same_as_the_model(recording: &[u8]) {
    let Some((_folder, tmux)) = watching_this(recording, (120, 40), "") else {
        return;
    };
    let mut model = Session::over(recording).sized(120, 40);
    tmux.until_it_is(&model.draw());
    let keys = TABLE.iter().flat_map(|binding| binding.keys);
    for key in keys.filter(|key| !APART.contains(&keys::name(**key).as_str())) {
        tmux.press(tmux_name(&keys::name(*key)));
        model.key(*key);
        tmux.until_it_is(&model.draw());
        if !matches!(model.screen.mode, Mode::Normal) {
            tmux.press("Enter");
            model.key(Key {
                code: KeyCode::Enter,
                ctrl: false,
            });
            tmux.until_it_is(&model.draw());
        }
    }
    tmux.press("q");
    tmux.until("left with 0");
}

#[test]
fn keys_that_come_faster_than_they_are_obeyed_mean_what_they_would_have_meant() {
    let Some((_folder, tmux)) = watching((120, 40), "") else {
        return;
    };
    // To the beginning, and from there to the first three milestones: all in one burst.
    tmux.type_in("^]]]");
    let model = Session::over(&recording(&bug())).sized(120, 40).press("^]]]");
    tmux.until_it_is(&model.draw());
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for signal in ["TERM", "INT", "HUP"] {
        let Some((_folder, tmux)) = watching((80, 24), "") else {
            return;
        };
        assert!(tmux.alternate(), "the screen is ours");
        tmux.signal("ovsgap", signal);
        tmux.until("left with 0");
        given_back(&tmux);
    }
}

#[test]
fn a_panic_of_any_thread_gives_the_terminal_back() {
    let own = std::env::current_exe().unwrap();
    let command = format!(
        "{} --ignored --exact panics_with_the_terminal --nocapture",
        own.display()
    );
    let Some(tmux) = Tmux::start((80, 24), Path::new("/"), &command) else {
        return;
    };
    tmux.until("left with 2");
    tmux.until("on purpose");
    given_back(&tmux);
}

#[test]
#[ignore = "run by the test above, in a terminal"]
fn panics_with_the_terminal() {
    let _guard = tracer::tui::terminal::Guard::take(|_| None).unwrap();
    std::thread::spawn(|| panic!("on purpose")).join().unwrap();
}

fn given_back(tmux: &Tmux) {
    assert!(!tmux.alternate(), "the old screen is back");
    let modes = tmux.modes();
    for mode in [" icanon", " echo", " isig"] {
        assert!(modes.contains(mode), "{mode} in {modes}");
    }
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let Some((_folder, tmux)) = watching((80, 24), "") else {
        return;
    };
    tmux.resize(200, 50);
    tmux.until("─Upcalls");
    tmux.until("─Coverage");
    tmux.resize(80, 24);
    tmux.until("A exit");
}

#[test]
fn colours_follow_the_terminal() {
    let colours = |environment: &str| {
        let (_folder, tmux) = watching((80, 24), environment)?;
        Some(tmux.colours())
    };
    let Some(none) = colours("NO_COLOR=1") else { return };
    let coloured = |drawn: &str| {
        (0..8).any(|colour| drawn.contains(&format!("[3{colour}")) || drawn.contains(&format!("[9{colour}")))
    };
    assert!(!coloured(&none), "{none}");
    assert!(
        colours("TERM=xterm COLORTERM=").unwrap().contains("\u{1b}[32m"),
        "green of sixteen"
    );
    assert!(
        colours("TERM=xterm COLORTERM=truecolor")
            .unwrap()
            .contains("38;2;"),
        "24 bits"
    );
    assert!(!coloured(&colours("TERM=vt100").unwrap()));
}

#[test]
fn a_line_whose_size_nobody_knows_is_asked() {
    // As on a serial console: the kernel says 0 by 0.
    let Some((_folder, tmux)) = watching(
        (100, 30),
        "stty rows 0 cols 0; env -u COLUMNS -u LINES TERM=vt100",
    ) else {
        return;
    };
    tmux.until("? help");
    let drawn = tmux.screen();
    let widest = drawn.lines().map(|line| line.chars().count()).max();
    assert_eq!(widest, Some(100), "{drawn}");
    assert!(
        drawn.lines().nth(29).is_some_and(|line| line.contains("? help")),
        "{drawn}"
    );
}

#[test]
fn without_open_vswitch_it_says_what_else_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!(
        "{} watch --ovs-rundir {}",
        env!("CARGO_BIN_EXE_ovsgap"),
        folder.path().display()
    );
    let Some(tmux) = Tmux::start((200, 24), folder.path(), &command) else {
        return;
    };
    tmux.until("left with 2");
    let drawn = tmux.screen();
    assert!(drawn.contains("Open vSwitch is not running here"), "{drawn}");
    assert!(drawn.contains("ovsgap watch FILE"), "{drawn}");
}

#[test]
fn what_is_no_recording_is_refused_before_the_terminal_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "hello\n").unwrap();
    let command = format!("{} watch notes.txt", env!("CARGO_BIN_EXE_ovsgap"));
    let Some(tmux) = Tmux::start((200, 24), folder.path(), &command) else {
        return;
    };
    tmux.until("left with 2");
    let drawn = tmux.screen();
    assert!(
        drawn.contains("notes.txt: this is not a recording of ovsgap"),
        "{drawn}"
    );
}

#[test]
fn without_a_terminal_it_points_to_the_report() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ovsgap"))
        .args(["watch", "story.jsonl"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("ovsgap report FILE"), "{said}");
}
