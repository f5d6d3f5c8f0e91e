//! The line below the panes: what was just done, what is typed, or the most useful keys.
//!
//! Must not depend on: what keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;

use crate::tui::action::Action;
use crate::tui::keys;
use crate::tui::scene::Scene;
use crate::tui::screen::Mode;
use crate::tui::theme::Role;
use crate::writing::width as columns;

/// The keys that are always worth showing, the most useful first.
const HINTS: [(&[Action], &str); 13] = [
    (&[Action::Help], "help"),
    (&[Action::Quit], "quit"),
    (&[Action::Pause], "pause/play"),
    (&[Action::StepBack, Action::StepForward], "event"),
    (&[Action::PreviousMilestone, Action::NextMilestone], "milestone"),
    (&[Action::Open], "Pod"),
    (&[Action::NextPane], "pane"),
    (&[Action::Search], "search"),
    (&[Action::Sort], "sort"),
    (&[Action::Filter], "filter"),
    (&[Action::Maximize], "one pane"),
    (&[Action::Export], "report"),
    (&[Action::Record], "recording"),
];

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let line = match (&scene.screen.mode, &scene.screen.notice) {
        (Mode::Search(_), notice) => typed(scene, "search", &scene.screen.search, notice.as_ref()),
        (Mode::Filter(_), notice) => typed(scene, "show Pods with", &scene.screen.filter, notice.as_ref()),
        (_, Some(notice)) => Line::from(scene.span(Role::Note, format!(" {notice}"))),
        _ => hints(scene, area.width.into()),
    };
    line.render(area, buffer);
}

fn typed<'a>(scene: &Scene<'a>, what: &str, text: &str, notice: Option<&String>) -> Line<'a> {
    let mut line = Line::from(vec![
        scene.span(Role::Key, format!(" {what}: ")),
        scene.span(Role::Text, text),
        scene.span(Role::Cursor, " "),
    ]);
    if let Some(notice) = notice {
        line.push_span(scene.span(Role::Warn, format!("  {notice}")));
    }
    line
}

fn hints<'a>(scene: &Scene<'a>, width: usize) -> Line<'a> {
    let mut line = Line::default();
    for (actions, what) in HINTS {
        let keys: Vec<String> = actions.iter().map(|action| keys::of(*action)).collect();
        let (keys, what) = (format!(" {}", keys.join(" ")), format!(" {what} "));
        if line.width() + columns(&keys) + columns(what.trim_end()) > width {
            break;
        }
        line.push_span(scene.span(Role::Key, keys));
        line.push_span(scene.span(Role::Dim, what));
    }
    line
}
