//! Netlink sockets: requests answered one at a time, and notices as they come.
//!
//! Must not depend on: what the messages mean.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, bail};
use netlink_sys::protocols::NETLINK_GENERIC;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use super::codec::{self, Body, Request};
use crate::source::readiness;

/// As long as any datagram of the kernel (`netlink_dump` sends 32 KiB at most).
const LONGEST_DATAGRAM: usize = 64 << 10;
/// Room for a burst of notices: each is some 200 bytes, and 500 ports may be touched at once.
const NOTICES_BUFFER: usize = 1 << 20;
/// The kernel answers before `send` returns; this is for a socket that is not the kernel's.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket to the kernel, or to what stands for it in a test.
pub struct Socket {
    fd: AsyncFd<OwnedFd>,
    kernel: Option<netlink_sys::Socket>,
}

impl Socket {
    /// A socket of generic netlink in this network namespace.
    pub fn open() -> io::Result<Self> {
        let mut kernel = netlink_sys::Socket::new(NETLINK_GENERIC)?;
        kernel.bind_auto()?;
        kernel.set_non_blocking(true)?;
        let fd = kernel.as_fd().try_clone_to_owned()?;
        // Beyond rmem_max only where we are allowed to; the default does for a few ports.
        let _denied = rustix::net::sockopt::set_socket_recv_buffer_size_force(&fd, NOTICES_BUFFER)
            .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&fd, NOTICES_BUFFER));
        Ok(Self {
            fd: readiness::register(fd)?,
            kernel: Some(kernel),
        })
    }

    /// A connected socket that keeps datagrams apart.
    #[cfg(test)]
    pub fn pretend(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            fd: readiness::register(fd)?,
            kernel: None,
        })
    }

    /// Joins a multicast group; a group that is joined already stays so.
    pub fn join(&self, group: u32) -> io::Result<()> {
        self.kernel
            .as_ref()
            .map_or(Ok(()), |kernel| kernel.add_membership(group))
    }

    /// The next datagram. Loses nothing when it is dropped before it is ready.
    ///
    /// Errors: `ENOBUFS` when the kernel had no room for notices, which are lost then.
    pub async fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            let mut ready = self.fd.readable().await?;
            let received = ready.try_io(|fd| {
                let mut buffer = vec![0; LONGEST_DATAGRAM];
                let (length, whole) = rustix::net::recv(fd, &mut *buffer, RecvFlags::TRUNC)?;
                if whole > length || whole == 0 {
                    return Err(io::Error::other("a netlink datagram is not of a possible length"));
                }
                buffer.truncate(length);
                Ok(buffer)
            });
            if let Ok(received) = received {
                return received;
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        rustix::net::send(self.fd.get_ref(), bytes, SendFlags::empty())?;
        Ok(())
    }
}

/// A socket for requests.
pub struct Requests {
    socket: Socket,
    seq: u32,
}

impl Requests {
    /// Asks over `socket`.
    pub fn new(socket: Socket) -> Self {
        Self { socket, seq: 0 }
    }

    /// What `take` makes of each message of the answer.
    ///
    /// Errors: what the kernel refuses with, as `io::Error` of its errno; `EINTR` for a dump that is not of
    /// one moment.
    pub async fn ask<T>(
        &mut self,
        request: Request,
        take: impl FnMut(&[u8]) -> Result<T, codec::Malformed>,
    ) -> anyhow::Result<Vec<T>> {
        self.seq = self.seq.wrapping_add(1);
        self.socket
            .send(&request.encode(self.seq))
            .context("asking the kernel over netlink")?;
        match timeout(PATIENCE, self.answer(request, take)).await {
            Ok(answer) => answer,
            Err(_) => bail!("the kernel does not answer over netlink"),
        }
    }

    async fn answer<T>(
        &self,
        request: Request,
        mut take: impl FnMut(&[u8]) -> Result<T, codec::Malformed>,
    ) -> anyhow::Result<Vec<T>> {
        let mut answer = Vec::new();
        let mut broken = false;
        loop {
            let datagram = self
                .socket
                .receive()
                .await
                .context("the kernel's answer over netlink")?;
            for message in codec::messages(&datagram) {
                let message = message?;
                if message.seq != self.seq {
                    continue;
                }
                match message.body {
                    Body::End(0) if broken => bail!(io::Error::from(Errno::INTR)),
                    Body::End(0) => return Ok(answer),
                    Body::End(errno) => bail!(io::Error::from_raw_os_error(errno.saturating_neg())),
                    Body::Generic {
                        interrupted, payload, ..
                    } => {
                        broken |= interrupted;
                        answer.push(take(payload)?);
                        if !request.dump {
                            return Ok(answer);
                        }
                    }
                }
            }
        }
    }
}
