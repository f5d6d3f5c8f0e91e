//! One Pod: who it is, its window and how it was spent, why, the evidence, its traffic keys.
//!
//! Must not depend on: other Pods.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tracer_core::class::Direction;
use tracer_core::count::{add, total};
use tracer_core::detail::Traffic;
use tracer_core::memory::story::Gap;
use tracer_core::report::{EndedBy, Loss, Phase, Pod, Verdict};
use tracer_core::time::Timestamp;

use super::row::{Row, below, text};
use crate::sink::{causes, proof, words};
use crate::tui::rows::{label, standing};
use crate::tui::scene::Scene;
use crate::tui::screen::Pane;
use crate::tui::theme::{Role, Theme};
use crate::writing::{count, left, millis, right, short, span, width as columns, word};

/// Columns of a label.
const LABEL: usize = 10;

/// Columns of the Pod's name in the heading.
const NAME: usize = 60;

/// The shortest and the longest bar of the waterfall that is worth drawing.
const BAR: (usize, usize) = (8, 40);

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(pod) = scene.rows.get(scene.picked) else {
        scene.heading(
            Pane::Detail,
            vec![scene.span(Role::Dim, "· no Pod selected")],
            area,
            buffer,
        );
        return;
    };
    let (state, _) = standing(pod, scene.moment);
    let beside = vec![
        scene.span(Role::Text, format!("· {} · ", short(&label(pod), NAME))),
        scene.span(Theme::role(state), format!("{} now", word_of(state))),
    ];
    scene.heading(Pane::Detail, beside, area, buffer);
    let mut lines = vec![why(scene, pod), verdict(scene, pod), window(scene, pod)];
    let mut figures = waterfall(scene, &pod.waterfall, area.width.into());
    let mut told: Vec<Row<'_>> = lines.drain(..).map(|line| (line, Some(LABEL))).collect();
    told.extend(figures.drain(..).map(|line| (line, None)));
    for (way, loss) in [
        ("to it", &pod.observed.to_pod),
        ("from it", &pod.observed.from_pod),
    ] {
        lines.extend(observed(scene, way, loss.as_ref()));
    }
    lines.extend(besides(scene, pod));
    told.extend(lines.into_iter().map(|line| (line, Some(LABEL))));
    told.extend(
        traffic(scene, pod, area.width.into())
            .into_iter()
            .map(|line| (line, None)),
    );
    told.push((identity(scene, pod), Some(1)));
    text(scene, told, scene.screen.scrolled.0, below(area, 1), buffer);
}

fn word_of(state: tracer_core::timeline::State) -> &'static str {
    use tracer_core::timeline::State;
    match state {
        State::Forwarding => "forwarding",
        State::Delayed => "delayed",
        State::Leak => "leaking",
        State::Exposed => "exposed",
        State::Unknown => "unknown",
        State::Losing => "losing",
    }
}

fn identity<'a>(scene: &Scene<'a>, pod: &Pod) -> Line<'a> {
    let parts = [
        Some(format!("interface {}", pod.interface)),
        pod.bridge.as_ref().map(|bridge| format!("on {bridge}")),
        pod.ofport.map(|ofport| format!("ofport {ofport}")),
        pod.port_no.map(|port_no| format!("datapath port {port_no}")),
        pod.mac.clone(),
        Some(pod.ips.join(", ")).filter(|ips| !ips.is_empty()),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    Line::from(scene.span(Role::Dim, format!(" {text}")))
}

/// The cause, in words.
fn why<'a>(scene: &Scene<'a>, pod: &Pod) -> Line<'a> {
    let label = scene.span(Role::Label, " why      ");
    let Some(cause) = pod.cause else {
        let judged = words::judged(pod);
        let role = if judged == Some(Verdict::Pass) {
            Role::Good
        } else {
            Role::Dim
        };
        return Line::from(vec![label, scene.span(role, "there is no window to explain")]);
    };
    Line::from(vec![
        label,
        scene.span(Role::Bad, word(cause)),
        scene.span(Role::Text, format!(": {}", causes::meaning(cause))),
    ])
}

/// What is proven; a dash where no disruption has touched it.
fn verdict<'a>(scene: &Scene<'a>, pod: &Pod) -> Line<'a> {
    let label = scene.span(Role::Label, " verdict  ");
    let Some((proof, verdict)) = pod.proof.as_ref().zip(words::judged(pod)) else {
        return Line::from(vec![label, scene.span(Role::Dim, "-")]);
    };
    let sources: Vec<&str> = proof.rests_on().iter().map(|source| source.name()).collect();
    let basis = if sources.is_empty() {
        String::new()
    } else {
        format!(" It rests on {}.", sources.join(", "))
    };
    Line::from(vec![
        label,
        scene.span(Theme::verdict(verdict), words::verdict(verdict)),
        scene.span(Role::Text, format!(" {}{basis}", proof::says(proof))),
    ])
}

