//! A screen without a terminal: keys in, drawn text out.
//!
//! Must not depend on: what should be drawn.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tracer::command::watch::historian;
use tracer::historian::moment::Moment;
use tracer::historian::{Historian, Order};
use tracer::tui::action::{Action, Effect};
use tracer::tui::keys::{self, Key};
use tracer::tui::screen::Screen;
use tracer::tui::theme::{Depth, Theme};
use tracer::tui::update::{update, wanted};
use tracer::tui::view::view;

/// The screen of somebody who watches.
pub struct Session {
    /// Who knows what is shown.
    pub historian: Historian,
    /// What has been chosen.
    pub screen: Screen,
    /// What is shown.
    pub moment: Moment,
    /// How it looks.
    pub theme: Theme,
}

impl Session {
    /// Over a recording.
    pub fn over(recording: &[u8]) -> Self {
        Self::named("story.jsonl", recording)
    }

    /// Over a recording in a file of this name.
    pub fn named(name: &str, recording: &[u8]) -> Self {
        Self::of(historian(name.to_owned(), recording).unwrap())
    }

    /// Over anything.
    pub fn of(mut historian: Historian) -> Self {
        let moment = historian.moment();
        let mut session = Self {
            historian,
            screen: Screen::new((80, 24)),
            moment,
            theme: Theme {
                depth: Depth::None,
                ascii: false,
            },
        };
        session.look();
        session
    }

    /// Of another size.
    pub fn sized(mut self, columns: u16, rows: u16) -> Self {
        self.act(Action::Resize(columns, rows));
        self
    }

    /// Presses keys: letters as they are, others by their names in angle brackets.
    pub fn press(mut self, keys: &str) -> Self {
        let mut rest = keys;
        while let Some(letter) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let code = if let Some((name, after)) = named.filter(|(name, _)| name.len() > 1) {
                rest = after;
                named_key(name)
            } else {
                rest = &rest[letter.len_utf8()..];
                KeyCode::Char(letter)
            };
            self.key(Key { code, ctrl: false });
        }
        self
    }

    /// Presses one key.
    pub fn key(&mut self, key: Key) {
        let modifiers = if key.ctrl {
            KeyModifiers::CONTROL
        } else {
            KeyModifiers::NONE
        };
        let event = KeyEvent::new(key.code, modifiers);
        if let Some(action) = keys::action(&self.screen.mode, event) {
            self.act(action);
        }
    }

    /// Does something, and everything that follows from it; what has to be done outside.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        let effects = update(&mut self.screen, action, &self.moment);
        for effect in &effects {
            if let Effect::Go(target) = effect {
                self.historian.obey(Order::Go(*target));
            }
        }
        self.look();
        effects
    }

    /// Shows what is known now.
    pub fn look(&mut self) {
        self.moment = self.historian.moment();
        self.historian
            .obey(Order::Closeup(wanted(&self.screen, &self.moment)));
        self.moment = self.historian.moment();
    }

    /// The drawn screen.
    pub fn draw(&self) -> String {
        let (columns, rows) = self.screen.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal
            .draw(|frame| view(&self.moment, &self.screen, self.theme, frame))
            .unwrap();
        let buffer = terminal.backend().buffer();
        let lines: Vec<String> = buffer
            .content
            .chunks(columns.into())
            .map(|row| {
                let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
                line.trim_end().to_owned()
            })
            .collect();
        lines.join("\n")
    }
}

fn named_key(name: &str) -> KeyCode {
    match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "BackTab" => KeyCode::BackTab,
        "Backspace" => KeyCode::Backspace,
        other => panic!("no key is called {other}"),
    }
}
