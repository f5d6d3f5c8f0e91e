//! Samples of a part as tables in Markdown.
//!
//! Must not depend on: where they go.

use std::fmt::Write as _;

use lab::words::sample::{Part, Sample};

use super::samples::Samples;
use super::spread::{Spread, ratio};

/// The tables of a part.
pub fn render(part: Part, samples: &Samples) -> String {
    match part {
        Part::Instructions => instructions(samples),
        Part::Rate => rate(samples),
        Part::Storm => storm(samples),
        Part::Pods => medians(samples, &columns(samples)) + &each_pod(samples),
        Part::Attach => medians(samples, &columns(samples)),
        Part::Programs => medians(samples, &["verified", "translated", "jited_bytes"]),
    }
}

/// Nanoseconds in a second: on a machine that counts, as many instructions.
const SECOND: u64 = 1_000_000_000;

fn instructions(samples: &Samples) -> String {
    let mut text = row(&[
        "tracer",
        "instructions a UDP packet",
        "without",
        "more",
        "rate, UDP",
        "rate, TCP",
    ]);
    text += &rule(6);
    for (of, udp) in samples.figure("udp_pps") {
        let (value, without) = (
            per_packet(&udp, |one| Some(one.value)),
            per_packet(&udp, |one| one.without),
        );
        let tcp = of_figure(samples, "tcp_bytes_ps", of);
        text += &row(&[
            of,
            &value.to_string(),
            &without.to_string(),
            &value.saturating_sub(without).to_string(),
            &shown(&udp),
            &shown(&tcp),
        ]);
    }
    let of_packets = ["counted_packets", "program_runs", "program_ns"];
    let of_upcalls = ["counted_upcalls", "storm_runs", "storm_ns"];
    text + &programs(samples, "packet", of_packets)
        + &upcalls(samples)
        + &programs(samples, "upcall", of_upcalls)
}

/// What an upcall takes, of the kernel, ovs-vswitchd and the tracer together.
fn upcalls(samples: &Samples) -> String {
    let all = samples.figure("upcall_ns");
    if all.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n");
    text += &row(&[
        "tracer",
        "instructions an upcall",
        "without",
        "more",
        "by",
        "in its own process",
    ]);
    text += &rule(6);
    for sample in all.iter().flat_map(|(_, samples)| samples) {
        let without = sample.without.unwrap_or_default();
        text += &row(&[
            &sample.of,
            &sample.value.to_string(),
            &without.to_string(),
            &sample.value.saturating_sub(without).to_string(),
            &format!("{:.3}", ratio(sample.value, without)),
            &of_process(samples, &sample.of),
        ]);
    }
    text
}

/// What a tracer's process takes of it, by its own processor time.
fn of_process(samples: &Samples, tracer: &str) -> String {
    let own = samples.median(tracer, "upcall_own_ns");
    own.map_or_else(|| "–".to_owned(), |own| own.to_string())
}

/// What single programs take of each `what`: how many there were, how often each ran meanwhile, and how long.
fn programs(samples: &Samples, what: &str, [counted, runs, time]: [&str; 3]) -> String {
    let Some(count) = samples.median("always", counted) else {
        return String::new();
    };
    let mut text = String::from("\n");
    text += &row(&["program", &format!("runs each {what}"), "instructions a run"]);
    text += &rule(3);
    for (of, _) in samples.figure(runs) {
        let runs = samples.median(of, runs).unwrap_or_default();
        let time = samples.median(of, time).unwrap_or_default();
        // Others run now and then; nothing waits for them.
        if ratio(runs, count) > 0.1 {
            text += &row(&[
                of,
                &format!("{:.2}", ratio(runs, count)),
                &(time / runs.max(1)).to_string(),
            ]);
        }
    }
    text
}

/// Instructions a packet.
fn per_packet(samples: &[&Sample], rate: impl Fn(&Sample) -> Option<u64>) -> u64 {
    let mut all: Vec<u64> = samples.iter().filter_map(|sample| rate(sample)).collect();
    all.sort_unstable();
    all.get(all.len() / 2).map_or(0, |rate| SECOND / rate.max(&1))
}

fn rate(samples: &Samples) -> String {
    let mut text = row(&[
        "tracer",
        "UDP, 64 bytes",
        "TCP",
        "rounds",
        "CPU of the tracer meanwhile",
    ]);
    text += &rule(5);
    for (of, udp) in samples.figure("udp_pps") {
        let rounds = udp.len().to_string();
        let cpu = samples.median(of, "tracer_cpu_ms").unwrap_or_default();
        let tcp = of_figure(samples, "tcp_bytes_ps", of);
        text += &row(&[of, &shown(&udp), &shown(&tcp), &rounds, &format!("{cpu} ms")]);
    }
    text
}

