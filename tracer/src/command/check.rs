//! `ovsgap check`: recordings, or a command while it runs, held against a budget.
//!
//! Must not depend on: how a limit is judged, how a capture works.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tracer_core::budget::{self as limits, Budget, Limit};
use tracer_core::report::{Command, Report, Verdict};

use super::record::{self, Interrupts, Trace};
use super::{EXCEEDED, INCONCLUSIVE, compare, report};
use crate::budget;
use crate::cli::{Check, Limits};
use crate::outfile::{self, Existing};
use crate::outlet::{self, Outlet, PATIENCE};
use crate::pipeline::Outcome;
use crate::runs::{Judged, Run, Runs, merged};
use crate::sink::{self, Format, Style};
use crate::source::clock;
use crate::writing::Shown;

/// Judges and prints.
pub async fn run(args: &Check, verbose: u8) -> anyhow::Result<ExitCode> {
    let budget = budget_of(&args.limits)?;
    if let Some(path) = &args.output {
        // Not after hours of runs.
        outlet::check(path, existing(args))?;
    }
    let judged = if args.subject.command.is_empty() {
        recorded(&args.subject.file, &budget)?
    } else {
        executed(args, verbose, &budget).await?
    };
    let Some(whole) = merged(&judged) else {
        bail!("nothing was run to its end, so nothing can be judged: let the command end by itself");
    };
    strangers(&budget, &whole.report);
    print(args, &judged, &whole)?;
    Ok(match whole.judgement.verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(EXCEEDED),
        Verdict::Inconclusive => ExitCode::from(INCONCLUSIVE),
    })
}

/// The file's limits, and over them those of the flags; where neither limits anything, nothing may be lost.
fn budget_of(flags: &Limits) -> anyhow::Result<Budget> {
    let Limits {
        max_window,
        max_exposed,
        max_lost,
        max_pods,
        allow_stuck_flag,
        budget: file,
    } = flags;
    let mut budget = file.as_deref().map(budget::read).transpose()?.unwrap_or_default();
    let over = |limit: &mut Limit, flag: &Option<u64>| {
        if let Some(most) = flag {
            *limit = Limit::AtMost(*most);
        }
    };
    over(&mut budget.every.window, max_window);
    over(&mut budget.every.exposed, max_exposed);
    over(&mut budget.every.lost, max_lost);
    over(&mut budget.affected, max_pods);
    budget.allow_stuck_flag |= allow_stuck_flag;
    if budget.is_unlimited() {
        budget.every = Budget::nothing().every;
    }
    Ok(budget)
}

/// A budget for a Pod that was not there is most often a slip of the pen.
fn strangers(budget: &Budget, report: &Report) {
    let pods = || report.disruptions.iter().flat_map(|disruption| &disruption.pods);
    for name in budget.pods.keys() {
        let is = |namespace: &String, pod: &str| format!("{namespace}/{pod}") == *name;
        if !pods().any(|pod| {
            pod.namespace
                .as_ref()
                .is_some_and(|namespace| is(namespace, &pod.name))
        }) {
            tracing::warn!(
                "the budget names the Pod {name}, which was not on this node: see how it is written"
            );
        }
    }
    for name in budget.namespaces.keys() {
        if !pods().any(|pod| pod.namespace.as_ref() == Some(name)) {
            tracing::warn!(
                "the budget names the namespace {name}, of which no Pod was on this node: see how it is written"
            );
        }
    }
}

fn existing(args: &Check) -> Existing {
    Existing::overwrite(args.overwrite)
}

fn judged(recording: &Path, report: Report, budget: &Budget) -> Judged {
    Judged {
        recording: Some(recording.display().to_string()),
        judgement: limits::judge(&report, budget),
        report,
    }
}

/// Recordings. One that is cut off weakens its own verdict by a finding.
fn recorded(files: &[PathBuf], budget: &Budget) -> anyhow::Result<Vec<Judged>> {
    let mut all = Vec::new();
    for file in files {
        let (report, flaw) = report::read(file).with_context(|| file.display().to_string())?;
        if let Some(flaw) = flaw {
            tracing::warn!("{}: {flaw}", file.display());
        }
        all.push(judged(file, report, budget));
    }
    Ok(all)
}

