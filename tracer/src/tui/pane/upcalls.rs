//! Upcalls: how many per result, their rate over the last seconds, and how long they waited.
//!
//! Must not depend on: Pods.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;
use tracer_core::count::total;
use tracer_core::meter::{SLOT, Slot};
use tracer_core::time::SECOND;

use super::latency;
use super::row::below;

use crate::tui::scene::Scene;
use crate::tui::screen::Pane;
use crate::tui::theme::Role;
use crate::writing::{left, right};

/// Rows of the bars, at least and at most.
const BARS: (u16, u16) = (1, 4);

/// Rows of the rate in words, and of the waits in words.
const WORDS: u16 = 3;

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let figures = &scene.moment.upcalls;
    let failed = figures.totals.iter().filter(|row| row.returned != 0);
    let failed = total(failed.map(|row| row.count));
    let all = total(figures.totals.iter().map(|row| row.count));
    let role = if failed > 0 { Role::Bad } else { Role::Text };
    let beside = vec![
        scene.span(Role::Text, format!("· {all}, ")),
        scene.span(role, format!("{failed} failed")),
    ];
    scene.heading(Pane::Upcalls, beside, area, buffer);
    let area = below(area, 1);
    if area.height == 0 {
        return;
    }
    let rows = u16::try_from(figures.totals.len()).unwrap_or(u16::MAX).max(1);
    let bars = (area.height.saturating_sub(rows.saturating_add(WORDS)) / 4).clamp(BARS.0, BARS.1);
    rate(
        scene,
        Rect {
            height: bars + 1.min(area.height),
            ..area
        },
        bars,
        buffer,
    );
    let area = below(area, bars + 1);
    totals(scene, area, buffer);
    let area = below(area, rows);
    if area.height > 0 {
        latency::draw(scene, area, buffer);
    }
}

/// A bar per slot that ends at the shown point; failed ones at its foot.
fn rate(scene: &Scene<'_>, area: Rect, bars: u16, buffer: &mut Buffer) {
    let recent = &scene.moment.upcalls.recent;
    let slots = &recent[recent.len().saturating_sub(area.width.into())..];
    let most = slots.iter().map(Slot::upcalls).max().unwrap_or(0);
    let per_second = slots
        .last()
        .map_or(0, Slot::upcalls)
        .saturating_mul(SECOND / SLOT);
    let seconds = slots.len() as u64 * SLOT / SECOND;
    let text = format!(
        " {per_second}/s now, at most {}/s in {seconds} s",
        most.saturating_mul(SECOND / SLOT)
    );
    Line::from(scene.span(Role::Label, text)).render(
        Rect {
            height: 1.min(area.height),
            ..area
        },
        buffer,
    );
    let (good, bad) = (scene.theme.style(Role::Note), scene.theme.style(Role::Bad));
    for (column, slot) in (0_u16..).zip(slots) {
        let eighths = |count: u64| {
            let place = u128::from(count) * u128::from(bars) * 8 / u128::from(most.max(1));
            u16::try_from(place).unwrap_or(0)
        };
        let total = eighths(slot.upcalls()).max(u16::from(slot.upcalls() > 0));
        let failed = eighths(slot.failed).max(u16::from(slot.failed > 0));
        for level in 0..bars {
            let style: Style = if level * 8 < failed { bad } else { good };
            let height = total.saturating_sub(level * 8).min(8);
            let place = (area.x + column, area.y + bars - level);
            if let (Some(cell), Some(bar)) = (buffer.cell_mut(place), height.checked_sub(1)) {
                cell.set_char(scene.theme.bars()[usize::from(bar)])
                    .set_style(style);
            }
        }
    }
}

fn totals(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let totals = &scene.moment.upcalls.totals;
    for (row, upcalls) in area.rows().zip(totals) {
        let role = if upcalls.returned == 0 {
            Role::Text
        } else {
            Role::Bad
        };
        let mut line = Line::from(vec![
            scene.span(Role::Text, format!(" {} ", left(&upcalls.why, 6))),
            scene.span(role, left(&upcalls.result, 12)),
            scene.span(role, right(&upcalls.count.to_string(), 8)),
        ]);
        let meaning = meaning(upcalls.returned);
        if line.width() + meaning.len() <= area.width.into() {
            line.push_span(scene.span(Role::Dim, meaning));
        }
        line.render(row, buffer);
    }
    if totals.is_empty() && area.height > 0 {
        Line::from(scene.span(Role::Dim, " none so far")).render(area, buffer);
    }
}

/// What a result means, by `ovs_dp_upcall` (net/openvswitch/datapath.c).
fn meaning(result: i32) -> &'static str {
    match result {
        0 => "",
        -11 => "  socket full",
        -107 => "  no socket bound",
        -111 => "  socket closed",
        _ => "  failed",
    }
}
