//! A loader that knows no types of the kernel.
//!
//! Must not depend on: objects. aya 0.14 reads all types into every new loader, for relocations that these programs do not have: ten MiB, and
//! as many instructions as all else that a start takes. Later versions read them where a program asks for it, and want Rust 1.98.

use std::{io, thread};

use anyhow::anyhow;
use aya::EbpfLoader;
use nix::libc::{self, sock_filter, sock_fprog};
use rustix::thread::set_no_new_privs;

/// Makes it in a thread of its own that can open no file. Where the kernel has no filter of system calls, aya reads its types; they
/// go with the thread, too.
pub(super) fn loader() -> anyhow::Result<EbpfLoader<'static>> {
    let blank = || {
        if let Err(error) = open_nothing() {
            tracing::debug!("the loader reads the kernel's types: {error}");
        }
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        loader
    };
    thread::spawn(blank)
        .join()
        .map_err(|_| anyhow!("the eBPF loader cannot be set up"))
}

/// From here on this thread, and no other, cannot open files: it is told that it may not.
fn open_nothing() -> io::Result<()> {
    // Else only a privileged thread may filter its calls.
    set_no_new_privs(true)?;
    let mut filter = filter()?;
    let program = sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_mut_ptr(),
    };
    #[expect(unsafe_code, reason = "no safe call filters system calls")]
    // SAFETY: the kernel copies the program, which is there until the call returns.
    let refused = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    match refused {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `openat`, the only call with which libc opens files, ends with `EACCES`. The number of the call is the first word that is looked at
/// (`struct seccomp_data`); a call of another ABI is not made here.
fn filter() -> io::Result<[sock_filter; 4]> {
    let word = |bits: u32| u16::try_from(bits).map_err(io::Error::other);
    let number = |bits: i64| u32::try_from(bits).map_err(io::Error::other);
    let step = |code: u32, k: u32, jf: u8| {
        Ok::<_, io::Error>(sock_filter {
            code: word(code)?,
            jt: 0,
            jf,
            k,
        })
    };
    let refusal = libc::SECCOMP_RET_ERRNO | number(libc::EACCES.into())?;
    Ok([
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)?,
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            number(libc::SYS_openat)?,
            1,
        )?,
        step(libc::BPF_RET | libc::BPF_K, refusal, 0)?,
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0)?,
    ])
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn only_the_thread_that_asks_for_it_opens_nothing() {
        let there = thread::spawn(|| {
            open_nothing()?;
            File::open("/dev/null")
        });
        let refused = there.join().unwrap().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert!(File::open("/dev/null").is_ok());
    }
}
