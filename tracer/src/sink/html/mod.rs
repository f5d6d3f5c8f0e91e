//! The report as one page of HTML: no script, nothing fetched, light and dark, from a phone's width to a wide screen's.
//!
//! Must not depend on: events. What comes from outside goes through `text::escape` alone, and the page's own policy forbids
//! scripts and requests whatever it holds.

mod bars;
mod fold;
mod head;
mod latency;
mod pods;
mod scale;
mod steps;
mod tail;
mod text;
mod timeline;

use tracer_core::budget::Judgement;
use tracer_core::report::{Report, Restart};

use super::words::{kind, verdict};
use crate::writing::time_of_day;
use fold::worst_first;
use text::{each, escape, figures, pill};

const STYLE: &str = include_str!("page.css");

/// The report as a page.
pub fn render(report: &Report, judgement: Option<&Judgement>) -> String {
    let node = report.node.hostname.as_deref().unwrap_or("a node");
    let restarts = each(report.restarts.iter(), |restart| section(report, restart));
    let worst = judgement.map_or(report.verdict, |judgement| judgement.verdict);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>{}: Open vSwitch restart on {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}<main>\n{}{}{restarts}{}</main>\n{}</body>\n</html>\n",
        verdict(worst),
        escape(node),
        bars::PATTERNS,
        head::head(report, worst),
        head::budget(judgement),
        tail::tail(report),
        tail::foot(report),
    )
}

/// One restart.
fn section(report: &Report, restart: &Restart) -> String {
    let began = time_of_day(restart.began_ns, report.capture.wall_offset_ns);
    let datapath = restart
        .datapath
        .as_deref()
        .map_or_else(|| "not seen".to_owned(), escape);
    let pods = worst_first(restart);
    format!(
        "<section class=\"restart\">\n<h2>Restart {}: {} {}</h2>\n\
         <p class=\"soft\">datapath {datapath} · began {began}</p>\n{}{}{}{}{}{}</section>\n",
        restart.id,
        kind(restart.kind),
        pill(restart.verdict),
        figures(&head::figures(restart)),
        timeline::draw(report, restart, &pods),
        steps::table(report, restart),
        bars::waterfalls(&pods),
        pods::table(report, restart, &pods),
        latency::draw(restart.upcall_latency.as_ref()),
    )
}
