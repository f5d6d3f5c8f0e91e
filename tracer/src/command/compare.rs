//! `ovsgap compare`: two sets of runs.
//!
//! Must not depend on: statistics.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use tracer_core::budget::{self, Budget};
use tracer_core::report::Report;

use super::{EXCEEDED, INCONCLUSIVE, report};
use crate::cli::{Compare, ComparisonFormat};
use crate::comparison::{self, Outcome};
use crate::runs::{Run, Runs};
use crate::sink;

/// The list of runs that `check --repeat` leaves beside the recordings.
pub const RUNS: &str = "runs.json";

/// Compares and prints.
pub fn run(args: &Compare) -> anyhow::Result<ExitCode> {
    let (before, after) = (gather(&args.before)?, gather(&args.against)?);
    let comparison = comparison::compare(&before, &after);
    let text = match args.format {
        ComparisonFormat::Text => sink::comparison::text(&comparison),
        ComparisonFormat::Json => sink::comparison::json(&comparison),
    };
    super::write(&text, None)?;
    Ok(match comparison.outcome {
        Outcome::Better | Outcome::NoEvidence => ExitCode::SUCCESS,
        Outcome::Worse => ExitCode::from(EXCEEDED),
        Outcome::Inconclusive => ExitCode::from(INCONCLUSIVE),
    })
}

fn gather(paths: &[PathBuf]) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for path in paths {
        runs.extend(of(path).with_context(|| path.display().to_string())?);
    }
    Ok(runs)
}

fn of(path: &Path) -> anyhow::Result<Vec<Run>> {
    if path.is_dir() { folder(path) } else { file(path) }
}

/// All recordings of a folder; where it holds none, what `check --repeat` wrote over them.
fn folder(path: &Path) -> anyhow::Result<Vec<Run>> {
    let entries = fs::read_dir(path).context("cannot read the folder")?;
    let names = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>();
    let mut recordings = names.context("cannot read the folder")?;
    recordings.retain(|name| name.extension().is_some_and(|ending| ending == "jsonl"));
    recordings.sort();
    if recordings.is_empty() {
        let list = path.join(RUNS);
        ensure!(
            list.is_file(),
            "the folder holds neither recordings (*.jsonl) nor {RUNS}: name one that `ovsgap check --repeat` wrote"
        );
        return file(&list);
    }
    gather(&recordings)
}

/// A recording, a report, or a list of runs: told apart by what the file begins with.
fn file(path: &Path) -> anyhow::Result<Vec<Run>> {
    if is_recording(path)? {
        let (report, flaw) = report::read(path)?;
        if let Some(flaw) = flaw {
            tracing::warn!("{}: {flaw}", path.display());
        }
        return Ok(vec![run_of(&path.display().to_string(), &report)]);
    }
    let text = fs::read_to_string(path).context("cannot read it")?;
    document(&text, &path.display().to_string())
}

/// The runs of a list of runs, or the one of a report that is called `name`.
pub(crate) fn document(text: &str, name: &str) -> anyhow::Result<Vec<Run>> {
    match serde_json::from_str(text) {
        Ok(Document::Runs(runs)) => {
            ensure!(
                runs.schema == crate::runs::SCHEMA,
                "it is of schema {}, and this ovsgap knows {}: take one of its own version",
                runs.schema,
                crate::runs::SCHEMA
            );
            Ok(runs.runs)
        }
        Ok(Document::Report(report)) => Ok(vec![run_of(name, &report)]),
        Ok(Document::Other { schema }) => bail!(
            "it is of schema {schema}, and this ovsgap knows {} and {}: take one of its own version",
            crate::runs::SCHEMA,
            tracer_core::report::SCHEMA
        ),
        Err(_) => bail!(
            "it is no recording of ovsgap, no {RUNS} of `ovsgap check --repeat`, no report as JSON: record one with `ovsgap record`"
        ),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Runs(Runs),
    Report(Box<Report>),
    Other { schema: String },
}

/// Whether it begins like a recording, as far as a header's line can be long.
fn is_recording(path: &Path) -> anyhow::Result<bool> {
    const HEADER: u64 = 1 << 16;
    let file = File::open(path).context("cannot open it")?;
    let mut line = Vec::new();
    BufReader::new(file)
        .take(HEADER)
        .read_until(b'\n', &mut line)
        .context("cannot read it")?;
    Ok(line.starts_with(b"{\"ovsgap_log\""))
}

/// A comparison asks for no budget: only figures count.
fn run_of(name: &str, report: &Report) -> Run {
    let judgement = budget::judge(report, &Budget::nothing());
    Run::of(Some(name.to_owned()), report, &judgement)
}
