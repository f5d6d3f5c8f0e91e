//! The key table: what each key does. Dispatch reads it, and the help overlay is printed from it.
//!
//! Must not depend on: panes, what an action changes.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::Action;
use super::screen::Mode;

/// A group of keys in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Where keys go.
    Look,
    /// Which Pods.
    Pods,
    /// Which point in time is shown.
    Time,
    /// How much time is shown.
    Axis,
    /// Files and the program.
    Program,
}

impl Group {
    /// All, in the order of the help.
    pub const ALL: [Self; 5] = [Self::Time, Self::Pods, Self::Look, Self::Axis, Self::Program];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Look => "Panes",
            Self::Pods => "Pods",
            Self::Time => "Point in time",
            Self::Axis => "Time axis",
            Self::Program => "Program",
        }
    }
}

/// A key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which.
    pub code: KeyCode,
    /// Together with Ctrl.
    pub ctrl: bool,
}

const fn plain(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

const fn char(letter: char) -> Key {
    plain(KeyCode::Char(letter))
}

const fn ctrl(letter: char) -> Key {
    Key {
        code: KeyCode::Char(letter),
        ctrl: true,
    }
}

/// What some keys do.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// The same in words.
    pub help: &'static str,
    /// Where it stands in the help.
    pub group: Group,
}

const fn bind(group: Group, keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding {
        keys,
        action,
        help,
        group,
    }
}

/// Every key there is.
pub const TABLE: &[Binding] = &[
    bind(
        Group::Time,
        &[char(' ')],
        Action::Pause,
        "pause, or go on (a recording: play it)",
    ),
    bind(
        Group::Time,
        &[char('h'), plain(KeyCode::Left)],
        Action::StepBack,
        "one event back",
    ),
    bind(
        Group::Time,
        &[char('l'), plain(KeyCode::Right)],
        Action::StepForward,
        "one event on",
    ),
    bind(
        Group::Time,
        &[char('[')],
        Action::PreviousMilestone,
        "to the milestone before",
    ),
    bind(
        Group::Time,
        &[char(']')],
        Action::NextMilestone,
        "to the next milestone",
    ),
    bind(
        Group::Time,
        &[char('{')],
        Action::PreviousDisruption,
        "to the end of the disruption before",
    ),
    bind(
        Group::Time,
        &[char('}')],
        Action::NextDisruption,
        "to the end of the next disruption",
    ),
    bind(Group::Time, &[char('^')], Action::Begin, "to the beginning"),
    bind(
        Group::Time,
        &[char('$')],
        Action::Newest,
        "to the end, or back to live",
    ),
    bind(
        Group::Time,
        &[char('<')],
        Action::Slower,
        "play at half the speed",
    ),
    bind(
        Group::Time,
        &[char('>')],
        Action::Faster,
        "play at twice the speed",
    ),
    bind(
        Group::Pods,
        &[char('/')],
        Action::Search,
        "search a Pod by its name",
    ),
    bind(
        Group::Pods,
        &[char('n')],
        Action::NextMatch,
        "next Pod that matches",
    ),
    bind(
        Group::Pods,
        &[char('N')],
        Action::PreviousMatch,
        "the Pod that matches before",
    ),
    bind(
        Group::Pods,
        &[char('f')],
        Action::Filter,
        "show only Pods whose name contains …",
    ),
    bind(
        Group::Pods,
        &[char('a')],
        Action::AffectedOnly,
        "show only affected Pods",
    ),
    bind(Group::Pods, &[char('s')], Action::Sort, "sort by the next column"),
    bind(
        Group::Pods,
        &[char('S')],
        Action::Reverse,
        "sort the other way round",
    ),
    bind(Group::Look, &[plain(KeyCode::Tab)], Action::NextPane, "next pane"),
    bind(
        Group::Look,
        &[plain(KeyCode::BackTab)],
        Action::PreviousPane,
        "pane before",
    ),
    bind(
        Group::Look,
        &[char('j'), plain(KeyCode::Down)],
        Action::Down,
        "row down: Pod, event, milestone or line",
    ),
    bind(
        Group::Look,
        &[char('k'), plain(KeyCode::Up)],
        Action::Up,
        "row up",
    ),
    bind(
        Group::Look,
        &[ctrl('d'), plain(KeyCode::PageDown)],
        Action::PageDown,
        "ten rows down",
    ),
    bind(
        Group::Look,
        &[ctrl('u'), plain(KeyCode::PageUp)],
        Action::PageUp,
        "ten rows up",
    ),
    bind(
        Group::Look,
        &[char('g'), plain(KeyCode::Home)],
        Action::First,
        "first row",
    ),
    bind(
        Group::Look,
        &[char('G'), plain(KeyCode::End)],
        Action::Last,
        "last row",
    ),
    bind(
        Group::Look,
        &[plain(KeyCode::Enter)],
        Action::Open,
        "the selected Pod in full",
    ),
    bind(
        Group::Look,
        &[char('z')],
        Action::Maximize,
        "this pane alone, or all again",
    ),
    bind(
        Group::Look,
        &[plain(KeyCode::Esc)],
        Action::Close,
        "back: close, clear the filter",
    ),
    bind(
        Group::Axis,
        &[char('+'), char('=')],
        Action::ZoomIn,
        "show half as much time",
    ),
    bind(
        Group::Axis,
        &[char('-')],
        Action::ZoomOut,
        "show twice as much time",
    ),
    bind(Group::Axis, &[char('H')], Action::PanLeft, "move to the left"),
    bind(Group::Axis, &[char('L')], Action::PanRight, "move to the right"),
    bind(
        Group::Axis,
        &[char('0')],
        Action::Fit,
        "show the whole disruption",
    ),
    bind(
        Group::Axis,
        &[char('u')],
        Action::Utc,
        "times of day (UTC), or ms since it began",
    ),
    bind(
        Group::Program,
        &[char('w')],
        Action::Record,
        "write a recording, or end it",
    ),
    bind(
        Group::Program,
        &[char('e')],
        Action::Export,
        "write the report as shown, as text and JSON",
    ),
    bind(
        Group::Program,
        &[char('m')],
        Action::Mouse,
        "take the mouse, or give it back",
    ),
    bind(
        Group::Program,
        &[char('?'), plain(KeyCode::F(1))],
        Action::Help,
        "this help",
    ),
    bind(Group::Program, &[char('q'), ctrl('c')], Action::Quit, "quit"),
];

