//! The node's root drive: Debian packages of one suite in an ext4 image, kept by a hash of what it was made from.
//!
//! Must not depend on: QEMU, what runs in the node. Nothing that changes from build to build is in the image.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::distro::Distro;
use super::modules;
use crate::host;
use crate::paths::Paths;
use crate::progress;

/// What every node has beside a kernel.
const PACKAGES: &[&str] = &["mount", "openvswitch-switch", "iproute2", "kmod", "procps"];

/// Packages of Debian's that bring the suite's current kernel, whatever its version: the small one that knows virtual machines
/// only, else the usual one (a suite that is still being made may lack one of them for some days).
const KERNELS: [&str; 2] = ["linux-image-cloud-amd64", "linux-image-amd64"];

/// Left out of the node: nobody reads them there.
const EXCLUDED: &[&str] = &[
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
];

/// Size of the (sparse) drive.
const SIZE: &str = "2000M";

/// Changes when the recipe below does, so that old images are not taken for new ones.
const RECIPE: u32 = 1;

/// A finished image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The folder of its parts.
    pub folder: PathBuf,
}

impl Image {
    /// The root drive, raw ext4.
    pub fn drive(&self) -> PathBuf {
        self.folder.join("root.ext4")
    }

    /// The kernel.
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// Names of the modules below `modules/` to load before the root drive, in order.
    pub fn modules(&self) -> Result<Vec<String>> {
        let list = self.folder.join("modules.order");
        let text = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// The image of `distro` with `more` packages: the kept one, else a new one.
pub fn get(paths: &Paths, distro: Distro, more: &[String]) -> Result<Image> {
    let mut packages: Vec<&str> = PACKAGES
        .iter()
        .copied()
        .chain(KERNELS.into_iter().take(1))
        .chain(more.iter().map(String::as_str))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    let images = paths.lab().join("images");
    let image = Image {
        folder: images.join(key(distro.suite(), &packages)),
    };
    if image.folder.is_dir() {
        return Ok(image);
    }
    fs::create_dir_all(&images).with_context(|| format!("creating {}", images.display()))?;
    let lock = File::create(images.join("lock")).context("creating the images' lock")?;
    lock.lock()
        .context("waiting for another run that makes an image")?;
    if !image.folder.is_dir() {
        make(paths, distro, &packages, &image.folder)?;
    }
    Ok(image)
}

/// The name an image is kept under.
fn key(suite: &str, packages: &[&str]) -> String {
    let mut hash = DefaultHasher::new();
    (RECIPE, suite, packages, EXCLUDED, SIZE, modules::NEEDED).hash(&mut hash);
    format!("{suite}-{:016x}", hash.finish())
}

fn make(paths: &Paths, distro: Distro, packages: &[&str], folder: &Path) -> Result<()> {
    host::require(paths, host::LAB)?;
    let work = folder.with_extension("partial");
    remove_as_root(&work)?;
    fs::create_dir_all(&work).with_context(|| format!("creating {}", work.display()))?;
    let tree = work.join("tree");
    bootstrap(paths, distro, packages, &tree)?;
    let log = |name: &str| progress::log_path(&paths.cache, name);
    let mut format = host::as_root("mke2fs")?;
    format
        .args(["-q", "-F", "-t", "ext4", "-L", "node", "-d"])
        .arg(&tree)
        .arg(work.join("root.ext4"))
        .arg(SIZE);
    progress::run(
        &format!("writing the {} drive", distro.suite()),
        &mut format,
        &log("mke2fs"),
    )?;
    take_kernel(&tree, &work).context("taking the kernel out of the image's tree")?;
    remove_as_root(&tree)?;
    own(&work)?;
    fs::write(work.join("packages"), packages.join("\n")).context("writing the package list")?;
    fs::rename(&work, folder).with_context(|| format!("moving {} into place", work.display()))
}

/// Installs the packages into `tree`: with the first kernel that the suite has, by the first mirror that has the suite.
fn bootstrap(paths: &Paths, distro: Distro, packages: &[&str], tree: &Path) -> Result<()> {
    let suite = distro.suite();
    let log = progress::log_path(&paths.cache, &format!("mmdebstrap-{suite}"));
    let mut first = None;
    for (packages, mirror) in attempts(packages, host::debian_mirror()) {
        remove_as_root(tree)?;
        let mut command = host::as_root("mmdebstrap")?;
        command.args(["--variant=essential", "--format=directory"]);
        command.arg(format!("--include={}", packages.join(",")));
        for path in EXCLUDED {
            command.arg(format!("--dpkgopt=path-exclude={path}"));
        }
        // The Release file of a suite that is still being made, or is made no longer, may be past its date; it is signed all
        // the same.
        command.arg("--aptopt=Acquire::Check-Valid-Until \"false\"");
        command.arg(suite).arg(tree).args(mirror);
        // The node boots with a RAM disk of ours; Debian's would take a minute to make.
        command.env("INITRD", "No");
        let what = format!("installing Debian {suite} into an image (once)");
        match progress::run(&what, &mut command, &log) {
            Ok(()) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(()), Err).context(
        "if a mirror was not reached, or has this suite no longer, name one that has it in apt's sources of this machine and run again",
    )
}

/// What is tried, one after the other: each kernel, from this machine's mirror of Debian and then from mmdebstrap's own.
fn attempts<'a>(packages: &[&'a str], mirror: Option<String>) -> Vec<(Vec<&'a str>, Option<String>)> {
    let with = |kernel: &'static str| {
        let of_suite = |package: &&'a str| if *package == KERNELS[0] { kernel } else { *package };
        packages.iter().map(of_suite).collect::<Vec<_>>()
    };
    let mirrors = mirror.map_or(vec![None], |mirror| vec![Some(mirror), None]);
    let attempts = mirrors
        .into_iter()
        .flat_map(|mirror| KERNELS.map(|kernel| (with(kernel), mirror.clone())));
    attempts.collect()
}

