//! The timeline: a lane per Pod with its windows, milestones as marks, and where in the whole disruption all this lies.
//!
//! Must not depend on: tables. Lines are drawn in percent and never scaled: text keeps its size on every screen.

use tracer_core::report::{Disruption, Loss, Pod, Report};
use tracer_core::time::Timestamp;
use tracer_core::timeline::{milestones, span as shown_span};

use super::fold::folded;
use super::scale::{Scale, percent};
use super::text::{each, escape};
use crate::sink::words::{bounds, exposed, label, sentence};
use crate::writing::{Clock, count, span};

/// Marks that are nearer than this (thousandths of a percent) stand below each other.
const CROWDED: u64 = 7_000;
/// A shorter part of the disruption than this is shown within the whole of it, too.
const PART: u64 = 60_000;

/// What all lanes of a disruption share.
struct Sheet {
    scale: Scale,
    clock: Clock,
    origin: Timestamp,
    ended: Timestamp,
    id: u32,
}

/// The milestones within the part of a disruption that is drawn, by their letters.
pub fn lettered(report: &Report, disruption: &Disruption) -> Vec<(char, &'static str, Timestamp)> {
    let scale = scale(report, disruption);
    let inside = milestones(disruption)
        .into_iter()
        .filter(|(_, at)| scale.holds(*at));
    ('A'..='Z')
        .zip(inside)
        .map(|(letter, (name, at))| (letter, name, at))
        .collect()
}

fn scale(report: &Report, disruption: &Disruption) -> Scale {
    let (from, to) = shown_span(disruption, report.capture.ended_ns);
    Scale { from, to }
}

/// The timeline of a disruption.
pub fn draw(report: &Report, disruption: &Disruption, pods: &[&Pod]) -> String {
    if pods.is_empty() {
        return "<p class=\"soft\">No Pod is known on this node.</p>\n".to_owned();
    }
    let sheet = Sheet {
        scale: scale(report, disruption),
        clock: Clock::new(disruption.began_ns, report.capture.wall_offset_ns, false),
        origin: disruption.began_ns,
        ended: report.capture.ended_ns,
        id: disruption.id,
    };
    let marks = lettered(report, disruption);
    let lanes: Vec<String> = (0..).zip(pods).map(|(row, pod)| lane(&sheet, row, pod)).collect();
    let silent = disruption.pods.len() - pods.len();
    let others = if silent > 0 {
        let ports = count(silent as u64, "port");
        format!("<p class=\"soft\">{ports} without a window, no Pod: in the JSON report alone.</p>\n")
    } else {
        String::new()
    };
    format!(
        "<h3>Timeline</h3>\n<figure class=\"timeline\">\n{}{}{}{}<figcaption>{LEGEND}</figcaption>\n</figure>\n{others}",
        grid(&sheet, &marks),
        overview(&sheet, disruption),
        axis(&sheet, &marks),
        folded(&lanes, |lanes| format!("<div class=\"lanes\">\n{lanes}</div>\n")),
    )
}

/// The lines that go through all lanes, drawn once.
fn grid(sheet: &Sheet, marks: &[(char, &str, Timestamp)]) -> String {
    let line = |class: &str, at: Timestamp| {
        let x = percent(sheet.scale.place(at));
        format!("<line class=\"{class}\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"100%\"/>")
    };
    let ticks = sheet.scale.ticks(sheet.origin);
    let ticks = each(ticks, |at| line("grid", at));
    let marks = each(marks.iter(), |(_, _, at)| line("at", *at));
    format!(
        "<svg class=\"defs\" aria-hidden=\"true\"><defs><g id=\"grid-{}\">{ticks}{marks}</g></defs></svg>\n",
        sheet.id
    )
}

