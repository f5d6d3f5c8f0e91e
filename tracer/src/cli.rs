//! The command line: what may be typed.
//!
//! Must not depend on: how any of it is done.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::budget;
use crate::rights::Use;
use crate::sink::Format;
use crate::source::ebpf;

/// Reports exactly when and why each Pod lost packets while Open vSwitch, or whatever programs it, restarted or went wrong.
#[derive(Debug, Parser)]
#[command(name = "ovsgap", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on standard error, the eBPF programs' own words included; twice: still more.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what can be seen on this node, hook by hook, with a remedy for each miss.
    Doctor(Doctor),
    /// Trace, run a command (or until Ctrl-C), write the recording, print the report.
    Record(Record),
    /// Print the report over a recording.
    Report(ReportArgs),
    /// Judge disruptions by a budget: the gate of a pipeline (exit status 0 pass, 1 exceeded, 2 error, 3 inconclusive).
    Check(Check),
    /// Say whether the windows of one set of runs are better or worse than those of another.
    Compare(Compare),
    /// Watch a disruption as it happens, or a recording, and wind it back (keys: ?).
    Watch(Watch),
    /// Print the completions for a shell.
    Completions(Completions),
    /// Write the man pages into a folder.
    #[command(hide = true)]
    Man(ManPages),
}

impl Command {
    /// What it does that may take a right; `None`: it says what is compiled in.
    pub fn purpose(&self) -> Option<Use> {
        let around = |command: &[String]| {
            if command.is_empty() {
                Use::Node
            } else {
                Use::NodeAndProgram
            }
        };
        Some(match self {
            Self::Completions(_) | Self::Man(_) => return None,
            Self::Report(_) | Self::Compare(_) | Self::Watch(Watch { file: Some(_), .. }) => Use::Files,
            Self::Check(check) if check.subject.command.is_empty() => Use::Files,
            Self::Check(check) => around(&check.subject.command),
            Self::Record(record) => around(&record.command),
            Self::Doctor(_) | Self::Watch(_) => Use::Node,
        })
    }
}

/// Where Open vSwitch is, and what of it to watch.
#[derive(Clone, Debug, Args)]
pub struct Node {
    /// Where Open vSwitch keeps its sockets [default: the first of /run/openvswitch, /var/run/openvswitch,
    /// /var/run/antrea/openvswitch that has a db.sock].
    #[arg(long, value_name = "DIR")]
    pub ovs_rundir: Option<PathBuf>,
    /// Socket of ovsdb-server [default: db.sock in the run directory].
    #[arg(long, value_name = "SOCKET")]
    pub db: Option<String>,
    /// Watch the OpenFlow flows of this bridge only; may be repeated [default: all bridges].
    #[arg(long, value_name = "NAME")]
    pub bridge: Vec<String>,
    /// When single packets are followed: while a disruption goes on, always, or never (windows are then told
    /// from flows alone, and losses are not counted).
    #[arg(long, value_enum, default_value_t)]
    pub evidence: Evidence,
    /// Size of the ring that carries the kernel's records, in KiB: a power of two.
    #[arg(long, value_name = "KIB", default_value_t = 4096, value_parser = ring_size)]
    pub ring_size: u32,
    /// How many kinds of traffic (port of entry, destination, protocol, port) are told apart, each once for every CPU that sees
    /// it; room for upcalls grows with it. What does not fit is reported and keeps a verdict from passing.
    #[arg(long, value_name = "N", default_value_t = ebpf::DEFAULT_KEYS, value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    pub max_keys: u32,
}

/// How the report is printed.
#[derive(Clone, Copy, Debug, Args)]
pub struct Print {
    /// Format of the report.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Print times of day (UTC) instead of milliseconds since the disruption began.
    #[arg(long)]
    pub utc: bool,
    /// Say below the table what each verdict rests on: the proof in a sentence, and source by source when its evidence
    /// was there (text and Markdown; JSON, HTML and JUnit have it anyway).
    #[arg(long)]
    pub explain: bool,
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Text => (
                "text",
                "For people: milestones, a timeline in characters, a row per Pod",
            ),
            Self::Json => ("json", "For programs: schema `ovsgap.report/2`"),
            Self::Junit => (
                "junit",
                "For the test pages of CI servers: JUnit XML, a case per Pod",
            ),
            Self::Markdown => (
                "markdown",
                "For the summary page of a job (`>> \"$GITHUB_STEP_SUMMARY\"`)",
            ),
            Self::Html => (
                "html",
                "For browsers: one page with the timeline drawn, without scripts, nothing fetched",
            ),
            Self::Perfetto => (
                "perfetto",
                "For trace viewers (Perfetto, Chrome's tracing page): tracks per Pod, milestones as instants",
            ),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// When single packets are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Evidence {
    /// While a disruption goes on; at rest, packets pass as if nobody looked.
    #[default]
    Auto,
    /// At all times.
    Always,
    /// Never.
    Off,
}

impl From<Evidence> for ebpf::Evidence {
    fn from(evidence: Evidence) -> Self {
        match evidence {
            Evidence::Auto => Self::Auto,
            Evidence::Always => Self::Always,
            Evidence::Off => Self::Off,
        }
    }
}

/// `ovsgap doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Where Open vSwitch is.
    #[command(flatten)]
    pub node: Node,
}

