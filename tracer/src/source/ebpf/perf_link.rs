//! What the kernel tells of a program's link to a probe.
//!
//! Must not depend on: hooks, what is done with it.

use std::ffi::CStr;
use std::io;
use std::os::fd::RawFd;

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_link_info, bpf_link_type, bpf_perf_event_type};

/// A probe of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// The link, by the kernel's number.
    pub(super) link: u32,
    /// The program, likewise.
    pub(super) program: u32,
    /// Whether it is at the function's return, and not at its entry.
    pub(super) at_return: bool,
    /// The function.
    pub(super) function: String,
    /// Hits that the kernel passed over (`nmissed` of `struct kprobe`); 0 before Linux 6.7, which tells none.
    pub(super) missed: u64,
}

/// Longer than any hooked function's name; the kernel cuts what does not fit.
const NAME: usize = 64;

/// What the link behind a descriptor holds to; `None` where that is no probe (`bpf_perf_link_fill_kprobe()` in
/// `kernel/bpf/syscall.c`).
///
/// # Errors
/// The kernel refused to tell: the descriptor is none of the kind.
pub(super) fn probe(descriptor: RawFd) -> io::Result<Option<Probe>> {
    let mut name = [0_u8; NAME];
    let info = get_info(descriptor, &mut name)?;
    if info.type_ != bpf_link_type::BPF_LINK_TYPE_PERF_EVENT as u32 {
        return Ok(None);
    }
    #[expect(unsafe_code, reason = "the kernel's answer is a union")]
    // SAFETY: every member is made of integers, for which any bytes are a value; the kernel filled the rest with zeros.
    let (kind, missed) = unsafe {
        let event = &info.__bindgen_anon_1.perf_event;
        (event.type_, event.__bindgen_anon_1.kprobe.missed)
    };
    let at_return = kind == bpf_perf_event_type::BPF_PERF_EVENT_KRETPROBE as u32;
    if !at_return && kind != bpf_perf_event_type::BPF_PERF_EVENT_KPROBE as u32 {
        return Ok(None);
    }
    let function = CStr::from_bytes_until_nul(&name).unwrap_or_default();
    Ok(Some(Probe {
        link: info.id,
        program: info.prog_id,
        at_return,
        function: function.to_string_lossy().into_owned(),
        missed,
    }))
}

#[expect(unsafe_code, reason = "no library asks for this of a link")]
fn get_info(descriptor: RawFd, name: &mut [u8; NAME]) -> io::Result<bpf_link_info> {
    // SAFETY: both are made of integers, for which zeros are a value.
    let (mut attributes, mut info) = unsafe {
        (
            std::mem::zeroed::<bpf_attr>(),
            std::mem::zeroed::<bpf_link_info>(),
        )
    };
    // SAFETY: the members are written, and integers.
    let kprobe = unsafe { &mut info.__bindgen_anon_1.perf_event.__bindgen_anon_1.kprobe };
    kprobe.func_name = name.as_mut_ptr() as u64;
    kprobe.name_len = length_of::<[u8; NAME]>();
    attributes.info.bpf_fd = u32::try_from(descriptor).map_err(io::Error::other)?;
    attributes.info.info = (&raw mut info) as u64;
    attributes.info.info_len = length_of::<bpf_link_info>();
    // SAFETY: `attributes`, `info` and the name outlive the call, which writes no more than the lengths told of each; a descriptor
    // that is none of ours is refused, or told of.
    let status = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_bpf,
            bpf_cmd::BPF_OBJ_GET_INFO_BY_FD as u32,
            &raw mut attributes,
            size_of::<bpf_attr>(),
        )
    };
    if status < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(info)
    }
}

/// The kernel takes lengths as 32 bits; those here are of some bytes.
const fn length_of<T>() -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "checked, at compile time")]
    const {
        assert!(size_of::<T>() < 4096);
        size_of::<T>() as u32
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_descriptor_of_something_else_is_an_error() {
        let file = std::fs::File::open("/dev/null").expect("there is one");
        let error = probe(file.as_raw_fd()).expect_err("it is no link");
        assert!(error.raw_os_error().is_some(), "{error}");
        probe(-1).expect_err("there is none");
    }
}
