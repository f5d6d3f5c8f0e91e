//! `ovsgap record`: trace while a command runs, write the recording, print the report.
//!
//! Must not depend on: what events mean.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracer_core::event::EventKind;
use tracer_core::report::{Finding, Report};

use crate::capture::{self, Plan, Sources};
use crate::cli::{Node, Record};
use crate::outfile::{self, Existing};
use crate::outlet::{self, Outlet};
use crate::pipeline::{self, Outcome, Progress};
use crate::ready::Ready;
use crate::settled::settled;
use crate::sink::live::Live;
use crate::source::{channel, clock, ebpf};

/// Messages of events that may wait for the pipeline before sources are held back.
const WAITING: usize = 1 << 10;

/// How long the sources may take to tell what there is before the command starts all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long after the command's end a disruption may begin that it caused: an agent's Pod is deleted, and its
/// successor started, in seconds.
const BEGINNING: Duration = Duration::from_secs(3);

/// How long a command may take to end after the signal that ends the capture: who sent it waits for the report.
const FAREWELL: Duration = Duration::from_secs(1);

/// Traces and reports.
pub async fn run(args: &Record, verbose: u8) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::new()?;
    let path = match &args.output {
        Some(path) => path.clone(),
        None => outfile::free(&outfile::stem(clock::now(), clock::wall_offset_ns()), ".jsonl")?,
    };
    let trace = Trace {
        plan: plan(&args.node, verbose)?,
        path: &path,
        existing: Existing::overwrite(args.overwrite),
        command: &args.command,
        settle: Duration::from_secs(args.settle),
    };
    let mut outcome = trace.run(&mut interrupts).await?;
    let until = clock::now().plus(outlet::PATIENCE);
    let printed = super::print(&outcome.report, args.print, Some(until));
    outcome.keep(until);
    let name = path.display();
    let Outcome {
        report, log_error, ..
    } = outcome;
    if let Some(error) = log_error {
        let report = if printed.is_ok() {
            "the report above is"
        } else {
            "nor is the report"
        };
        anyhow::bail!("the recording {name} is not whole: {error}; {report}");
    }
    let code =
        printed.with_context(|| format!("the recording {name} is whole, `ovsgap report` prints it"))?;
    tracing::info!("recording: {name}");
    if let Some(unseen) = blind(&report) {
        anyhow::bail!("the kernel's datapath was not seen: {unseen}");
    }
    Ok(code)
}

/// Says at once what should not wait for the report.
async fn narrate(mut seen: watch::Receiver<Progress>) {
    let mut live = Live::default();
    while seen.changed().await.is_ok() {
        let report = seen.borrow_and_update().report.clone();
        for line in report.iter().flat_map(|report| live.news(report)) {
            tracing::warn!("{line}");
        }
    }
}

/// One capture around one command.
pub struct Trace<'a> {
    /// What to watch.
    pub plan: Plan,
    /// Where the recording goes.
    pub path: &'a Path,
    /// What becomes of what is there.
    pub existing: Existing,
    /// What to run; nothing: until a signal comes.
    pub command: &'a [String],
    /// How long to go on after the command while a disruption is not over, at most.
    pub settle: Duration,
}

impl Trace<'_> {
    /// Attaches, runs the command, waits until what it disrupted is over, lets go.
    pub async fn run(self, interrupts: &mut Interrupts) -> anyhow::Result<Outcome> {
        outlet::check(self.path, self.existing)?;
        let (events, received) = channel(WAITING);
        let (progress, mut seen) = watch::channel(Progress::default());
        let header = capture::header();
        let ready = Ready::watching(self.plan.bridges.clone());
        let sources = tokio::select! {
            started = capture::start(self.plan.clone(), events) => started?,
            _ = interrupts.next() => anyhow::bail!("interrupted before anything was traced: there is no recording"),
        };
        let log = Outlet::create(self.path, self.existing)?;
        tokio::spawn(narrate(seen.clone()));
        let pipeline = spawn_blocking(move || pipeline::run(header, received, Some(log), ready, &progress));
        tokio::select! {
            told = timeout(PATIENCE, seen.wait_for(|progress| progress.ready)) => if told.is_err() {
                tracing::warn!("not every source has told what there is; what it misses is in the report");
            },
            _ = interrupts.next() => {}
        }
        if !interrupts.came() {
            self.trace(&sources, &mut seen, interrupts).await?;
        }
        sources.stop().await;
        pipeline.await.context("the pipeline broke")
    }

    async fn trace(
        &self,
        sources: &Sources,
        seen: &mut watch::Receiver<Progress>,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<()> {
        if self.command.is_empty() {
            tracing::info!("tracing; Ctrl-C ends it");
            interrupts.next().await;
            return Ok(());
        }
        execute(sources, self.command, interrupts).await?;
        tokio::select! {
            () = settle_down(seen, self.settle) => {}
            _ = interrupts.next() => {}
        }
        Ok(())
    }
}

