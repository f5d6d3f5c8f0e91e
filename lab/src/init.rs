//! The first process of the node: brings the system up, runs the job, says how it ended, powers off.
//!
//! Must not depend on: what the job's command does. Like the init of aya's test-distro, it is one program and one
//! verdict; there is no service manager.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use rustix::system::{RebootCommand, reboot};

use crate::words::wire::{self, Frame, Job};
use crate::{job, mounts};

/// Runs as process 1; does not return.
pub fn run() -> ExitCode {
    if let Err(error) = node() {
        say(&format!("{}{error:#}", wire::FAILED));
    }
    // Process 1 may not return: the kernel would panic. Nothing on the drive is kept, so nothing is unmounted.
    let _ = reboot(RebootCommand::PowerOff);
    loop {
        std::thread::park();
    }
}

fn node() -> Result<()> {
    mounts::early()?;
    say(wire::ALIVE);
    let job = fs::read("/lab/job.json").context("reading the job")?;
    let job: Job = serde_json::from_slice(&job).context("reading the job")?;
    if job.argv.is_empty() {
        return Ok(());
    }
    mounts::load_modules(&job.modules)?;
    mounts::switch_root()?;
    mounts::system()?;
    rustix::system::sethostname(b"node-1").context("naming the node")?;
    let status = job::command("ip")
        .args(["link", "set", "lo", "up"])
        .status()
        .context("starting ip")?;
    if !status.success() {
        bail!("ip link set lo up: {status}");
    }
    let mut port = open_port(wire::PORT)?;
    Frame::Ready.write(&mut port).context("writing to the host")?;
    let verdict = job::run(&job, &mut port);
    if job.out {
        job::send_out(&mut port).context("sending /out")?;
    }
    Frame::Verdict(verdict)
        .write(&mut port)
        .context("writing the verdict")?;
    // The host's answer: everything has arrived and the power may go.
    port.read_exact(&mut [0])
        .context("waiting for the host's answer to the verdict")
}

/// Prints a line on the serial console.
fn say(line: &str) {
    if let Ok(mut console) = OpenOptions::new().write(true).open("/dev/ttyS0") {
        // Nowhere is left to report to if the console does not take it.
        let _ = writeln!(console, "\n{line}");
    }
}

/// A virtio port to the host, found by its name: the numbers in `/dev/vport0p1` are the kernel's choice.
pub fn open_port(port: &str) -> Result<File> {
    let folder = Path::new("/sys/class/virtio-ports");
    mounts::wait_for(folder)?;
    let ours =
        |device: &PathBuf| fs::read_to_string(device.join("name")).is_ok_and(|name| name.trim() == port);
    let ports = || {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
    };
    // The port's name arrives from the device after the port itself.
    for _ in 0..1000 {
        if let Some(name) = ports().find(ours).as_deref().and_then(Path::file_name) {
            let path = Path::new("/dev").join(name);
            mounts::wait_for(&path)?;
            return OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .context("opening the port to the host");
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bail!("the kernel shows no virtio port named {port}")
}
