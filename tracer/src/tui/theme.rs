//! Colours and signs by meaning, for every kind of terminal.
//!
//! Must not depend on: what is drawn with them. No meaning hangs on a colour alone: each state has a sign of its own.

use ratatui::style::{Color, Modifier, Style};
use tracer_core::report::Verdict;
use tracer_core::timeline::State;

use crate::historian::moment::Weight;

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None, or none are wanted (<https://no-color.org>).
    None,
    /// The sixteen of ANSI, as the user has set them.
    Sixteen,
    /// 24 bits.
    True,
}

/// What something means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Of less weight.
    Dim,
    /// The first line.
    Title,
    /// A pane's heading.
    Heading,
    /// The heading of the pane that has the focus.
    Focus,
    /// Names of columns and figures.
    Label,
    /// All is well.
    Good,
    /// Packets are lost.
    Bad,
    /// Packets would be lost; or not everything is seen.
    Warn,
    /// Worth noticing.
    Note,
    /// Out of the ordinary.
    Odd,
    /// The selected row.
    Selected,
    /// The shown point in time.
    Cursor,
    /// A key.
    Key,
}

/// How everything looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours.
    pub depth: Depth,
    /// Only signs of ASCII.
    pub ascii: bool,
}

impl Theme {
    /// What the environment says of the terminal. `ascii`: the user wants nothing else.
    pub fn detect(variable: impl Fn(&str) -> Option<String>, ascii: bool) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let colourless = ["dumb", "vt100", "vt102", "vt220", "unknown"];
        let depth =
            if set("NO_COLOR").is_some() || colourless.contains(&term.as_str()) || term.ends_with("-m") {
                Depth::None
            } else if set("COLORTERM").is_some_and(|depth| depth == "truecolor" || depth == "24bit") {
                Depth::True
            } else {
                Depth::Sixteen
            };
        // Where no locale is set (a serial console) the terminal at the other end speaks UTF-8 nowadays.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let plain = locale.is_some_and(|locale| locale == "C" || locale == "POSIX");
        Self {
            depth,
            ascii: ascii || plain,
        }
    }

    /// The look of a meaning.
    pub fn style(self, role: Role) -> Style {
        let modifier = match role {
            Role::Title | Role::Focus | Role::Bad | Role::Key => Modifier::BOLD,
            Role::Dim => Modifier::DIM,
            Role::Warn | Role::Odd if self.depth == Depth::None => Modifier::BOLD,
            Role::Selected | Role::Cursor => Modifier::REVERSED,
            _ => Modifier::empty(),
        };
        let modifier = match (role, self.depth) {
            (Role::Dim, Depth::True) => Modifier::empty(),
            (Role::Focus | Role::Title, Depth::None) => modifier | Modifier::REVERSED,
            (Role::Selected, Depth::True) => Modifier::BOLD,
            _ => modifier,
        };
        let style = Style::new().add_modifier(modifier);
        let style = match self.foreground(role) {
            Some(colour) => style.fg(colour),
            None => style,
        };
        match (role, self.depth) {
            (Role::Selected, Depth::True) => style.bg(Color::Rgb(52, 66, 92)),
            (Role::Title, Depth::True) => style.bg(Color::Rgb(30, 38, 54)),
            _ => style,
        }
    }

    fn foreground(self, role: Role) -> Option<Color> {
        let (sixteen, rgb) = match role {
            Role::Text | Role::Selected => return None,
            // The dark grey of sixteen colours is all but black on many terminals.
            Role::Dim if self.depth == Depth::Sixteen => return None,
            Role::Dim => (Color::DarkGray, (118, 126, 142)),
            Role::Title => (Color::White, (226, 232, 242)),
            Role::Heading => (Color::Gray, (160, 170, 190)),
            Role::Focus | Role::Key => (Color::Cyan, (120, 200, 255)),
            Role::Label => (Color::Gray, (150, 160, 180)),
            Role::Good => (Color::Green, (104, 196, 124)),
            Role::Bad => (Color::Red, (244, 92, 92)),
            Role::Warn => (Color::Yellow, (240, 184, 72)),
            Role::Note => (Color::Cyan, (110, 190, 230)),
            Role::Odd => (Color::Magenta, (206, 130, 236)),
            Role::Cursor => (Color::Yellow, (250, 220, 120)),
        };
        match self.depth {
            Depth::None => None,
            Depth::Sixteen => Some(sixteen),
            Depth::True => Some(Color::Rgb(rgb.0, rgb.1, rgb.2)),
        }
    }

    /// The meaning of a state.
    pub fn role(state: State) -> Role {
        match state {
            State::Forwarding => Role::Good,
            State::Delayed => Role::Note,
            State::Leak => Role::Odd,
            State::Exposed => Role::Warn,
            State::Unknown => Role::Dim,
            State::Losing => Role::Bad,
        }
    }

    /// The sign of a state.
    pub fn sign(self, state: State) -> char {
        match (state, self.ascii) {
            (State::Forwarding, false) => '─',
            (State::Forwarding, true) => '-',
            (State::Delayed, _) => 'w',
            (State::Leak, _) => '!',
            (State::Exposed, false) => '▒',
            (State::Exposed, true) => '=',
            (State::Unknown, _) => '?',
            (State::Losing, false) => '█',
            (State::Losing, true) => 'X',
        }
    }

    /// The meaning of a verdict.
    pub fn verdict(verdict: Verdict) -> Role {
        match verdict {
            Verdict::Pass => Role::Good,
            Verdict::Inconclusive => Role::Warn,
            Verdict::Fail => Role::Bad,
        }
    }

    /// The meaning of an event.
    pub fn weight(weight: Weight) -> Role {
        match weight {
            Weight::Disruption => Role::Note,
            Weight::Bad => Role::Bad,
            Weight::Good => Role::Good,
            Weight::Plain => Role::Text,
        }
    }

    /// Signs of eight heights, lowest first, for bars.
    pub fn bars(self) -> [char; 8] {
        if self.ascii {
            ['.', ':', ':', '-', '=', '+', '#', '#']
        } else {
            ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        }
    }

    /// One of two spellings of a sign.
    pub fn either<'a>(self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.ascii { ascii } else { unicode }
    }
}

