//! The event log around the shown point: what has been seen, and, dimmed, what comes next.
//!
//! Must not depend on: what follows from an event.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;

use super::row::below;
use crate::historian::moment::LogLine;
use crate::tui::scene::Scene;
use crate::tui::screen::Pane;
use crate::tui::theme::{Role, Theme};
use crate::writing::{cut, left, right, time_of_day, width as columns};

/// Columns of the time, and of the kind of event.
const TIME: usize = 12;
const WHAT: usize = 8;

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let moment = scene.moment;
    let mut beside = vec![scene.span(Role::Text, format!("· {} of {}", moment.position, moment.end))];
    if moment.begin > 0 {
        let since = time_of_day(moment.reach.0, moment.whole.capture.wall_offset_ns);
        beside.push(scene.span(
            Role::Warn,
            format!(
                " · history begins at {since}: {} older events are judged, not kept",
                moment.begin
            ),
        ));
    }
    scene.heading(Pane::Events, beside, area, buffer);
    let area = below(area, 1);
    let seen = moment
        .log
        .partition_point(|line| line.position <= moment.position);
    let coming = moment.log.len() - seen;
    let height = usize::from(area.height);
    // What comes next gets a third, if there is so much.
    let last = seen
        + coming
            .min(height / 3)
            .max(height.saturating_sub(seen).min(coming));
    let first = last.saturating_sub(height);
    let lines = moment.log.iter().enumerate().skip(first);
    for (row, (number, event)) in area.rows().zip(lines) {
        line(scene, event, number < seen, area.width.into()).render(row, buffer);
        if number + 1 == seen {
            buffer.set_style(row, scene.theme.style(Role::Selected));
        }
    }
}

fn line<'a>(scene: &Scene<'a>, event: &LogLine, seen: bool, width: usize) -> Line<'a> {
    let role = |role: Role| if seen { role } else { Role::Dim };
    let time = scene.point(event.at);
    let time = time.trim_end_matches(" ms");
    let mut line = Line::from(vec![
        scene.span(Role::Dim, right(time, TIME.max(columns(time)))),
        scene.span(role(Role::Label), format!(" {} ", left(event.what, WHAT))),
    ]);
    let text = cut(&event.text, width.saturating_sub(line.width()));
    line.push_span(scene.span(role(Theme::weight(event.weight)), text));
    line
}
