//! Cargo, as it was called by.
//!
//! Must not depend on: what is built.

use std::path::Path;
use std::process::Command;

/// A cargo command in the workspace.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}
