//! The log of what a scenario did to the node, and when: one JSON line per step.
//!
//! Must not depend on: what the steps mean.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::clock;
use crate::words::step::Step;

/// The log being written.
pub struct Log(File);

impl Log {
    /// Opens the log at `path`, after what is in it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(file.with_context(|| format!("opening {}", path.display()))?))
    }

    /// Does something and writes down when.
    pub fn step(&mut self, step: &str, pod: Option<&str>, act: impl FnOnce() -> Result<()>) -> Result<()> {
        self.step_of(step, &[pod], act)
    }

    /// Does something to several Pods at once and writes down when, of each.
    pub fn step_of(
        &mut self,
        step: &str,
        pods: &[Option<&str>],
        act: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let started_ns = clock::now();
        act().with_context(|| format!("step {step}"))?;
        let ended_ns = clock::now();
        for pod in pods {
            let done = Step {
                name: step.into(),
                pod: pod.map(str::to_owned),
                started_ns,
                ended_ns,
            };
            let line = serde_json::to_string(&done)?;
            writeln!(self.0, "{line}").context("writing the log of steps")?;
        }
        Ok(())
    }
}
