//! A node in a virtual machine: make its image, boot it, run one command in it, bring back what it wrote.
//!
//! Must not depend on: what the command does.

pub mod distro;
pub mod image;

mod console;
mod cpio;
mod emulator;
mod modules;
mod qemu;
mod session;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::words::wire::{Job, PROGRAM, Verdict};

use crate::host;
use crate::paths::Paths;
use cpio::Archive;
use distro::Distro;
use emulator::Emulator;
use image::Image;
pub use qemu::Screen;
use qemu::{Accel, Machine};

/// One run of a node.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the node is made of.
    pub distro: Distro,
    /// Debian packages beside the usual ones.
    pub packages: Vec<String>,
    /// Files and folders that are put into `/opt/copy` (on PATH).
    pub copy: Vec<PathBuf>,
    /// Where `/out` of the node goes.
    pub out: Option<PathBuf>,
    /// Seconds after which the command is killed.
    pub timeout_s: u64,
    /// How many processors.
    pub cpus: u32,
    /// MiB of memory.
    pub memory: u32,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// A second serial line, for a screen.
    pub screen: Option<Screen>,
}

/// Boots a node, runs the command as root and returns how it ended. `guest` is the static binary of what runs inside.
pub fn run(paths: &Paths, guest: &Path, run: &Run) -> Result<Verdict> {
    boot(paths, guest, run, false)
}

/// The same on a machine of one translated processor whose clock is the count of its instructions: each takes one
/// nanosecond.
pub fn run_counted(paths: &Paths, guest: &Path, run: &Run) -> Result<Verdict> {
    boot(paths, guest, run, true)
}

fn boot(paths: &Paths, guest: &Path, run: &Run, counted: bool) -> Result<Verdict> {
    host::require(paths, host::LAB)?;
    let image = image::get(paths, run.distro, &run.packages)?;
    let folder = RunFolder::make(paths)?;
    let mut machine = Machine {
        emulator: Emulator::installed()?,
        accel: if counted { Accel::Counted } else { Accel::Tcg },
        cpus: run.cpus,
        memory: run.memory,
        kernel: image.kernel(),
        initrd: folder.0.join("probe.cpio"),
        drive: None,
        port: None,
        screen: None,
    };
    if !counted {
        write_initrd(&machine.initrd, guest, &image, &[], &Job::default())?;
        machine.accel = qemu::probe(&paths.lab(), &machine)?;
    }
    if machine.accel != Accel::Kvm {
        machine.emulator = Emulator::for_translation(paths)?;
    }
    let job = Job {
        argv: run.argv.clone(),
        timeout_s: run.timeout_s,
        modules: image.modules()?,
        out: run.out.is_some(),
    };
    machine.initrd = folder.0.join("initrd.cpio");
    write_initrd(&machine.initrd, guest, &image, &run.copy, &job)?;
    machine.drive = Some(image.drive());
    machine.screen.clone_from(&run.screen);
    let session = session::Session {
        machine,
        distro: run.distro,
        timeout: Duration::from_secs(run.timeout_s),
        out: run.out.clone(),
        console_log: paths.lab().join("console.log"),
    };
    session.run()
}

/// The RAM disk: init, the job, the kernel modules, and `/copy` with all that changes from build to build.
fn write_initrd(path: &Path, guest: &Path, image: &Image, copy: &[PathBuf], job: &Job) -> Result<()> {
    let about = || format!("writing {}", path.display());
    let mut archive = Archive::new(BufWriter::new(File::create(path).with_context(about)?));
    for name in ["dev", "proc", "sys", "node", "lab", "lab/modules", "copy"] {
        archive.folder(name).with_context(about)?;
    }
    archive.tree(guest, "init")?;
    archive
        .file("lab/job.json", 0o644, &serde_json::to_vec(job)?)
        .with_context(about)?;
    if !job.argv.is_empty() {
        for module in &job.modules {
            archive.tree(
                &image.folder.join("modules").join(module),
                &format!("lab/modules/{module}"),
            )?;
        }
        archive.tree(guest, &format!("copy/{PROGRAM}"))?;
    }
    for from in copy {
        let from = from
            .canonicalize()
            .with_context(|| format!("--copy {}", from.display()))?;
        let name = from
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        archive.tree(&from, &format!("copy/{name}"))?;
    }
    archive.finish().map(drop).with_context(about)
}

/// A folder for the files of one run, removed with it; what an interrupted run left is removed by the next.
struct RunFolder(PathBuf);

impl RunFolder {
    fn make(paths: &Paths) -> Result<Self> {
        let runs = paths.lab().join("runs");
        fs::create_dir_all(&runs).with_context(|| format!("creating {}", runs.display()))?;
        for old in fs::read_dir(&runs)
            .context("reading the folder of runs")?
            .flatten()
        {
            let pid = old.file_name().to_string_lossy().into_owned();
            if !Path::new("/proc").join(&pid).exists() {
                // Another run may be removing it at the same time.
                let _ = fs::remove_dir_all(old.path());
            }
        }
        let folder = runs.join(std::process::id().to_string());
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
