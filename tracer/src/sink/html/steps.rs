//! The milestones of a disruption as a table.
//!
//! Must not depend on: Pods.

use std::fmt::Write as _;

use tracer_core::report::{Disruption, Report};
use tracer_core::timeline::{milestones, unseen_milestones};

use super::timeline::lettered;
use crate::writing::{Clock, span, time_of_day};

/// Every milestone, those that were not seen included.
pub fn table(report: &Report, disruption: &Disruption) -> String {
    let clock = Clock::new(disruption.began_ns, report.capture.wall_offset_ns, false);
    let letters = lettered(report, disruption);
    let mut before = None;
    let mut rows = String::new();
    for (name, at) in milestones(disruption) {
        let letter = letters.iter().find(|(_, known, _)| *known == name);
        let letter = letter.map_or_else(String::new, |(letter, ..)| {
            format!("<span class=\"letter\">{letter}</span>")
        });
        let step = before.map_or_else(|| "–".to_owned(), |before| format!("+{}", span(at.since(before))));
        let wall = time_of_day(at, report.capture.wall_offset_ns);
        let wall = wall.split_once(' ').map_or(wall.as_str(), |(_, time)| time);
        let _ = writeln!(
            rows,
            "<tr><td class=\"key\">{letter}</td><th scope=\"row\">{name}</th><td data-of=\"since it began\">{}</td>\
             <td data-of=\"step\">{step}</td><td data-of=\"UTC\">{wall}</td></tr>",
            clock.point(at)
        );
        before = Some(at);
    }
    format!(
        "<h3>Milestones</h3>\n<table class=\"steps\">\n<thead><tr><th></th><th>milestone</th><th>since it began</th>\
         <th>step</th><th>UTC</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n{}",
        unseen(disruption)
    )
}

fn unseen(disruption: &Disruption) -> String {
    let missing = unseen_milestones(disruption);
    if missing.is_empty() {
        return String::new();
    }
    format!("<p class=\"soft\">Not seen: {}.</p>\n", missing.join(", "))
}
