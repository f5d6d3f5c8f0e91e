//! A terminal in which a command runs, read and typed into through tmux.
//!
//! Must not depend on: what runs in it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often the screen is looked at, and how many times before something that was expected is missed.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 400;

/// Terminals so far: each has a socket of its own.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A running terminal; it ends with this.
pub struct Tmux {
    socket: String,
}

impl Tmux {
    /// Runs a command in a terminal of its own; when it has ended, the terminal says with which status. `None`: there is
    /// no tmux here, and nobody insists.
    pub fn start(size: (u16, u16), folder: &Path, command: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(
                std::env::var_os("CI").is_none(),
                "tmux is not installed: `apt-get install tmux`"
            );
            eprintln!("tmux is not installed: nothing is tested in a terminal");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let tmux = Self {
            socket: format!("ovsgap-{}-{number}", std::process::id()),
        };
        // Raw mode that was not given back would stop this shell from reading the end of its input.
        let script = format!("{command}; echo left with $?; read end");
        tmux.run(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size.0.to_string(),
            "-y",
            &size.1.to_string(),
            "-c",
            &folder.display().to_string(),
            &format!("sh -c '{script}'"),
        ]);
        Some(tmux)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .output()
            .unwrap();
        assert!(
            status.success(),
            "tmux {arguments:?}: {}",
            String::from_utf8_lossy(&stderr)
        );
        String::from_utf8_lossy(&stdout).into_owned()
    }

    /// Presses a key, by tmux's name of it, or types a text.
    pub fn press(&self, key: &str) {
        self.run(&["send-keys", key]);
    }

    /// Types a text at once.
    pub fn type_in(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// The same with its colours.
    pub fn colours(&self) -> String {
        self.run(&["capture-pane", "-p", "-e"])
    }

    /// Waits until the screen says something.
    pub fn until(&self, expected: &str) {
        for _ in 0..LOOKS {
            if self.screen().contains(expected) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        panic!("`{expected}` does not come:\n{}", self.screen());
    }

    /// Waits until the screen is this, and nothing else.
    pub fn until_it_is(&self, expected: &str) {
        for _ in 0..LOOKS {
            if self.screen().trim_end() == expected.trim_end() {
                return;
            }
            std::thread::sleep(LOOK);
        }
        assert_eq!(self.screen().trim_end(), expected.trim_end());
    }

    /// Changes the terminal's size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.run(&[
            "resize-window",
            "-x",
            &columns.to_string(),
            "-y",
            &rows.to_string(),
        ]);
    }

    /// Whether a program has taken the whole screen.
    pub fn alternate(&self) -> bool {
        self.run(&["display-message", "-p", "#{alternate_on}"]).trim() == "1"
    }

    fn terminal(&self) -> String {
        self.run(&["display-message", "-p", "#{pane_tty}"])
            .trim()
            .to_owned()
    }

    /// How the terminal is set, as `stty` says it.
    pub fn modes(&self) -> String {
        let output = Command::new("stty")
            .args(["-a", "-F", &self.terminal()])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).replace('\n', " ")
    }

    /// Sends a signal to the program of this name that runs in the terminal.
    pub fn signal(&self, name: &str, signal: &str) {
        let terminal = self.terminal();
        let terminal = terminal.trim_start_matches("/dev/");
        let output = Command::new("ps")
            .args(["-t", terminal, "-o", "pid=,comm="])
            .output()
            .unwrap();
        let list = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = list
            .lines()
            .find(|line| line.trim_end().ends_with(name))
            .unwrap_or_else(|| panic!("{list}"));
        let pid = line.split_whitespace().next().unwrap();
        assert!(
            Command::new("kill")
                .args([&format!("-{signal}"), pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("tmux")
            .args(["-L", &self.socket, "kill-server"])
            .output();
    }
}
