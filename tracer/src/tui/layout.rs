//! Which pane stands where, at any size.
//!
//! Must not depend on: what stands in a pane.

use ratatui::layout::Rect;

use super::screen::{Pane, Screen};

/// From this size on, panes stand side by side.
const WIDE: (u16, u16) = (110, 34);

/// From this width on, no pane shares its place with others.
const VERY_WIDE: u16 = 170;

/// Rows in which everything of one Pod can be read, with its heading.
const DETAIL: u16 = 22;

/// Rows above the panes on a screen with few rows: title, state at a glance, coverage with why the verdict is not pass.
pub const LEAST_ABOVE: u16 = 3;

/// From so many rows on, coverage and why the verdict is not pass have a row each.
const TALL: u16 = 34;

/// Rows below the panes: keys, or what is typed.
const BELOW: u16 = 1;

/// Rows above the panes.
pub fn above(rows: u16) -> u16 {
    LEAST_ABOVE + u16::from(rows >= TALL)
}

/// The panes that are seen, with their places.
pub fn panes(screen: &Screen, lanes: usize) -> Vec<(Pane, Rect)> {
    let (columns, rows) = screen.size;
    let above = above(rows);
    let body = Rect::new(0, above, columns, rows.saturating_sub(above + BELOW));
    if screen.maximized {
        return vec![(screen.focus, body)];
    }
    let lanes = u16::try_from(lanes).unwrap_or(u16::MAX).max(1);
    if columns < WIDE.0 || rows < WIDE.1 {
        stacked(screen, body, lanes)
    } else {
        tiled(screen, body, lanes)
    }
}

fn stacked(screen: &Screen, body: Rect, lanes: u16) -> Vec<(Pane, Rect)> {
    let milestones = 3.min(body.height);
    let left = body.height - milestones;
    // Heading, ruler, marks, legend; heading, head of the table.
    let timeline = (4 + lanes.min(left / 4)).min(left);
    let left = left - timeline;
    let pods = (2 + lanes.min(left / 2)).min(left);
    let mut places = Places::new(body);
    vec![
        (Pane::Milestones, places.take(milestones)),
        (Pane::Timeline, places.take(timeline)),
        (Pane::Pods, places.take(pods)),
        (screen.shared, places.rest()),
    ]
}

fn tiled(screen: &Screen, body: Rect, lanes: u16) -> Vec<(Pane, Rect)> {
    let very_wide = body.width >= VERY_WIDE;
    let top = (4 + lanes).clamp(9, (body.height * 2 / 5).max(9));
    let left = body.height.saturating_sub(top);
    let bottom = if very_wide {
        left.saturating_sub((2 + lanes).max(DETAIL)).max(left / 3)
    } else {
        left.saturating_sub(3 + lanes).max(left * 3 / 5)
    };
    let mut places = Places::new(body);
    let (top, middle, bottom) = (
        places.take(top),
        places.take(body.height.saturating_sub(top + bottom)),
        places.rest(),
    );
    let (milestones, timeline) = beside(top, 47);
    let mut panes = vec![(Pane::Milestones, milestones), (Pane::Timeline, timeline)];
    if very_wide {
        let (pods, detail) = beside(middle, middle.width / 2);
        let (upcalls, rest) = beside(bottom, 44);
        let (events, coverage) = beside(rest, rest.width * 3 / 5);
        panes.extend([(Pane::Pods, pods), (Pane::Detail, detail)]);
        panes.extend([
            (Pane::Upcalls, upcalls),
            (Pane::Events, events),
            (Pane::Coverage, coverage),
        ]);
        return panes;
    }
    let (detail, shared) = beside(bottom, bottom.width * 4 / 7);
    let other = if screen.shared == Pane::Detail {
        Pane::Events
    } else {
        screen.shared
    };
    panes.extend([(Pane::Pods, middle), (Pane::Detail, detail), (other, shared)]);
    panes
}

/// Two places side by side, a column apart.
fn beside(area: Rect, left: u16) -> (Rect, Rect) {
    let left = left.min(area.width);
    let gap = 2.min(area.width - left);
    (
        Rect { width: left, ..area },
        Rect {
            x: area.x + left + gap,
            width: area.width - left - gap,
            ..area
        },
    )
}

/// Gives out rows from the top.
struct Places {
    left: Rect,
}

impl Places {
    fn new(left: Rect) -> Self {
        Self { left }
    }

    fn take(&mut self, rows: u16) -> Rect {
        let rows = rows.min(self.left.height);
        let taken = Rect {
            height: rows,
            ..self.left
        };
        self.left.y += rows;
        self.left.height -= rows;
        taken
    }

    fn rest(&mut self) -> Rect {
        self.take(u16::MAX)
    }
}

/// The part of the timeline in which lanes are drawn: right of the names, below heading, ruler and marks.
pub fn lanes(area: Rect, names: u16) -> Rect {
    let names = names.min(area.width / 3);
    Rect {
        x: area.x + names + 1,
        y: area.y + 3,
        width: area.width.saturating_sub(names + 1),
        height: area.height.saturating_sub(4),
    }
}

/// The rows of the Pod table: below heading and head.
pub fn table(area: Rect) -> Rect {
    Rect {
        y: area.y + 2,
        height: area.height.saturating_sub(2),
        ..area
    }
}

/// The first of `count` rows to show in `height` rows so that `selected` is among them, as near the middle as it goes.
pub fn scroll(selected: usize, count: usize, height: usize) -> usize {
    selected
        .saturating_sub(height / 2)
        .min(count.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_lie_in_the_screen_and_apart_from_each_other() {
        for size in [(20, 5), (80, 24), (109, 60), (120, 40), (250, 70), (1, 1), (0, 0)] {
            for shared in Pane::SHARED {
                let mut screen = Screen::new(size);
                screen.shared = shared;
                let panes = panes(&screen, 500);
                for (at, (pane, area)) in panes.iter().enumerate() {
                    assert!(
                        area.right() <= size.0.max(area.x),
                        "{pane:?} {area:?} in {size:?}"
                    );
                    assert!(
                        area.bottom() <= size.1.max(LEAST_ABOVE),
                        "{pane:?} {area:?} in {size:?}"
                    );
                    for (other, place) in &panes[at + 1..] {
                        assert!(!area.intersects(*place), "{pane:?} {area:?}, {other:?} {place:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_selected_row_is_in_sight() {
        for selected in 0..100 {
            let first = scroll(selected, 100, 7);
            assert!((first..first + 7).contains(&selected) && first <= 93);
        }
    }
}
