//! The eBPF object inside this binary.
//!
//! Must not depend on: what is in it.

use anyhow::{Context as _, anyhow};
use aya::Ebpf;
use aya::maps::{Map, MapError};
use rustix::io::Errno;

#[cfg(ebpf_object)]
const OBJECT: Option<&[u8]> = Some(aya::include_bytes_aligned!(concat!(
    env!("OUT_DIR"),
    "/ovsgap-ebpf"
)));
#[cfg(not(ebpf_object))]
const OBJECT: Option<&[u8]> = None;

/// The object, aligned as the loader needs it.
pub(super) fn bytes() -> anyhow::Result<&'static [u8]> {
    OBJECT.context("this build carries no eBPF programs: build with `cargo xtask build`")
}

/// How many CPUs there might be: their numbers are lower.
pub(super) fn cpus() -> anyhow::Result<u32> {
    let cpus = aya::util::nr_cpus().map_err(|(file, error)| anyhow!("reading {file}: {error}"))?;
    Ok(u32::try_from(cpus)?)
}

/// Whether an element was taken out; one that is no longer there need not be (a program, or the kernel, was first).
pub(super) fn unless_absent(taken: Result<(), MapError>) -> Result<bool, MapError> {
    match taken {
        Err(MapError::KeyNotFound) => Ok(false),
        Err(MapError::SyscallError(error)) if Errno::from_io_error(&error.io_error) == Some(Errno::NOENT) => {
            Ok(false)
        }
        taken => taken.map(|()| true),
    }
}

/// Takes a map out of the loaded object; its name is one of `tracer_common::names`.
pub(super) fn take_map(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<Map> {
    ebpf.take_map(name)
        .with_context(|| format!("the object has no map {name}"))
}

#[cfg(test)]
mod tests {
    use std::io;

    use aya::sys::SyscallError;

    use super::*;

    fn refused(errno: Errno) -> Result<(), MapError> {
        Err(MapError::SyscallError(SyscallError {
            call: "bpf_map_delete_elem",
            io_error: io::Error::from(errno),
        }))
    }

    #[test]
    fn what_is_gone_already_need_not_be_taken_out() {
        assert!(matches!(unless_absent(Ok(())), Ok(true)));
        assert!(matches!(unless_absent(refused(Errno::NOENT)), Ok(false)));
        assert!(matches!(unless_absent(Err(MapError::KeyNotFound)), Ok(false)));
        assert!(unless_absent(refused(Errno::PERM)).is_err());
    }
}