fn window<'a>(scene: &Scene<'a>, pod: &Pod) -> Line<'a> {
    let label = scene.span(Role::Label, " exposed  ");
    let Some(exposed) = &pod.exposed else {
        return Line::from(vec![label, scene.span(Role::Dim, "no window was seen")]);
    };
    let from = scene.point(exposed.start_ns);
    match (exposed.end_ns, exposed.duration_ns) {
        (Some(end), Some(nanos)) => Line::from(vec![
            label,
            scene.span(
                if nanos > 0 { Role::Warn } else { Role::Good },
                format!("{}{}", if words::at_most(pod) { "≤" } else { "" }, span(nanos)),
            ),
            scene.span(
                Role::Text,
                format!(
                    ", from {from} to {}{}",
                    scene.point(end),
                    exposed.ended_by.map(ending).unwrap_or_default()
                ),
            ),
        ]),
        _ => Line::from(vec![
            label,
            scene.span(
                Role::Bad,
                format!("≥{}", span(scene.moment.at.since(exposed.start_ns))),
            ),
            scene.span(Role::Text, format!(" since {from}: no end seen so far")),
        ]),
    }
}

/// Which evidence ended a window.
fn ending(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Converged => ", when a megaflow of it forwarded again",
        EndedBy::Delivered => ", when a packet of it was delivered again",
        EndedBy::FlowsInstalled => ", when its OpenFlow flows came",
        EndedBy::DropFlowsRemoved => ", when its last drop megaflow was removed",
        EndedBy::PortDeleted => ", when its port was deleted",
        EndedBy::FlowsBeforeFlush => ": its OpenFlow flows were there before",
    }
}

/// A bar per phase, each where the one before ends.
fn waterfall<'a>(scene: &Scene<'a>, phases: &[Phase], width: usize) -> Vec<Line<'a>> {
    let all = total(phases.iter().map(|phase| phase.ns));
    let name = phases
        .iter()
        .map(|phase| columns(&phase.phase))
        .max()
        .unwrap_or(0);
    let room = width.saturating_sub(3 + name + 12 + 4).min(BAR.1);
    let column = |nanos: u64| {
        let place = u128::from(nanos) * room as u128 / u128::from(all.max(1));
        usize::try_from(place).unwrap_or(0)
    };
    let mut before = 0;
    let lines = phases.iter().map(|phase| {
        let begin = column(before);
        add(&mut before, phase.ns);
        let end = column(before);
        let mut line = Line::from(vec![
            scene.span(Role::Text, format!("   {}", left(&phase.phase, name))),
            scene.span(Role::Text, right(&millis(phase.ns), 12)),
            scene.span(Role::Dim, " ms "),
        ]);
        if room >= BAR.0 {
            let begin = begin.min(room - 1);
            let bar = scene
                .theme
                .either("█", "#")
                .repeat((end.max(begin) - begin).max(1));
            line.push_span(scene.span(Role::Warn, format!("{}{bar}", " ".repeat(begin))));
        }
        line
    });
    lines.collect()
}

/// What was lost one way, and the evidence around the longest gap.
fn observed<'a>(scene: &Scene<'a>, way: &str, loss: Option<&Loss>) -> Vec<Line<'a>> {
    let label = scene.span(Role::Label, format!(" {way:9}"));
    let Some(loss) = loss else {
        return vec![Line::from(vec![
            label,
            scene.span(Role::Dim, "no packet was seen"),
        ])];
    };
    if loss.lost_packets == 0 {
        return vec![Line::from(vec![label, scene.span(Role::Good, "nothing lost")])];
    }
    let reasons: Vec<String> = loss
        .by_reason
        .iter()
        .map(|(reason, count)| format!("{count} {}", word(reason)))
        .collect();
    let bound = |nanos: Option<u64>| nanos.map_or_else(|| "…".to_owned(), span);
    let gaps = if loss.gaps > 1 {
        format!(", the longest of {} gaps", loss.gaps)
    } else {
        String::new()
    };
    let at = |at: Option<Timestamp>| at.map_or_else(|| "not seen".to_owned(), |at| scene.point(at));
    vec![
        Line::from(vec![
            label,
            scene.span(Role::Bad, format!("{} lost", count(loss.lost_packets, "packet"))),
            scene.span(
                Role::Text,
                format!(" ({} bytes; {}), for ", loss.lost_bytes, reasons.join(", ")),
            ),
            scene.span(
                Role::Bad,
                format!("at least {}, at most {}", bound(loss.min_ns), bound(loss.max_ns)),
            ),
            scene.span(Role::Text, gaps),
        ]),
        Line::from(scene.span(
            Role::Dim,
            format!(
                "          delivered {} · lost {} … {} · delivered {}",
                at(loss.last_delivered_before_ns),
                at(loss.first_lost_ns),
                at(loss.last_lost_ns),
                at(loss.first_delivered_after_ns)
            ),
        )),
    ]
}

