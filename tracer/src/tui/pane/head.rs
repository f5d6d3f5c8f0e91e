//! The lines above the panes: where and when, the state at a glance, what is not seen.
//!
//! Must not depend on: single Pods' windows beyond the longest.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use tracer_core::report::{Disruption, Kind, Pod, Verdict};
use tracer_core::timeline::{State, milestones};

use crate::historian::moment::Origin;
use crate::tui::layout;
use crate::tui::rows::{label, losses, standing};
use crate::tui::scene::Scene;
use crate::tui::theme::{Role, Theme};
use crate::writing::{about, count, cut, plain, short, width as columns, word};

/// Columns of a name among other words.
const NAME: usize = 40;

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
    let room = usize::from(area.width);
    if area.height > layout::LEAST_ABOVE {
        why(scene, room).render(row(2), buffer);
        coverage(scene, room).render(row(3), buffer);
    } else {
        let both = reasons(scene).is_empty();
        let line = if both {
            coverage(scene, room)
        } else {
            coverage_and_why(scene, room)
        };
        line.render(row(2), buffer);
    }
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
        if columns(&text) + columns(&part) + 3 > room {
            break;
        }
        text.push_str(" · ");
        text.push_str(&part);
    }
    Line::from(Span::raw(plain(text)))
}

/// Which point is shown.
fn place<'a>(scene: &Scene<'a>) -> Line<'a> {
    let moment = scene.moment;
    let at = scene.point(moment.at);
    let mut spans = Vec::new();
    if let Some(name) = &moment.recording {
        let name = short(name, NAME);
        spans.push(scene.span(Role::Bad, format!("● writing {name}  ")));
    }
    let (role, text) = match (&moment.origin, moment.following) {
        (Origin::Live, true) => (Role::Good, format!("● LIVE {at}")),
        (Origin::Live, false) => {
            let behind = about(moment.reach.1.since(moment.at));
            (Role::Warn, format!("PAUSED at {at}, {behind} behind"))
        }
        (Origin::Recording(name), true) => (Role::Note, format!("{} · end {at}", short(name, NAME))),
        (Origin::Recording(name), false) if scene.screen.playing => (
            Role::Good,
            format!("{} · PLAYING {} {at}", short(name, NAME), scene.screen.pace()),
        ),
        (Origin::Recording(name), false) => (Role::Warn, format!("{} · at {at}", short(name, NAME))),
    };
    spans.push(scene.span(role, text));
    let events = format!(" · event {} of {} ", moment.position, moment.end);
    spans.push(scene.span(Role::Dim, events));
    Line::from(spans)
}

/// Is everything forwarding; which disruption is on; who is dark, and for how long. In as many words as there is room for.
fn glance<'a>(scene: &Scene<'a>, width: usize) -> Line<'a> {
    let mut line = Line::default();
    for words in [Words::Many, Words::Some, Words::Few] {
        line = Line::from(forwarding(scene, words));
        line.push_span(scene.span(Role::Dim, " · "));
        line.spans.extend(disrupting(scene, words));
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
    let (longest, time) = (short(&label(longest), NAME), about(*nanos));
    let text = match words {
        Words::Many => {
            format!(" ● {dark} of {all} dark, {losing} losing packets; longest {longest} for {time}")
        }
        Words::Some => format!(" ● {dark} of {all} dark, {losing} losing; longest {longest} {time}"),
        Words::Few => format!(" ● {dark} of {all} dark, {longest} {time}"),
    };
    vec![scene.span(Role::Bad, text)]
}

/// Which disruption is on, or was last, and what is wrong without one.
fn disrupting<'a>(scene: &Scene<'a>, words: Words) -> Vec<Span<'a>> {
    let moment = scene.moment;
    let mut spans = match moment.disruption() {
        None if !moment.ready => {
            vec![scene.span(Role::Warn, "starting: not every source has told what there is")]
        }
        None => vec![scene.span(Role::Dim, "no disruption so far")],
        // What has hardly begun needs no verdict yet.
        Some(disruption) if has_hardly_begun(scene, disruption) => {
            vec![scene.span(Role::Warn, state(scene, disruption, words))]
        }
        Some(disruption) => vec![
            scene.span(
                Theme::verdict(disruption.verdict),
                word(disruption.verdict).to_uppercase(),
            ),
            scene.span(Role::Text, format!(" {}", state(scene, disruption, words))),
        ],
    };
    let conditions = moment.report.conditions.iter();
    for condition in conditions.filter(|condition| condition.until_ns.is_none()) {
        spans.push(scene.span(Role::Bad, format!(" · {}", word(condition.cause))));
    }
    spans
}

/// Whether a flush belongs to a kind of disruption.
fn is_flushed(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::FlowsRemoved | Kind::PortsRemoved | Kind::HandlersStuck | Kind::DatapathTakenOver
    )
}

