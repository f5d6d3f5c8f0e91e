//! What all that is packed has in common: the stage, the time that its files bear, how programs are run over it.
//!
//! Must not depend on: what is packed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::paths::Paths;
use crate::progress;

/// The version of the whole workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is packed, from where, and which time its files bear.
pub struct Packing<'a> {
    /// Where all is.
    pub paths: &'a Paths,
    /// The program and what belongs to it, as in the archive.
    pub stage: PathBuf,
    /// Seconds since 1970 of the commit: the same sources give the same bytes.
    pub epoch: String,
}

impl Packing<'_> {
    /// Runs a program over it.
    pub fn step(&self, name: &str, command: &mut Command) -> Result<()> {
        command.env("SOURCE_DATE_EPOCH", &self.epoch);
        progress::run(name, command, &progress::log_path(&self.paths.cache, "dist"))
    }
}

/// Every file below a folder, as a path from `root`.
pub fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading {}", folder.display()))?
            .path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(inner) = path.strip_prefix(root) {
            files.push(inner.to_path_buf());
        }
    }
    Ok(())
}

/// What a command says on standard output.
pub fn told(command: &mut Command) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}
