//! Waiting for a file descriptor that tokio has no type for.
//!
//! Must not depend on: what the descriptor is.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Makes the readiness of `fd`, which must be non-blocking, something to await.
pub(crate) fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        unsafe_code,
        reason = "tokio cannot see that OwnedFd keeps what `register` asks for"
    )]
    // SAFETY: an OwnedFd is open until it is dropped, and its descriptor never changes.
    let registered = unsafe { AsyncFd::register(fd) };
    registered.map_err(io::Error::from)
}
