//! `cargo xtask fuzz`: builds the fuzzer on stable Rust, gives each target so many inputs, says what came of it.
//!
//! Must not depend on: what a target reads. Its corpus is `tracer/fuzz/corpus/TARGET`; what was found on the way stays below
//! `target/fuzz`, so that the next run goes on from there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::cargo::cargo;
use crate::host;
use crate::paths::Paths;
use crate::progress;

mod outcome;
mod page;

use outcome::{LONGEST_INPUT, Outcome};

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Counters at every edge, for libFuzzer to see; overflows are panics, as in a debug build. No sanitizer: those need a
/// nightly compiler, and there is no `unsafe` of ours in what reads bytes.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
];

/// The operands of comparisons as well: libFuzzer puts them into its inputs.
const OPERANDS: &str = "-Cllvm-args=-sanitizer-coverage-trace-compares";

/// Targets whose bytes are compared with nothing, since they only choose among real events: half of the time would go
/// into operands that help nobody.
const CHOOSING: &[&str] = &["judge"];

/// One input may take so long, in seconds: a hang. Thousands of times what any takes that is read.
const LONGEST: u32 = 10;
/// The fuzzer may take so much memory, in MiB, its own included (some 100): more is a blow-up.
const MEMORY: u32 = 1024;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub struct Fuzz {
    /// How many inputs each target gets
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// Write what came of it to docs/fuzzing.md
    #[arg(long)]
    write: bool,
    /// Run nothing: take what libFuzzer said (TARGET.log, and TARGET-2.log and so on of the same target in other
    /// processes) in runs that were made elsewhere
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
    /// Which targets (folders of tracer/fuzz/corpus); none: all
    targets: Vec<String>,
}

/// Fuzzes the targets (none: all) with so many inputs each; returns how many broke.
pub fn run(paths: &Paths, asked: &Fuzz) -> Result<usize> {
    let fuzz = paths.root.join("tracer/fuzz");
    let known = names(&fuzz.join("corpus"))?;
    let Fuzz { inputs, targets, .. } = asked;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        bail!(
            "there is no target `{unknown}`: take some of {}",
            known.join(", ")
        );
    }
    let chosen = if targets.is_empty() { &known } else { targets };
    let outcomes = match &asked.logs {
        Some(folder) => elsewhere(folder, chosen)?,
        None => all(paths, &fuzz, chosen, *inputs)?,
    };
    println_all(&outcomes)?;
    if asked.write {
        write(paths, &outcomes)?;
    }
    Ok(outcomes.iter().filter(|outcome| outcome.broken.is_some()).count())
}

