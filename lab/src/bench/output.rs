//! The file of samples.
//!
//! Must not depend on: what is measured.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::command;
use crate::words::sample::{FILE, Line, Machine, Part, Sample};

/// Takes the samples of one part.
pub struct Output {
    part: Part,
    file: File,
}

impl Output {
    /// Begins the file with what the node is.
    pub fn open(part: Part) -> Result<Self> {
        fs::create_dir_all("/out").context("creating /out")?;
        let path = Path::new("/out").join(FILE);
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        let mut output = Self { part, file };
        output.line(&Line::Machine(machine()?))?;
        Ok(output)
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        writeln!(self.file, "{}", serde_json::to_string(line)?).context("writing a sample")
    }

    /// Writes a figure that stands for itself.
    pub fn figure(&mut self, of: &str, what: &str, round: u32, value: u64) -> Result<()> {
        self.sample(of, what, round, value, None)
    }

    /// Writes a figure beside the same one without a tracer.
    pub fn sample(
        &mut self,
        of: &str,
        what: &str,
        round: u32,
        value: u64,
        without: Option<u64>,
    ) -> Result<()> {
        match without {
            Some(without) => eprintln!("{round}: {of} {what} {value} (without: {without})"),
            None => eprintln!("{round}: {of} {what} {value}"),
        }
        self.line(&Line::Sample(Sample {
            part: self.part,
            of: of.to_owned(),
            what: what.to_owned(),
            round,
            value,
            without,
        }))
    }
}

fn machine() -> Result<Machine> {
    let processors = fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let named = |key: &'static str| {
        let lines = processors.lines().filter(move |line| line.starts_with(key));
        lines.filter_map(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    let version = command::output("ovs-vswitchd", &["--version"])?;
    let version = version
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().last());
    Ok(Machine {
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        ovs: version.unwrap_or_default().to_owned(),
        processor: named("model name").next().unwrap_or_default(),
        processors: u32::try_from(named("processor").count())?,
    })
}
