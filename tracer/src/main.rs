//! `ovsgap`: reads the command line, runs one command, turns its end into an exit status.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tracer::cli::{Cli, Command};
use tracer::command::{ERROR, check, compare, doctor, manual, record, report, watch};
use tracer::source::ebpf;
use tracer::spoken::Spoken;
use tracer::words::Words;
use tracer::writing::{Shown, plain};
use tracer::{memory, rights};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    memory::give_back_what_is_freed();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return refuse(&refusal),
    };
    let words = Words::default();
    speak(cli.verbose, words.clone());
    let code = run(cli, &words).unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::from(ERROR)
    });
    words.finish();
    if let Err(error) = ebpf::leave() {
        tracing::debug!("the end waits for the kernel: {error}");
    }
    code
}

/// Help, the version, or what is wrong with the command line, said of arguments in which no character has power: names of
/// files come from outside, too.
fn refuse(refusal: &clap::Error) -> ExitCode {
    let arguments = std::env::args_os().map(|argument| plain(argument.to_string_lossy()));
    if let Err(refusal) = Cli::try_parse_from(arguments) {
        refusal.exit();
    }
    // Nobody may be there to read it.
    let _ = io::stderr().write_all(Shown::text(&refusal.render().to_string()).as_bytes());
    ExitCode::from(ERROR)
}

fn run(cli: Cli, words: &Words) -> anyhow::Result<ExitCode> {
    if let Some(purpose) = cli.command.purpose()
        && let Err(error) = rights::keep(purpose)
    {
        tracing::warn!("capabilities that are not needed are kept: {error}");
    }
    match cli.command {
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::pages(&args),
        Command::Report(args) => report::run(&args),
        Command::Doctor(args) => to_its_end(doctor::run(&args)),
        Command::Record(args) => to_its_end(record::run(&args, cli.verbose)),
        Command::Check(args) => to_its_end(check::run(&args, cli.verbose)),
        Command::Compare(args) => compare::run(&args),
        Command::Watch(args) => to_its_end(watch::run(&args, cli.verbose, words)),
    }
}

/// What is under way beside the command when that ends is waited for by nobody.
fn to_its_end(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let ended = runtime.block_on(command);
    runtime.shutdown_background();
    ended
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // Two threads: attaching hooks keeps one busy for up to hundreds of milliseconds, and what OVSDB says
    // meanwhile must still be stamped when it comes.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Our own words go to standard error, without time and place unless asked for.
fn speak(verbose: u8, words: Words) {
    let level = match verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("tracer={level},ovsgap={level},aya=warn")))
        .with_writer(move || words.clone())
        .with_ansi(io::stderr().is_terminal())
        .event_format(Spoken { timed: verbose > 0 })
        .init();
}