fn storm(samples: &Samples) -> String {
    let ratios = ["latency_p50_ns", "latency_p99_ns", "upcalls_ps", "answered_ps"];
    let mut text = row(&[
        "tracer",
        "latency, median",
        "latency, 99 %",
        "upcalls a second",
        "answered a second",
    ]);
    text += &rule(5);
    for (of, _) in samples.figure("latency_p50_ns") {
        let cells: Vec<String> = ratios
            .iter()
            .map(|what| shown(&of_figure(samples, what, of)))
            .collect();
        let cells: Vec<&str> = std::iter::once(of)
            .chain(cells.iter().map(String::as_str))
            .collect();
        text += &row(&cells);
    }
    text.push('\n');
    let columns = [
        "sent_ps",
        "upcalls_ps",
        "answered_ps",
        "upcalls_failed",
        "recorded",
        "ring_lost",
        "runs_lost",
        "tracer_cpu_ms",
        "tracer_peak_kib",
    ];
    text + &rounds(samples, &columns)
}

/// A row for each round of each tracer: what was lost in any of them must not hide in a median.
fn rounds(samples: &Samples, columns: &[&str]) -> String {
    let head: Vec<&str> = ["tracer", "round"]
        .into_iter()
        .chain(columns.iter().copied())
        .collect();
    let mut text = row(&head) + &rule(head.len());
    let mut seen: Vec<(&str, u32)> = Vec::new();
    for sample in &samples.all {
        if !seen.contains(&(&sample.of, sample.round)) {
            seen.push((&sample.of, sample.round));
        }
    }
    for (of, round) in seen {
        let figure = |what: &&str| {
            let is = |sample: &&Sample| sample.of == of && sample.round == round && sample.what == *what;
            let found = samples.all.iter().find(is);
            found.map_or_else(|| "–".to_owned(), |sample| sample.value.to_string())
        };
        let cells = [of.to_owned(), round.to_string()].into_iter();
        let cells: Vec<String> = cells.chain(columns.iter().map(figure)).collect();
        text += &row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// Ratios to the figure without a tracer.
fn shown(samples: &[&Sample]) -> String {
    Spread::of(samples).map_or_else(|| "–".into(), |spread| spread.to_string())
}

fn of_figure<'a>(samples: &'a Samples, what: &str, of: &str) -> Vec<&'a Sample> {
    let is = |sample: &&Sample| sample.what == what && sample.of == of;
    samples.all.iter().filter(is).collect()
}

