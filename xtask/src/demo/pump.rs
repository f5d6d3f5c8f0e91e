//! Carries bytes between the user's terminal and a screen in the node, both ways, until one of them has had enough.
//!
//! Must not depend on: what the bytes mean. A thread of its own: whatever becomes of the node, the terminal comes back.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read as _, Write as _, stdin, stdout};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::kill_process;

use super::terminal::{self, Raw};
use crate::vm::Screen;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The screen was closed in the node.
    Closed,
    /// The node is gone, or was given up.
    Lost,
    /// The user wants to end it all.
    Escaped,
    /// A signal came, or the terminal has gone.
    Signal(i32),
}

/// The thread that carries.
pub struct Pump {
    stop: PipeWriter,
    thread: JoinHandle<Result<End>>,
    sockets: Screen,
}

impl Pump {
    /// Listens for the node, and begins when it connects. Signals are caught from here on: no other thread may be there yet.
    pub fn start() -> Result<Self> {
        let signals = caught()?;
        let (stopped, stop) = io::pipe().context("making a pipe")?;
        let (line, line_at) = listen("line")?;
        let (port, port_at) = listen("screen")?;
        let mut carrier = Carrier {
            stopped,
            signals,
            line: Peer::Awaited(line),
            port: Peer::Awaited(port),
            raw: None,
        };
        let thread = std::thread::spawn(move || {
            let end = carrier.carry();
            if let (Ok(End::Closed), Some(raw)) = (&end, &mut carrier.raw) {
                raw.tidy = true;
            }
            // The terminal first: what follows speaks.
            carrier.raw = None;
            if !matches!(end, Ok(End::Closed | End::Lost)) {
                carrier.end_the_node();
            }
            end
        });
        Ok(Self {
            stop,
            thread,
            sockets: Screen {
                line: line_at,
                port: port_at,
            },
        })
    }

    /// Where the node is to connect.
    pub fn sockets(&self) -> &Screen {
        &self.sockets
    }

    /// Ends it, if it has not ended, and tells how it did. The terminal has been given back.
    pub fn end(self) -> Result<End> {
        drop(self.stop);
        let ended = self.thread.join();
        for path in [&self.sockets.line, &self.sockets.port] {
            let _ = std::fs::remove_file(path);
        }
        ended.map_err(|_| anyhow!("the thread that carries the screen panicked"))?
    }
}

/// Signals that end the program, and the one that tells of another size, as something to read from.
fn caught() -> Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGWINCH,
    ] {
        set.add(signal);
    }
    set.thread_block().context("catching signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).context("catching signals")
}

