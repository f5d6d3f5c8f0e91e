//! The milestones of the shown restart, with the times between them.
//!
//! May not know: Pods.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget as _, Wrap};
use tracer_core::report::Restart;
use tracer_core::time::Timestamp;
use tracer_core::timeline::milestones;

use super::below;
use crate::tui::rows::word;
use crate::tui::screen::Pane;
use crate::tui::theme::Role;
use crate::tui::view::Scene;
use crate::tui::writing::{millis, right};

/// Fewer rows than this hold no list.
const LIST: u16 = 7;

/// Columns of a milestone's name.
const NAME: usize = 20;

/// A milestone that has been reached, or that is still to come.
struct Stop {
    letter: char,
    name: &'static str,
    at: Timestamp,
    reached: bool,
}

/// Draws them: a list, or where there is no room for one, two lines.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let restart = scene.moment.whole_restart();
    let beside = restart.map_or_else(Vec::new, |restart| title(scene, restart));
    scene.heading(Pane::Milestones, beside, area, buffer);
    let Some(restart) = restart else {
        let quiet = scene.span(Role::Dim, " none: no restart has been seen");
        Line::from(quiet).render(below(area, 1), buffer);
        return;
    };
    let stops = stops(scene, restart);
    if area.height >= LIST {
        list(scene, &stops, below(area, 1), buffer);
    } else {
        let line = Line::from(strip(scene, &stops));
        Paragraph::new(line)
            .wrap(Wrap { trim: true })
            .render(below(area, 1), buffer);
    }
}

fn title<'a>(scene: &Scene<'a>, restart: &Restart) -> Vec<Span<'a>> {
    let of = scene.moment.whole.restarts.len();
    let begun = scene.moment.restart().is_some();
    let text = if begun {
        format!("· restart {} of {of}, {}", restart.id, word(restart.kind))
    } else {
        format!("· restart {} of {of} is still to come", restart.id)
    };
    vec![scene.span(Role::Text, text)]
}

fn stops(scene: &Scene<'_>, restart: &Restart) -> Vec<Stop> {
    let stops = ('A'..='Z')
        .zip(milestones(restart))
        .map(|(letter, (name, at))| Stop {
            letter,
            name,
            at,
            reached: at <= scene.moment.at,
        });
    stops.collect()
}

fn list(scene: &Scene<'_>, stops: &[Stop], area: Rect, buffer: &mut Buffer) {
    let before = [None].into_iter().chain(stops.iter().map(|stop| Some(stop.at)));
    for (row, (stop, before)) in area.rows().zip(stops.iter().zip(before)) {
        let role = if stop.reached { Role::Text } else { Role::Dim };
        let step = before.map_or_else(String::new, |before| {
            format!("+{}", millis(stop.at.since(before)))
        });
        let line = Line::from(vec![
            scene.span(
                if stop.reached { Role::Note } else { Role::Dim },
                format!(" {} ", stop.letter),
            ),
            scene.span(role, format!("{:NAME$}", stop.name)),
            scene.span(role, right(scene.point(stop.at).trim_end_matches(" ms"), 10)),
            scene.span(Role::Dim, right(&step, 10)),
        ]);
        line.render(row, buffer);
    }
}

/// `A exit  +50.000  B flag set …`
fn strip<'a>(scene: &Scene<'a>, stops: &[Stop]) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    let mut before: Option<Timestamp> = None;
    for stop in stops {
        if let Some(before) = before {
            spans.push(scene.span(Role::Dim, format!(" +{} ", millis(stop.at.since(before)))));
        }
        let (letter, name) = if stop.reached {
            (Role::Note, Role::Text)
        } else {
            (Role::Dim, Role::Dim)
        };
        spans.push(scene.span(letter, format!(" {}", stop.letter)));
        // A name is not broken over two lines.
        spans.push(scene.span(name, format!("\u{a0}{}", short(stop.name).replace(' ', "\u{a0}"))));
        before = Some(stop.at);
    }
    spans
}

fn short(name: &'static str) -> &'static str {
    match name {
        "vswitchd exit" => "exit",
        "vswitchd start" => "start",
        "flag removed" => "flag gone",
        "upcalls bound" => "bound",
        "last flows installed" => "flows",
        other => other,
    }
}
