//! Which Pod is selected and which pane has the focus.
//!
//! Must not depend on: actions, time.

use crate::historian::moment::Moment;
use crate::tui::rows::{picked, rows};
use crate::tui::screen::{Pane, Screen};

/// The row of the selected Pod; the first where none is.
pub fn selected(screen: &Screen, moment: &Moment) -> usize {
    picked(screen, &rows(moment, screen))
}

/// The selected Pod, by its interface.
pub fn wanted(screen: &Screen, moment: &Moment) -> Option<String> {
    let rows = rows(moment, screen);
    rows.get(selected(screen, moment))
        .map(|pod| pod.interface.clone())
}

/// Selects a Pod, by its interface.
pub fn select(screen: &mut Screen, interface: String) {
    screen.scrolled.0 = 0;
    screen.selected = Some(interface);
}

/// Gives a pane the focus.
pub fn set_focus(screen: &mut Screen, pane: Pane) {
    screen.focus = pane;
    if Pane::SHARED.contains(&pane) {
        screen.shared = pane;
    }
}

/// A place in a list, moved.
pub fn stepped(place: usize, by: i64, count: usize, round: bool) -> usize {
    let (place, count) = (
        i64::try_from(place).unwrap_or(0),
        i64::try_from(count).unwrap_or(i64::MAX),
    );
    let moved = place.saturating_add(by);
    let moved = if count == 0 {
        0
    } else if round {
        moved.rem_euclid(count)
    } else {
        moved.clamp(0, count - 1)
    };
    usize::try_from(moved).unwrap_or(0)
}
