//! The help overlay: every key, and how to read the signs. Printed from the key table.
//!
//! Must not depend on: what is behind it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::symbols::border::Set;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget as _};
use tracer_core::timeline::State;

use crate::tui::keys::{Group, TABLE, name};
use crate::tui::scene::Scene;
use crate::tui::theme::{Role, Theme};

/// A frame of ASCII.
const ASCII: Set<'_> = Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Columns for keys.
const KEYS: usize = 10;

/// From this width on, keys stand in two columns.
const TWO_COLUMNS: u16 = 120;

/// How each state of a lane is explained.
const STATES: [(State, &str); 6] = [
    (State::Forwarding, "forwarding: nothing speaks against it"),
    (State::Exposed, "exposed: traffic would have been lost"),
    (State::Losing, "losing: packets were lost"),
    (State::Delayed, "delayed: packets waited and were delivered"),
    (State::Leak, "leak: forwarded while its flows were absent"),
    (State::Unknown, "unknown: the window's end was not seen"),
];

/// How the other words of the screen are explained.
const WORDS: [(&str, &str); 7] = [
    ("A B C …", "milestones, named in their pane; * several"),
    ("+1.234", "ms since the disruption's first sign; u: UTC"),
    ("EXPOSED", "from the flush until forwarding was back"),
    ("LOST", "packets to and from it; most lost is first"),
    ("GAP", "packets were lost for at least – at most"),
    ("CAUSE", "why; Enter says it in words, with evidence"),
    ("VERDICT", "what is proven; - where nothing was judged"),
];

/// Draws it over everything, scrolled by some lines.
pub fn draw(scene: &Scene<'_>, scrolled: u16, area: Rect, buffer: &mut Buffer) {
    let wide = area.width >= TWO_COLUMNS;
    let margin = if area.width > 84 { 2 } else { 0 };
    let place = Rect {
        x: area.x + margin,
        width: area.width.saturating_sub(2 * margin),
        ..area
    };
    Clear.render(area, buffer);
    let block = Block::bordered()
        .border_style(scene.theme.style(Role::Dim))
        .title(scene.span(Role::Focus, " ovsgap: keys and signs "))
        .title_bottom(scene.span(Role::Dim, " j/k scroll · any other key closes "));
    let inside = block.inner(place);
    let block = if scene.theme.ascii {
        block.border_set(ASCII)
    } else {
        block
    };
    block.render(place, buffer);
    let (left, right) = (keys(scene, &Group::ALL[..2]), keys(scene, &Group::ALL[2..]));
    if wide {
        let half = Rect {
            width: inside.width / 2,
            ..inside
        };
        let other = Rect {
            x: inside.x + half.width,
            width: inside.width - half.width,
            ..inside
        };
        lines([signs(scene), left].concat(), scrolled, half, buffer);
        lines(right, scrolled, other, buffer);
    } else {
        lines([signs(scene), left, right].concat(), scrolled, inside, buffer);
    }
}

fn lines(lines: Vec<Line<'_>>, scrolled: u16, area: Rect, buffer: &mut Buffer) {
    let most = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_sub(area.height);
    Paragraph::new(lines)
        .scroll((scrolled.min(most), 0))
        .render(area, buffer);
}

fn keys<'a>(scene: &Scene<'a>, groups: &[Group]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for group in groups {
        lines.push(Line::from(scene.span(Role::Focus, format!(" {}", group.title()))));
        for binding in TABLE.iter().filter(|binding| binding.group == *group) {
            let names: Vec<String> = binding.keys.iter().map(|key| name(*key)).collect();
            lines.push(Line::from(vec![
                scene.span(Role::Key, format!("  {:KEYS$}", names.join(" "))),
                scene.span(Role::Text, format!(" {}", binding.help)),
            ]));
        }
    }
    lines
}

fn signs<'a>(scene: &Scene<'a>) -> Vec<Line<'a>> {
    let mut lines = vec![Line::from(scene.span(Role::Focus, " How to read it"))];
    for (state, words) in STATES {
        let sign = scene.theme.sign(state).to_string().repeat(3);
        lines.push(Line::from(vec![
            scene.span(Theme::role(state), format!("  {sign:KEYS$}")),
            scene.span(Role::Text, format!(" {words}")),
        ]));
    }
    lines.extend(WORDS.map(|(sign, words)| {
        Line::from(vec![
            scene.span(Role::Label, format!("  {sign:KEYS$}")),
            scene.span(Role::Text, format!(" {words}")),
        ])
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of [`TWO_COLUMNS`], less margin, frame and keys.
    #[test]
    fn nothing_is_cut_off_where_there_are_two_columns() {
        let room = usize::from(TWO_COLUMNS - 6) / 2 - KEYS - 3;
        let words = STATES.iter().map(|(_, words)| *words);
        let words = words.chain(WORDS.iter().map(|(_, words)| *words));
        for text in words.chain(TABLE.iter().map(|binding| binding.help)) {
            assert!(text.chars().count() <= room, "{text}: more than {room}");
        }
        for binding in TABLE {
            let names: Vec<String> = binding.keys.iter().map(|key| name(*key)).collect();
            assert!(names.join(" ").chars().count() <= KEYS);
        }
    }
}
