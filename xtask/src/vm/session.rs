//! One boot from start to power-off: streams what the node says, watches for a node that is lost, gives the verdict.
//!
//! Must not depend on: images, jobs.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use lab::words::wire::{Frame, Verdict};

use super::console::{self, Line, Tail};
use super::distro::Distro;
use super::qemu::{Accel, Machine};
use crate::progress::Step;

/// How long a node may take from power-on to the start of the command (7 s without KVM on an idle machine).
const BOOT: Duration = Duration::from_mins(3);
/// What a node may take beyond the command's own time: sending `/out`, powering off.
const GRACE: Duration = Duration::from_mins(1);

/// How long a lost kernel may go on telling.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// One boot.
pub struct Session {
    /// The machine; its port is set by [`Session::run`].
    pub machine: Machine,
    /// For what is said to the user.
    pub distro: Distro,
    /// The command's time; the guest kills it then.
    pub timeout: Duration,
    /// Where `/out` goes.
    pub out: Option<PathBuf>,
    /// Where the serial console is written.
    pub console_log: PathBuf,
}

/// What the threads that read from QEMU tell.
enum Told {
    Console(String),
    ConsoleEnded,
    Connected(UnixStream),
    Frame(Frame),
    PortFailed(String),
}

impl Session {
    /// Runs it to the end. An error is a node that was lost; its message ends with the console's last lines.
    pub fn run(mut self) -> Result<Verdict> {
        // A socket's path is short (108 bytes): not below a workspace that may lie deep.
        let socket = std::env::temp_dir().join(format!("ovsgap-lab-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        let listener =
            UnixListener::bind(&socket).with_context(|| format!("listening at {}", socket.display()))?;
        self.machine.port = Some(socket.clone());
        let mut child = self
            .machine
            .command()
            .spawn()
            .context("starting qemu-system-x86_64")?;
        let mut tail = Tail::default();
        let outcome = self.watch(&mut child, listener, &mut tail);
        let _ = child.kill();
        let stderr = child
            .stderr
            .take()
            .map(io::read_to_string)
            .transpose()
            .ok()
            .flatten()
            .unwrap_or_default();
        child.wait().context("waiting for QEMU")?;
        let _ = std::fs::remove_file(&socket);
        outcome.map_err(|error| {
            let (log, shown) = (self.console_log.display(), tail.show());
            anyhow!("{error:#}\n{stderr}the end of the node's console ({log}):\n{shown}")
        })
    }

    fn watch(&self, child: &mut Child, listener: UnixListener, tail: &mut Tail) -> Result<Verdict> {
        let (tell, told) = mpsc::channel();
        let stdout = child.stdout.take().context("QEMU's stdout is not ours")?;
        let log = File::create(&self.console_log)
            .with_context(|| format!("creating {}", self.console_log.display()))?;
        let console = tell.clone();
        std::thread::spawn(move || read_console(stdout, log, &console));
        std::thread::spawn(move || read_port(&listener, &tell));
        let mut state = Watch::new(self);
        loop {
            let left = state.deadline.saturating_duration_since(Instant::now());
            let next = match told.recv_timeout(left) {
                Ok(next) => next,
                Err(RecvTimeoutError::Timeout) => bail!("{}", state.late()),
                Err(RecvTimeoutError::Disconnected) => bail!("QEMU closed its console and its port"),
            };
            match next {
                Told::Console(line) => {
                    let meaning = console::read(&line);
                    tail.push(line);
                    match meaning {
                        Line::Alive | Line::Other => {}
                        Line::Failed(reason) => bail!("the node did not come up: {reason}"),
                        // Where and why follows on the next lines, and then the kernel's own end.
                        Line::Fatal(text) => state.lost(text),
                    }
                }
                Told::ConsoleEnded => return state.ended(),
                Told::Connected(port) => state.port = Some(port),
                Told::Frame(frame) => state.take(frame)?,
                Told::PortFailed(error) => bail!("reading the node's port: {error}"),
            }
        }
    }
}

/// What is known while the node runs.
struct Watch {
    step: Option<Step>,
    deadline: Instant,
    after_ready: Duration,
    port: Option<UnixStream>,
    out: Option<PathBuf>,
    unpack: Option<(Child, ChildStdin)>,
    verdict: Option<Verdict>,
    lost: Option<String>,
}

impl Watch {
    fn new(session: &Session) -> Self {
        let accel = match session.machine.accel {
            Accel::Kvm => "KVM",
            Accel::Tcg => "TCG, no KVM",
            Accel::Counted => "TCG, instructions counted",
        };
        let step = Step::start(format!("booting a {} node ({accel})", session.distro.suite()));
        Self {
            step: Some(step),
            deadline: Instant::now() + BOOT,
            after_ready: session.timeout + GRACE,
            port: None,
            out: session.out.clone(),
            unpack: None,
            verdict: None,
            lost: None,
        }
    }

    fn take(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::Ready => {
                self.deadline = Instant::now() + self.after_ready;
                if let Some(step) = self.step.take() {
                    step.done();
                }
            }
            // A reader that went away (`| head`) is no reason to end the node.
            Frame::Stdout(bytes) => drop(io::stdout().write_all(&bytes).and_then(|()| io::stdout().flush())),
            Frame::Stderr(bytes) => drop(io::stderr().write_all(&bytes)),
            Frame::Out(bytes) => {
                let Some(folder) = &self.out else {
                    return Ok(());
                };
                // Not earlier: of a node that is lost there is nothing to unpack.
                let unpack = match self.unpack.take() {
                    Some(unpack) => unpack,
                    None => unpacker(folder)?,
                };
                let (_, to) = self.unpack.insert(unpack);
                to.write_all(&bytes)
                    .context("unpacking what the node wrote to /out")?;
            }
            Frame::Verdict(verdict) => {
                self.verdict = Some(verdict);
                self.deadline = Instant::now() + GRACE;
                if let Some(port) = &mut self.port {
                    port.write_all(b"\n").context("answering the node's verdict")?;
                }
            }
        }
        Ok(())
    }

    /// The kernel said that it is lost; what more it says is waited for.
    fn lost(&mut self, text: String) {
        if self.lost.is_none() {
            self.lost = Some(text);
            self.deadline = Instant::now() + LAST_WORDS;
        }
    }

    /// The node powered off.
    fn ended(&mut self) -> Result<Verdict> {
        if self.lost.is_some() {
            bail!("{}", self.late());
        }
        if let Some((mut child, to)) = self.unpack.take() {
            drop(to);
            let status = child.wait().context("waiting for tar")?;
            if !status.success() && self.verdict.is_some() {
                bail!("tar could not unpack what the node wrote to /out ({status})");
            }
        }
        self.verdict
            .take()
            .context("the node powered off without a verdict")
    }

    fn late(&self) -> String {
        if let Some(text) = &self.lost {
            return format!("the node's kernel is lost: {text}");
        }
        let hangs = |what: String| format!("the node hangs: {what}");
        let (boot, grace) = (BOOT.as_secs(), GRACE.as_secs());
        match (&self.step, &self.verdict) {
            (Some(_), _) => hangs(format!("its command did not start within {boot} s of power-on")),
            (None, None) => hangs(format!(
                "nothing came back {grace} s after its command was due to end"
            )),
            (None, Some(_)) => hangs(format!("it did not power off within {grace} s")),
        }
    }
}

/// `tar`, unpacking into `folder` what is written to its stdin.
fn unpacker(folder: &Path) -> Result<(Child, ChildStdin)> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut command = Command::new("tar");
    command
        .args(["-x", "--no-same-owner", "-C"])
        .arg(folder)
        .stdin(Stdio::piped());
    let mut child = command.spawn().context("starting tar")?;
    let to = child.stdin.take().context("tar's stdin is not ours")?;
    Ok((child, to))
}

fn read_console(stdout: impl Read, mut log: File, tell: &Sender<Told>) {
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        let _ = writeln!(log, "{line}");
        if tell.send(Told::Console(line)).is_err() {
            return;
        }
    }
    let _ = tell.send(Told::ConsoleEnded);
}

fn read_port(listener: &UnixListener, tell: &Sender<Told>) {
    let accepted = listener
        .accept()
        .and_then(|(port, _)| Ok((port.try_clone()?, port)));
    let (port, mut from) = match accepted {
        Ok((port, from)) => (port, BufReader::with_capacity(1 << 16, from)),
        Err(error) => return drop(tell.send(Told::PortFailed(error.to_string()))),
    };
    let _ = tell.send(Told::Connected(port));
    loop {
        let told = match Frame::read(&mut from) {
            Ok(Some(frame)) => Told::Frame(frame),
            Ok(None) => return,
            Err(error) => Told::PortFailed(error.to_string()),
        };
        if tell.send(told).is_err() {
            return;
        }
    }
}