/// What one Pod more costs, between each number of Pods and the next larger one: flat where the rows of a state are alike.
fn each_pod(samples: &Samples) -> String {
    let mut nodes: Vec<(u64, &str, &str)> = Vec::new();
    for sample in &samples.all {
        let (pods, state) = sample.of.split_once(" Pods, ").unwrap_or_default();
        if let Ok(pods) = pods.parse()
            && !nodes.contains(&(pods, state, &sample.of))
        {
            nodes.push((pods, state, &sample.of));
        }
    }
    let figures = ["cpu_ms_ps", "cpu_ms", "rss_kib", "report_ms"];
    let head: Vec<&str> = ["one Pod more", "between"].into_iter().chain(figures).collect();
    let mut text = String::from("\n") + &row(&head) + &rule(head.len());
    for &(pods, state, of) in &nodes {
        let larger = nodes.iter().filter(|node| node.1 == state && node.0 > pods);
        let Some(&(more, _, larger)) = larger.min_by_key(|node| node.0) else {
            continue;
        };
        let figure = |what: &&str| {
            let few = samples.median(of, what)?;
            let many = samples.median(larger, what)?;
            // Rounding and noise may make it less than nothing.
            let sign = if many < few { "-" } else { "" };
            Some(format!("{sign}{:.2}", ratio(many.abs_diff(few), more - pods)))
        };
        let mut cells = vec![state.to_owned(), format!("{pods} and {more}")];
        cells.extend(
            figures
                .iter()
                .map(|what| figure(what).unwrap_or_else(|| "–".into())),
        );
        text += &row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// All figures, in the order in which they come first.
fn columns(samples: &Samples) -> Vec<&str> {
    let mut columns: Vec<&str> = Vec::new();
    for sample in &samples.all {
        if !columns.contains(&sample.what.as_str()) {
            columns.push(&sample.what);
        }
    }
    columns
}

/// A row for each that was measured, with the median of each figure.
fn medians(samples: &Samples, columns: &[&str]) -> String {
    let mut rows: Vec<&str> = Vec::new();
    for sample in samples
        .all
        .iter()
        .filter(|sample| columns.contains(&sample.what.as_str()))
    {
        if !rows.contains(&sample.of.as_str()) {
            rows.push(&sample.of);
        }
    }
    let head: Vec<&str> = std::iter::once("").chain(columns.iter().copied()).collect();
    let mut text = row(&head) + &rule(head.len());
    for of in rows {
        let figure = |what: &&str| {
            let median = samples.median(of, what);
            median.map_or_else(|| "–".to_owned(), |median| median.to_string())
        };
        let cells: Vec<String> = columns.iter().map(figure).collect();
        let cells: Vec<&str> = std::iter::once(of)
            .chain(cells.iter().map(String::as_str))
            .collect();
        text += &row(&cells);
    }
    text
}

fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn rule(columns: usize) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "|{}", "---|".repeat(columns));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(of: &str, what: &str, value: u64, without: Option<u64>) -> Sample {
        Sample {
            part: Part::Instructions,
            of: of.into(),
            what: what.into(),
            round: 1,
            value,
            without,
        }
    }

    #[test]
    fn a_rate_is_told_as_instructions_where_each_is_a_nanosecond() {
        let samples = Samples {
            all: vec![
                sample("armed", "udp_pps", 100_000, Some(125_000)),
                sample("always", "counted_packets", 50, None),
                sample("ovs_vport_send", "program_runs", 50, None),
                sample("ovs_vport_send", "program_ns", 5000, None),
                sample("sched_process_exec", "program_runs", 1, None),
                sample("always", "upcall_ns", 60_000, Some(50_000)),
                sample("always", "upcall_own_ns", 1500, None),
                sample("always", "counted_upcalls", 10, None),
                sample("ovs_dp_upcall", "storm_runs", 10, None),
                sample("ovs_dp_upcall", "storm_ns", 7000, None),
            ],
            ..Samples::default()
        };
        let text = render(Part::Instructions, &samples);
        assert!(
            text.contains("| armed | 10000 | 8000 | 2000 | 0.800 | – |"),
            "{text}"
        );
        assert!(text.contains("| ovs_vport_send | 1.00 | 100 |"), "{text}");
        assert!(!text.contains("sched_process_exec"));
        assert!(
            text.contains("| always | 60000 | 50000 | 10000 | 1.200 | 1500 |"),
            "{text}"
        );
        assert!(text.contains("| ovs_dp_upcall | 1.00 | 700 |"), "{text}");
    }

    #[test]
    fn what_one_pod_more_costs_is_told_between_neighbours() {
        let samples = Samples {
            all: vec![
                sample("10 Pods, rest", "rss_kib", 1000, None),
                sample("100 Pods, rest", "rss_kib", 1900, None),
                sample("500 Pods, rest", "rss_kib", 1880, None),
            ],
            ..Samples::default()
        };
        let text = render(Part::Pods, &samples);
        assert!(
            text.contains("| rest | 10 and 100 | – | – | 10.00 | – |"),
            "{text}"
        );
        assert!(
            text.contains("| rest | 100 and 500 | – | – | -0.05 | – |"),
            "{text}"
        );
    }

    #[test]
    fn a_storm_shows_each_round() {
        let lost = |round, value| Sample {
            round,
            ..sample("rest", "ring_lost", value, None)
        };
        let samples = Samples {
            all: vec![
                sample("rest", "latency_p50_ns", 120, Some(100)),
                lost(1, 0),
                lost(2, 7),
            ],
            ..Samples::default()
        };
        let text = render(Part::Storm, &samples);
        assert!(text.contains("| rest | 1.200 | – | – | – |"), "{text}");
        assert!(
            text.contains("| rest | 2 | – | – | – | – | – | 7 | – |"),
            "{text}"
        );
    }

    #[test]
    fn every_figure_is_a_column() {
        let samples = Samples {
            all: vec![
                sample("10 Pods, rest", "cpu_ms_ps", 5, None),
                sample("10 Pods, restart", "time_ms", 900, None),
            ],
            ..Samples::default()
        };
        let text = render(Part::Pods, &samples);
        assert!(text.contains("|  | cpu_ms_ps | time_ms |\n"), "{text}");
        assert!(text.contains("| 10 Pods, restart | – | 900 |"), "{text}");
    }
}
