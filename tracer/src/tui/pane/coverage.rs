//! What could not be seen, how the hooks stand, and what is wrong without any disruption.
//!
//! Must not depend on: Pods.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tracer_core::count::total;
use tracer_core::report::{Finding, Hook, Reconciliation};

use super::row::{below, text};

use crate::tui::scene::Scene;
use crate::tui::screen::Pane;
use crate::tui::theme::Role;
use crate::writing::{count, word};

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let report = &scene.moment.report;
    let weak = report
        .coverage
        .iter()
        .filter(|finding| finding.weakens && finding.kind != "no_disruption")
        .count();
    let beside = if weak > 0 {
        scene.span(
            Role::Warn,
            format!("· {} that weaken the verdict", count(weak as u64, "finding")),
        )
    } else {
        scene.span(Role::Text, "· nothing that weakens the verdict")
    };
    scene.heading(Pane::Coverage, vec![beside], area, buffer);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for condition in &report.conditions {
        let until = condition.until_ns.map_or_else(
            || "still so".to_owned(),
            |at| format!("until {}", scene.point(at)),
        );
        let since = scene.point(condition.since_ns);
        let what = format!(
            " {} since {since}, {until}: {}",
            word(condition.cause),
            condition.detail
        );
        lines.push(Line::from(scene.span(Role::Bad, what)));
    }
    lines.extend(report.coverage.iter().map(|finding| found(scene, finding)));
    lines.extend(
        report
            .capture
            .reconciliation
            .iter()
            .map(|counts| compared(scene, counts)),
    );
    if !report.steady_drops.is_empty() {
        let packets = total(report.steady_drops.iter().map(|drop| drop.packets));
        let keys = count(report.steady_drops.len() as u64, "traffic key");
        let what = format!(
            " steady drops (never forwarded, so no loss): {} of {keys}",
            count(packets, "packet")
        );
        lines.push(Line::from(scene.span(Role::Dim, what)));
    }
    lines.extend(hooks(scene, &report.capture.hooks));
    let lines = lines.into_iter().map(|line| (line, Some(3))).collect();
    text(scene, lines, scene.screen.scrolled.1, below(area, 1), buffer);
}

fn found<'a>(scene: &Scene<'a>, finding: &Finding) -> Line<'a> {
    let role = if finding.weakens { Role::Warn } else { Role::Text };
    let sign = if finding.weakens { "!" } else { "·" };
    let time = match (finding.from_ns, finding.to_ns) {
        (None, None) => String::new(),
        (from, to) => {
            let end = |at: Option<_>| at.map_or_else(|| "…".to_owned(), |at| scene.point(at));
            format!(" ({} – {})", end(from), end(to))
        }
    };
    Line::from(scene.span(
        role,
        format!(" {sign} {}{time}: {}", finding.kind, finding.detail),
    ))
}

fn compared<'a>(scene: &Scene<'a>, counts: &Reconciliation) -> Line<'a> {
    let Reconciliation {
        datapath,
        datapath_missed,
        datapath_lost,
        agrees,
        ..
    } = counts;
    let (role, answer) = if *agrees {
        (Role::Text, "the hooks saw the same")
    } else {
        (Role::Warn, "the hooks DISAGREE")
    };
    let text =
        format!(" · {datapath} itself counted {datapath_missed} missed, {datapath_lost} lost: {answer}");
    Line::from(scene.span(role, text))
}

/// Those that are missing by name, with the reason; the others in one line.
fn hooks<'a>(scene: &Scene<'a>, hooks: &[Hook]) -> Vec<Line<'a>> {
    let attached: Vec<&str> = hooks
        .iter()
        .filter(|hook| hook.ok)
        .map(|hook| hook.name.as_str())
        .collect();
    let all = format!(
        " {} of {} hooks attached: {}",
        attached.len(),
        hooks.len(),
        attached.join(", ")
    );
    vec![Line::from(scene.span(Role::Dim, all))]
}
