//! `cargo xtask dist`: what is handed out: the static program, completions, man pages, a Debian package, and one archive
//! of it all with its sums.
//!
//! Must not depend on: how the program is built, what is in a Debian package.

mod deb;
mod packing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::{compile, host};
use packing::{Packing, VERSION, collect, told};

/// What packing needs.
const NEEDS: &[host::Need] = &[
    ("dpkg-deb", "dpkg"),
    ("strip", "binutils"),
    ("tar", "tar"),
    ("gzip", "gzip"),
    ("sha256sum", "coreutils"),
];

/// The shells whose completions are shipped, each with the name of its file.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "ovsgap.bash"),
    ("zsh", "_ovsgap"),
    ("fish", "ovsgap.fish"),
];

/// Documents that go along.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "LICENSE-GPL2",
];

/// Builds everything below `target/dist`; returns what is handed out.
pub fn run(paths: &Paths) -> Result<Vec<PathBuf>> {
    host::require(paths, NEEDS)?;
    let built = compile::ovsgap(paths)?;
    let folder = paths.target.join("dist");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("emptying {}", folder.display()));
        }
        _ => {}
    }
    let name = format!("ovsgap-{VERSION}-x86_64-linux");
    let packing = Packing {
        paths,
        stage: folder.join(&name),
        epoch: epoch(&paths.root)?,
    };
    gather(&packing, &built)?;
    let package = deb::build(&packing, &folder)?;
    fs::copy(&package, packing.stage.join(file_name(&package)?))
        .context("adding the package to the archive")?;
    sums(&packing.stage)?;
    let archive = archive(&packing, &folder, &name)?;
    fs::remove_dir_all(&packing.stage).context("removing what was packed")?;
    sums(&folder)?;
    Ok(vec![archive, package, folder.join("SHA256SUMS")])
}

/// Puts the program and what it says of itself into the stage.
fn gather(packing: &Packing<'_>, built: &Path) -> Result<()> {
    let (completions, man) = (packing.stage.join("completions"), packing.stage.join("man"));
    for folder in [&packing.stage, &completions, &man] {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let program = packing.stage.join("ovsgap");
    packing.step(
        "stripping ovsgap",
        Command::new("strip").arg("-o").arg(&program).arg(built),
    )?;
    for (shell, name) in SHELLS {
        let script = told(Command::new(&program).args(["completions", shell]))?;
        fs::write(completions.join(name), script).with_context(|| format!("writing {name}"))?;
    }
    packing.step(
        "writing the man pages",
        Command::new(&program).arg("man").arg(&man),
    )?;
    for document in DOCUMENTS {
        fs::copy(packing.paths.root.join(document), packing.stage.join(document))
            .with_context(|| format!("copying {document}"))?;
    }
    Ok(())
}

fn archive(packing: &Packing<'_>, folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .arg(format!("--mtime=@{}", packing.epoch))
        .args(["--use-compress-program=gzip -9n", "-cf"])
        .arg(&path)
        .arg("-C")
        .arg(folder)
        .arg(name);
    packing.step("packing the archive", &mut tar)?;
    Ok(path)
}

/// The sums of every file below a folder, in it.
fn sums(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(folder, folder, &mut files)?;
    files.sort();
    let sums = told(Command::new("sha256sum").current_dir(folder).args(&files))?;
    fs::write(folder.join("SHA256SUMS"), sums).context("writing SHA256SUMS")
}

/// When the commit was made; without git (a source archive), `SOURCE_DATE_EPOCH`.
fn epoch(root: &Path) -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let mut git = Command::new("git");
    let said = told(git.current_dir(root).args(["log", "-1", "--format=%ct"]))
        .context("finding the commit's time; outside of a clone set SOURCE_DATE_EPOCH")?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

fn file_name(path: &Path) -> Result<&std::ffi::OsStr> {
    path.file_name()
        .with_context(|| format!("{} names no file", path.display()))
}
