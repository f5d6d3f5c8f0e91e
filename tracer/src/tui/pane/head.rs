//! The lines above the panes: where and when, the state at a glance, what is not seen.
//!
//! Must not depend on: single Pods' windows beyond the longest.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use tracer_core::report::{Pod, Restart};
use tracer_core::timeline::{State, milestones};

use crate::historian::moment::Origin;
use crate::tui::rows::{label, losses, standing};
use crate::tui::scene::Scene;
use crate::tui::theme::{Role, Theme};
use crate::writing::{about, count, cut, word};

/// Draws them.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let row = |number: u16| {
        Rect {
            y: area.y + number,
            height: 1,
            ..area
        }
        .intersection(area)
    };
    buffer.set_style(row(0), scene.theme.style(Role::Title));
    let right = place(scene);
    let room = usize::from(area.width).saturating_sub(right.width() + 1);
    title(scene, room).render(row(0), buffer);
    let width = u16::try_from(right.width()).unwrap_or(area.width).min(area.width);
    let corner = Rect {
        x: area.right() - width,
        width,
        ..row(0)
    };
    right.render(corner.intersection(area), buffer);
    glance(scene, area.width.into()).render(row(1), buffer);
    coverage(scene, area.width.into()).render(row(2), buffer);
}

fn title<'a>(scene: &Scene<'a>, room: usize) -> Line<'a> {
    let node = &scene.moment.whole.node;
    let parts = [
        node.hostname.clone(),
        node.ovs.as_ref().map(|ovs| format!("OVS {ovs}")),
        node.kernel.as_ref().map(|kernel| format!("Linux {kernel}")),
    ];
    let mut text = " ovsgap".to_owned();
    for part in parts.into_iter().flatten() {
        if text.chars().count() + part.chars().count() + 3 > room {
            break;
        }
        text.push_str(" · ");
        text.push_str(&part);
    }
    Line::from(Span::raw(text))
}

/// Which point is shown.
fn place<'a>(scene: &Scene<'a>) -> Line<'a> {
    let moment = scene.moment;
    let at = scene.point(moment.at);
    let mut spans = Vec::new();
    if let Some(name) = &moment.recording {
        spans.push(scene.span(Role::Bad, format!("● writing {name}  ")));
    }
    let (role, text) = match (&moment.origin, moment.following) {
        (Origin::Live, true) => (Role::Good, format!("● LIVE {at}")),
        (Origin::Live, false) => {
            let behind = about(moment.reach.1.since(moment.at));
            (Role::Warn, format!("PAUSED at {at}, {behind} behind"))
        }
        (Origin::Recording(name), true) => (Role::Note, format!("{name} · end {at}")),
        (Origin::Recording(name), false) if scene.screen.playing => (
            Role::Good,
            format!("{name} · PLAYING {} {at}", scene.screen.pace()),
        ),
        (Origin::Recording(name), false) => (Role::Warn, format!("{name} · at {at}")),
    };
    spans.push(scene.span(role, text));
    let events = format!(" · event {} of {} ", moment.position, moment.end);
    spans.push(scene.span(Role::Dim, events));
    Line::from(spans)
}

/// Is everything forwarding; which restart is on; who is dark, and for how long. In as many words as there is room for.
fn glance<'a>(scene: &Scene<'a>, width: usize) -> Line<'a> {
    let mut line = Line::default();
    for words in [Words::Many, Words::Some, Words::Few] {
        line = Line::from(forwarding(scene, words));
        line.push_span(scene.span(Role::Dim, " · "));
        line.spans.extend(restarting(scene, words));
        if line.width() <= width {
            break;
        }
    }
    line
}

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Many,
    Some,
    Few,
}

/// Is everything forwarding; if not, who is dark, and for how long.
fn forwarding<'a>(scene: &Scene<'a>, words: Words) -> Vec<Span<'a>> {
    let moment = scene.moment;
    let pods: Vec<&Pod> = moment
        .pods()
        .iter()
        .filter(|pod| pod.namespace.is_some())
        .collect();
    let dark: Vec<(&Pod, u64, State)> = pods
        .iter()
        .filter_map(|pod| {
            let (state, since) = standing(pod, moment);
            let dark = matches!(state, State::Losing | State::Exposed | State::Unknown);
            dark.then(|| (*pod, since.map_or(0, |since| moment.at.since(since)), state))
        })
        .collect();
    let Some((longest, nanos, _)) = dark.iter().rev().max_by_key(|(_, nanos, _)| *nanos) else {
        let (role, text) = match pods.len() {
            0 => (Role::Dim, " ● no Pods known yet".to_owned()),
            all => (
                Role::Good,
                format!(" ● all {} forwarding", count(all as u64, "Pod")),
            ),
        };
        return vec![scene.span(role, text)];
    };
    let losing = dark
        .iter()
        .filter(|(_, _, state)| *state == State::Losing)
        .count();
    let (dark, all) = (dark.len(), count(pods.len() as u64, "Pod"));
    let (longest, time) = (label(longest), about(*nanos));
    let text = match words {
        Words::Many => {
            format!(" ● {dark} of {all} dark, {losing} losing packets; longest {longest} for {time}")
        }
        Words::Some => format!(" ● {dark} of {all} dark, {losing} losing; longest {longest} {time}"),
        Words::Few => format!(" ● {dark} of {all} dark, {longest} {time}"),
    };
    vec![scene.span(Role::Bad, text)]
}

