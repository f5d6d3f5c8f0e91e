//! Draws a moment: the lines above, each pane in its place, the line below, the help over it.
//!
//! Must not depend on: what stands in a pane. Pure: the same moment, screen and theme give the same cells.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::layout;
use super::pane;
use super::rows::{picked, rows};
use super::scene::Scene;
use super::screen::{Mode, Screen};
use super::theme::{Theme, ascii};
use crate::historian::moment::Moment;

/// Draws everything.
pub fn view(moment: &Moment, screen: &Screen, theme: Theme, frame: &mut Frame<'_>) {
    let rows = rows(moment, screen);
    let scene = Scene {
        moment,
        screen,
        rows: &rows,
        picked: picked(screen, &rows),
        theme,
    };
    let area = frame.area();
    let above = layout::above(screen.size.1);
    let buffer = frame.buffer_mut();
    pane::head::draw(
        &scene,
        Rect {
            height: above.min(area.height),
            ..area
        },
        buffer,
    );
    for (pane, place) in layout::panes(screen, rows.len()) {
        let place = place.intersection(area);
        if !place.is_empty() {
            pane::draw(pane, &scene, place, buffer);
        }
    }
    if area.height > above {
        let last = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        pane::foot::draw(&scene, last, buffer);
    }
    if let Mode::Help(scrolled) = screen.mode {
        pane::help::draw(&scene, scrolled, area, buffer);
    }
    if theme.ascii {
        spell(buffer);
    }
}

/// Replaces every sign that a terminal without Unicode cannot show.
fn spell(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if let Some(letter) = cell.symbol().chars().next().filter(|letter| !letter.is_ascii()) {
            cell.set_symbol(ascii(letter));
        }
    }
}