/// `ovsgap record`.
#[derive(Debug, Args)]
pub struct Record {
    /// Where Open vSwitch is.
    #[command(flatten)]
    pub node: Node,
    /// Write the recording to this file [default: ovsgap-DATE-TIME.jsonl in this folder].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace that file if it exists.
    #[arg(long)]
    pub overwrite: bool,
    /// How the report is printed.
    #[command(flatten)]
    pub print: Print,
    /// How long to go on after the command has ended, at most, while a disruption is not over.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub settle: u64,
    /// The command to run; without one, trace until Ctrl-C.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// `ovsgap report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The recording; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How the report is printed.
    #[command(flatten)]
    pub print: Print,
}

/// `ovsgap check`.
#[derive(Debug, Args)]
pub struct Check {
    /// What is judged.
    #[command(flatten)]
    pub subject: Subject,
    /// What it may cost.
    #[command(flatten)]
    pub limits: Limits,
    /// Where Open vSwitch is.
    #[command(flatten)]
    pub node: Node,
    /// Run the command so many times, each in a capture of its own, and tell how the windows are distributed.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "file")]
    pub repeat: u32,
    /// Keep the recording of each run, and runs.json over all of them, in this folder [default: ovsgap-DATE-TIME
    /// in this folder].
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    pub recordings: Option<PathBuf>,
    /// How long to go on after the command has ended, at most, while a disruption is not over.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub settle: u64,
    /// How the report is printed.
    #[command(flatten)]
    pub print: Print,
    /// Write the report to this file; standard output then says what exceeds the budget.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace that file, and files in the folder of --recordings, if they exist.
    #[arg(long)]
    pub overwrite: bool,
}

/// What is judged: recordings, or a command while it runs.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Subject {
    /// Recordings; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// The command to run; its output passes through.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// What a disruption may cost. Without any limit: nothing lost, nothing exposed.
#[derive(Debug, Args)]
pub struct Limits {
    /// The longest window of a Pod: the longer of its exposed window and its longest gap, at most (50ms, 1.5s).
    #[arg(long, value_name = "TIME", value_parser = budget::duration)]
    pub max_window: Option<u64>,
    /// The longest exposed window of a Pod, which needs no traffic.
    #[arg(long, value_name = "TIME", value_parser = budget::duration)]
    pub max_exposed: Option<u64>,
    /// The most packets that a Pod may lose, to it and from it.
    #[arg(long, value_name = "N")]
    pub max_lost: Option<u64>,
    /// The most Pods that one disruption may affect.
    #[arg(long, value_name = "N")]
    pub max_pods: Option<u64>,
    /// Do not fail where flow-restore-wait stays set.
    #[arg(long)]
    pub allow_stuck_flag: bool,
    /// Limits from this TOML file (docs/ci.md), of namespaces and single Pods, too; the flags go before its own.
    #[arg(long, value_name = "FILE")]
    pub budget: Option<PathBuf>,
}

/// `ovsgap compare`.
#[derive(Debug, Args)]
pub struct Compare {
    /// What was: recordings, folders of them (`check --repeat`), or runs.json.
    #[arg(required = true, value_name = "BEFORE")]
    pub before: Vec<PathBuf>,
    /// What is judged: better or worse than that.
    #[arg(long, required = true, num_args = 1.., value_name = "AFTER")]
    pub against: Vec<PathBuf>,
    /// How the comparison is printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: ComparisonFormat,
}

/// A format a comparison can be printed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ComparisonFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: schema `ovsgap.compare/1`.
    Json,
}

/// `ovsgap watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// The recording; without one, this node is watched live.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where Open vSwitch is.
    #[command(flatten)]
    pub node: Node,
    /// Write a recording of what is watched to this file, from the beginning.
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    pub output: Option<PathBuf>,
    /// Replace that file if it exists.
    #[arg(long, requires = "output")]
    pub overwrite: bool,
    /// Draw with ASCII alone.
    #[arg(long)]
    pub ascii: bool,
}

/// `ovsgap completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `ovsgap man`.
#[derive(Debug, Args)]
pub struct ManPages {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

fn ring_size(text: &str) -> Result<u32, String> {
    let kib: u32 = text.parse().map_err(|error| format!("{error}"))?;
    if kib.is_power_of_two() && (4..=1 << 20).contains(&kib) {
        Ok(kib)
    } else {
        Err("must be a power of two from 4 to 1048576".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_keeps_no_right_that_it_has_no_use_for() {
        let purpose = |line: &str| {
            let words = line.split_ascii_whitespace();
            Cli::try_parse_from(words).unwrap().command.purpose()
        };
        for (line, expected) in [
            ("ovsgap report run.jsonl", Some(Use::Files)),
            ("ovsgap compare a.jsonl --against b.jsonl", Some(Use::Files)),
            ("ovsgap watch run.jsonl", Some(Use::Files)),
            ("ovsgap check run.jsonl", Some(Use::Files)),
            ("ovsgap check -- true", Some(Use::NodeAndProgram)),
            ("ovsgap record -- true", Some(Use::NodeAndProgram)),
            ("ovsgap record", Some(Use::Node)),
            ("ovsgap watch", Some(Use::Node)),
            ("ovsgap doctor", Some(Use::Node)),
            ("ovsgap completions bash", None),
        ] {
            assert_eq!(purpose(line), expected, "{line}");
        }
    }
}
