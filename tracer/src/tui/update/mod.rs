//! What an action changes on the screen, and what has to be done for it.
//!
//! Must not depend on: terminals, colours, files. Pure: the same screen, action and moment give the same.

mod mouse;
mod search;
mod select;
mod travel;

use self::mouse::click;
use self::search::{seek_match, typing};
use self::select::{select, set_focus, stepped};
pub use self::select::{selected, wanted};
use self::travel::{passed, travel};
use super::action::{Action, Effect};
use super::axis;
use super::rows::rows;
use super::screen::{Mode, Pane, Screen};
use crate::historian::Target;
use crate::historian::moment::Moment;

/// Rows that a page moves.
const PAGE: i64 = 10;

/// Applies an action.
pub fn update(screen: &mut Screen, action: Action, moment: &Moment) -> Vec<Effect> {
    if !matches!(action, Action::Passed(_) | Action::Resize(..)) {
        screen.notice = None;
    }
    match action {
        Action::Resize(columns, rows) => {
            screen.size = (columns, rows);
            Vec::new()
        }
        Action::Passed(nanos) => passed(screen, nanos, moment),
        Action::Quit => vec![Effect::Quit],
        _ => match &screen.mode {
            Mode::Normal => normal(screen, action, moment),
            Mode::Help(scrolled) => {
                let scrolled = *scrolled;
                help(screen, action, scrolled);
                Vec::new()
            }
            Mode::Search(_) | Mode::Filter(_) => {
                typing(screen, action, moment);
                Vec::new()
            }
        },
    }
}

fn normal(screen: &mut Screen, action: Action, moment: &Moment) -> Vec<Effect> {
    match action {
        Action::Help => screen.mode = Mode::Help(0),
        Action::Search => screen.mode = Mode::Search(std::mem::take(&mut screen.search)),
        Action::Filter => screen.mode = Mode::Filter(screen.filter.clone()),
        Action::AffectedOnly => screen.affected_only = !screen.affected_only,
        Action::Sort => screen.sort = screen.sort.next(),
        Action::Reverse => screen.reverse = !screen.reverse,
        Action::Utc => screen.utc = !screen.utc,
        Action::NextPane => focus(screen, 1),
        Action::PreviousPane => focus(screen, -1),
        Action::Maximize => screen.maximized = !screen.maximized,
        Action::Close => close(screen),
        Action::Open => open(screen),
        Action::NextMatch => seek_match(screen, moment, 1),
        Action::PreviousMatch => seek_match(screen, moment, -1),
        Action::ZoomIn | Action::ZoomOut | Action::PanLeft | Action::PanRight | Action::Fit => {
            axis::change(screen, action, moment);
        }
        Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last => {
            return moved(screen, action, moment);
        }
        Action::Click(column, row) => return click(screen, column, row, moment),
        Action::Record => return vec![Effect::Record],
        Action::Export => return vec![Effect::Export],
        Action::Mouse => {
            screen.mouse = !screen.mouse;
            return vec![Effect::Mouse(screen.mouse)];
        }
        _ => return travel(screen, action, moment),
    }
    Vec::new()
}

fn focus(screen: &mut Screen, by: i64) {
    let place = Pane::ALL
        .iter()
        .position(|pane| *pane == screen.focus)
        .unwrap_or(0);
    let next = stepped(place, by, Pane::ALL.len(), true);
    set_focus(screen, Pane::ALL[next]);
}

fn open(screen: &mut Screen) {
    screen.maximized = !(screen.maximized && screen.focus == Pane::Detail);
    set_focus(screen, Pane::Detail);
}

/// The nearest thing that can be closed.
fn close(screen: &mut Screen) {
    if screen.maximized {
        screen.maximized = false;
    } else if !screen.filter.is_empty() || screen.affected_only {
        screen.filter.clear();
        screen.affected_only = false;
    } else {
        set_focus(screen, Pane::Pods);
    }
}

fn help(screen: &mut Screen, action: Action, scrolled: u16) {
    let by: i64 = match action {
        Action::Down => 1,
        Action::Up => -1,
        Action::PageDown => PAGE,
        Action::PageUp => -PAGE,
        Action::First => i64::MIN,
        _ => {
            screen.mode = Mode::Normal;
            return;
        }
    };
    screen.mode = Mode::Help(scrolled_by(scrolled, by));
}

fn scrolled_by(lines: u16, by: i64) -> u16 {
    u16::try_from(i64::from(lines).saturating_add(by).max(0)).unwrap_or(u16::MAX)
}

/// Rows down or up, in the pane that has the focus.
fn moved(screen: &mut Screen, action: Action, moment: &Moment) -> Vec<Effect> {
    let by = match action {
        Action::Down => 1,
        Action::Up => -1,
        Action::PageDown => PAGE,
        Action::PageUp => -PAGE,
        Action::First => i64::MIN,
        _ => i64::MAX,
    };
    match screen.focus {
        Pane::Timeline | Pane::Pods => {
            let place = stepped(selected(screen, moment), by, rows(moment, screen).len(), false);
            if let Some(interface) = rows(moment, screen).get(place).map(|pod| pod.interface.clone()) {
                select(screen, interface);
            }
            Vec::new()
        }
        Pane::Milestones => travel(
            screen,
            if by > 0 {
                Action::NextMilestone
            } else {
                Action::PreviousMilestone
            },
            moment,
        ),
        Pane::Events => match action {
            Action::First => travel(screen, Action::Begin, moment),
            Action::Last => travel(screen, Action::Newest, moment),
            _ => {
                screen.playing = false;
                vec![Effect::Go(Target::Step(by))]
            }
        },
        Pane::Detail => {
            screen.scrolled.0 = scrolled_by(screen.scrolled.0, by);
            Vec::new()
        }
        Pane::Coverage => {
            screen.scrolled.1 = scrolled_by(screen.scrolled.1, by);
            Vec::new()
        }
        Pane::Upcalls => Vec::new(),
    }
}