/// Copies the kernel and the modules it needs for the root drive from `tree` to `to`, unpacked.
fn take_kernel(tree: &Path, to: &Path) -> Result<()> {
    let versions = tree.join("lib/modules");
    let Some(version) = fs::read_dir(&versions)?
        .next()
        .transpose()?
        .map(|entry| entry.file_name())
    else {
        bail!("no kernel below {}", versions.display());
    };
    let version = version.to_string_lossy().into_owned();
    fs::copy(tree.join(format!("boot/vmlinuz-{version}")), to.join("vmlinuz"))?;
    let modules = versions.join(&version);
    let dependencies = fs::read_to_string(modules.join("modules.dep"))?;
    let builtin = fs::read_to_string(modules.join("modules.builtin"))?;
    let order = modules::load_order(&dependencies, &builtin, modules::NEEDED)?;
    fs::create_dir(to.join("modules"))?;
    let mut names = Vec::new();
    for path in order {
        let file = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let copied = to.join("modules").join(&file);
        fs::copy(modules.join(&path), &copied)?;
        names.push(unpack(&copied, &file)?);
    }
    fs::write(to.join("modules.order"), names.join("\n"))?;
    Ok(())
}

/// Unpacks a module, which the kernel takes packed only where it was built to; returns its name then.
fn unpack(path: &Path, file: &str) -> Result<String> {
    for (program, ending) in [("xz", ".xz"), ("zstd", ".zst")] {
        let Some(name) = file.strip_suffix(ending) else {
            continue;
        };
        let packed = File::open(path)?;
        let mut command = Command::new(program);
        command.args(["-d", "-c"]).stdin(packed);
        let unpacked = command.stdout(File::create(path.with_file_name(name))?).status();
        let unpacked =
            unpacked.with_context(|| format!("{program} is needed to unpack {file}: install it"))?;
        if !unpacked.success() {
            bail!("{program} could not unpack {file}");
        }
        fs::remove_file(path)?;
        return Ok(name.to_owned());
    }
    Ok(file.to_owned())
}

/// Makes the parts ours where another user (root, through sudo) wrote them.
fn own(folder: &Path) -> Result<()> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    if user.is_root() {
        return Ok(());
    }
    let owner = format!("{}:{}", user.as_raw(), group.as_raw());
    let status = host::as_root("chown")?
        .arg("-R")
        .arg(owner)
        .arg(folder)
        .status()
        .context("starting chown")?;
    if !status.success() {
        bail!("chown of {} failed", folder.display());
    }
    Ok(())
}

fn remove_as_root(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let status = host::as_root("rm")?
        .arg("-rf")
        .arg(path)
        .status()
        .context("starting rm")?;
    if !status.success() {
        bail!("removing {} failed", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_tried_at_every_mirror_and_nothing_else_changes() {
        let packages = ["kmod", KERNELS[0]];
        let tried = attempts(&packages, Some("mirror".to_owned()));
        assert_eq!(tried.len(), 4);
        assert_eq!(tried[0], (packages.to_vec(), Some("mirror".to_owned())));
        assert_eq!(tried[1], (vec!["kmod", KERNELS[1]], Some("mirror".to_owned())));
        assert_eq!(tried[3], (vec!["kmod", KERNELS[1]], None));
        assert_eq!(attempts(&packages, None).len(), KERNELS.len());
    }

    #[test]
    fn the_key_follows_what_the_image_is_made_from() {
        let one = key("trixie", &["a", "b"]);
        assert_eq!(one, key("trixie", &["a", "b"]));
        assert!(one.starts_with("trixie-"));
        for other in [
            key("forky", &["a", "b"]),
            key("trixie", &["a"]),
            key("trixie", &["a", "c"]),
        ] {
            assert_ne!(one, other);
        }
    }
}
