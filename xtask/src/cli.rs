//! The commands and their options.
//!
//! Must not depend on: how a command does its work.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use lab::words::wire::Verdict;

use crate::paths::Paths;
use crate::vm;
use crate::vm::distro::{Distro, Named};
use crate::{accuracy, bench, demo, dist, fuzz, suite, support, tidy};

/// Build, lab, demo and tests of ovsgap.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the eBPF programs and the static ovsgap
    Build,
    /// Restart Open vSwitch in a node with the wrong order of things and show what it did to the Pods
    Demo {
        /// What the node is made of
        #[arg(long, value_enum, default_value = "trixie")]
        distro: Distro,
        /// Watch it happen on `ovsgap watch`, live in the node through its serial console
        #[arg(long)]
        tui: bool,
    },
    /// Measure what ovsgap costs a node, beside other tracers, and write docs/performance.md
    Bench(bench::Bench),
    /// Pack the program, its completions and man pages, and a Debian package below target/dist
    Dist,
    /// Feed what reads bytes from outside with inputs that shall break it
    Fuzz(fuzz::Fuzz),
    /// Run all tests: format, lint, unit tests, tidiness, restarts in nodes
    Test(Test),
    /// Check what the workspace's files must be like
    Tidy,
    /// Run any command in a node with Open vSwitch and `ovsgap`, in a virtual machine
    Vm(Vm),
}

/// Which tests.
#[derive(Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent switches of a command line"
)]
struct Test {
    /// What the nodes are made of; none: the oldest and the newest, and those between for a few restarts
    #[arg(long, value_enum, value_delimiter = ',')]
    distro: Vec<Named>,
    /// Every scenario of restart, and not only the core ones
    #[arg(long)]
    all: bool,
    /// Only restarts in nodes, of these scenarios (comma-separated)
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Run nothing: judge once more what the last run left in target/test
    #[arg(long)]
    again: bool,
    /// Only troubles of ovsgap's own in nodes: a full disk, a killed recorder, few rights and more
    #[arg(long, conflicts_with_all = ["only", "all", "again"])]
    faults: bool,
    /// Of these troubles, only those whose names hold one of these words (comma-separated)
    #[arg(long, value_delimiter = ',', requires = "faults")]
    fault: Vec<String>,
    /// Write truth beside report of all scenarios to docs/accuracy.md
    #[arg(long)]
    write_accuracy: bool,
    /// Write what each kernel lets be seen, and every restart on it, to docs/support.md
    #[arg(long)]
    write_support: bool,
}

/// A node and what runs in it.
#[derive(Args)]
struct Vm {
    /// What the node is made of
    #[arg(long, value_enum, default_value = "trixie")]
    distro: Distro,
    /// Debian packages to install beside the usual ones
    #[arg(long, value_delimiter = ',')]
    packages: Vec<String>,
    /// A file or folder to put into the node's /opt/copy (on PATH); repeatable
    #[arg(long, value_name = "PATH")]
    copy: Vec<PathBuf>,
    /// Where to put what the command wrote to /out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seconds after which the command is killed (exit status 124)
    #[arg(long, default_value_t = 600)]
    timeout: u64,
    /// Processors of the node
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// Memory of the node in MiB
    #[arg(long, default_value_t = 2048)]
    memory: u32,
    /// The command, run as root
    #[arg(last = true, required = true)]
    cmd: Vec<String>,
}

/// Runs what was asked for.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Build => {
            let binary = crate::compile::ovsgap(&Paths::find()?)?;
            eprintln!("built {}", binary.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo { distro, tui: true } => demo::tui::run(&Paths::find()?, distro),
        Command::Demo { distro, tui: false } => {
            demo::run(&Paths::find()?, distro)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(asked) => {
            bench::run(&Paths::find()?, &asked)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Dist => {
            for path in dist::run(&Paths::find()?)? {
                eprintln!("made {}", path.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Fuzz(asked) => {
            let broken = fuzz::run(&Paths::find()?, &asked)?;
            Ok(if broken == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Test(asked) => test(&Paths::find()?, &asked),
        Command::Tidy => {
            let breaches = tidy::check(&Paths::find()?.root)?;
            for breach in &breaches {
                eprintln!("{breach}");
            }
            Ok(if breaches.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Vm(vm) => run_vm(&Paths::find()?, vm),
    }
}

fn test(paths: &Paths, asked: &Test) -> Result<ExitCode> {
    let Test { only, again, all, .. } = asked;
    let distros = Distro::all_of(&asked.distro);
    let mut count = suite::Count::default();
    if asked.faults {
        crate::faults::run(paths, &mut count, &distros, &asked.fault);
        return finish(count);
    }
    if only.is_empty() && !again {
        suite::sources(paths, &mut count)?;
    }
    let plan = suite::plan(&distros, only, *all || *again)?;
    let outcomes = suite::nodes(paths, &mut count, &plan, *again);
    if distros.is_empty() && only.is_empty() && !again && !all {
        crate::faults::usual(paths, &mut count);
    }
    if asked.write_accuracy {
        accuracy::write(paths, &outcomes)?;
    }
    if asked.write_support {
        support::write(paths, &outcomes)?;
    }
    eprintln!("{}", support::summary(&outcomes));
    finish(count)
}

/// The last line and the status of a run of tests.
fn finish(count: suite::Count) -> Result<ExitCode> {
    let suite::Count { passed, failed } = count;
    writeln!(std::io::stdout(), "{passed} passed, {failed} failed").context("writing to stdout")?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_vm(paths: &Paths, vm: Vm) -> Result<ExitCode> {
    let Vm {
        distro,
        packages,
        mut copy,
        out,
        timeout,
        cpus,
        memory,
        cmd,
    } = vm;
    let guest = crate::compile::guest(paths)?;
    copy.extend(crate::compile::built_ovsgap(paths));
    let run = vm::Run {
        distro,
        packages,
        copy,
        out,
        timeout_s: timeout,
        cpus,
        memory,
        argv: cmd,
        screen: None,
    };
    let verdict = vm::run(paths, &guest, &run)?;
    exit_code(verdict, timeout)
}

/// The exit status a shell would give.
fn exit_code(verdict: Verdict, timeout: u64) -> Result<ExitCode> {
    Ok(match verdict {
        Verdict::Code(code) => ExitCode::from(code),
        Verdict::Signal(signal) => {
            eprintln!("the command was ended by signal {signal}");
            ExitCode::from(128_u8.saturating_add(u8::try_from(signal).context("a signal's number")?))
        }
        Verdict::TimedOut => {
            eprintln!(
                "the command did not end within {timeout} s and was killed; give it more with --timeout"
            );
            ExitCode::from(124)
        }
        Verdict::Failed(reason) => anyhow::bail!("the command did not run in the node: {reason}"),
    })
}
