//! What this machine must have installed for the lab, and how to become root where that is needed.
//!
//! Must not depend on: what the packages are used for beyond their program's name.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::paths::Paths;
use crate::progress;

/// A program the lab needs and the Debian package that has it.
pub type Need = (&'static str, &'static str);

/// The keys Debian's archives are signed with.
pub const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What building an image and booting it needs.
pub const LAB: &[Need] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("xz", "xz-utils"),
    ("tar", "tar"),
    (DEBIAN_KEYRING, "debian-archive-keyring"),
];

/// What the tests of the screen need: a real terminal, and what runs in it.
pub const TERMINAL: &[Need] = &[("tmux", "tmux"), ("ps", "procps")];

/// What compiling and linking static binaries needs.
pub const BUILD: &[Need] = &[("cc", "gcc"), ("/usr/lib/x86_64-linux-gnu/libc.a", "libc6-dev")];

/// What compiling the fuzzer needs beside it.
pub const CPLUSPLUS: &[Need] = &[("c++", "g++")];

/// Installs what is missing of `needs`: as root, else through sudo after saying so, else it is listed in the error.
pub fn require(paths: &Paths, needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|(program, _)| !present(program))
        .map(|need| need.1)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !present("apt-get") {
        bail!(
            "missing on this machine: {list} (Debian's names; there is no apt-get here). Install them and run again"
        );
    }
    let log = progress::log_path(&paths.cache, "apt-get");
    progress::run(
        "reading apt's package lists",
        as_root("apt-get")?.args(["-q", "update"]),
        &log,
    )?;
    let mut install = as_root("apt-get")?;
    install
        .args(["-q", "-y", "--no-install-recommends", "install"])
        .args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    progress::run(&format!("installing {list}"), &mut install, &log)
        .with_context(|| format!("install these yourself and run again: {list}"))
}

/// A command that runs as root: as it is where we are root, else through sudo (said on stderr).
pub fn as_root(program: &str) -> Result<Command> {
    if rustix::process::geteuid().is_root() {
        return Ok(Command::new(program));
    }
    if !present("sudo") {
        bail!("{program} must run as root and there is no sudo here; run this as root");
    }
    eprintln!("{program} must run as root: using sudo");
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}

/// Whether a program is on PATH (or in the folders of the super user), or a file exists.
fn present(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .any(|folder| folder.join(program).is_file())
}

/// The mirror of Debian that this machine's apt uses, if any; else mmdebstrap's own default is taken.
pub fn debian_mirror() -> Option<String> {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
        "Created-By: Packages",
    ]);
    first_mirror(&String::from_utf8_lossy(&command.output().ok()?.stdout))
}

fn first_mirror(targets: &str) -> Option<String> {
    targets
        .lines()
        .find_map(|line| line.strip_prefix("Debian|Debian|"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_debians_main_archive_and_nobody_elses() {
        let targets = "Other|Debian|https://other.example/\nDebian|Debian-Security|http://a.example/security/\n\
            Debian|Debian|http://a.example/debian/\n";
        assert_eq!(first_mirror(targets).as_deref(), Some("http://a.example/debian/"));
        assert_eq!(first_mirror("Ubuntu|Ubuntu|http://u.example/\n"), None);
    }
}