/// A socket's path is short (108 bytes): not below a workspace that may lie deep.
fn listen(name: &str) -> Result<(UnixListener, PathBuf)> {
    let path = std::env::temp_dir().join(format!("ovsgap-lab-{}-{name}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| format!("listening at {}", path.display()))?;
    Ok((listener, path))
}

/// The node's end of something.
enum Peer {
    Awaited(UnixListener),
    Here(UnixStream),
}

impl Peer {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Awaited(listener) => listener.as_fd(),
            Self::Here(stream) => stream.as_fd(),
        }
    }

    /// What has come; `None`: the end. Nothing, and the peer is there, when it has just connected.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Awaited(listener) => {
                let (stream, _) = listener.accept()?;
                // A node that hangs takes no keys; the user is not to hang with it.
                stream.set_nonblocking(true)?;
                *self = Self::Here(stream);
                Ok(Some(Vec::new()))
            }
            Self::Here(stream) => {
                let mut bytes = vec![0; 1 << 16];
                match stream.read(&mut bytes) {
                    Ok(length) => {
                        bytes.truncate(length);
                        Ok((length > 0).then_some(bytes))
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(Vec::new())),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Writes what can be written at once.
    fn write(&self, bytes: &[u8]) {
        if let Self::Here(stream) = self {
            let mut stream: &UnixStream = stream;
            // What a hanging node does not take is lost with it.
            let _ = stream.write(bytes);
        }
    }
}

/// Everything the thread has.
struct Carrier {
    stopped: PipeReader,
    signals: SignalFd,
    line: Peer,
    port: Peer,
    /// The terminal, once there is something to draw.
    raw: Option<Raw>,
}

/// Which of the descriptors have something.
struct Woken([bool; 5]);

impl Carrier {
    fn carry(&mut self) -> Result<End> {
        loop {
            let Woken([stopped, signal, port, line, key]) = self.wait()?;
            let end = [
                if signal { self.signal()? } else { None },
                if line { self.draw()? } else { None },
                if port { self.told()? } else { None },
                if key { self.typed() } else { None },
                stopped.then_some(End::Lost),
            ];
            if let Some(end) = end.into_iter().flatten().next() {
                return Ok(end);
            }
        }
    }

    fn wait(&self) -> Result<Woken> {
        let keyboard = stdin();
        let mut fds: Vec<PollFd<'_>> = [
            self.stopped.as_fd(),
            self.signals.as_fd(),
            self.port.fd(),
            self.line.fd(),
        ]
        .into_iter()
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
        if self.raw.is_some() {
            fds.push(PollFd::new(&keyboard, PollFlags::IN));
        }
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Woken([false; 5])),
            Err(error) => return Err(error).context("waiting for the node and the terminal"),
        }
        let woken = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Woken([0, 1, 2, 3, 4].map(woken)))
    }

    fn signal(&mut self) -> Result<Option<End>> {
        let Some(signal) = self.signals.read_signal().context("reading a signal")? else {
            return Ok(None);
        };
        let number = i32::try_from(signal.ssi_signo).context("a signal's number")?;
        if number == Signal::SIGWINCH as i32 {
            self.port.write(terminal::size().as_bytes());
            return Ok(None);
        }
        Ok(Some(End::Signal(number)))
    }

    /// What the program draws. With its first byte the terminal becomes its.
    fn draw(&mut self) -> Result<Option<End>> {
        let Some(bytes) = self.line.read().context("reading the node's serial line")? else {
            return Ok(Some(End::Lost));
        };
        if !bytes.is_empty() && self.raw.is_none() {
            self.raw = Some(Raw::take()?);
        }
        let mut terminal = stdout().lock();
        terminal
            .write_all(&bytes)
            .and_then(|()| terminal.flush())
            .context("writing to the terminal")?;
        Ok(None)
    }

    /// The port: it has just connected and wants the size; or the screen is closed, and its last bytes are on the line.
    fn told(&mut self) -> Result<Option<End>> {
        let awaited = matches!(self.port, Peer::Awaited(_));
        let told = self.port.read().context("reading the screen's port")?;
        if awaited {
            self.port.write(terminal::size().as_bytes());
            return Ok(None);
        }
        match told {
            None => Ok(Some(End::Lost)),
            Some(bytes) if bytes.is_empty() => Ok(None),
            Some(_) => Ok(Some(self.draw()?.unwrap_or(End::Closed))),
        }
    }

    fn typed(&self) -> Option<End> {
        match terminal::typed() {
            Ok(bytes) if !bytes.is_empty() => match terminal::for_the_program(&bytes) {
                Some(bytes) => {
                    self.line.write(bytes);
                    None
                }
                None => Some(End::Escaped),
            },
            // Nothing, or an error: the terminal has gone.
            Ok(_) | Err(_) => Some(End::Signal(Signal::SIGHUP as i32)),
        }
    }

    /// QEMU is whoever connected to the line. Whoever waits for it finds out.
    fn end_the_node(&self) {
        let pid = match &self.line {
            Peer::Awaited(_) => None,
            Peer::Here(stream) => rustix::net::sockopt::socket_peercred(stream).ok(),
        };
        if let Some(peer) = pid {
            // It may have ended by itself.
            let _ = kill_process(peer.pid, rustix::process::Signal::KILL);
        }
    }
}