/// Where the part that is drawn lies in the disruption.
fn overview(sheet: &Sheet, disruption: &Disruption) -> String {
    let all = milestones(disruption);
    let first = all
        .first()
        .map_or(disruption.began_ns, |(_, at)| *at)
        .min(sheet.scale.from);
    let last = all
        .last()
        .map_or(sheet.scale.to, |(_, at)| *at)
        .max(sheet.scale.to);
    let whole = Scale {
        from: first,
        to: last,
    };
    let part = whole.place(sheet.scale.to) - whole.place(sheet.scale.from);
    if part > PART {
        return String::new();
    }
    let marks = each(all.iter(), |(name, at)| {
        let x = percent(whole.place(*at));
        let title = format!("{name} {}", sheet.clock.point(*at));
        format!("<line class=\"mark\" x1=\"{x}\" x2=\"{x}\" y1=\"3\" y2=\"15\"><title>{title}</title></line>")
    });
    format!(
        "<div class=\"lane over\"><span class=\"name\">whole disruption, {}</span>\
         <svg height=\"18\" role=\"img\" aria-label=\"the part of the disruption that is drawn below\">\
         <rect class=\"part\" {} y=\"1\" height=\"16\" rx=\"2\"/><line class=\"fwd\" x1=\"0\" x2=\"100%\" y1=\"9\" y2=\"9\"/>{marks}</svg></div>\n",
        span(last.since(first)),
        whole.stretch(sheet.scale.from, sheet.scale.to),
    )
}

/// The scale: round points in ms since the disruption began, and the letters of the milestones.
fn axis(sheet: &Sheet, marks: &[(char, &str, Timestamp)]) -> String {
    let mut levels: Vec<u64> = Vec::new();
    let letters = each(marks, |(letter, name, at)| {
        let place = sheet.scale.place(*at);
        let y = 30 + 20 * level(&mut levels, place);
        let (x, at, foot) = (percent(place), sheet.clock.point(*at), y + 4);
        format!(
            "<g class=\"mark\"><title>{letter}: {name} {at}</title>\
             <line class=\"at\" x1=\"{x}\" x2=\"{x}\" y1=\"{y}\" y2=\"100%\"/><circle cx=\"{x}\" cy=\"{y}\" r=\"8\"/>\
             <text x=\"{x}\" y=\"{foot}\" text-anchor=\"middle\">{letter}</text></g>"
        )
    });
    format!(
        "<div class=\"lane axis\"><span class=\"name\">since the disruption began</span>\
         <svg height=\"{}\" role=\"img\" aria-label=\"scale and milestones\">{}{letters}</svg></div>\n",
        24 + 20 * levels.len(),
        ticks(sheet)
    )
}

/// The first level on which a mark does not touch the one before it. Marks come from left to right.
fn level(levels: &mut Vec<u64>, place: u64) -> usize {
    let free = levels.iter_mut().enumerate();
    for (level, last) in free {
        if place.saturating_sub(*last) >= CROWDED {
            *last = place;
            return level;
        }
    }
    levels.push(place);
    levels.len() - 1
}

/// On a narrow screen every second one of many goes.
fn ticks(sheet: &Sheet) -> String {
    let points = sheet.scale.ticks(sheet.origin);
    let many = points.len() > 5;
    each(points.into_iter().enumerate(), |(number, at)| {
        let place = sheet.scale.place(at);
        let anchor = match place {
            0..3_000 => "start",
            97_000.. => "end",
            _ => "middle",
        };
        let class = if many && number % 2 == 1 {
            "tick odd"
        } else {
            "tick"
        };
        format!(
            "<text class=\"{class}\" x=\"{}\" y=\"12\" text-anchor=\"{anchor}\">{}</text>",
            percent(place),
            short(&sheet.clock.point(at))
        )
    })
}

/// `+2900.000 ms` without the digits that are all zero.
fn short(point: &str) -> String {
    match point.split_once('.') {
        Some((whole, rest)) if rest.trim_end_matches(" ms").chars().all(|digit| digit == '0') => {
            format!("{whole} ms")
        }
        _ => point.to_owned(),
    }
}

