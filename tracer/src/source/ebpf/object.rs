//! The eBPF object inside this binary.
//!
//! Must not depend on: what is in it.

use anyhow::{Context as _, anyhow};
use aya::Ebpf;
use aya::maps::Map;

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

/// Takes a map out of the loaded object; its name is one of `tracer_common::names`.
pub(super) fn take_map(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<Map> {
    ebpf.take_map(name)
        .with_context(|| format!("the object has no map {name}"))
}
