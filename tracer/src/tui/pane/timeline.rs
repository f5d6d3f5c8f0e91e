//! A lane per Pod over the time axis, milestones as marks across them.
//!
//! Must not depend on: figures of a Pod.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;
use tracer_core::report::Pod;
use tracer_core::time::Timestamp;
use tracer_core::timeline::{State, column, milestones, paint};

use crate::tui::axis;
use crate::tui::layout;
use crate::tui::rows::{label, stretches};
use crate::tui::scene::Scene;
use crate::tui::screen::Pane;
use crate::tui::theme::{Role, Theme};
use crate::writing::{about, left, short, width as length};

/// The states, as they are named below the lanes.
const LEGEND: [(State, &str); 6] = [
    (State::Forwarding, "forwarding"),
    (State::Exposed, "exposed"),
    (State::Losing, "losing"),
    (State::Delayed, "delayed"),
    (State::Leak, "leak"),
    (State::Unknown, "unknown"),
];

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let rows = scene.rows;
    let axis = axis::shown(scene.screen, scene.moment);
    let names = axis::names(rows).max(6);
    let lanes = layout::lanes(area, names);
    let zoomed = if scene.screen.axis.is_some() {
        ", zoomed (0: all)"
    } else {
        ""
    };
    let beside = format!("· {} wide{zoomed}", about(axis.1.since(axis.0)));
    scene.heading(Pane::Timeline, vec![scene.span(Role::Text, beside)], area, buffer);
    if area.height < 4 || lanes.width < 8 {
        return;
    }
    ruler(scene, axis, lanes, buffer);
    marks(scene, axis, lanes, buffer);
    let picked = scene.picked;
    let first = layout::scroll(picked, rows.len(), lanes.height.into());
    let shown = rows.iter().enumerate().skip(first);
    for (row, (number, pod)) in lanes.rows().zip(shown) {
        let name = Rect {
            x: area.x,
            width: lanes.x - area.x,
            ..row
        };
        let role = if number == picked {
            Role::Selected
        } else {
            Role::Text
        };
        let room = name.width.saturating_sub(1).into();
        let text = left(&short(&label(pod), room), room);
        Line::from(scene.span(role, text)).render(name, buffer);
        lane(scene, pod, axis, row, buffer);
    }
    legend(
        scene,
        Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        },
        lanes,
        buffer,
    );
}

/// The times at both ends, and of the shown point, which wins where there is no room for all.
fn ruler(scene: &Scene<'_>, axis: (Timestamp, Timestamp), lanes: Rect, buffer: &mut Buffer) {
    let row = Rect {
        y: lanes.y - 2,
        height: 1,
        ..lanes
    };
    let columns = usize::from(row.width);
    let (begin, end, now) = (
        scene.point(axis.0),
        scene.point(axis.1),
        scene.point(scene.moment.at),
    );
    let cursor = (!scene.moment.following)
        .then(|| column(scene.moment.at, axis, row.width.into()))
        .flatten()
        .and_then(|at| usize::try_from(at).ok())
        .map(|at| {
            at.saturating_sub(length(&now) / 2)
                .min(columns.saturating_sub(length(&now)))
        });
    let mut put = |at: usize, text: &str, role: Role| {
        let x = row.x + u16::try_from(at).unwrap_or(row.width).min(row.width);
        buffer.set_stringn(
            x,
            row.y,
            text,
            columns.saturating_sub(at),
            scene.theme.style(role),
        );
    };
    if cursor.is_none_or(|at| at > length(&begin)) {
        put(0, &begin, Role::Label);
    }
    let last = columns.saturating_sub(length(&end));
    if cursor.is_none_or(|at| at + length(&now) < last) {
        put(last, &end, Role::Label);
    }
    if let Some(at) = cursor {
        put(at, &now, Role::Cursor);
    }
}

/// Milestones by their letters, `*` where several share a column, and a thin line down the lanes.
fn marks(scene: &Scene<'_>, axis: (Timestamp, Timestamp), lanes: Rect, buffer: &mut Buffer) {
    for (letter, at) in letters(scene) {
        let Some(x) = cell(at, axis, lanes) else { continue };
        let role = if at <= scene.moment.at {
            Role::Note
        } else {
            Role::Dim
        };
        if let Some(cell) = buffer.cell_mut((x, lanes.y - 1)) {
            let taken = cell.symbol() != " ";
            cell.set_char(if taken { '*' } else { letter })
                .set_style(scene.theme.style(role));
        }
    }
}

fn letters(scene: &Scene<'_>) -> Vec<(char, Timestamp)> {
    let disruption = scene.moment.whole_disruption();
    let milestones = disruption.into_iter().flat_map(milestones);
    ('A'..='Z')
        .zip(milestones)
        .map(|(letter, (_, at))| (letter, at))
        .collect()
}

fn cell(at: Timestamp, axis: (Timestamp, Timestamp), lanes: Rect) -> Option<u16> {
    let at = column(at, axis, lanes.width.into())?;
    Some(lanes.x + u16::try_from(at).ok()?)
}

fn lane(scene: &Scene<'_>, pod: &Pod, axis: (Timestamp, Timestamp), row: Rect, buffer: &mut Buffer) {
    let mut stretches = stretches(pod, scene.moment);
    for stretch in &mut stretches {
        // What has no end yet reaches to the shown point.
        stretch.to.get_or_insert(scene.moment.at);
    }
    let cells = paint(&stretches, axis, row.width.into());
    let now = scene.moment.at;
    let (begin, end) = (
        scene.moment.whole.capture.started_ns,
        scene.moment.reach.1.min(now),
    );
    let marked: Vec<u16> = letters(scene)
        .into_iter()
        .filter_map(|(_, at)| cell(at, axis, row))
        .collect();
    for (column, state) in (0_u16..).zip(cells) {
        let x = row.x + column;
        let at = axis::point(column, row.width, axis);
        let Some(cell) = buffer.cell_mut((x, row.y)) else {
            continue;
        };
        let known = (begin..=end).contains(&at) || state != State::Forwarding;
        if state == State::Forwarding && marked.contains(&x) {
            let line = if scene.theme.ascii { ':' } else { '┊' };
            cell.set_char(line)
                .set_style(scene.theme.style(if known { Role::Note } else { Role::Dim }));
        } else if known {
            cell.set_char(scene.theme.sign(state))
                .set_style(scene.theme.style(Theme::role(state)));
        }
    }
    if !scene.moment.following
        && let Some(x) = cell(now, axis, row)
        && let Some(cell) = buffer.cell_mut((x, row.y))
    {
        cell.set_style(scene.theme.style(Role::Cursor));
    }
}

fn legend(scene: &Scene<'_>, row: Rect, lanes: Rect, buffer: &mut Buffer) {
    let mut line = Line::default();
    for (state, name) in LEGEND {
        line.push_span(scene.span(Theme::role(state), scene.theme.sign(state)));
        line.push_span(scene.span(Role::Dim, format!(" {name}  ")));
    }
    let row = if row.width.saturating_sub(lanes.x - row.x) >= 72 {
        Rect {
            x: lanes.x,
            width: lanes.width,
            ..row
        }
    } else {
        row
    };
    line.render(row, buffer);
}