/// Delay, leak, flows, and what to do.
fn besides<'a>(scene: &Scene<'a>, pod: &Pod) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    if let Some(at) = pod.flows_installed_ns {
        lines.push((
            Role::Text,
            "flows",
            format!("all OpenFlow flows were back by {}", scene.point(at)),
        ));
    }
    if let Some(delayed) = &pod.delayed {
        let packets = count(delayed.packets, "packet");
        lines.push((
            Role::Note,
            "delayed",
            format!(
                "{packets} waited up to {} and were delivered",
                span(delayed.max_ns)
            ),
        ));
    }
    if let Some(leak) = &pod.leak {
        let end = leak.end_ns.map_or_else(|| "now".to_owned(), |at| scene.point(at));
        let text = format!(
            "forwarded although its flows were absent, {} to {end}",
            scene.point(leak.start_ns)
        );
        lines.push((Role::Odd, "leak", text));
    }
    if let Some(remedy) = pod.cause.and_then(causes::remedy) {
        lines.push((Role::Text, "to do", remedy.to_owned()));
    }
    let line = |(role, name, text): (Role, &str, String)| {
        Line::from(vec![
            scene.span(Role::Label, format!(" {name:9}")),
            scene.span(role, text),
        ])
    };
    lines.into_iter().map(line).collect()
}

fn traffic<'a>(scene: &Scene<'a>, pod: &Pod, width: usize) -> Vec<Line<'a>> {
    let closeup = scene.moment.closeup.as_ref();
    let Some(closeup) =
        closeup.filter(|closeup| closeup.interface == pod.interface && !closeup.traffic.is_empty())
    else {
        return Vec::new();
    };
    let names = closeup.traffic.iter().map(|row| columns(&row.peer));
    let room = width.saturating_sub(6 + 12 + 10 + 21).max(10);
    let peer = names.max().unwrap_or(0).clamp(10, room);
    let head = format!(
        " {} {:11} {:>9} {:>20}",
        left("TRAFFIC KEYS", peer + 5),
        "WHAT",
        "LOST",
        "GAP ms, min–max"
    );
    let mut lines = vec![Line::from(scene.span(Role::Label, head))];
    lines.extend(closeup.traffic.iter().map(|row| key(scene, row, peer)));
    lines
}

/// The gaps of the shown disruption: those of the one before are over.
fn gaps<'a>(scene: &Scene<'_>, row: &'a Traffic) -> impl Iterator<Item = &'a Gap> + Clone + use<'a> {
    let began = scene
        .moment
        .disruption()
        .map_or(Timestamp(0), |disruption| disruption.began_ns);
    row.story.gaps.iter().filter(move |gap| gap.last_lost >= began)
}

fn key<'a>(scene: &Scene<'a>, row: &Traffic, peer: usize) -> Line<'a> {
    let way = match row.direction {
        Direction::ToPod => "from",
        Direction::FromPod => "to  ",
    };
    let gaps = gaps(scene, row);
    let lost = total(gaps.clone().map(Gap::packets));
    let longest = gaps.max_by_key(|gap| gap.last_lost.since(gap.first_lost));
    let bounds = longest.map_or_else(String::new, |gap| {
        let most = gap.max_ns().map_or_else(|| "…".to_owned(), millis);
        format!("{}–{most}", millis(gap.last_lost.since(gap.first_lost)))
    });
    let (role, lost) = match (row.story.forwarded, lost) {
        (_, 0) => (Role::Good, "0".to_owned()),
        (true, lost) => (Role::Bad, lost.to_string()),
        (false, lost) => (Role::Dim, format!("({lost})")),
    };
    Line::from(vec![
        scene.span(Role::Dim, format!(" {way} ")),
        scene.span(Role::Text, left(&short(&row.peer, peer), peer)),
        scene.span(Role::Text, format!(" {:11}", protocol(row))),
        scene.span(role, format!(" {}", right(&lost, 9))),
        scene.span(role, format!(" {}", right(&bounds, 20))),
    ])
}

fn protocol(row: &Traffic) -> String {
    let key = &row.key;
    let version = match key.eth_type {
        0x806 => return "ARP".to_owned(),
        0x800 => "",
        0x86dd => "6",
        eth_type => return format!("0x{eth_type:04x}"),
    };
    let name = match key.proto {
        1 | 58 => return format!("ICMP{version}"),
        6 => "TCP",
        17 => "UDP",
        132 => "SCTP",
        proto => return format!("IP{version} {proto}"),
    };
    format!("{name}{version} {}", key.port)
}