/// Why the hooks on the kernel saw nothing to the end, if so. The report says it among other things; a pipeline
/// must not miss it.
pub fn blind(report: &Report) -> Option<&str> {
    let down = |finding: &&Finding| finding.kind == "source_down" && finding.to_ns.is_none();
    let mut open = report.coverage.iter().filter(down);
    open.find_map(|finding| finding.detail.strip_prefix("ebpf: "))
}

/// What to watch, from the flags.
pub fn plan(node: &Node, verbose: u8) -> anyhow::Result<Plan> {
    let (rundir, db) = super::sockets(node)?;
    Ok(Plan {
        rundir,
        db,
        bridges: node.bridge.iter().cloned().collect::<BTreeSet<_>>(),
        ebpf: ebpf::Config {
            ring_bytes: node.ring_size * 1024,
            max_runs: node.max_keys,
            evidence: node.evidence.into(),
            verbose: verbose > 0,
            ..Default::default()
        },
    })
}

/// Runs the command to its end. A signal ends it: Ctrl-C reaches it by itself, SIGTERM is passed on.
async fn execute(sources: &Sources, argv: &[String], interrupts: &mut Interrupts) -> anyhow::Result<()> {
    let [program, arguments @ ..] = argv else {
        return Ok(());
    };
    sources
        .tell(EventKind::CommandStarted { argv: argv.to_vec() })
        .await;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .spawn()
        .with_context(|| format!("cannot run `{program}`: is it on PATH and executable?"))?;
    let ended = tokio::select! {
        ended = child.wait() => Some(ended),
        terminate = interrupts.next() => take_leave(&mut child, terminate).await,
    };
    if let Some(status) = ended {
        exited(sources, program, status.context("cannot wait for the command")?).await;
    } else {
        tracing::warn!("`{program}` still runs; the capture ends without it");
    }
    Ok(())
}

async fn take_leave(child: &mut Child, terminate: bool) -> Option<std::io::Result<ExitStatus>> {
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid.filter(|_| terminate) {
        // It may have ended in this moment: then there is nothing to pass on to.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    timeout(FAREWELL, child.wait()).await.ok()
}

async fn exited(sources: &Sources, program: &str, status: ExitStatus) {
    if !status.success() {
        tracing::warn!("`{program}` failed: {status}");
    }
    sources
        .tell(EventKind::CommandExited {
            code: status.code(),
            signal: status.signal(),
        })
        .await;
}

/// Waits until the disruption is over, at most for `most`; where none has begun, only for as long as one that
/// the command asked somebody else for may take to begin.
async fn settle_down(seen: &mut watch::Receiver<Progress>, most: Duration) {
    let report = |progress: &Progress| progress.report.clone();
    let began =
        seen.wait_for(|progress| report(progress).is_some_and(|report| !report.disruptions.is_empty()));
    if timeout(most.min(BEGINNING), began).await.is_err() {
        return;
    }
    let over = |progress: &Progress| progress.report.as_deref().is_some_and(settled);
    tokio::select! {
        _ = seen.wait_for(over) => {}
        () = sleep(most) => tracing::info!("the disruption is not over for every Pod; the capture ends all the same (--settle)"),
    }
}

/// Ctrl-C and SIGTERM.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    came: bool,
}

impl Interrupts {
    /// Catches them from here on.
    pub fn new() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("cannot catch signals");
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            came: false,
        })
    }

    /// Whether one has come.
    pub fn came(&self) -> bool {
        self.came
    }

    /// Waits for one; whether it was SIGTERM.
    async fn next(&mut self) -> bool {
        let terminate = tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => true,
        };
        self.came = true;
        terminate
    }
}
