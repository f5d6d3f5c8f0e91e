//! Where things lie: the workspace, its `target/`, and the cache of what was fetched or built.
//!
//! Must not depend on: what is in them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The folders everything else is placed in.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The workspace: the folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder of this workspace.
    pub target: PathBuf,
    /// Images, tools and sources that do not depend on the workspace's own files: `OVSGAP_CACHE`, else `target`.
    pub cache: PathBuf,
}

impl Paths {
    /// Finds the workspace from the current folder upwards.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("reading the current folder")?;
        let root = here
            .ancestors()
            .find(|folder| is_workspace(folder))
            .with_context(|| {
                format!(
                    "{} is not inside the ovsgap workspace; change into it",
                    here.display()
                )
            })?
            .to_path_buf();
        let from_env = |name: &str| std::env::var_os(name).map(|value| root.join(value));
        let target = from_env("CARGO_TARGET_DIR").unwrap_or_else(|| root.join("target"));
        let cache = from_env("OVSGAP_CACHE").unwrap_or_else(|| target.clone());
        Ok(Self { root, target, cache })
    }

    /// The lab's cache: images, runs, logs.
    pub fn lab(&self) -> PathBuf {
        self.cache.join("lab")
    }
}

fn is_workspace(folder: &Path) -> bool {
    folder.join("xtask/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file()
}
