//! The Debian package: where its files go, and what it says of itself.
//!
//! Must not depend on: how they were made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::packing::{Packing, VERSION, collect, told};

/// A file of the stage and its place in the package.
const PLACES: [(&str, &str); 4] = [
    ("ovsgap", "usr/bin/ovsgap"),
    (
        "completions/ovsgap.bash",
        "usr/share/bash-completion/completions/ovsgap",
    ),
    ("completions/_ovsgap", "usr/share/zsh/vendor-completions/_ovsgap"),
    (
        "completions/ovsgap.fish",
        "usr/share/fish/vendor_completions.d/ovsgap.fish",
    ),
];

/// The package's own number, beside the program's.
const REVISION: u32 = 1;

/// Whoever builds it: there is no address to write to but the place of the sources.
const MAINTAINER: &str = "The ovsgap developers <ovsgap@localhost.localdomain>";

const MAN: &str = "usr/share/man/man1";
const DOCUMENTS: &str = "usr/share/doc/ovsgap";

/// Makes the package in `folder`; returns its path.
pub fn build(packing: &Packing<'_>, folder: &Path) -> Result<PathBuf> {
    let root = folder.join("deb");
    for (from, to) in PLACES {
        place(&packing.stage.join(from), &root.join(to))?;
    }
    let man = packing.stage.join("man");
    let mut pages = Vec::new();
    collect(&man, &man, &mut pages)?;
    for page in &pages {
        place(&man.join(page), &root.join(MAN).join(page))?;
    }
    let documents = root.join(DOCUMENTS);
    place(&packing.stage.join("CHANGELOG.md"), &documents.join("changelog"))?;
    fs::write(documents.join("changelog.Debian"), changelog(packing)?).context("writing the changelog")?;
    fs::write(documents.join("copyright"), copyright(packing)?).context("writing the copyright")?;
    compress(packing, &root, &pages)?;
    let control = control(&root)?;
    fs::create_dir_all(root.join("DEBIAN")).context("creating DEBIAN")?;
    fs::write(root.join("DEBIAN/control"), control).context("writing the control file")?;
    fs::write(root.join("DEBIAN/md5sums"), sums(&root)?).context("writing the sums")?;
    modes(&root)?;
    let package = folder.join(format!("ovsgap_{VERSION}-{REVISION}_amd64.deb"));
    let mut make = Command::new("dpkg-deb");
    make.args(["--root-owner-group", "-Zxz", "--build"])
        .arg(&root)
        .arg(&package);
    packing.step("building the Debian package", &mut make)?;
    fs::remove_dir_all(&root).context("removing what was packed")?;
    Ok(package)
}

fn place(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a place in the package is a file")?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

/// What changed in the package itself; what changed in the program is in the other one.
fn changelog(packing: &Packing<'_>) -> Result<String> {
    let at = format!("@{}", packing.epoch);
    let date = told(
        Command::new("date")
            .env("LC_ALL", "C")
            .args(["-u", "-R", "-d", at.as_str()]),
    )?;
    Ok(format!(
        "ovsgap ({VERSION}-{REVISION}) unstable; urgency=medium\n\n  * Built from the sources of {VERSION}.\n\n -- {MAINTAINER}  {}\n",
        String::from_utf8_lossy(&date).trim()
    ))
}

/// Man pages and changelogs are compressed in every package, without name and time.
fn compress(packing: &Packing<'_>, root: &Path, pages: &[PathBuf]) -> Result<()> {
    let mut gzip = Command::new("gzip");
    gzip.arg("-9n");
    gzip.args(["changelog", "changelog.Debian"].map(|name| root.join(DOCUMENTS).join(name)));
    gzip.args(pages.iter().map(|page| root.join(MAN).join(page)));
    packing.step("compressing the man pages", &mut gzip)
}

fn control(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    let sizes = files.iter().map(|file| {
        let size = fs::metadata(root.join(file)).map_or(0, |meta| meta.len());
        size.div_ceil(1024)
    });
    let kib: u64 = sizes.sum();
    Ok(format!(
        "Package: ovsgap\nVersion: {VERSION}-{REVISION}\nArchitecture: amd64\nMaintainer: {MAINTAINER}\n\
         Section: net\nPriority: optional\nInstalled-Size: {kib}\nSuggests: openvswitch-switch\n\
         Description: tells when and why each Pod lost packets while Open vSwitch restarted\n \
         eBPF programs on the openvswitch module's upcall and flow paths, OVSDB and\n \
         OpenFlow together say exactly when each Pod of a node lost packets while\n \
         Open vSwitch, or the agent that programs it, restarted; how many; and why.\n .\n \
         It reads and never writes to Open vSwitch. Root is needed to load eBPF\n programs.\n"
    ))
}

/// The licences whole: a package must not count on files elsewhere for those that are not Debian's common ones.
fn copyright(packing: &Packing<'_>) -> Result<String> {
    let mit = fs::read_to_string(packing.stage.join("LICENSE-MIT")).context("reading LICENSE-MIT")?;
    Ok(format!(
        "ovsgap is licensed under MIT or Apache-2.0, at your choice; its eBPF programs under MIT or GPL-2.\n\
         Apache-2.0: /usr/share/common-licenses/Apache-2.0\nGPL-2: /usr/share/common-licenses/GPL-2\n\n\
         The program holds libraries of others, under licences of the same kind: see Cargo.lock of its sources.\n\n{mit}"
    ))
}

fn sums(root: &Path) -> Result<Vec<u8>> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.retain(|file| !file.starts_with("DEBIAN"));
    files.sort();
    told(Command::new("md5sum").current_dir(root).args(&files))
}

/// Whatever this machine's umask: folders and the program may be entered and run by all, files read.
fn modes(root: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    for file in &files {
        let mode = if file.starts_with("usr/bin") { 0o755 } else { 0o644 };
        set(&root.join(file), mode)?;
        for folder in file.ancestors().skip(1) {
            set(&root.join(folder), 0o755)?;
        }
    }
    Ok(())
}

fn set(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", path.display()))
}
