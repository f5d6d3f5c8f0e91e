//! What an action changes on the screen, and what has to be done for it.
//!
//! May not know: terminals, colours, files. Pure: the same screen, action and moment give the same.

use super::action::{Action, Effect};
use super::axis;
use super::layout;
use super::rows::{label, picked, rows};
use super::screen::{Mode, Pane, REAL_TIME, Screen};
use crate::historian::Target;
use crate::historian::moment::{Moment, Origin};

/// Rows that a page moves.
const PAGE: i64 = 10;

/// The slowest and the fastest a recording is played.
const SPEEDS: (u64, u64) = (REAL_TIME / 1024, REAL_TIME * 64);

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

/// Goes to another point in time.
fn travel(screen: &mut Screen, action: Action, moment: &Moment) -> Vec<Effect> {
    let target = match action {
        Action::Pause => return pause(screen, moment),
        Action::Slower => return speed(screen, screen.speed / 2),
        Action::Faster => return speed(screen, screen.speed * 2),
        Action::StepForward => Some(Target::Step(1)),
        Action::StepBack => Some(Target::Step(-1)),
        Action::Begin => Some(Target::Begin),
        Action::Newest => Some(Target::Newest),
        Action::NextMilestone => {
            let next = moment.landmarks().into_iter().find(|mark| mark.at > moment.at);
            next.map(|mark| Target::Time(mark.at))
        }
        Action::PreviousMilestone => {
            let before = moment
                .landmarks()
                .into_iter()
                .rev()
                .find(|mark| mark.at < moment.at);
            before.map(|mark| Target::Time(mark.at))
        }
        Action::NextRestart => {
            let ends = moment.conclusions();
            let next = ends.iter().find(|at| **at > moment.at).copied();
            next.filter(|at| *at < moment.reach.1)
                .map_or(Some(Target::Newest), |at| Some(Target::Time(at)))
        }
        Action::PreviousRestart => {
            let ends = moment.conclusions();
            ends.iter()
                .rev()
                .find(|at| **at < moment.at)
                .map(|at| Target::Time(*at))
        }
        _ => None,
    };
    screen.playing = false;
    let Some(target) = target else {
        screen.notice = Some("nothing there".to_owned());
        return Vec::new();
    };
    screen.scrolled = (0, screen.scrolled.1);
    vec![Effect::Go(target)]
}

fn speed(screen: &mut Screen, speed: u64) -> Vec<Effect> {
    screen.speed = speed.clamp(SPEEDS.0, SPEEDS.1);
    screen.notice = Some(format!("a recording is played at {}", screen.pace()));
    Vec::new()
}

/// Live: stop here, or go on with what happens. A recording: play on from here, from the beginning if here is the end.
fn pause(screen: &mut Screen, moment: &Moment) -> Vec<Effect> {
    match (&moment.origin, moment.following) {
        (Origin::Live, true) => vec![Effect::Go(Target::Time(moment.at))],
        (Origin::Live, false) => vec![Effect::Go(Target::Newest)],
        (Origin::Recording(_), true) => {
            screen.playing = true;
            vec![Effect::Go(Target::Time(
                axis::shown(screen, moment).0.max(moment.reach.0),
            ))]
        }
        (Origin::Recording(_), false) => {
            screen.playing = !screen.playing;
            Vec::new()
        }
    }
}

fn passed(screen: &mut Screen, nanos: u64, moment: &Moment) -> Vec<Effect> {
    // While the newest point is still shown, the first one to play is on its way.
    if !screen.playing || moment.following {
        return Vec::new();
    }
    let on = u64::try_from(u128::from(nanos) * u128::from(screen.speed) / u128::from(REAL_TIME));
    let at = moment.at.plus(on.unwrap_or(u64::MAX).max(1));
    if at >= moment.reach.1 {
        screen.playing = false;
        return vec![Effect::Go(Target::Newest)];
    }
    vec![Effect::Go(Target::Time(at))]
}

fn focus(screen: &mut Screen, by: i64) {
    let place = Pane::ALL
        .iter()
        .position(|pane| *pane == screen.focus)
        .unwrap_or(0);
    let next = stepped(place, by, Pane::ALL.len(), true);
    set_focus(screen, Pane::ALL[next]);
}

fn set_focus(screen: &mut Screen, pane: Pane) {
    screen.focus = pane;
    if Pane::SHARED.contains(&pane) {
        screen.shared = pane;
    }
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

fn typing(screen: &mut Screen, action: Action, moment: &Moment) {
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
fn seek_match(screen: &mut Screen, moment: &Moment, by: i64) {
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

fn select(screen: &mut Screen, interface: String) {
    screen.scrolled.0 = 0;
    screen.selected = Some(interface);
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

/// A place in a list, moved.
fn stepped(place: usize, by: i64, count: usize, round: bool) -> usize {
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

/// A click selects the Pod or goes to the time under the mouse; anywhere else it moves the focus.
fn click(screen: &mut Screen, column: u16, row: u16, moment: &Moment) -> Vec<Effect> {
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
