//! The wire between ovsgap's eBPF programs and its userspace.
#![no_std]
