//! `ovsgap record`: trace while a command runs, write the recording, print the report.
//!
//! May not know: what events mean.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracer_core::event::EventKind;
use tracer_core::report::{Finding, Report};

use crate::capture::{self, Plan, Sources};
use crate::cli::{Node, Record};
use crate::outfile;
use crate::pipeline::{self, Outcome, Progress};
use crate::ready::Ready;
use crate::settled::settled;
use crate::sink::live::Live;
use crate::source::ebpf;

/// Events that may wait for the pipeline before sources are held back.
const WAITING: usize = 1 << 16;

/// How long the sources may take to tell what there is before the command starts all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long after the command's end a restart may begin that it caused: an agent's Pod is deleted, and its
/// successor started, in seconds.
const BEGINNING: Duration = Duration::from_secs(3);

/// How long a command may take to end after the signal that ends the capture.
const FAREWELL: Duration = Duration::from_secs(5);

/// Traces and reports.
pub async fn run(args: &Record, verbose: u8) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::new()?;
    let (events, received) = mpsc::channel(WAITING);
    let (progress, mut seen) = watch::channel(Progress::default());
    let header = capture::header();
    let plan = plan(&args.node, verbose)?;
    let ready = Ready::watching(plan.bridges.clone());
    let sources = capture::start(plan, events).await?;
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| outfile::name(header.started_ns, header.wall_offset_ns, ".jsonl"));
    let log = create(&path)?;
    tokio::spawn(narrate(seen.clone()));
    let pipeline = tokio::spawn(pipeline::run(header, received, Some(log), ready, progress));
    if timeout(PATIENCE, seen.wait_for(|progress| progress.ready))
        .await
        .is_err()
    {
        tracing::warn!("not every source has told what there is; what it misses is in the report");
    }
    if args.command.is_empty() {
        tracing::info!("tracing; Ctrl-C ends it");
        interrupts.next().await;
    } else {
        execute(&sources, &args.command, &mut interrupts).await?;
        let settle = Duration::from_secs(args.settle);
        tokio::select! {
            () = settle_down(&mut seen, settle) => {}
            _ = interrupts.next() => {}
        }
    }
    sources.stop().await;
    let Outcome { report, log_error } = pipeline.await.context("the pipeline broke")?;
    let code = super::print(&report, args.print)?;
    if let Some(error) = log_error {
        anyhow::bail!(
            "the recording {} is not whole: {error}; the report above is",
            path.display()
        );
    }
    tracing::info!("recording: {}", path.display());
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

/// Why the hooks on the kernel saw nothing to the end, if so. The report says it among other things; a pipeline
/// must not miss it.
fn blind(report: &Report) -> Option<&str> {
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
            evidence: node.evidence.into(),
            verbose: verbose > 0,
            ..Default::default()
        },
    })
}

fn create(path: &Path) -> anyhow::Result<Box<dyn Write + Send>> {
    let file = outfile::create(path).with_context(|| {
        format!(
            "cannot write the recording {}: choose another place with -o",
            path.display()
        )
    })?;
    Ok(Box::new(BufWriter::with_capacity(1 << 20, file)))
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

/// Waits until the restart is over, at most for `most`; where none has begun, only for as long as one that
/// the command asked somebody else for may take to begin.
async fn settle_down(seen: &mut watch::Receiver<Progress>, most: Duration) {
    let report = |progress: &Progress| progress.report.clone();
    let began = seen.wait_for(|progress| report(progress).is_some_and(|report| !report.restarts.is_empty()));
    if timeout(most.min(BEGINNING), began).await.is_err() {
        return;
    }
    let over = |progress: &Progress| progress.report.as_deref().is_some_and(settled);
    tokio::select! {
        _ = seen.wait_for(over) => {}
        () = sleep(most) => tracing::info!("the restart is not over for every Pod; the capture ends all the same (--settle)"),
    }
}

/// Ctrl-C and SIGTERM.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn new() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("cannot catch signals");
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// Waits for one; whether it was SIGTERM.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => true,
        }
    }
}
