//! Programs that are on their way out of the kernel, which nobody waits for.
//!
//! Must not depend on: what they were for.
//!
//! The kernel takes probes off one at a time and waits for grace periods of RCU with each (`perf_trace_event_unreg`,
//! `kernel/trace/trace_event_perf.c`, under `event_mutex`): some 0.1 s a probe, in parallel no less than three quarters of that.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use aya::Ebpf;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, Signal, getpid, kill_process, pidfd_open, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Whether programs were ever in the kernel.
static LOADED: AtomicBool = AtomicBool::new(false);

/// Programs are in the kernel from here on.
pub(super) fn loaded() {
    LOADED.store(true, Ordering::Relaxed);
}

/// Takes programs out of the kernel beside everything else.
pub(super) fn let_go(programs: Option<Ebpf>) {
    thread::spawn(move || drop(programs));
}

/// To be called last: lets the process end at once although its programs are still in the kernel.
///
/// The kernel takes them out when their last descriptor is closed, and a process has not ended before its own are. A child
/// that does nothing else holds them until then, and is the one that is waited for by nobody.
pub fn leave() -> io::Result<()> {
    if !LOADED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let ended = pidfd_open(getpid(), PidfdFlags::empty())?;
    let nothing = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    #[expect(
        unsafe_code,
        reason = "no safe call leaves descriptors to a child that runs no program"
    )]
    // SAFETY: other threads may hold locks of libc's, which the child never takes: it makes system calls and ends.
    let forked = unsafe { nix::unistd::fork() }?;
    if forked.is_child() {
        // Of no session and no group that others wait for or signal.
        let _ = setsid();
        // Who reads our output must see its end.
        let _ = (dup2_stdin(&nothing), dup2_stdout(&nothing), dup2_stderr(&nothing));
        // Interrupted by a signal: waits on.
        while poll(&mut [PollFd::new(&ended, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
        // Without handlers of libc's.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    Ok(())
}
