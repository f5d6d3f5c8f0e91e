//! `ovsgap watch`: the screen, over this node as it is or over a recording.
//!
//! Must not depend on: what is drawn, what events mean.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal as _, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracer_core::history::History;
use tracer_core::log::{Entry, Reader};

use super::record::plan;
use crate::capture;
use crate::cli::Watch;
use crate::historian::export::Scribe;
use crate::historian::{Historian, Order};
use crate::outfile::Existing;
use crate::ready::Ready;
use crate::source::{channel, clock};
use crate::tui::Tui;
use crate::tui::theme::Theme;
use crate::words::Words;

/// Orders, and messages of events, that may wait for the historian before sources are held back.
const WAITING: usize = 1 << 10;

/// Places in a recording to which going back is at once.
const STOPS: u64 = 48;

/// A recording larger than this takes a moment to read.
const LARGE: u64 = 32 << 20;

/// Shows the screen until the user closes it or a signal comes.
pub async fn run(args: &Watch, verbose: u8, words: &Words) -> anyhow::Result<ExitCode> {
    if !stdout().is_terminal() || !stdin().is_terminal() {
        anyhow::bail!("`ovsgap watch` needs a terminal; without one: `ovsgap report FILE`, `ovsgap record`");
    }
    let theme = Theme::detect(|name| std::env::var(name).ok(), args.ascii);
    match &args.file {
        Some(file) => recording(file, theme, words).await,
        None => live(args, verbose, theme, words).await,
    }
}

async fn recording(file: &Path, theme: Theme, words: &Words) -> anyhow::Result<ExitCode> {
    let historian = load(file).with_context(|| format!("{}", file.display()))?;
    let (orders, obeyed) = mpsc::channel(WAITING);
    let mut signals = Signals::new()?;
    words.hold();
    let mut tui = Tui::start(historian, orders, obeyed, theme, clock::now);
    let ended = until_closed(&mut tui, &mut signals).await;
    let finished = tui.finish();
    words.release();
    ended.and(finished).map(|()| ExitCode::SUCCESS)
}

/// Reads a whole recording. What is wrong with its end is said on the screen.
fn load(file: &Path) -> anyhow::Result<Historian> {
    let input = File::open(file).context("cannot open it")?;
    let size = fs::metadata(file).map_or(0, |metadata| metadata.len());
    if size > LARGE {
        tracing::info!("reading {} ({} MiB)", file.display(), size >> 20);
    }
    let name = file
        .file_name()
        .unwrap_or(file.as_os_str())
        .to_string_lossy()
        .into_owned();
    historian(name, BufReader::with_capacity(1 << 20, input))
}

/// A historian over a recording.
pub fn historian(name: String, input: impl BufRead) -> anyhow::Result<Historian> {
    let mut reader = Reader::new(input)?;
    let header = reader.header().clone();
    let mut entries: Vec<Entry> = Vec::new();
    let mut flaw = None;
    for entry in &mut reader {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => flaw = Some(error.to_string()),
        }
    }
    let stride = (entries.len() as u64 / STOPS).max(256);
    let (history, report) = History::of_recording(header, entries, flaw.as_deref(), stride);
    Ok(Historian::of_recording(name, history, report))
}

async fn live(args: &Watch, verbose: u8, theme: Theme, words: &Words) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let plan = plan(&args.node, verbose)?;
    let (events, mut seen) = channel(WAITING);
    let header = capture::header();
    let mut historian = Historian::live(header.clone(), Ready::watching(plan.bridges.clone()));
    if let Some(path) = &args.output {
        historian.record_to(Scribe::new(path, Existing::overwrite(args.overwrite), &header)?);
    }
    let sources = capture::start(plan, events).await.map_err(|error| {
        anyhow::anyhow!(
            "{error:#}; a recording can be watched without privileges and without Open vSwitch: `ovsgap watch FILE` \
             (the sources hold one, demo/restart.jsonl; `ovsgap record` makes others)"
        )
    })?;
    let (orders, obeyed) = mpsc::channel(WAITING);
    let forward = orders.clone();
    tokio::spawn(async move {
        while let Some(event) = seen.recv().await {
            if forward.send(Order::Event(event)).await.is_err() {
                break;
            }
        }
    });
    words.hold();
    let mut tui = Tui::start(historian, orders, obeyed, theme, clock::now);
    let ended = until_closed(&mut tui, &mut signals).await;
    sources.stop().await;
    let finished = tokio::task::spawn_blocking(|| tui.finish())
        .await
        .context("the screen broke")?;
    words.release();
    ended.and(finished).map(|()| ExitCode::SUCCESS)
}

async fn until_closed(tui: &mut Tui, signals: &mut Signals) -> anyhow::Result<()> {
    tokio::select! {
        ended = &mut tui.closed => return ended.context("the screen broke")?,
        () = signals.next() => tui.stop(),
    }
    (&mut tui.closed).await.context("the screen broke")?
}

/// What ends the screen from outside: the terminal is given back first.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("cannot catch signals");
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
