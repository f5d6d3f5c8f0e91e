//! The Pod table: each Pod's window, loss, gap, reason and cause.
//!
//! Must not depend on: other disruptions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use tracer_core::report::Pod;
use tracer_core::timeline::State;

use crate::sink::words::{at_most, judged, verdict};
use crate::tui::layout;
use crate::tui::rows::{self, label, longest, lost, reason, standing};
use crate::tui::scene::Scene;
use crate::tui::screen::{Pane, Sort};
use crate::tui::theme::{Role, Theme};
use crate::writing::{left, millis, right, short, width as columns, word};

/// A column: its head, what stands in it, whether it is set to the right, and what is sorted by it.
struct Column {
    head: &'static str,
    cell: fn(&Scene<'_>, &Pod) -> String,
    numeric: bool,
    sort: Option<Sort>,
}

const fn column(
    head: &'static str,
    cell: fn(&Scene<'_>, &Pod) -> String,
    numeric: bool,
    sort: Option<Sort>,
) -> Column {
    Column {
        head,
        cell,
        numeric,
        sort,
    }
}

/// The columns from left to right.
const COLUMNS: [Column; 9] = [
    column("POD", |_, pod| label(pod), false, Some(Sort::Name)),
    column("NOW", now, false, None),
    column("EXPOSED", exposed, true, Some(Sort::Exposed)),
    column("LOST", losses, true, Some(Sort::Lost)),
    column("GAP min–max", gap, true, Some(Sort::Gap)),
    column("REASON", why_lost, false, None),
    column("CAUSE", cause, false, Some(Sort::Cause)),
    column("VERDICT", judgement, false, None),
    column("WINDOW", window, true, None),
];

/// Which columns are kept where there is no room for all, the most important first.
const PRIORITY: [usize; 9] = [0, 3, 4, 6, 2, 1, 7, 5, 8];

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let rows = scene.rows;
    scene.heading(Pane::Pods, title(scene, rows.len()), area, buffer);
    let table = layout::table(area);
    let picked = scene.picked;
    let first = layout::scroll(picked, rows.len(), table.height.into());
    let shown: Vec<&Pod> = rows
        .iter()
        .skip(first)
        .take(table.height.into())
        .copied()
        .collect();
    let columns = fit(scene, &shown, area.width.into());
    if area.height > 1 {
        head(scene, &columns).render(
            Rect {
                y: area.y + 1,
                height: 1,
                ..area
            },
            buffer,
        );
    }
    for (row, (number, pod)) in table.rows().zip((first..).zip(shown)) {
        line(scene, pod, &columns).render(row, buffer);
        if number == picked {
            buffer.set_style(row, scene.theme.style(Role::Selected));
        }
    }
    if rows.is_empty() && table.height > 0 {
        let none = scene.span(Role::Dim, " none to show");
        Line::from(none).render(table, buffer);
    }
}

fn title<'a>(scene: &Scene<'a>, shown: usize) -> Vec<Span<'a>> {
    let screen = scene.screen;
    let all = rows::all(scene.moment).count();
    let order = if screen.reverse { ", reversed" } else { "" };
    let mut spans = vec![scene.span(
        Role::Text,
        format!(
            "· {shown} of {all} · by {}{order} · times in ms",
            screen.sort.title()
        ),
    )];
    if screen.affected_only {
        spans.push(scene.span(Role::Warn, " · affected only"));
    }
    if !screen.filter.is_empty() {
        spans.push(scene.span(Role::Warn, format!(" · with `{}`", screen.filter)));
    }
    spans
}

/// The columns that fit, with their widths.
fn fit(scene: &Scene<'_>, shown: &[&Pod], width: usize) -> Vec<(&'static Column, usize)> {
    let wanted: Vec<usize> = COLUMNS
        .iter()
        .map(|column| {
            let cells = shown.iter().map(|pod| columns(&(column.cell)(scene, pod)));
            cells.max().unwrap_or(0).max(columns(column.head))
        })
        .collect();
    // The blank after the last column need not fit.
    let mut left = width + 1;
    let mut kept = [false; COLUMNS.len()];
    for number in PRIORITY {
        // The name is cut rather than left out.
        let need = if number == 0 {
            wanted[0].min(width / 3)
        } else {
            wanted[number]
        } + 2;
        if need > left {
            continue;
        }
        left -= need;
        kept[number] = true;
    }
    let widths = COLUMNS.iter().zip(wanted).zip(kept);
    widths
        .enumerate()
        .filter(|(_, (_, kept))| *kept)
        .map(|(number, ((column, wanted), _))| {
            (
                column,
                if number == 0 {
                    wanted.min(width / 3)
                } else {
                    wanted
                },
            )
        })
        .collect()
}

