//! `ovsgap report`: the report over a recording.
//!
//! Must not depend on: live sources.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tracer_core::judge::Judge;
use tracer_core::log::{Entry, Header, LogError, Reader};
use tracer_core::report::Report;

use crate::cli::ReportArgs;

/// Prints the report. Of a recording that is cut off or damaged, the report covers what comes before,
/// and the exit status is that of an error.
pub fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let name = args.file.display();
    let (report, flaw) = read(&args.file).with_context(|| format!("{name}"))?;
    super::print(&report, args.print, None)?;
    if let Some(flaw) = flaw {
        anyhow::bail!("{name}: {flaw}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Judges a recording; with what is wrong with its end, if something is.
pub fn read(file: &Path) -> anyhow::Result<(Report, Option<String>)> {
    if file == Path::new("-") {
        judge(io::stdin().lock())
    } else {
        judge(BufReader::with_capacity(
            1 << 20,
            File::open(file).context("cannot open it")?,
        ))
    }
}

/// Judges what was read of a recording.
pub(crate) fn judge(input: impl BufRead) -> anyhow::Result<(Report, Option<String>)> {
    let reader = Reader::new(input)?;
    let header = reader.header().clone();
    Ok(judge_entries(header, reader))
}

/// Judges entries as they are read.
pub(crate) fn judge_entries(
    header: Header,
    entries: impl Iterator<Item = Result<Entry, LogError>>,
) -> (Report, Option<String>) {
    let mut judge = Judge::new(header);
    let mut flaw = None;
    for entry in entries {
        match entry {
            Ok(entry) => judge.push(entry),
            Err(error) => flaw = Some(error.to_string()),
        }
    }
    let whole = judge.has_ended();
    if flaw.is_none() && !whole {
        flaw = Some("the recording has no end mark: the recorder was interrupted; the report covers what it wrote until then".to_owned());
    }
    (judge.finish(flaw.as_deref()), flaw)
}
