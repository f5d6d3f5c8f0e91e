//! The timeline in characters: a lane per Pod, milestones as marks above.
//!
//! Must not depend on: anything but lanes.

use tracer_core::report::{Disruption, Pod, Report};
use tracer_core::time::Timestamp;
use tracer_core::timeline::{State, column, lane, milestones, paint, span};

use super::table::WIDEST;
use crate::sink::words::{is_shown, label};
use crate::writing::{self, Clock, left, line, short, width};

const COLUMNS: u32 = 64;

/// Draws the timeline of a disruption.
pub fn draw(out: &mut String, report: &Report, disruption: &Disruption, clock: Clock) {
    let lanes: Vec<&Pod> = disruption.pods.iter().filter(|pod| is_shown(pod)).collect();
    if lanes.is_empty()
        || disruption.milestones.flush_ns.is_none() && lanes.iter().all(|pod| lane(pod).is_empty())
    {
        return;
    }
    let shown = span(disruption, report.capture.ended_ns);
    let names = lanes.iter().map(|pod| short(&label(pod), WIDEST));
    let names: Vec<String> = names.collect();
    let width = names.iter().map(|name| width(name)).max().unwrap_or(0);
    line(out, "");
    line(out, &format!("  {:width$}  {}", "", ruler(shown, clock)));
    line(out, &format!("  {:width$}  {}", "", marks(disruption, shown)));
    for (pod, name) in lanes.into_iter().zip(names) {
        let cells: String = paint(&lane(pod), shown, COLUMNS).into_iter().map(glyph).collect();
        line(out, &format!("  {}  {cells}", left(&name, width)));
    }
    line(
        out,
        &format!(
            "  {:width$}  ─ forwarding  ▒ exposed  x losing  w delayed  ! leak  ? end not seen",
            ""
        ),
    );
    line(out, &format!("  {:width$}  {}", "", legend(disruption, shown)));
}

fn glyph(state: State) -> char {
    match state {
        State::Forwarding => '─',
        State::Delayed => 'w',
        State::Leak => '!',
        State::Exposed => '▒',
        State::Unknown => '?',
        State::Losing => 'x',
    }
}

fn ruler((from, to): (Timestamp, Timestamp), clock: Clock) -> String {
    let (left, right) = (clock.short(from), clock.short(to));
    let middle = format!("{} wide", writing::span(to.since(from)));
    let blanks = (COLUMNS as usize).saturating_sub(width(&left) + width(&right) + width(&middle));
    format!(
        "{left}{}{middle}{}{right}",
        " ".repeat(blanks / 2),
        " ".repeat(blanks - blanks / 2)
    )
}

/// Milestones in the span by their letter in the legend; those that share a cell stand side by side.
fn marks(disruption: &Disruption, shown: (Timestamp, Timestamp)) -> String {
    let mut cells = vec![' '; COLUMNS as usize];
    for (letter, _, at) in numbered(disruption, shown) {
        let place = column(at, shown, COLUMNS).map_or(0, |column| column as usize);
        if let Some(free) = cells.iter_mut().skip(place).find(|cell| **cell == ' ') {
            *free = letter;
        }
    }
    cells.into_iter().collect()
}

fn legend(disruption: &Disruption, shown: (Timestamp, Timestamp)) -> String {
    let entries: Vec<String> = numbered(disruption, shown)
        .into_iter()
        .map(|(letter, name, _)| format!("{letter} {name}"))
        .collect();
    entries.join("  ")
}

fn numbered(
    disruption: &Disruption,
    (from, to): (Timestamp, Timestamp),
) -> Vec<(char, &'static str, Timestamp)> {
    let inside = milestones(disruption)
        .into_iter()
        .filter(|(_, at)| from <= *at && *at <= to);
    ('A'..='Z')
        .zip(inside)
        .map(|(letter, (name, at))| (letter, name, at))
        .collect()
}
