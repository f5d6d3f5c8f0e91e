//! What is under the mouse.
//!
//! Must not depend on: what is drawn there.

use super::select::{select, selected, set_focus};
use crate::historian::Target;
use crate::historian::moment::Moment;
use crate::tui::action::Effect;
use crate::tui::rows::rows;
use crate::tui::screen::{Pane, Screen};
use crate::tui::{axis, layout};

/// A click selects the Pod or goes to the time under the mouse; anywhere else it moves the focus.
pub fn click(screen: &mut Screen, column: u16, row: u16, moment: &Moment) -> Vec<Effect> {
    let rows = rows(moment, screen);
    let point = ratatui::layout::Position::new(column, row);
    let panes = layout::panes(screen, rows.len());
    let Some((pane, area)) = panes.into_iter().find(|(_, area)| area.contains(point)) else {
        return Vec::new();
    };
    let place = if pane == Pane::Timeline {
        layout::lanes(area, axis::names(&rows))
    } else {
        layout::table(area)
    };
    let first = layout::scroll(selected(screen, moment), rows.len(), place.height.into());
    let under = rows
        .get(first + usize::from(row.saturating_sub(place.y)))
        .filter(|_| place.rows().any(|line| line.y == row))
        .map(|pod| pod.interface.clone());
    set_focus(screen, pane);
    if let Some(interface) = under.filter(|_| matches!(pane, Pane::Pods | Pane::Timeline)) {
        select(screen, interface);
    }
    if pane == Pane::Timeline && column >= place.x {
        screen.playing = false;
        let at = axis::point(column - place.x, place.width, axis::shown(screen, moment));
        return vec![Effect::Go(Target::Time(at))];
    }
    Vec::new()
}
