//! One long step at a time: a spinner on a terminal, plain lines elsewhere, the failed tool's tail on an error.
//!
//! Must not depend on: what the steps are.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How many lines of a failed tool's log are shown.
const TAIL: usize = 25;
/// How often a step that runs says so where there is no terminal.
const STILL: Duration = Duration::from_secs(20);

/// A step that took less is not spoken of.
const WORTH_SAYING: Duration = Duration::from_secs(1);

/// A step that is under way; it is announced when made and closed by [`Step::done`] or by being dropped.
pub struct Step {
    name: String,
    bar: Option<ProgressBar>,
    started: Instant,
    said: Instant,
}

impl Step {
    /// Announces `name`.
    pub fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        let bar = std::io::stderr().is_terminal().then(|| spinner(&name));
        if bar.is_none() {
            eprintln!("{name} …");
        }
        Self::new(name, bar)
    }

    /// A step that is often over at once (a build with nothing to do): said only when it takes a while.
    fn start_silently(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| spinner(name));
        Self::new(name.to_owned(), bar)
    }

    fn new(name: String, bar: Option<ProgressBar>) -> Self {
        Self {
            name,
            bar,
            started: Instant::now(),
            said: Instant::now(),
        }
    }

    /// Says what the step is at.
    pub fn at(&mut self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(detail.chars().take(70).collect::<String>());
        } else if self.said.elapsed() >= STILL {
            self.said = Instant::now();
            eprintln!("{} … {} s: {detail}", self.name, self.started.elapsed().as_secs());
        }
    }

    /// Closes it: it worked.
    pub fn done(mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let took = self.started.elapsed();
        if took >= WORTH_SAYING {
            eprintln!("{}: done in {:.1} s", self.name, took.as_secs_f64());
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {msg:.dim}") {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Runs `command` as the step `name`: its output goes to `log`, its last lines into the error if it fails.
pub fn run(name: &str, command: &mut Command, log: &Path) -> Result<()> {
    let step = Step::start_silently(name);
    run_in(step, command, log)
}

fn run_in(mut step: Step, command: &mut Command, log: &Path) -> Result<()> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let mut file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let program = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = std::io::pipe().context("making a pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn().with_context(|| format!("starting {program}"))?;
    // The command holds the pipe's write ends; without this the reading below would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut tail = VecDeque::with_capacity(TAIL);
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line.context("reading a tool's output")?).into_owned();
        writeln!(file, "{line}").with_context(|| format!("writing {}", log.display()))?;
        step.at(&line);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    let status = child.wait().with_context(|| format!("waiting for {program}"))?;
    if !status.success() {
        let tail: Vec<String> = tail.into();
        bail!(
            "{}: {program} failed ({status}); the end of {}:\n{}",
            step.name,
            log.display(),
            tail.join("\n")
        );
    }
    step.done();
    Ok(())
}

/// The path of the log of the tool `name`.
pub fn log_path(cache: &Path, name: &str) -> PathBuf {
    cache.join("lab/logs").join(format!("{name}.log"))
}
