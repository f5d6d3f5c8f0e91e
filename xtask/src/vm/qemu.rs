//! The virtual machine's command line, and whether KVM works on this machine.
//!
//! Must not depend on: jobs, frames, images beyond their files.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::words::wire;

use super::console::{self, Line};
use super::emulator::Emulator;

/// How the node's processors are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The machine's own, through KVM.
    Kvm,
    /// Translated: about ten times slower, works everywhere.
    Tcg,
    /// Translated and counted: an instruction takes a nanosecond of the node's time. Slower still.
    Counted,
}

/// The parts of a machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The QEMU.
    pub emulator: Emulator,
    /// How its processors are run.
    pub accel: Accel,
    /// How many of them.
    pub cpus: u32,
    /// MiB of memory.
    pub memory: u32,
    /// The kernel.
    pub kernel: PathBuf,
    /// The initial RAM disk.
    pub initrd: PathBuf,
    /// The root drive; what is written to it is forgotten at the end.
    pub drive: Option<PathBuf>,
    /// The listening socket at which the virtio port connects.
    pub port: Option<PathBuf>,
    /// A second serial line, for a screen.
    pub screen: Option<Screen>,
}

/// Listening sockets of a screen.
#[derive(Clone, Debug)]
pub struct Screen {
    /// At which the node's second serial line connects.
    pub line: PathBuf,
    /// At which its virtio port connects: see [`wire::SCREEN`].
    pub port: PathBuf,
}

impl Machine {
    /// The command that runs it: the serial console is its stdout, and it ends when the guest powers off.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.emulator.program);
        for firmware in &self.emulator.firmware {
            command.arg("-L").arg(firmware);
        }
        command.args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-serial",
            "stdio",
        ]);
        let cpus = self.processors(&mut command);
        command
            .arg("-smp")
            .arg(cpus.to_string())
            .arg("-m")
            .arg(self.memory.to_string());
        command
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initrd);
        command.args([
            "-append",
            "console=ttyS0 quiet panic=-1 mitigations=off nokaslr init_on_alloc=0 oops=panic softlockup_panic=1 rdinit=/init",
        ]);
        if let Some(drive) = &self.drive {
            command.arg("-drive").arg(format!(
                "file={},if=virtio,format=raw,snapshot=on",
                escaped(drive)
            ));
        }
        if let Some(port) = &self.port {
            command.args(["-device", "virtio-serial-pci", "-chardev"]);
            command.arg(format!("socket,id=port,path={}", escaped(port)));
            command
                .arg("-device")
                .arg(format!("virtserialport,chardev=port,name={}", wire::PORT));
        }
        self.screen.iter().for_each(|screen| screen.connect(&mut command));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// How the processors are run, and how many there are.
    fn processors(&self, command: &mut Command) -> u32 {
        match self.accel {
            Accel::Kvm => {
                command.args(["-M", "q35,accel=kvm", "-cpu", "host"]);
                self.cpus
            }
            Accel::Counted => {
                command.args(["-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max"]);
                command.args(["-icount", "shift=0,sleep=off"]);
                1
            }
            Accel::Tcg if self.emulator.parallel => {
                command.args(["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"]);
                self.cpus
            }
            // Two processors that take turns would each wait for the other's turn to end, a tenth of a second.
            Accel::Tcg => {
                command.args(["-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max"]);
                1
            }
        }
    }
}

impl Screen {
    /// A second serial line and another port.
    fn connect(&self, command: &mut Command) {
        for (name, path) in [("line", &self.line), ("screen", &self.port)] {
            command
                .arg("-chardev")
                .arg(format!("socket,id={name},path={}", escaped(path)));
        }
        command.args(["-serial", "chardev:line", "-device"]);
        command.arg(format!("virtserialport,chardev=screen,name={}", wire::SCREEN));
    }
}

/// A path inside a list of QEMU options: a comma is written twice.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// How long a node that does nothing may take to come up with KVM. It takes less than two seconds where it works.
const PROBE: Duration = Duration::from_secs(20);

/// KVM where a boot with it works, else TCG. The answer is kept until this machine boots again: a `/dev/kvm`
/// can be there and fail, or be there for another user only.
pub fn probe(lab: &Path, machine: &Machine) -> Result<Accel> {
    if !Path::new("/dev/kvm").exists() {
        return Ok(Accel::Tcg);
    }
    let boot =
        fs::read_to_string("/proc/sys/kernel/random/boot_id").context("reading this machine's boot id")?;
    let user = rustix::process::geteuid().as_raw();
    let known = lab.join(format!("kvm-{}-{user}", boot.trim()));
    match fs::read_to_string(&known).as_deref() {
        Ok("kvm") => return Ok(Accel::Kvm),
        Ok("tcg") => return Ok(Accel::Tcg),
        Ok(_) | Err(_) => {}
    }
    let works = boots(&Machine {
        accel: Accel::Kvm,
        ..machine.clone()
    })?;
    if !works {
        eprintln!(
            "a boot with KVM does not work on this machine: the node runs translated (TCG), about ten times slower"
        );
    }
    fs::write(&known, if works { "kvm" } else { "tcg" }).context("keeping the answer of the KVM probe")?;
    Ok(if works { Accel::Kvm } else { Accel::Tcg })
}

/// Whether init of `machine` says that it is alive in time.
fn boots(machine: &Machine) -> Result<bool> {
    let mut child = machine
        .command()
        .stderr(File::create("/dev/null")?)
        .spawn()
        .context("starting qemu-system-x86_64")?;
    let Some(stdout) = child.stdout.take() else {
        return Ok(false);
    };
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stdout).split(b'\n').map_while(Result::ok);
        for line in lines {
            if console::read(&String::from_utf8_lossy(&line)) == Line::Alive {
                let _ = tell.send(());
                return;
            }
        }
    });
    let alive = told.recv_timeout(PROBE).is_ok();
    child.kill().context("ending the probe's QEMU")?;
    child.wait().context("waiting for the probe's QEMU")?;
    Ok(alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(accel: Accel, parallel: bool) -> String {
        let drive = Some(PathBuf::from("/a,b/root.ext4"));
        let (kernel, initrd) = (PathBuf::from("/k"), PathBuf::from("/i"));
        let machine = Machine {
            emulator: Emulator {
                program: "qemu".into(),
                firmware: vec!["/f".into()],
                parallel,
            },
            accel,
            cpus: 2,
            memory: 2048,
            kernel,
            initrd,
            drive,
            port: Some("/tmp/p".into()),
            screen: None,
        };
        format!("{:?}", machine.command())
    }

    #[test]
    fn the_command_line_is_made_of_the_machines_parts() {
        let tcg = machine(Accel::Tcg, true);
        assert!(
            tcg.contains("tcg,thread=multi")
                && tcg.contains("file=/a,,b/root.ext4,")
                && tcg.contains("\"2048\"")
        );
        assert!(machine(Accel::Kvm, false).contains("accel=kvm"));
        let counted = machine(Accel::Counted, true);
        assert!(counted.contains("\"shift=0,sleep=off\"") && counted.contains("\"-smp\" \"1\""));
        let alone = machine(Accel::Tcg, false);
        assert!(
            alone.contains("tcg,thread=single")
                && alone.contains("\"-smp\" \"1\"")
                && alone.contains("\"-L\" \"/f\"")
        );
    }
}
