//! Which QEMU runs the node, and whether it may run the node's processors in parallel.
//!
//! Must not depend on: machines, images.
//!
//! Without KVM, before QEMU 8.1, a processor may go on with code that another has just replaced: pages were locked
//! only after they had been translated. The kernel replaces code whenever a probe is attached or let go, and then
//! the node's kernel dies of a jump to address 0 (seen within some minutes of scenarios with QEMU 7.2).

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::apt;
use crate::paths::Paths;

/// The first version that may run processors in parallel.
const SOUND: (u32, u32) = (8, 1);

/// The program's name.
const PROGRAM: &str = "qemu-system-x86_64";

/// A QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulator {
    /// The program.
    pub program: PathBuf,
    /// Folders with its firmware, where they are not the ones it was built with.
    pub firmware: Vec<PathBuf>,
    /// Whether translated processors may run in parallel.
    pub parallel: bool,
}

impl Emulator {
    /// The one that is installed.
    pub fn installed() -> Result<Self> {
        let program = PathBuf::from(PROGRAM);
        let output = Command::new(&program)
            .arg("--version")
            .output()
            .with_context(|| format!("starting {PROGRAM}"))?;
        let version = version(&String::from_utf8_lossy(&output.stdout));
        // A version that cannot be read is not trusted.
        let parallel = version.is_some_and(|version| version >= SOUND);
        Ok(Self {
            program,
            firmware: Vec::new(),
            parallel,
        })
    }

    /// The best to be had for translating: the installed one if it is sound, else Debian's backport of a newer
    /// one (unpacked into the cache; it runs with the libraries of the installed one).
    pub fn for_translation(paths: &Paths) -> Result<Self> {
        let installed = Self::installed()?;
        if installed.parallel {
            return Ok(installed);
        }
        match backport(paths) {
            Ok(Some(newer)) => Ok(newer),
            Ok(None) => Ok(installed),
            Err(error) => {
                eprintln!("no newer QEMU: {error:#}\nthe installed one is used with a single processor");
                Ok(installed)
            }
        }
    }
}

/// QEMU of this Debian's backports; `None` where there is none that is sound.
fn backport(paths: &Paths) -> Result<Option<Emulator>> {
    let Some(suite) = apt::backports() else {
        return Ok(None);
    };
    let folder = paths.cache.join("tools").join(format!("qemu-{suite}"));
    if !folder.is_dir() {
        let packages = [
            "qemu-system-x86",
            "qemu-system-common",
            "qemu-system-data",
            "seabios",
        ];
        apt::unpack(paths, &suite, &packages, &folder)?;
    }
    let program = folder.join("usr/bin").join(PROGRAM);
    let output = Command::new(&program)
        .arg("--version")
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    let sound = version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|version| version >= SOUND);
    let firmware = ["usr/share/qemu", "usr/share/seabios"]
        .map(|part| folder.join(part))
        .to_vec();
    Ok(sound.then_some(Emulator {
        program,
        firmware,
        parallel: true,
    }))
}

/// Major and minor of `QEMU emulator version 7.2.22 (…)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text
        .split_once("version ")?
        .1
        .split(|other: char| !other.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright"),
            Some((7, 2))
        );
        assert_eq!(version("QEMU emulator version 10.0.2"), Some((10, 0)));
        assert_eq!(version("something else"), None);
    }
}
