//! The milestones of the shown disruption, with the times between them.
//!
//! Must not depend on: Pods.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use tracer_core::report::Disruption;
use tracer_core::time::Timestamp;
use tracer_core::timeline::milestones;

use super::row::below;

use crate::tui::scene::Scene;
use crate::tui::screen::Pane;
use crate::tui::theme::Role;
use crate::writing::{millis, right, word};

/// Fewer rows than this hold no list.
const LIST: u16 = 7;

/// Columns of a milestone's name.
const NAME: usize = 22;

/// Columns of the time since the milestone before.
const STEP: usize = 10;

/// A milestone that has been reached, or that is still to come.
struct Stop {
    letter: char,
    name: &'static str,
    at: Timestamp,
    reached: bool,
}

impl Stop {
    fn roles(&self) -> (Role, Role) {
        if self.reached {
            (Role::Note, Role::Text)
        } else {
            (Role::Dim, Role::Dim)
        }
    }

    /// What is still to come stands in brackets.
    fn named(&self, name: &str) -> String {
        if self.reached {
            name.to_owned()
        } else {
            format!("({name})")
        }
    }
}

/// Draws them: a list, or where there is no room for one, two lines.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let disruption = scene.moment.whole_disruption();
    let beside = disruption.map_or_else(
        || vec![scene.span(Role::Dim, "· none yet")],
        |disruption| title(scene, disruption),
    );
    scene.heading(Pane::Milestones, beside, area, buffer);
    let Some(disruption) = disruption else {
        let quiet = scene.span(Role::Dim, " none: no disruption has been seen");
        Line::from(quiet).render(below(area, 1), buffer);
        return;
    };
    let stops = stops(scene, disruption);
    if area.height >= LIST {
        list(scene, &stops, below(area, 1), buffer);
    } else {
        for (row, line) in below(area, 1).rows().zip(strip(scene, &stops, area.width)) {
            line.render(row, buffer);
        }
    }
}

fn title<'a>(scene: &Scene<'a>, disruption: &Disruption) -> Vec<Span<'a>> {
    let listed = scene.moment.whole.disruptions.last();
    let of = listed.map_or(disruption.id, |last| last.id.max(disruption.id));
    let begun = scene.moment.disruption().is_some();
    let text = if begun {
        format!(
            "· disruption {} of {of}, {}",
            disruption.id,
            word(disruption.kind)
        )
    } else {
        format!("· disruption {} of {of} is still to come", disruption.id)
    };
    vec![scene.span(Role::Text, text)]
}

fn stops(scene: &Scene<'_>, disruption: &Disruption) -> Vec<Stop> {
    let stops = ('A'..='Z')
        .zip(milestones(disruption))
        .map(|(letter, (name, at))| Stop {
            letter,
            name,
            at,
            reached: at <= scene.moment.at,
        });
    stops.collect()
}

fn list(scene: &Scene<'_>, stops: &[Stop], area: Rect, buffer: &mut Buffer) {
    let times: Vec<String> = stops.iter().map(|stop| scene.point(stop.at)).collect();
    let times: Vec<&str> = times.iter().map(|time| time.trim_end_matches(" ms")).collect();
    let width = times.iter().map(|time| time.len()).max().unwrap_or(0).max(10);
    let before = [None].into_iter().chain(stops.iter().map(|stop| Some(stop.at)));
    let rows = area.rows().zip(stops.iter().zip(before).zip(&times));
    for (row, ((stop, before), time)) in rows {
        let step = before.map_or_else(String::new, |before| {
            format!("+{}", millis(stop.at.since(before)))
        });
        let (letter, role) = stop.roles();
        let mut line = Line::from(vec![
            scene.span(letter, format!(" {} ", stop.letter)),
            scene.span(role, format!("{:NAME$} ", stop.named(stop.name))),
            scene.span(role, right(time, width)),
        ]);
        if line.width() + STEP < usize::from(area.width) {
            line.push_span(scene.span(Role::Dim, right(&step, STEP)));
        }
        line.render(row, buffer);
    }
}

/// `A exit +50.000 B flag set …`, broken between milestones.
fn strip<'a>(scene: &Scene<'a>, stops: &[Stop], width: u16) -> Vec<Line<'a>> {
    let mut lines = vec![Line::default()];
    let mut before: Option<Timestamp> = None;
    for stop in stops {
        let step = before.map_or_else(String::new, |before| {
            format!(" +{}", millis(stop.at.since(before)))
        });
        let (letter, name) = stop.roles();
        let parts = [
            scene.span(Role::Dim, step),
            scene.span(letter, format!(" {} ", stop.letter)),
            scene.span(name, stop.named(short(stop.name))),
        ];
        let long: usize = parts.iter().map(Span::width).sum();
        if lines
            .last()
            .is_some_and(|line| line.width() + long > width.into())
        {
            lines.push(Line::default());
        }
        if let Some(line) = lines.last_mut() {
            line.spans.extend(parts);
        }
        before = Some(stop.at);
    }
    lines
}

fn short(name: &'static str) -> &'static str {
    match name {
        "vswitchd exit" => "exit",
        "vswitchd start" => "start",
        "flag removed" => "flag gone",
        "flows removed" => "flows gone",
        "upcalls bound" => "bound",
        "last flows installed" => "flows",
        other => other,
    }
}
