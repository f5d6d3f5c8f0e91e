//! Builds what runs on a node: static binaries.
//!
//! May not know: the lab. A static binary starts on every userland, however old its libc.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::host;
use crate::paths::Paths;
use crate::progress;

/// With a target named, the flags below apply to the binary alone and not to build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// This crate as a static binary: the guest's init. The running program itself where it is static.
pub fn guest(paths: &Paths) -> Result<PathBuf> {
    if cfg!(target_feature = "crt-static") {
        return std::env::current_exe().context("finding the running program");
    }
    let mut command = static_build(paths, "xtask")?;
    progress::run(
        "building the node's init",
        &mut command,
        &progress::log_path(&paths.cache, "build-xtask"),
    )?;
    Ok(binary(paths, "xtask"))
}

/// The static `ovsgap`, if it was built.
pub fn built_ovsgap(paths: &Paths) -> Option<PathBuf> {
    Some(binary(paths, "ovsgap")).filter(|path| path.is_file())
}

fn binary(paths: &Paths, name: &str) -> PathBuf {
    paths
        .target
        .join("static")
        .join(TARGET)
        .join("release")
        .join(name)
}

/// A cargo command in the workspace.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn static_build(paths: &Paths, package: &str) -> Result<Command> {
    host::require(paths, host::BUILD)?;
    let mut command = cargo(&paths.root);
    command.args([
        "build",
        "--release",
        "--package",
        package,
        "--target",
        TARGET,
        "--target-dir",
    ]);
    command.arg(paths.target.join("static"));
    command.env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    Ok(command)
}
