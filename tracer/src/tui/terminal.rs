//! The terminal, taken and given back: on return, on an error, on a panic of any thread.
//!
//! Must not depend on: what is drawn.

use std::io::{self, Stdout, stdout};
use std::panic;
use std::process;

use anyhow::Context as _;
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::paper::Paper;

/// Exit status after a panic: that of an error.
const BROKEN: i32 = 2;

/// What every terminal has had since 1978.
const LEAST: (u16, u16) = (80, 24);

/// A terminal that is ours until this is dropped.
pub struct Guard {
    /// What is drawn on.
    pub terminal: Terminal<CrosstermBackend<Paper<Stdout>>>,
    /// Its columns and rows.
    pub size: (u16, u16),
}

impl Guard {
    /// Takes the terminal. A panic of any thread gives it back and ends the program: a screen that only half lives would
    /// lie.
    pub fn take(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
            process::exit(BROKEN);
        }));
        open(variable).inspect_err(|_| give_back())
    }

    /// Takes the mouse, or gives it back.
    pub fn mouse(ours: bool) -> io::Result<()> {
        if ours {
            execute!(stdout(), EnableMouseCapture)
        } else {
            execute!(stdout(), DisableMouseCapture)
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

fn open(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Guard> {
    enable_raw_mode().context("cannot take the terminal")?;
    execute!(stdout(), EnterAlternateScreen, cursor::Hide).context("cannot take the terminal")?;
    let told = told();
    let size = told.or_else(|| named(variable)).or_else(asked).unwrap_or(LEAST);
    let viewport = match told {
        Some(_) => Viewport::Fullscreen,
        // A serial line: the kernel does not know who is at its other end, and will not tell of a change.
        None => Viewport::Fixed(Rect::new(0, 0, size.0, size.1)),
    };
    let terminal = Terminal::with_options(
        CrosstermBackend::new(Paper::new(stdout())),
        TerminalOptions { viewport },
    )
    .context("cannot draw on the terminal")?;
    Ok(Guard { terminal, size })
}

/// Puts everything back as it was. Again and again does no harm; what cannot be written (the terminal is gone)
/// cannot be helped.
pub fn give_back() {
    let _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// The size the kernel knows.
fn told() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// The size the environment names.
fn named(variable: impl Fn(&str) -> Option<String>) -> Option<(u16, u16)> {
    let number = |name: &str| variable(name)?.parse().ok().filter(|number| *number > 0);
    Some((number("COLUMNS")?, number("LINES")?))
}

/// The size the terminal itself says: where its cursor ends up when sent too far (`CSI 6n`).
fn asked() -> Option<(u16, u16)> {
    execute!(stdout(), cursor::MoveTo(998, 998)).ok()?;
    let (column, row) = cursor::position().ok()?;
    (column > 0 && row > 0).then_some((column + 1, row + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_size() {
        let variables = |columns: &'static str| {
            move |name: &str| Some(if name == "COLUMNS" { columns } else { "30" }.to_owned())
        };
        assert_eq!(named(variables("100")), Some((100, 30)));
        assert_eq!(named(variables("0")), None);
        assert_eq!(named(variables("wide")), None);
    }
}
