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
use crate::writing::is_harmless;

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
    disarm(buffer);
    if theme.ascii {
        spell(buffer);
    }
}

/// Whatever a pane has drawn by other ways than a scene's own, no cell has power over the terminal.
fn disarm(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().chars().all(is_harmless) {
            cell.set_char('\u{fffd}');
        }
    }
}

/// Replaces every sign that a terminal without Unicode cannot show.
fn spell(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let symbol = cell.symbol();
        if let Some(letter) = symbol.chars().next().filter(|_| !symbol.is_ascii()) {
            cell.set_symbol(if letter.is_ascii() { "?" } else { ascii(letter) });
        }
    }
}