/// Runs the command, once or repeatedly, each time in a capture of its own.
async fn executed(args: &Check, verbose: u8, budget: &Budget) -> anyhow::Result<Vec<Judged>> {
    let mut interrupts = Interrupts::new()?;
    let plan = || record::plan(&args.node, verbose);
    // What is wrong with the flags should be said before a folder is made for the recordings.
    plan()?;
    let folder = folder(args)?;
    let width = args.repeat.to_string().len();
    let place = |number: u32| folder.join(format!("run-{number:0width$}.jsonl"));
    for path in (1..=args.repeat).map(place).chain([folder.join(compare::RUNS)]) {
        outfile::look(&path, existing(args)).with_context(|| {
            format!(
                "cannot write {}: choose another folder with --recordings",
                path.display()
            )
        })?;
    }
    let mut all = Vec::new();
    for number in 1..=args.repeat {
        if args.repeat > 1 {
            tracing::info!("run {number} of {}", args.repeat);
        }
        let path = place(number);
        let trace = Trace {
            plan: plan()?,
            path: &path,
            existing: existing(args),
            command: &args.subject.command,
            settle: Duration::from_secs(args.settle),
        };
        let mut outcome = trace.run(&mut interrupts).await?;
        outcome.keep(clock::now().plus(PATIENCE));
        let Outcome {
            report, log_error, ..
        } = outcome;
        if let Some(error) = log_error {
            tracing::warn!("the recording {} is not whole: {error}", path.display());
        }
        if let Some(unseen) = record::blind(&report) {
            tracing::warn!("the kernel's datapath was not seen: {unseen}");
        }
        all.push(judged(&path, report, budget));
        list(&folder, &all)?;
        if interrupts.came() {
            tracing::warn!("interrupted after {number} of {} runs", args.repeat);
            break;
        }
    }
    tracing::info!("recordings: {}", folder.display());
    Ok(all)
}

/// The folder of the recordings: the one that was named, or a new one.
fn folder(args: &Check) -> anyhow::Result<PathBuf> {
    let refused = |folder: &Path| {
        format!(
            "cannot make the folder {} for the recordings: choose another with --recordings",
            folder.display()
        )
    };
    if let Some(folder) = &args.recordings {
        fs::create_dir_all(folder).with_context(|| refused(folder))?;
        return Ok(folder.clone());
    }
    let stem = outfile::stem(clock::now(), clock::wall_offset_ns());
    let made = outfile::numbered(&stem, |name| fs::create_dir(name).map(|()| name.into()));
    made.with_context(|| refused(Path::new(&stem)))
}

fn runs(all: &[Judged]) -> Runs {
    let run = |one: &Judged| Run::of(one.recording.clone(), &one.report, &one.judgement);
    Runs::new(all.iter().map(run).collect())
}

/// The list of the runs so far, so that nothing is lost where a later run breaks.
fn list(folder: &Path, all: &[Judged]) -> anyhow::Result<()> {
    let list = sink::json::pretty(&runs(all));
    save(&folder.join(compare::RUNS), &list, Existing::Replaced)
}

fn save(path: &Path, text: &Shown, existing: Existing) -> anyhow::Result<()> {
    let mut outlet = Outlet::create(path, existing)?;
    let written = outlet.write_all(text.as_bytes());
    let written = written.and_then(|()| outlet.finish(clock::now().plus(PATIENCE)));
    written.with_context(|| format!("cannot write {}: choose another place", path.display()))
}

/// To the file what was asked for, to standard output what exceeds the budget; without a file, to standard output what was asked for.
fn print(args: &Check, all: &[Judged], whole: &Judged) -> anyhow::Result<()> {
    let live = !args.subject.command.is_empty();
    let until = live.then(|| clock::now().plus(PATIENCE));
    let asked = asked(args, all, whole);
    let Some(path) = &args.output else {
        return super::write(&asked, until);
    };
    save(path, &asked, existing(args))?;
    tracing::info!("report: {}", path.display());
    super::write(&verdicts(all, whole), until)
}

fn asked(args: &Check, all: &[Judged], whole: &Judged) -> Shown {
    let Judged {
        report, judgement, ..
    } = whole;
    let style = Style {
        format: args.print.format,
        utc: args.print.utc,
        explain: args.print.explain,
    };
    match (args.print.format, all.len()) {
        (Format::Text, 1) => {
            let both = format!("{}\n{}", sink::render(report, style), verdicts(all, whole));
            Shown::text(&both)
        }
        (Format::Text, _) => verdicts(all, whole),
        (Format::Json, 1) => sink::json::judged(report, judgement),
        (Format::Json, _) => sink::runs::json(&runs(all), judgement),
        (Format::Junit | Format::Markdown | Format::Html | Format::Perfetto, _) => {
            sink::judged(report, judgement, style)
        }
    }
}

/// What exceeds the budget, one line for each Pod; of several runs, how they are spread.
fn verdicts(all: &[Judged], whole: &Judged) -> Shown {
    let mut text = String::new();
    if all.len() > 1 {
        text.push_str(&sink::runs::text(&runs(all).runs));
        text.push('\n');
    }
    let commands: Vec<Command> = whole.report.command.iter().cloned().collect();
    text.push_str(&sink::gate::render(&whole.judgement, &commands, all.len() > 1));
    Shown::text(&text)
}
