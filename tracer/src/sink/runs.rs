//! Repeated runs: a row for each, and how their windows and losses are spread.
//!
//! Must not depend on: how runs are made.

use std::fmt::Write as _;

use serde::Serialize;
use tracer_core::budget::Judgement;

use super::text::table;
use crate::runs::spread::{Quantile, Spread, spread};
use crate::runs::{Run, Runs};
use crate::writing::{Shown, count, millis, span, word};

/// The runs as text.
pub fn text(runs: &[Run]) -> Shown {
    let mut out = String::new();
    let head = [
        "RUN",
        "WINDOW ms",
        "LOST",
        "LONGEST OF",
        "CAUSE",
        "COMMAND",
        "VERDICT",
    ];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend((1..).zip(runs).map(|(number, run)| row(number, run)));
    table::write(&mut out, &cells);
    let (windows, losses) = spreads(runs);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "\nover {}:\n  windows  {}\n  lost     {}\n",
        count(windows.runs, "run"),
        line(&windows, span),
        line(&losses, |packets| packets.to_string())
    );
    Shown::text(&out)
}

fn row(number: u32, run: &Run) -> Vec<String> {
    let dash = || "-".to_owned();
    let window = match (run.window.at_most, run.disruptions) {
        (_, 0) => dash(),
        (Some(most), _) => millis(most),
        (None, _) => "open".to_owned(),
    };
    vec![
        number.to_string(),
        window,
        run.lost.to_string(),
        run.worst.clone().unwrap_or_else(dash),
        run.cause.map_or_else(dash, word),
        run.command
            .as_ref()
            .and_then(|command| command.exit_code)
            .map_or_else(dash, |code| code.to_string()),
        word(run.verdict).to_uppercase(),
    ]
}

fn line(spread: &Spread, write: impl Fn(u64) -> String) -> String {
    let known = |value: Option<u64>| value.map_or_else(|| "open".to_owned(), &write);
    let mut parts: Vec<String> = spread
        .quantiles
        .iter()
        .map(|one| quantile(one, spread.runs, &known))
        .collect();
    parts.push(format!("max {}", known(spread.max)));
    parts.join(" · ")
}

fn quantile(one: &Quantile, runs: u64, known: &impl Fn(Option<u64>) -> String) -> String {
    let doubt = if one.trusted {
        String::new()
    } else {
        format!(" (not yet to be trusted: {runs} of {} runs)", one.runs_needed)
    };
    format!("{} {}{doubt}", one.name, known(one.value))
}

/// Windows and losses of the runs in which a disruption was seen.
fn spreads(runs: &[Run]) -> (Spread, Spread) {
    let seen = || runs.iter().filter(|run| run.disruptions > 0);
    let windows: Vec<Option<u64>> = seen().map(|run| run.window.at_most).collect();
    let losses: Vec<Option<u64>> = seen().map(|run| Some(run.lost)).collect();
    (spread(&windows), spread(&losses))
}

/// Schema `ovsgap.runs/1`.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    runs: &'a Runs,
    spread: Spreads,
    judgement: &'a Judgement,
}

#[derive(Serialize)]
struct Spreads {
    window_ns: Spread,
    lost_packets: Spread,
}

/// The runs as JSON, with what the budget says of them.
pub fn json(runs: &Runs, judgement: &Judgement) -> Shown {
    let (window_ns, lost_packets) = spreads(&runs.runs);
    let document = Document {
        runs,
        spread: Spreads {
            window_ns,
            lost_packets,
        },
        judgement,
    };
    super::json::pretty(&document)
}
