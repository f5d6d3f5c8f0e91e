//! The node's file systems: the few init needs first, the root drive, and what a Linux system has besides.
//!
//! Must not depend on: jobs, frames.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::mount::{MountFlags, mount, mount_bind, mount_move};

/// Type and place of a file system, and whether a kernel may lack it.
struct Entry(&'static str, &'static str, bool);

/// What init needs before it can do anything.
const EARLY: &[Entry] = &[
    Entry("devtmpfs", "/dev", false),
    Entry("proc", "/proc", false),
    Entry("sysfs", "/sys", false),
];

/// What the root drive's system has besides.
const SYSTEM: &[Entry] = &[
    Entry("devpts", "/dev/pts", false),
    Entry("tmpfs", "/dev/shm", false),
    Entry("tmpfs", "/run", false),
    Entry("tmpfs", "/tmp", false),
    Entry("cgroup2", "/sys/fs/cgroup", false),
    Entry("bpf", "/sys/fs/bpf", true),
    Entry("debugfs", "/sys/kernel/debug", true),
    Entry("tracefs", "/sys/kernel/tracing", true),
];

/// Mounts what init needs first.
pub fn early() -> Result<()> {
    EARLY.iter().try_for_each(attach)
}

/// Mounts the root drive, moves what is mounted already onto it, and makes it the root.
pub fn switch_root() -> Result<()> {
    let drive = Path::new("/dev/vda");
    wait_for(drive)?;
    mount(drive, "/node", "ext4", MountFlags::NOATIME, None).context("mounting the root drive")?;
    for Entry(_, place, _) in EARLY {
        mount_move(*place, format!("/node{place}"))
            .with_context(|| format!("moving {place} to the root drive"))?;
    }
    // The RAM disk's files stay where they are; this only makes them visible below the new root.
    fs::create_dir_all("/node/opt/copy").context("creating /opt/copy")?;
    mount_bind("/copy", "/node/opt/copy").context("making /opt/copy visible")?;
    std::env::set_current_dir("/node").context("entering the root drive")?;
    mount_move(".", "/").context("moving the root drive to /")?;
    rustix::process::chroot(".").context("making the root drive the root")?;
    std::env::set_current_dir("/").context("entering the new root")
}

/// Mounts what a system has besides.
pub fn system() -> Result<()> {
    SYSTEM.iter().try_for_each(attach)
}

fn attach(Entry(kind, place, optional): &Entry) -> Result<()> {
    if !Path::new(place).is_dir() && fs::create_dir_all(place).is_err() && *optional {
        return Ok(());
    }
    match mount(*kind, *place, *kind, MountFlags::empty(), None) {
        Err(_) if *optional => Ok(()),
        other => other.with_context(|| format!("mounting {kind} at {place}")),
    }
}

/// Loads the modules of the RAM disk in the order given.
pub fn load_modules(names: &[String]) -> Result<()> {
    for name in names {
        let path = Path::new("/lab/modules").join(name);
        let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        rustix::system::finit_module(&file, c"", 0).with_context(|| format!("loading {name}"))?;
    }
    Ok(())
}

/// Waits for a device's file: the kernel probes drives and ports on its own time, and there is no udev here.
pub fn wait_for(path: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !path.exists() {
        if Instant::now() > deadline {
            bail!("the kernel shows no {}", path.display());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