/// How a key is written.
pub fn name(key: Key) -> String {
    let name = match key.code {
        KeyCode::Char(' ') => "Space".to_owned(),
        KeyCode::Char(letter) => letter.to_string(),
        KeyCode::F(number) => format!("F{number}"),
        KeyCode::BackTab => "S-Tab".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        code => code.to_string(),
    };
    if key.ctrl { format!("C-{name}") } else { name }
}

/// The first key of an action, as it is written.
pub fn of(action: Action) -> String {
    let binding = TABLE.iter().find(|binding| binding.action == action);
    binding
        .and_then(|binding| binding.keys.first())
        .map_or_else(String::new, |key| name(*key))
}

/// What a key press means in a mode.
pub fn action(mode: &Mode, event: KeyEvent) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let key = Key {
        code: event.code,
        ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
    };
    match mode {
        Mode::Normal | Mode::Help(_) => bound(key),
        Mode::Search(_) | Mode::Filter(_) => typed(key),
    }
}

fn bound(key: Key) -> Option<Action> {
    let binding = TABLE.iter().find(|binding| binding.keys.contains(&key));
    binding.map(|binding| binding.action)
}

fn typed(key: Key) -> Option<Action> {
    match key.code {
        KeyCode::Char('c') if key.ctrl => Some(Action::Quit),
        KeyCode::Char('h') if key.ctrl => Some(Action::Erase),
        KeyCode::Char(letter) if !key.ctrl => Some(Action::Type(letter)),
        KeyCode::Backspace => Some(Action::Erase),
        KeyCode::Enter => Some(Action::Submit),
        KeyCode::Esc => Some(Action::Close),
        KeyCode::Down => Some(Action::NextMatch),
        KeyCode::Up => Some(Action::PreviousMatch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_bound_twice() {
        let keys: Vec<Key> = TABLE.iter().flat_map(|binding| binding.keys).copied().collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(key), "{}", name(*key));
        }
    }

    #[test]
    fn every_key_does_what_the_table_says() {
        for binding in TABLE {
            for key in binding.keys {
                let modifiers = if key.ctrl {
                    KeyModifiers::CONTROL
                } else {
                    KeyModifiers::NONE
                };
                let event = KeyEvent::new(key.code, modifiers);
                assert_eq!(
                    action(&Mode::Normal, event),
                    Some(binding.action),
                    "{}",
                    name(*key)
                );
            }
        }
    }

    #[test]
    fn letters_are_typed_into_a_search() {
        let mode = Mode::Search(String::new());
        let press = |code| action(&mode, KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(press(KeyCode::Char('q')), Some(Action::Type('q')));
        assert_eq!(press(KeyCode::Enter), Some(Action::Submit));
        assert_eq!(press(KeyCode::F(1)), None);
    }
}