/// What all terminals of a kind can show, where one of ours draws it in another way: text of the engine holds `→`,
/// `–`, `×`, `…`, `·`.
pub fn ascii(letter: char) -> &'static str {
    match letter {
        '–' | '─' | '−' => "-",
        '×' => "x",
        '…' => "~",
        '·' | '•' => ".",
        '→' | '≥' => ">",
        '↓' => "v",
        'µ' => "u",
        '│' => "|",
        '≤' => "<",
        '┊' => ":",
        '●' => "*",
        '▒' => "=",
        '█' => "#",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: (Depth, bool)) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let Theme { depth, ascii } = Theme::detect(variable, false);
        assert_eq!((depth, ascii), expected);
    }

    #[test]
    fn the_environment_says_what_a_terminal_can() {
        check(
            &[("TERM", "xterm-256color"), ("LANG", "en_US.UTF-8")],
            (Depth::Sixteen, false),
        );
        check(
            &[("TERM", "xterm"), ("COLORTERM", "truecolor")],
            (Depth::True, false),
        );
        check(
            &[("TERM", "xterm"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")],
            (Depth::None, false),
        );
        check(&[("TERM", "xterm"), ("NO_COLOR", "")], (Depth::Sixteen, false));
        check(&[("TERM", "vt100")], (Depth::None, false));
        check(&[("TERM", "linux"), ("LC_ALL", "C")], (Depth::Sixteen, true));
    }

    #[test]
    fn without_colour_there_is_none() {
        let theme = Theme {
            depth: Depth::None,
            ascii: false,
        };
        for role in [
            Role::Bad,
            Role::Good,
            Role::Selected,
            Role::Title,
            Role::Cursor,
            Role::Odd,
        ] {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }
}