fn all(paths: &Paths, fuzz: &Path, targets: &[String], inputs: u64) -> Result<Vec<Outcome>> {
    let mut binaries = BTreeMap::new();
    for target in targets {
        let choosing = CHOOSING.contains(&target.as_str());
        if let Entry::Vacant(missing) = binaries.entry(choosing) {
            missing.insert(build(paths, choosing)?);
        }
    }
    let mut outcomes = Vec::new();
    for target in targets {
        let binary = &binaries[&CHOOSING.contains(&target.as_str())];
        let outcome = one(paths, binary, fuzz, target, inputs)?;
        eprintln!("{}", line(&outcome));
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// What came of runs by hand, of which libFuzzer's words were kept. It tells whole seconds.
fn elsewhere(folder: &Path, targets: &[String]) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for target in targets {
        let others = (2..).map(|process| format!("{target}-{process}.log"));
        let mut logs = iter::once(format!("{target}.log"))
            .chain(others)
            .map(|name| folder.join(name))
            .take_while(|log| log.is_file())
            .peekable();
        if logs.peek().is_none() {
            continue;
        }
        let mut outcome = Outcome::default();
        for log in logs {
            let said = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
            outcome = outcome.and(read(&String::from_utf8_lossy(&said)));
        }
        outcome.target.clone_from(target);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn write(paths: &Paths, outcomes: &[Outcome]) -> Result<()> {
    let file = paths.root.join("docs/fuzzing.md");
    let before = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, page::page(&before, outcomes)).with_context(|| format!("writing {}", file.display()))
}

/// The folders of the corpus: one a target.
fn names(corpus: &Path) -> Result<Vec<String>> {
    let folders = fs::read_dir(corpus).with_context(|| format!("reading {}", corpus.display()))?;
    let mut names = Vec::new();
    for folder in folders {
        names.push(folder?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn build(paths: &Paths, choosing: bool) -> Result<PathBuf> {
    host::require(paths, host::BUILD)?;
    host::require(paths, host::CPLUSPLUS)?;
    // Where the flags are others, all is built anew.
    let (target, operands) = if choosing {
        (paths.target.join("fuzz/choosing"), None)
    } else {
        (paths.target.join("fuzz"), Some(OPERANDS))
    };
    let mut command = cargo(&paths.root);
    command.args([
        "build",
        "--release",
        "--package",
        "tracer",
        "--bin",
        "ovsgap-fuzz",
    ]);
    let flags: Vec<&str> = FLAGS.iter().copied().chain(operands).collect();
    // With a target named, the flags are for what is fuzzed and not for build scripts and macros.
    command.args(["--features", "fuzzing", "--target", TRIPLE, "--target-dir"]);
    command.arg(&target).env("RUSTFLAGS", flags.join(" "));
    let log = progress::log_path(&paths.cache, "build-fuzz");
    progress::run("building the fuzzer", &mut command, &log)?;
    Ok(target.join(TRIPLE).join("release/ovsgap-fuzz"))
}

fn one(paths: &Paths, binary: &Path, fuzz: &Path, target: &str, inputs: u64) -> Result<Outcome> {
    let found = paths.target.join("fuzz/corpus").join(target);
    let broken = paths.target.join("fuzz/broken").join(target);
    for folder in [&found, &broken] {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let log = progress::log_path(&paths.target, &format!("fuzz-{target}"));
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let output = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
    let mut command = Command::new(binary);
    // Errors are the usual outcome: each would carry where it came from.
    command.env("OVSGAP_FUZZ", target).env("RUST_LIB_BACKTRACE", "0");
    command.args([
        format!("-runs={inputs}"),
        format!("-timeout={LONGEST}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-artifact_prefix={}/", broken.display()),
        "-print_final_stats=1".to_owned(),
        // Weighing inputs by how rare is what they reach takes longer than what is tried.
        "-entropic=0".to_owned(),
    ]);
    if let Some((_, longest)) = LONGEST_INPUT.iter().find(|(name, _)| *name == target) {
        command.arg(format!("-max_len={longest}"));
    }
    let words = fuzz.join("dict").join(format!("{target}.dict"));
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    command.arg(found).arg(fuzz.join("corpus").join(target));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
    let step = progress::Step::start(format!("{target}: {inputs} inputs"));
    let began = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("starting {}", binary.display()))?;
    let millis = began.elapsed().as_millis();
    step.done();
    let said = fs::read(&log).with_context(|| format!("reading {}", log.display()))?;
    let mut outcome = read(&String::from_utf8_lossy(&said));
    if !status.success() {
        outcome.broken.get_or_insert(log);
    }
    Ok(Outcome {
        target: target.to_owned(),
        millis,
        ..outcome
    })
}

/// What libFuzzer says: how many inputs it ran, what they reached, and which one it wrote because it broke the target. One
/// that was told to end (`SIGUSR1`) says how fast it was, and not how long.
fn read(said: &str) -> Outcome {
    let after = |words: &str| {
        let line = said.lines().rev().find(|line| line.contains(words))?;
        line.split(words).nth(1).map(str::trim)
    };
    let number = |words: &str| {
        let digits = after(words)?
            .split(|found: char| !found.is_ascii_digit())
            .next()?;
        digits.parse::<u64>().ok()
    };
    let inputs = number("stat::number_of_executed_units:").unwrap_or_default();
    let by_rate = || inputs.checked_div(number("stat::average_exec_per_sec:")?);
    Outcome {
        target: String::new(),
        inputs,
        millis: u128::from(number(" runs in ").or_else(by_rate).unwrap_or_default()) * 1000,
        edges: number(" cov: ").unwrap_or_default(),
        features: number(" ft: ").unwrap_or_default(),
        corpus: number(" corp: ").unwrap_or_default(),
        mebibytes: number("stat::peak_rss_mb:").unwrap_or_default(),
        broken: after("Test unit written to ").map(PathBuf::from),
    }
}

fn line(outcome: &Outcome) -> String {
    let Outcome {
        target,
        inputs,
        millis,
        broken,
        ..
    } = outcome;
    let rate = outcome.rate();
    let seconds = format!("{}.{}", millis / 1000, millis % 1000 / 100);
    let broke = broken.as_ref().map_or_else(
        || "held".to_owned(),
        |input| format!("BROKEN by {}", input.display()),
    );
    format!("{target:<10} {inputs:>10} inputs {seconds:>8} s {rate:>8} inputs/s  {broke}")
}

fn println_all(outcomes: &[Outcome]) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    for outcome in outcomes {
        writeln!(out, "{}", line(outcome)).context("writing to stdout")?;
    }
    let inputs: u64 = outcomes.iter().map(|outcome| outcome.inputs).sum();
    let broken = outcomes.iter().filter(|outcome| outcome.broken.is_some()).count();
    writeln!(
        out,
        "{} targets, {inputs} inputs, {broken} broken",
        outcomes.len()
    )
    .context("writing to stdout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let held = "#90\tREDUCE cov: 90 ft: 300 corp: 160/14Kb lim: 4096 exec/s: 80000 rss: 32Mb\n\
            #100\tDONE   cov: 96 ft: 517 corp: 321/82Kb lim: 4096 exec/s: 80000 rss: 32Mb\n\
            Done 100 runs in 2 second(s)\nstat::number_of_executed_units: 100\nstat::peak_rss_mb:              40\n";
        let expected = Outcome {
            target: String::new(),
            inputs: 100,
            millis: 2000,
            edges: 96,
            features: 517,
            corpus: 321,
            mebibytes: 40,
            broken: None,
        };
        assert_eq!(read(held), expected);
        let ended = "INFO: libFuzzer: exiting as requested\nstat::number_of_executed_units: 100\n\
            stat::average_exec_per_sec:     20\n";
        assert_eq!((read(ended).inputs, read(ended).millis), (100, 5000));
        let broken = "==7== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='x/'; Test unit written to x/crash-1\nstat::number_of_executed_units: 7\n";
        let expected = Outcome {
            inputs: 7,
            broken: Some(PathBuf::from("x/crash-1")),
            ..Outcome::default()
        };
        assert_eq!(read(broken), expected);
        assert_eq!(read("error while loading shared libraries"), Outcome::default());
    }

    #[test]
    fn runs_of_one_target_in_two_processes_are_one() {
        let of = |inputs, edges, broken: Option<&str>| Outcome {
            inputs,
            millis: 2000,
            edges,
            broken: broken.map(PathBuf::from),
            ..Outcome::default()
        };
        let expected = Outcome {
            millis: 4000,
            ..of(150, 9, Some("x"))
        };
        assert_eq!(of(100, 7, None).and(of(50, 9, Some("x"))), expected);
    }

    #[test]
    fn a_line_says_how_fast_it_went_and_what_broke() {
        let outcome = Outcome {
            target: "log".to_owned(),
            inputs: 3000,
            millis: 1500,
            ..Outcome::default()
        };
        assert_eq!(
            line(&outcome),
            "log              3000 inputs      1.5 s     2000 inputs/s  held"
        );
        let broken = Some(PathBuf::from("x"));
        assert!(line(&Outcome { broken, ..outcome }).ends_with("BROKEN by x"));
    }

    #[test]
    fn every_target_says_what_it_reads() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/fuzz/corpus");
        let mut read: Vec<String> = page::READ.iter().map(|(name, _)| (*name).to_owned()).collect();
        read.sort();
        assert_eq!(names(&corpus).unwrap(), read);
    }
}
