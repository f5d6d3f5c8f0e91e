//! The report as one page of HTML: no script, nothing fetched, light and dark, from a phone's width to a wide screen's.
//!
//! May not know: events. What comes from outside goes through `text::escape` alone, and the page's own policy forbids
//! scripts and requests whatever it holds.

use std::fmt::Write as _;

mod bars;
mod head;
mod latency;
mod pods;
mod scale;
mod steps;
mod tail;
mod text;
mod timeline;

use tracer_core::budget::Judgement;
use tracer_core::report::{Pod, Report, Restart, Verdict};

use super::words::{is_shown, kind, verdict};
use crate::writing::time_of_day;
use text::{each, escape, figures};

const STYLE: &str = include_str!("page.css");

/// Pods drawn before a fold hides the rest.
const SHOWN: usize = 40;

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

/// The Pods worth a row: as in the report, or the worst first where a fold hides some.
fn worst_first(restart: &Restart) -> Vec<&Pod> {
    let mut pods: Vec<&Pod> = restart.pods.iter().filter(|pod| is_shown(pod)).collect();
    if pods.len() > SHOWN {
        let length = |pod: &Pod| pod.exposed.as_ref().and_then(|exposed| exposed.duration_ns);
        pods.sort_by_key(|pod| std::cmp::Reverse((pod.verdict, pod.cause.is_some(), length(pod))));
    }
    pods
}

fn pill(of: Verdict) -> String {
    let class = match of {
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "fail",
    };
    format!("<span class=\"pill {class}\">{}</span>", verdict(of))
}

/// Rows of Pods, those beyond the first behind a fold.
fn folded(rows: &[String], wrap: impl Fn(&str) -> String) -> String {
    let (first, rest) = rows.split_at(rows.len().min(SHOWN));
    let mut out = wrap(&first.concat());
    if !rest.is_empty() {
        let _ = write!(
            out,
            "<details class=\"more\"><summary>and {} more, each less affected than those above</summary>\n{}</details>\n",
            rest.len(),
            wrap(&rest.concat())
        );
    }
    out
}
