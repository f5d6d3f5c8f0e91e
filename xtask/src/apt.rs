//! Debian packages unpacked below the cache, with apt folders of their own: the machine's lists and packages stay
//! as they are.
//!
//! Must not depend on: what the packages are for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::host;
use crate::paths::Paths;
use crate::progress;

/// Unpacks packages of one suite into `to`. `packages` are in apt's words: `name` or `name=version`.
pub fn unpack(paths: &Paths, suite: &str, packages: &[&str], to: &Path) -> Result<()> {
    let Some(mirror) = host::debian_mirror() else {
        bail!("this machine's apt names no mirror of Debian");
    };
    let apt = Private {
        folder: paths.cache.join("tools/apt").join(suite),
    };
    apt.prepare(&mirror, suite)?;
    let log = progress::log_path(&paths.cache, &format!("apt-{suite}"));
    progress::run(
        &format!("reading {suite}'s package list"),
        apt.get().arg("update"),
        &log,
    )?;
    let names = packages.join(" ");
    progress::run(
        &format!("downloading {names}"),
        apt.get().arg("download").args(packages),
        &log,
    )?;
    let partial = to.with_extension("partial");
    for package in apt.downloaded()? {
        let mut command = Command::new("dpkg");
        progress::run(
            &format!("unpacking {names}"),
            command.arg("-x").arg(package).arg(&partial),
            &log,
        )?;
    }
    fs::rename(&partial, to).with_context(|| format!("moving {} into place", partial.display()))
}

/// The suite of newer packages for this machine's Debian, if it is one.
pub fn backports() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let value = |key: &str| {
        let line = release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    (value("ID")? == "debian").then_some(())?;
    Some(format!("{}-backports", value("VERSION_CODENAME")?))
}

/// apt's folders for one suite.
struct Private {
    folder: PathBuf,
}

impl Private {
    fn prepare(&self, mirror: &str, suite: &str) -> Result<()> {
        // What an earlier, interrupted run downloaded is not to be taken for what is asked for now.
        let _ = fs::remove_dir_all(self.folder.join("download"));
        for folder in ["lists/partial", "cache/archives/partial", "download"] {
            let folder = self.folder.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        let source = format!("deb [signed-by={}] {mirror} {suite} main\n", host::DEBIAN_KEYRING);
        fs::write(self.folder.join("sources.list"), source).context("writing apt's source")
    }

    fn get(&self) -> Command {
        let mut command = Command::new("apt-get");
        let places = [
            ("etc::sourcelist", "sources.list"),
            ("State::lists", "lists"),
            ("Cache", "cache"),
        ];
        for (option, place) in places {
            command
                .arg("-o")
                .arg(format!("Dir::{option}={}", self.folder.join(place).display()));
        }
        command.args(["-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=", "-q"]);
        command.current_dir(self.folder.join("download"));
        command
    }

    fn downloaded(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("download");
        let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        let packages: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        if packages.is_empty() {
            bail!("apt-get download left nothing in {}", folder.display());
        }
        Ok(packages)
    }
}
