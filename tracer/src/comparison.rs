//! Two sets of runs: whether the windows of the second are better or worse than those of the first, by how
//! much, and which phase moved.
//!
//! Must not depend on: files, formats. `ovsgap.compare/1`, field by field: docs/report.md.

use serde::Serialize;

use crate::runs::{PHASES, Run};
use crate::statistics::{self, SIGNIFICANCE};

/// The schema's name and version.
pub const SCHEMA: &str = "ovsgap.compare/1";

/// What the comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The windows of the second set are shorter.
    Better,
    /// They are longer.
    Worse,
    /// Nothing shows that they differ.
    NoEvidence,
    /// There are too few runs for anything to show.
    Inconclusive,
}

/// Two sets beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// What follows from `window`.
    pub outcome: Outcome,
    /// What was.
    pub before: Set,
    /// What is judged.
    pub after: Set,
    /// How many runs each set needs at least.
    pub runs_needed: usize,
    /// The longest window of any Pod, per run (ns); its p decides.
    pub window: Change,
    /// Lost packets per run, then the phases of the longest window (ns); their p are corrected for being several (Holm).
    pub others: Vec<Change>,
}

/// One set of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Set {
    /// Runs that were compared.
    pub runs: usize,
    /// Why others were not.
    pub left_out: Vec<String>,
}

/// One figure in both sets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `window`, `lost packets`, or the phase.
    pub of: String,
    /// `ns` or `packets`.
    pub unit: &'static str,
    /// Its median in each set; `None`: there is none, or it has no upper bound.
    pub before: Option<u64>,
    /// The same of the second set.
    pub after: Option<u64>,
    /// By how much the second set's runs are longer (Hodges–Lehmann); `None`: not known.
    pub shift: Option<i64>,
    /// Its interval of 95 % confidence.
    pub interval: Option<[i64; 2]>,
    /// Mann and Whitney's p, two-sided.
    pub p: f64,
    /// Whether it moved.
    pub moved: bool,
}

/// Compares the second set with the first.
pub fn compare(before: &[Run], after: &[Run]) -> Comparison {
    let (first, before) = usable(before);
    let (second, after) = usable(after);
    let figures = |figure: &dyn Fn(&Run) -> u64| {
        let of = |runs: &[&Run]| runs.iter().map(|run| figure(run)).collect::<Vec<u64>>();
        (of(&first), of(&second))
    };
    let window = change("window", "ns", &figures(&Run::length));
    let mut others = vec![change("lost packets", "packets", &figures(&|run| run.lost))];
    for name in PHASES {
        let phase = |run: &Run| run.phases.get(name).copied().unwrap_or(0);
        others.push(change(name, "ns", &figures(&phase)));
    }
    let ps: Vec<f64> = others.iter().map(|change| change.p).collect();
    for (change, p) in others.iter_mut().zip(statistics::holm(&ps)) {
        (change.p, change.moved) = (p, p < SIGNIFICANCE);
    }
    Comparison {
        schema: SCHEMA,
        outcome: outcome(&window, first.len(), second.len()),
        before,
        after,
        runs_needed: statistics::needed(),
        window,
        others,
    }
}

fn usable(runs: &[Run]) -> (Vec<&Run>, Set) {
    let kept: Vec<&Run> = runs.iter().filter(|run| run.unusable.is_none()).collect();
    let reason = |run: &Run| {
        let reason = run.unusable.as_ref()?;
        Some(format!(
            "{}: {reason}",
            run.recording.as_deref().unwrap_or("a run")
        ))
    };
    let set = Set {
        runs: kept.len(),
        left_out: runs.iter().filter_map(reason).collect(),
    };
    (kept, set)
}

fn change(of: &str, unit: &'static str, (first, second): &(Vec<u64>, Vec<u64>)) -> Change {
    let middle = |figures: &[u64]| statistics::middle(figures).filter(|middle| *middle != u64::MAX);
    let shift = statistics::shift(first, second);
    let p = statistics::rank_test(first, second);
    // A difference from what has no upper bound is none that fits.
    let fits = |difference: i128| i64::try_from(difference).ok();
    Change {
        of: of.to_owned(),
        unit,
        before: middle(first),
        after: middle(second),
        shift: shift.and_then(|shift| fits(shift.median)),
        interval: shift.and_then(|shift| Some([fits(shift.low)?, fits(shift.high)?])),
        p,
        moved: p < SIGNIFICANCE,
    }
}

fn outcome(window: &Change, first: usize, second: usize) -> Outcome {
    let longer = |one: Option<u64>, other: Option<u64>| one.unwrap_or(u64::MAX) > other.unwrap_or(u64::MAX);
    match window.shift {
        _ if !statistics::can_differ(first, second) => Outcome::Inconclusive,
        _ if !window.moved => Outcome::NoEvidence,
        Some(shift) if shift < 0 => Outcome::Better,
        Some(shift) if shift > 0 => Outcome::Worse,
        _ if longer(window.before, window.after) => Outcome::Better,
        _ if longer(window.after, window.before) => Outcome::Worse,
        _ => Outcome::NoEvidence,
    }
}
