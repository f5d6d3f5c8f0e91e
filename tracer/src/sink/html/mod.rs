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
use tracer_core::report::{Disruption, Report};

use super::words::{kind, own_reasons, verdict};
use crate::writing::time_of_day;
use fold::worst_first;
use text::{each, escape, figures, pill};

const STYLE: &str = include_str!("page.css");

/// The report as a page.
pub fn render(report: &Report, judgement: Option<&Judgement>) -> String {
    let node = report.node.hostname.as_deref().unwrap_or("a node");
    let disruptions = each(report.disruptions.iter(), |disruption| {
        section(report, disruption)
    });
    let worst = judgement.map_or(report.verdict, |judgement| judgement.verdict);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>{}: Open vSwitch disruption on {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}<main>\n{}{}{disruptions}{}</main>\n{}</body>\n</html>\n",
        verdict(worst),
        escape(node),
        bars::PATTERNS,
        head::head(report, worst),
        head::budget(judgement),
        tail::tail(report),
        tail::foot(report),
    )
}

/// One disruption.
fn section(report: &Report, disruption: &Disruption) -> String {
    let began = time_of_day(disruption.began_ns, report.capture.wall_offset_ns);
    let datapath = disruption
        .datapath
        .as_deref()
        .map_or_else(|| "not seen".to_owned(), escape);
    let pods = worst_first(disruption);
    format!(
        "<section class=\"disruption\">\n<h2>Disruption {}: {} {}</h2>\n\
{}<p class=\"soft\">datapath {datapath} · began {began}</p>\n{}{}{}{}{}{}</section>\n",
        disruption.id,
        kind(disruption.kind),
        pill(disruption.verdict),
        head::why(&own_reasons(report, disruption)),
        figures(&head::figures(disruption)),
        timeline::draw(report, disruption, &pods),
        steps::table(report, disruption),
        bars::waterfalls(&pods),
        pods::table(report, disruption, &pods),
        latency::draw(disruption.upcall_latency.as_ref()),
    )
}