fn lane(sheet: &Sheet, row: usize, pod: &Pod) -> String {
    let name = escape(&label(pod));
    let mut shapes = String::new();
    if let Some(window) = pod
        .exposed
        .as_ref()
        .filter(|window| window.duration_ns != Some(0))
    {
        let class = if window.end_ns.is_some() {
            "exposed"
        } else {
            "unknown"
        };
        let words = exposed(pod);
        shapes += &band(sheet, class, (3, 30), (window.start_ns, window.end_ns), &words);
    }
    shapes += &losing(sheet, "to it", 9, pod.observed.to_pod.as_ref());
    shapes += &losing(sheet, "from it", 19, pod.observed.from_pod.as_ref());
    if let Some(delayed) = &pod.delayed {
        let words = format!(
            "{} delayed up to {}, then delivered",
            count(delayed.packets, "packet"),
            span(delayed.max_ns)
        );
        let times = (delayed.first_queued_ns, Some(delayed.last_executed_ns));
        shapes += &band(sheet, "delayed", (31, 4), times, &words);
    }
    if let Some(leak) = &pod.leak {
        let words = "leak: forwarded although its flows were absent";
        shapes += &band(sheet, "leak", (1, 4), (leak.start_ns, leak.end_ns), words);
    }
    format!(
        "<div class=\"lane\"><a class=\"name\" href=\"#r{id}-{row}\" title=\"{name}\"><bdi>{name}</bdi></a>\
         <svg height=\"36\" role=\"img\" aria-label=\"{}\"><use href=\"#grid-{id}\"/>\
         <line class=\"fwd\" x1=\"0\" x2=\"100%\" y1=\"18\" y2=\"18\"/>{shapes}</svg></div>\n",
        escape(&sentence(pod)),
        id = sheet.id
    )
}

/// Packets of one direction: what was lost, solid; what may have been, as far as the neighbours are known, faint.
fn losing(sheet: &Sheet, way: &str, y: u32, loss: Option<&Loss>) -> String {
    let Some((loss, first)) = loss.and_then(|loss| Some((loss, loss.first_lost_ns?))) else {
        return String::new();
    };
    let gaps = if loss.gaps > 1 {
        format!(" in {} gaps; drawn is the longest,", loss.gaps)
    } else {
        ", gap".to_owned()
    };
    let words = format!(
        "{} lost {way}{gaps} {} ms",
        count(loss.lost_packets, "packet"),
        bounds(loss)
    );
    let around = (
        loss.last_delivered_before_ns.unwrap_or(first),
        loss.first_delivered_after_ns,
    );
    let maybe = band(sheet, "maybe", (y, 8), around, &words);
    maybe + &band(sheet, "losing", (y, 8), (first, loss.last_lost_ns), &words)
}

fn band(
    sheet: &Sheet,
    class: &str,
    (y, height): (u32, u32),
    (from, to): (Timestamp, Option<Timestamp>),
    words: &str,
) -> String {
    let end = to.map_or_else(|| "end not seen".to_owned(), |to| sheet.clock.point(to));
    format!(
        "<rect class=\"{class}\" {} y=\"{y}\" height=\"{height}\"><title>{words} ({} to {end})</title></rect>",
        sheet.scale.stretch(from, to.unwrap_or(sheet.ended)),
        sheet.clock.point(from),
    )
}

const LEGEND: &str = "<ul class=\"legend\">\n\
    <li><svg width=\"22\" height=\"12\"><line class=\"fwd\" x1=\"0\" x2=\"22\" y1=\"6\" y2=\"6\"/></svg>nothing speaks against forwarding</li>\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"exposed\" x=\"1\" y=\"1\" width=\"20\" height=\"10\"/></svg>exposed: traffic would have been lost</li>\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"maybe\" x=\"1\" y=\"2\" width=\"20\" height=\"8\"/><rect class=\"losing\" x=\"5\" y=\"2\" width=\"12\" height=\"8\"/></svg>losing: upper to the Pod, lower from it; pale: at most</li>\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"delayed\" x=\"1\" y=\"4\" width=\"20\" height=\"4\"/></svg>delayed, then delivered</li>\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"leak\" x=\"1\" y=\"4\" width=\"20\" height=\"4\"/></svg>leak</li>\n\
    <li><svg width=\"22\" height=\"12\"><rect class=\"unknown\" x=\"1\" y=\"1\" width=\"20\" height=\"10\"/></svg>exposed, end not seen</li>\n</ul>";
