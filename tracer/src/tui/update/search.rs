//! Typing into the search or the filter, and going to the Pods that match.
//!
//! Must not depend on: time, panes.

use super::select::{select, selected, stepped};
use crate::historian::moment::Moment;
use crate::tui::action::Action;
use crate::tui::rows::{label, rows};
use crate::tui::screen::{Mode, Screen};

/// What is done while a text is typed.
pub fn typing(screen: &mut Screen, action: Action, moment: &Moment) {
    let searching = matches!(screen.mode, Mode::Search(_));
    let text = if searching {
        &mut screen.search
    } else {
        &mut screen.filter
    };
    match action {
        Action::Type(letter) => text.push(letter),
        Action::Erase => drop(text.pop()),
        Action::NextMatch => return seek_match(screen, moment, 1),
        Action::PreviousMatch => return seek_match(screen, moment, -1),
        Action::Submit => screen.mode = Mode::Normal,
        Action::Close => {
            if let Mode::Search(before) | Mode::Filter(before) = std::mem::take(&mut screen.mode) {
                *text = before;
            }
        }
        _ => return,
    }
    if searching && action != Action::Close {
        seek_match(screen, moment, 0);
    }
}

/// Selects the next Pod that matches the search; with 0, the selected one counts, too.
pub fn seek_match(screen: &mut Screen, moment: &Moment, by: i64) {
    let needle = screen.search.to_lowercase();
    let rows = rows(moment, screen);
    let selected = selected(screen, moment);
    let found = (0..rows.len()).find_map(|away| {
        let away = i64::try_from(away).unwrap_or(0);
        let by = if by < 0 { by - away } else { by + away };
        let place = stepped(selected, by, rows.len(), true);
        let pod = rows.get(place)?;
        (!needle.is_empty() && label(pod).to_lowercase().contains(&needle)).then(|| pod.interface.clone())
    });
    match found {
        Some(interface) => select(screen, interface),
        None if needle.is_empty() => {}
        None => screen.notice = Some(format!("no Pod matches `{}`", screen.search)),
    }
}
