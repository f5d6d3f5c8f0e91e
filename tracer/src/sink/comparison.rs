//! Two sets of runs beside each other, as text and as JSON.
//!
//! Must not depend on: how they are compared.

use super::text::table;
use crate::comparison::{Change, Comparison, Outcome, Set};
use crate::writing::{Shown, count, line, millis};

/// For people: the verdict first.
pub fn text(comparison: &Comparison) -> Shown {
    let mut out = String::new();
    line(&mut out, &sentence(comparison));
    line(&mut out, "");
    let head = ["PER RUN", "BEFORE", "AFTER", "SHIFT", "95 % INTERVAL", "p", ""];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.push(row(&comparison.window));
    cells.extend(comparison.others.iter().map(row));
    table::write(&mut out, &cells);
    line(
        &mut out,
        "medians; times in ms; shift: Hodges–Lehmann; p: Mann–Whitney, two-sided; those below the first row corrected for being several (Holm)",
    );
    for (name, set) in [("before", &comparison.before), ("after", &comparison.after)] {
        for reason in &set.left_out {
            line(&mut out, &format!("left out of {name}: {reason}"));
        }
    }
    Shown::text(&out)
}

/// For programs.
pub fn json(comparison: &Comparison) -> Shown {
    super::json::pretty(comparison)
}

fn sentence(comparison: &Comparison) -> String {
    let Comparison {
        outcome,
        before,
        after,
        window,
        ..
    } = comparison;
    let sets = format!("{} after against {} before", runs(after), before.runs);
    match outcome {
        Outcome::Better => format!(
            "better: windows are shorter{} ({sets}, {})",
            by(window),
            likely(window.p)
        ),
        Outcome::Worse => format!(
            "worse: windows are longer{} ({sets}, {})",
            by(window),
            likely(window.p)
        ),
        Outcome::NoEvidence => format!(
            "no evidence: nothing shows that windows differ{} ({sets}, {})",
            window
                .interval
                .map(|interval| format!("; the shift lies in {}", span_of(interval, window)))
                .unwrap_or_default(),
            likely(window.p)
        ),
        Outcome::Inconclusive => format!(
            "inconclusive: {sets} are too few for anything to show, whatever they say; run at least {} of each (--repeat {})",
            comparison.runs_needed, comparison.runs_needed
        ),
    }
}

fn runs(set: &Set) -> String {
    count(set.runs as u64, "run")
}

fn by(change: &Change) -> String {
    let Some((shift, interval)) = change.shift.zip(change.interval) else {
        return ", by how much is not known: some did not end".to_owned();
    };
    format!(
        " by {} ms, 95 % interval of the shift {}",
        millis(shift.unsigned_abs()),
        span_of(interval, change)
    )
}

fn span_of([low, high]: [i64; 2], change: &Change) -> String {
    let unit = if change.unit == "ns" { " ms" } else { "" };
    format!("{} to {}{unit}", signed(low, change), signed(high, change))
}

fn row(change: &Change) -> Vec<String> {
    let figure = |value: Option<u64>| match value {
        Some(value) if change.unit == "ns" => millis(value),
        Some(value) => value.to_string(),
        None => "-".to_owned(),
    };
    vec![
        change.of.clone(),
        figure(change.before),
        figure(change.after),
        change
            .shift
            .map_or_else(|| "-".to_owned(), |shift| signed(shift, change)),
        change.interval.map_or_else(
            || "-".to_owned(),
            |[low, high]| format!("{} to {}", signed(low, change), signed(high, change)),
        ),
        p(change.p),
        if change.moved { "moved" } else { "" }.to_owned(),
    ]
}

fn signed(value: i64, change: &Change) -> String {
    let sign = match value {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    if change.unit == "ns" {
        format!("{sign}{}", millis(value.unsigned_abs()))
    } else {
        format!("{sign}{}", value.unsigned_abs())
    }
}

/// `p = 0.0312`.
fn likely(value: f64) -> String {
    let written = p(value);
    if written.starts_with('<') {
        format!("p {written}")
    } else {
        format!("p = {written}")
    }
}

fn p(p: f64) -> String {
    if p < 0.0001 {
        "< 0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}