fn pad(text: &str, width: usize, numeric: bool) -> String {
    let text = short(text, width);
    let cell = if numeric {
        right(&text, width)
    } else {
        left(&text, width)
    };
    format!(" {cell} ")
}

fn head<'a>(scene: &Scene<'a>, columns: &[(&'static Column, usize)]) -> Line<'a> {
    let cells = columns.iter().map(|(column, width)| {
        let sorted = column.sort == Some(scene.screen.sort);
        let role = if sorted { Role::Focus } else { Role::Label };
        scene.span(role, pad(column.head, *width, column.numeric))
    });
    cells.collect()
}

fn line<'a>(scene: &Scene<'a>, pod: &Pod, columns: &[(&'static Column, usize)]) -> Line<'a> {
    let cells = columns.iter().map(|(column, width)| {
        let text = (column.cell)(scene, pod);
        let role = match column.head {
            "NOW" => Theme::role(standing(pod, scene.moment).0),
            "LOST" | "GAP min–max" if lost(pod) > 0 => Role::Bad,
            "VERDICT" => judged(pod).map_or(Role::Dim, Theme::verdict),
            "EXPOSED" if pod.cause.is_some() => Role::Warn,
            _ if text == "-" => Role::Dim,
            _ => Role::Text,
        };
        scene.span(role, pad(&text, *width, column.numeric))
    });
    cells.collect()
}

fn now(scene: &Scene<'_>, pod: &Pod) -> String {
    match standing(pod, scene.moment).0 {
        State::Forwarding => "forwarding",
        State::Delayed => "delayed",
        State::Leak => "leak",
        State::Exposed => "exposed",
        State::Unknown => "unknown",
        State::Losing => "losing",
    }
    .to_owned()
}

fn exposed(scene: &Scene<'_>, pod: &Pod) -> String {
    let Some(exposed) = &pod.exposed else {
        return "-".to_owned();
    };
    match exposed.duration_ns {
        Some(nanos) if at_most(pod) => format!("≤{}", millis(nanos)),
        Some(nanos) => millis(nanos),
        None => format!("≥{}", millis(scene.moment.at.since(exposed.start_ns))),
    }
}

fn losses(_: &Scene<'_>, pod: &Pod) -> String {
    if rows::losses(pod).next().is_none() {
        return "-".to_owned();
    }
    lost(pod).to_string()
}

fn gap(_: &Scene<'_>, pod: &Pod) -> String {
    let bound = |nanos: Option<u64>| nanos.map_or_else(|| "…".to_owned(), millis);
    longest(pod).map_or_else(
        || "-".to_owned(),
        |loss| format!("{}–{}", bound(loss.min_ns), bound(loss.max_ns)),
    )
}

fn why_lost(_: &Scene<'_>, pod: &Pod) -> String {
    match reason(pod) {
        None => "-".to_owned(),
        Some((reason, 0)) => word(reason),
        Some((reason, others)) => format!("{} +{others}", word(reason)),
    }
}

fn cause(_: &Scene<'_>, pod: &Pod) -> String {
    pod.cause.map_or_else(|| "-".to_owned(), word)
}

/// Where no disruption has touched it, nothing was judged.
fn judgement(_: &Scene<'_>, pod: &Pod) -> String {
    judged(pod).map_or("-", verdict).to_owned()
}

fn window(scene: &Scene<'_>, pod: &Pod) -> String {
    let Some(exposed) = &pod.exposed else {
        return "-".to_owned();
    };
    let end = exposed
        .end_ns
        .map_or_else(|| "…".to_owned(), |at| scene.point(at));
    let (start, end) = (scene.point(exposed.start_ns), end);
    format!(
        "{} – {}",
        start.trim_end_matches(" ms"),
        end.trim_end_matches(" ms")
    )
}
