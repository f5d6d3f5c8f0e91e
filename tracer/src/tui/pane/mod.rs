//! One pane a file: what is said where. Every pane draws what it is given and knows no other.
//!
//! May not know: keys that lead to it, events, where it stands.

mod coverage;
mod detail;
mod events;
pub mod foot;
pub mod head;
pub mod help;
mod milestones;
mod pods;
mod timeline;
mod upcalls;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget as _, Wrap};

use super::screen::Pane;
use super::view::Scene;

/// Draws a pane.
pub fn draw(pane: Pane, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    match pane {
        Pane::Milestones => milestones::draw(scene, area, buffer),
        Pane::Timeline => timeline::draw(scene, area, buffer),
        Pane::Pods => pods::draw(scene, area, buffer),
        Pane::Detail => detail::draw(scene, area, buffer),
        Pane::Upcalls => upcalls::draw(scene, area, buffer),
        Pane::Events => events::draw(scene, area, buffer),
        Pane::Coverage => coverage::draw(scene, area, buffer),
    }
}

/// What is left below a heading.
fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..area
    }
}

/// Lines that are wrapped, scrolled by some; no farther than to the last screenful.
fn text(lines: Vec<Line<'_>>, scrolled: u16, area: Rect, buffer: &mut Buffer) {
    let wrapped: usize = lines
        .iter()
        .map(|line| line.width().div_ceil(usize::from(area.width.max(1))).max(1))
        .sum();
    let most = u16::try_from(wrapped.saturating_sub(area.height.into())).unwrap_or(u16::MAX);
    Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .scroll((scrolled.min(most), 0))
        .render(area, buffer);
}