/// Which restart is on, or was last, and what is wrong without one.
fn restarting<'a>(scene: &Scene<'a>, words: Words) -> Vec<Span<'a>> {
    let moment = scene.moment;
    let mut spans = match moment.restart() {
        None if !moment.ready => {
            vec![scene.span(Role::Warn, "starting: not every source has told what there is")]
        }
        None => vec![scene.span(Role::Dim, "no restart so far")],
        // What has hardly begun needs no verdict yet.
        Some(restart) if restart.milestones.flush_ns.is_none() && !moment.is_final() => {
            vec![scene.span(Role::Warn, state(scene, restart, words))]
        }
        Some(restart) => vec![
            scene.span(
                Theme::verdict(restart.verdict),
                word(restart.verdict).to_uppercase(),
            ),
            scene.span(Role::Text, format!(" {}", state(scene, restart, words))),
        ],
    };
    let conditions = moment.report.conditions.iter();
    for condition in conditions.filter(|condition| condition.until_ns.is_none()) {
        spans.push(scene.span(Role::Bad, format!(" · {}", word(condition.cause))));
    }
    spans
}

fn state(scene: &Scene<'_>, restart: &Restart, words: Words) -> String {
    let id = restart.id;
    if restart.milestones.flush_ns.is_none() {
        let last = milestones(restart).pop();
        let since = last.map_or_else(String::new, |(name, at)| {
            format!(", {name} {} ago", about(scene.moment.at.since(at)))
        });
        return format!("restart {id} is on, no flush yet{since}");
    }
    let sum = &restart.summary;
    let seen = restart.pods.iter().any(|pod| losses(pod).next().is_some());
    let lost = match (seen, sum.max_observed_ns, sum.max_exposed_ns, words) {
        (true, Some(most), _, Words::Many) => {
            format!(
                "{} packets lost, longest hole ≤ {}",
                sum.lost_packets,
                about(most)
            )
        }
        (true, Some(most), _, Words::Some) => format!("{} lost, ≤ {}", sum.lost_packets, about(most)),
        (true, ..) => format!("{} lost", sum.lost_packets),
        (false, _, Some(most), _) => format!("exposed ≤ {}, no packet seen", about(most)),
        (false, ..) => "no packet seen".to_owned(),
    };
    match words {
        Words::Many => format!(
            "restart {id}: {} of {} Pods affected, {lost}",
            sum.affected, sum.pods
        ),
        Words::Some => format!("restart {id}: {}/{} affected, {lost}", sum.affected, sum.pods),
        Words::Few => format!("restart {id}: {lost}"),
    }
}

/// What is missing is in sight on every screen.
fn coverage<'a>(scene: &Scene<'a>, width: usize) -> Line<'a> {
    let report = &scene.moment.report;
    let attached = report.capture.hooks.iter().filter(|hook| hook.ok).count();
    let hooks = format!("{attached} of {} hooks", report.capture.hooks.len());
    let lost = report.capture.lost_events;
    let missing = attached < report.capture.hooks.len() || lost > 0;
    let findings: Vec<_> = report
        .coverage
        .iter()
        .filter(|finding| finding.kind != "no_restart")
        .collect();
    let weak = findings.iter().find(|finding| finding.weakens);
    let mut text = format!(" coverage: {hooks}, {lost} lost");
    if let Some(first) = weak.or(findings.first()) {
        let sign = if weak.is_some() { "!" } else { "note:" };
        let more = match findings.len() {
            1 => String::new(),
            all => format!(" (+{} more)", all - 1),
        };
        let room = width.saturating_sub(text.chars().count() + sign.len() + more.len() + 4);
        text = format!("{text} · {sign} {}{more}", cut(&first.detail, room));
    } else if !missing {
        text.push_str(", nothing missing");
    }
    let role = if missing || weak.is_some() {
        Role::Warn
    } else {
        Role::Dim
    };
    Line::from(scene.span(role, text))
}
