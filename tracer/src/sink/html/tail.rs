//! The bottom of the page: what was not seen, conditions, steady drops, hooks, clocks.
//!
//! Must not depend on: Pods.

use tracer_core::count::total;
use tracer_core::report::Report;

use super::pods::protocol;
use super::text::{each, escape};
use crate::sink::words::{condition, steady_reasons, when};
use crate::writing::{Clock, count};

/// Steady drops that are listed.
const STEADY: usize = 20;

/// What concerns the capture as a whole.
pub fn tail(report: &Report) -> String {
    format!(
        "<section>\n{}{}{}{}</section>\n",
        unseen(report),
        conditions(report),
        steady(report),
        hooks(report)
    )
}

fn unseen(report: &Report) -> String {
    let clock = Clock::new(report.capture.started_ns, report.capture.wall_offset_ns, false);
    let items = each(report.coverage.iter(), |finding| {
        let class = if finding.weakens { " class=\"weak\"" } else { "" };
        let weight = if finding.weakens {
            "<b>weakens the verdict</b> "
        } else {
            ""
        };
        let text = escape(&finding.detail);
        format!(
            "<li{class}>{weight}{text}{} <code>{}</code></li>\n",
            when(finding, clock),
            escape(&finding.kind)
        )
    });
    let list = if items.is_empty() {
        "<p class=\"soft\">Nothing is known that was not seen.</p>\n".to_owned()
    } else {
        format!("<ul class=\"findings\">\n{items}</ul>\n")
    };
    format!("<h2 id=\"unseen\">What was not seen</h2>\n{list}")
}

fn conditions(report: &Report) -> String {
    if report.conditions.is_empty() {
        return String::new();
    }
    let clock = Clock::new(report.capture.started_ns, report.capture.wall_offset_ns, false);
    let items = each(report.conditions.iter(), |it| {
        format!("<li class=\"weak\">{}</li>\n", escape(&condition(it, clock)))
    });
    format!("<h2>What loses packets without a disruption</h2>\n<ul class=\"findings\">\n{items}</ul>\n")
}

fn steady(report: &Report) -> String {
    let drops = &report.steady_drops;
    if drops.is_empty() {
        return String::new();
    }
    let packets = total(drops.iter().map(|drop| drop.packets));
    let items = each(drops.iter().take(STEADY), |drop| {
        format!(
            "<li><bdi>{}</bdi> → <bdi>{}</bdi> {}: {}{}</li>\n",
            escape(&drop.interface),
            escape(&drop.dst),
            protocol(drop.eth_type, drop.proto, drop.port),
            count(drop.packets, "packet"),
            steady_reasons(&drop.by_reason)
        )
    });
    let more = drops.len().saturating_sub(STEADY);
    let more = if more > 0 {
        format!("<li>and {}</li>\n", count(more as u64, "more key"))
    } else {
        String::new()
    };
    format!(
        "<h2>Steady drops</h2>\n<details><summary>{} of {}, never forwarded before or after: no loss</summary>\n\
         <ul class=\"findings\">\n{items}{more}</ul></details>\n",
        count(packets, "packet"),
        count(drops.len() as u64, "traffic key"),
    )
}

fn hooks(report: &Report) -> String {
    let hooks = &report.capture.hooks;
    if hooks.is_empty() {
        return String::new();
    }
    let items = each(hooks.iter(), |hook| {
        let error = hook.error.as_deref().unwrap_or("not attached");
        let answer = if hook.ok {
            "attached".to_owned()
        } else {
            format!("<b>{}</b>", escape(error))
        };
        format!(
            "<li><code>{}</code> {} {answer}</li>\n",
            escape(&hook.name),
            escape(&hook.attach)
        )
    });
    let missing = hooks.iter().filter(|hook| !hook.ok).count();
    let open = if missing > 0 { " open=\"\"" } else { "" };
    format!(
        "<h2>Hooks on the kernel</h2>\n<details{open}><summary>{} of {} attached</summary>\n<ul class=\"findings\">\n{items}</ul></details>\n",
        hooks.len() - missing,
        hooks.len()
    )
}

/// Clocks and schema.
pub fn foot(report: &Report) -> String {
    format!(
        "<footer>\n<p>Times are of the kernel's monotonic clock (ns; printed are ms with µs digits), begun at {} ns; UTC is that plus {} ns. \
         What was not seen is said to be so and never counted as 0. Drawn from <code>{}</code> by ovsgap; the same recording gives the same page, byte for byte.</p>\n</footer>\n",
        report.capture.started_ns.0,
        report.capture.wall_offset_ns,
        escape(&report.schema)
    )
}