/// Whether a disruption is under way and has taken nothing from anybody so far. Of those with ovs-vswitchd in them, the
/// flush decides.
fn has_hardly_begun(scene: &Scene<'_>, disruption: &Disruption) -> bool {
    let began = disruption.milestones.flush_ns.is_some() || disruption.summary.affected > 0;
    !began && disruption.ended_ns.is_none() && !scene.moment.is_final()
}

fn state(scene: &Scene<'_>, disruption: &Disruption, words: Words) -> String {
    let name = match words {
        Words::Many => format!("disruption {}", disruption.id),
        Words::Some | Words::Few => format!("#{}", disruption.id),
    };
    if has_hardly_begun(scene, disruption) {
        let last = milestones(disruption).pop();
        let since = last.map_or_else(String::new, |(name, at)| {
            format!(", {name} {} ago", about(scene.moment.at.since(at)))
        });
        let flush = if is_flushed(disruption.kind) {
            ", no flush yet"
        } else {
            ""
        };
        return format!("{name} is under way{flush}{since}");
    }
    let sum = &disruption.summary;
    let seen = disruption.pods.iter().any(|pod| losses(pod).next().is_some());
    let lost = match (seen, sum.max_observed_ns, sum.max_exposed_ns, words) {
        (true, Some(most), _, Words::Many) => {
            format!("{} packets lost, longest gap ≤ {}", sum.lost_packets, about(most))
        }
        (true, Some(most), _, Words::Some) => format!("{} lost, ≤ {}", sum.lost_packets, about(most)),
        (true, ..) => format!("{} lost", sum.lost_packets),
        (false, _, Some(most), _) => format!("exposed ≤ {}, no packet seen", about(most)),
        (false, ..) => "no packet seen".to_owned(),
    };
    match words {
        Words::Many => format!("{name}: {} of {} Pods affected, {lost}", sum.affected, sum.pods),
        Words::Some => format!("{name}: {}/{} affected, {lost}", sum.affected, sum.pods),
        Words::Few => format!("{name}: {lost}"),
    }
}

/// Why the verdict is not pass: that of the shown disruption, without one that of the capture.
fn reasons<'a>(scene: &'a Scene<'_>) -> &'a [String] {
    match scene.moment.disruption() {
        Some(disruption) if has_hardly_begun(scene, disruption) => &[],
        Some(disruption) if !disruption.why.is_empty() => &disruption.why,
        _ => &scene.moment.report.why,
    }
}

fn why<'a>(scene: &Scene<'a>, width: usize) -> Line<'a> {
    let reasons = reasons(scene);
    let Some(first) = reasons.first() else {
        return Line::default();
    };
    let more = more(reasons.len());
    let room = width.saturating_sub(6 + more.len());
    let role = verdict(scene).map_or(Role::Text, Theme::verdict);
    Line::from(scene.span(role, format!(" why: {}{more}", cut(first, room))))
}

fn verdict(scene: &Scene<'_>) -> Option<Verdict> {
    let moment = scene.moment;
    let of_disruption = moment.disruption().map(|disruption| disruption.verdict);
    of_disruption.or_else(|| (!moment.report.conditions.is_empty()).then_some(moment.report.verdict))
}

fn more(all: usize) -> String {
    if all > 1 {
        format!(" (+{} more)", all - 1)
    } else {
        String::new()
    }
}

/// Both in one line, on a screen with few rows: how much was seen in figures, then why the verdict is not pass.
fn coverage_and_why<'a>(scene: &Scene<'a>, width: usize) -> Line<'a> {
    let (figures, missing) = figures(scene);
    let room = width.saturating_sub(columns(&figures) + 2);
    let mut line = Line::from(scene.span(if missing { Role::Warn } else { Role::Dim }, figures));
    line.push_span(scene.span(Role::Dim, " ·"));
    line.spans.extend(why(scene, room).spans);
    line
}

/// Hooks and lost records; whether any is missing.
fn figures(scene: &Scene<'_>) -> (String, bool) {
    let capture = &scene.moment.report.capture;
    let (attached, all) = (
        capture.hooks.iter().filter(|hook| hook.ok).count(),
        capture.hooks.len(),
    );
    let lost = capture.lost_events;
    let text = format!(" coverage: {attached} of {all} hooks, {lost} lost");
    (text, attached < all || lost > 0)
}

/// What is missing is in sight on every screen.
fn coverage<'a>(scene: &Scene<'a>, width: usize) -> Line<'a> {
    let report = &scene.moment.report;
    let (mut text, missing) = figures(scene);
    let findings: Vec<_> = report
        .coverage
        .iter()
        .filter(|finding| finding.kind != "no_disruption")
        .collect();
    let weak = findings.iter().find(|finding| finding.weakens);
    if let Some(first) = weak.or(findings.first()) {
        let sign = if weak.is_some() { "!" } else { "note:" };
        let more = more(findings.len());
        let room = width.saturating_sub(columns(&text) + sign.len() + more.len() + 4);
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
