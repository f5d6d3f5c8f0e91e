//! Samples of a part as tables in Markdown.
//!
//! May not know: where they go.

use std::fmt::Write as _;

use super::sample::{Part, Sample, Samples};
use super::spread::{Spread, ratio};

/// The tables of a part.
pub fn render(part: Part, samples: &Samples) -> String {
    match part {
        Part::Instructions => instructions(samples),
        Part::Rate => rate(samples),
        Part::Storm => storm(samples),
        Part::Pods | Part::Attach => {
            let columns = columns(samples);
            medians(samples, &columns)
        }
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
    text + &programs(samples)
}

/// What single programs take.
fn programs(samples: &Samples) -> String {
    let Some(packets) = samples.median("always", "counted_packets") else {
        return String::new();
    };
    let mut text = String::from("\n");
    text += &row(&["program", "runs a packet", "instructions a run"]);
    text += &rule(3);
    for (of, _) in samples.figure("program_runs") {
        let runs = samples.median(of, "program_runs").unwrap_or_default();
        let time = samples.median(of, "program_ns").unwrap_or_default();
        // Programs of the slow path and of processes run now and then; no packet waits for them.
        if ratio(runs, packets) > 0.1 {
            text += &row(&[
                of,
                &format!("{:.2}", ratio(runs, packets)),
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
    let ratios = ["latency_p50_ns", "latency_p99_ns", "upcalls_ps"];
    let mut text = row(&["tracer", "latency, median", "latency, 99 %", "upcalls a second"]);
    text += &rule(4);
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
        "upcalls_ps",
        "upcalls_failed",
        "recorded",
        "ring_lost",
        "runs_lost",
        "tracer_peak_kib",
    ];
    text + &medians(samples, &columns)
}

/// Ratios to the figure without a tracer.
fn shown(samples: &[&Sample]) -> String {
    Spread::of(samples).map_or_else(|| "–".into(), |spread| spread.to_string())
}

fn of_figure<'a>(samples: &'a Samples, what: &str, of: &str) -> Vec<&'a Sample> {
    let is = |sample: &&Sample| sample.what == what && sample.of == of;
    samples.all.iter().filter(is).collect()
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
