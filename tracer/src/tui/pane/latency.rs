//! How long upcalls waited for their answer: quantiles, and a bar per step of time.
//!
//! Must not depend on: how many upcalls there were, and why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;
use tracer_core::count;
use tracer_core::report::UpcallLatency;
use tracer_core::vocabulary::capture::LatencyCount;

use super::row::below;
use crate::tui::scene::Scene;
use crate::tui::theme::Role;
use crate::writing::{millis, right, width as columns};

/// Columns of a step's name, and of its count.
const STEP: usize = 9;
const COUNT: usize = 8;

/// Steps of each power of ten: fine ones, and where there is no room for them, coarse ones.
const FINE: &[u64] = &[1, 2, 5];
const COARSE: &[u64] = &[1];

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let Some((of, latency)) = shown(scene) else {
        Line::from(scene.span(Role::Dim, " no answer was seen")).render(area, buffer);
        return;
    };
    let lines = [
        answered(scene, &of, latency),
        quantiles(scene, latency, area.width),
    ];
    for (row, line) in area.rows().zip(lines) {
        line.render(row, buffer);
    }
    let area = below(area, 2);
    let fine = folded(&latency.waits, FINE);
    let steps = if fine.len() <= area.height.into() {
        fine
    } else {
        folded(&latency.waits, COARSE)
    };
    let most = steps.iter().map(|(_, count)| *count).max().unwrap_or(0);
    for (row, (bound, count)) in area.rows().zip(steps) {
        bar(scene, bound, count, most, area.width.into()).render(row, buffer);
    }
}

/// Those of the shown disruption; without one, all of them.
fn shown<'a>(scene: &Scene<'a>) -> Option<(String, &'a UpcallLatency)> {
    if let Some(disruption) = scene.moment.disruption() {
        let latency = disruption.upcall_latency.as_ref()?;
        return Some((format!("in disruption {}", disruption.id), latency));
    }
    let latency = scene.moment.report.capture.upcall_latency.as_ref()?;
    Some(("so far".to_owned(), latency))
}

fn answered<'a>(scene: &Scene<'a>, of: &str, latency: &UpcallLatency) -> Line<'a> {
    let mut line = Line::from(vec![
        scene.span(Role::Label, " answered "),
        scene.span(Role::Text, format!("{} {of}", latency.answered())),
    ]);
    if latency.ambiguous > 0 {
        let untimed = format!(", {} not timed", latency.ambiguous);
        line.push_span(scene.span(Role::Dim, untimed));
    }
    line
}

/// As many as there is room for.
fn quantiles<'a>(scene: &Scene<'a>, latency: &UpcallLatency, width: u16) -> Line<'a> {
    let all = [
        ("p50", latency.p50_ns),
        ("max", latency.max_ns),
        ("p99", latency.p99_ns),
        ("p90", latency.p90_ns),
    ];
    let mut line = Line::from(scene.span(Role::Label, " after ms "));
    for (name, at) in all {
        let text = at.map_or_else(String::new, |at| format!("{name} ≤{}  ", millis(at)));
        if line.width() + columns(text.trim_end()) <= width.into() {
            line.push_span(scene.span(Role::Text, text));
        }
    }
    line
}

/// Counts per step of time, named by its end, from the shortest wait to the longest.
fn folded(waits: &[LatencyCount], steps: &[u64]) -> Vec<(u64, u64)> {
    let mut folded: Vec<(u64, u64)> = Vec::new();
    for wait in waits {
        let bound = step(wait.below_ns, steps);
        while let Some((last, _)) = folded.last().filter(|(last, _)| *last < bound) {
            folded.push((step(last.saturating_add(1), steps), 0));
        }
        match folded.last_mut() {
            Some((_, count)) => count::add(count, wait.upcalls),
            None => folded.push((bound, wait.upcalls)),
        }
    }
    folded
}

/// The first step that is not shorter.
fn step(nanos: u64, steps: &[u64]) -> u64 {
    let powers = (0..19).map(|power| 10_u64.pow(power));
    powers
        .flat_map(|power| steps.iter().map(move |step| step.saturating_mul(power)))
        .find(|step| *step >= nanos)
        .unwrap_or(u64::MAX)
}

fn bar<'a>(scene: &Scene<'a>, bound: u64, count: u64, most: u64, width: usize) -> Line<'a> {
    let room = width.saturating_sub(STEP + COUNT + 3) as u128;
    let length = (u128::from(count) * room).div_ceil(u128::from(most.max(1)));
    let length = usize::try_from(length).unwrap_or(0);
    Line::from(vec![
        scene.span(Role::Label, right(&named(bound), STEP)),
        scene.span(Role::Text, right(&count.to_string(), COUNT)),
        scene.span(
            Role::Note,
            format!(" {}", scene.theme.either("█", "#").repeat(length)),
        ),
    ])
}

fn named(bound: u64) -> String {
    match bound {
        0..1_000 => format!("≤{bound} ns"),
        1_000..1_000_000 => format!("≤{} µs", bound / 1_000),
        1_000_000..1_000_000_000 => format!("≤{} ms", bound / 1_000_000),
        _ => format!("≤{} s", bound / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(at_least_us: u64, below_us: u64, upcalls: u64) -> LatencyCount {
        LatencyCount {
            at_least_ns: at_least_us * 1_000,
            below_ns: below_us * 1_000,
            upcalls,
        }
    }

    #[test]
    fn waits_are_counted_by_steps_and_gaps_are_steps_too() {
        let waits = [wait(90, 96, 3), wait(96, 104, 4), wait(900, 960, 1)];
        let folded = folded(&waits, FINE);
        let named: Vec<(String, u64)> = folded
            .iter()
            .map(|(bound, count)| (named(*bound), *count))
            .collect();
        let expected = [("≤100 µs", 3), ("≤200 µs", 4), ("≤500 µs", 0), ("≤1 ms", 1)];
        assert_eq!(named, expected.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!(super::folded(&waits, COARSE), [(100_000, 3), (1_000_000, 5)]);
        assert_eq!(super::folded(&[], FINE), []);
    }
}
