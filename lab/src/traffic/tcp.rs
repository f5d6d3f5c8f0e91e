//! TCP connections that carry small numbered messages at a steady rate.
//!
//! Must not depend on: what becomes of segments: the taps see those, with acknowledgements and retransmissions.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::sockets::inside;
use super::spec::Spec;
use super::status::Progress;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::pods::Pod;

/// Length of a message: one segment each, as the connection does not wait for more (`TCP_NODELAY`).
const MESSAGE: usize = 64;
/// How long a thread may wait before it looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// The threads of one connection.
pub struct Connection {
    threads: [JoinHandle<Result<()>>; 2],
}

/// Starts both ends. The connection is made as soon as the network lets it.
pub fn start(
    spec: &Spec,
    src: &Pod,
    dst: &Pod,
    progress: &Arc<[Progress]>,
    at: usize,
    stop: &Arc<AtomicBool>,
) -> Result<Connection> {
    let to = SocketAddr::new(dst.ipv4.into(), spec.port);
    let listener = inside(dst, || Ok(TcpListener::bind(to)?)).context("listening")?;
    listener.set_nonblocking(true).context("listening")?;
    let (seen, ended) = (Arc::clone(progress), Arc::clone(stop));
    let server = std::thread::spawn(move || serve(&listener, &seen, at, &ended));
    let (interval, src) = (SECOND / u64::from(spec.rate_hz.max(1)), src.clone());
    let (silent, ended) = (Arc::clone(progress), Arc::clone(stop));
    let client = std::thread::spawn(move || {
        inside(&src, || send(to, interval, &silent, at, &ended)).context("sending by TCP")
    });
    Ok(Connection {
        threads: [server, client],
    })
}

impl Connection {
    /// Waits for both ends, once they were told to stop.
    pub fn join(self) -> Result<()> {
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a thread of TCP panicked"))??;
        }
        Ok(())
    }
}

fn serve(listener: &TcpListener, progress: &[Progress], at: usize, stop: &AtomicBool) -> Result<()> {
    let mut connection = None;
    let mut bytes = [0; 4096];
    let mut held = 0;
    while !stop.load(Ordering::Relaxed) {
        let Some(stream) = &mut connection else {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).context("accepting")?;
                    stream.set_read_timeout(Some(PATIENCE)).context("accepting")?;
                    connection = Some(stream);
                }
                Err(_) => clock::sleep_until(clock::now() + 5 * MILLISECOND),
            }
            continue;
        };
        match stream.read(&mut bytes) {
            Ok(0) => connection = None,
            Ok(length) => {
                held += length;
                while held >= MESSAGE {
                    held -= MESSAGE;
                    if let Some(progress) = progress.get(at) {
                        progress.arrived();
                    }
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(_) => connection = None,
        }
    }
    Ok(())
}

fn send(to: SocketAddr, interval: u64, progress: &[Progress], at: usize, stop: &AtomicBool) -> Result<()> {
    let mut connection: Option<TcpStream> = None;
    let mut due = clock::now();
    while !stop.load(Ordering::Relaxed) {
        due = (due + interval).max(clock::now().saturating_sub(interval));
        clock::sleep_until(due);
        if progress.get(at).is_some_and(Progress::is_silent) {
            continue;
        }
        let Some(stream) = &mut connection else {
            connection = TcpStream::connect_timeout(&to, Duration::from_secs(1)).ok();
            if let Some(stream) = &connection {
                stream.set_nodelay(true).context("TCP_NODELAY")?;
                stream
                    .set_nonblocking(true)
                    .context("making a connection non-blocking")?;
            }
            continue;
        };
        match stream.write(&[0x6f; MESSAGE]) {
            // A full buffer: what the application wanted to say is not said; no packet was made of it.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => connection = None,
        }
    }
    Ok(())
}
