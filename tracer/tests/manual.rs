//! Completions and man pages are those of the command line as it is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::process::Command;

fn ovsgap(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ovsgap"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that help lists.
fn commands() -> Vec<String> {
    let help = ovsgap(&["--help"]);
    let list = help.split("Commands:").nth(1).unwrap();
    let lines = list.lines().skip(1).take_while(|line| !line.trim().is_empty());
    // What is indented deeper goes on with the line before.
    let listed = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<String> = listed
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(names.contains(&"record".to_owned()), "{help}");
    names
}

#[test]
fn every_shell_completes_every_command_and_format() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ovsgap(&["completions", shell]);
        for name in commands() {
            assert!(script.contains(&name), "{shell}: {name}");
        }
        for format in ["text", "json", "junit", "markdown", "html", "perfetto"] {
            assert!(script.contains(format), "{shell}: {format}");
        }
    }
}

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    ovsgap(&["man", folder.path().to_str().unwrap()]);
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for name in commands().iter().filter(|name| *name != "help") {
        let text = page(&format!("ovsgap-{name}.1"));
        assert!(text.contains(&format!("ovsgap {name}")), "{text}");
        assert!(text.contains("EXIT STATUS"), "{text}");
    }
    assert!(
        page("ovsgap.1").contains("ovsgap\\-report(1)"),
        "{}",
        page("ovsgap.1")
    );
}
