//! Builds what runs on a node: the eBPF object and static binaries.
//!
//! Must not depend on: what they do there. A static binary starts on every userland, however old its libc.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use lab::words::wire::PROGRAM;

use crate::cargo::cargo;
use crate::host;
use crate::paths::Paths;
use crate::progress;
use crate::toolchain;

/// With a target named, the flags below apply to the binary alone and not to build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The BPF virtual machine, little endian.
const BPF_TARGET: &str = "bpfel-unknown-none";

/// What runs inside the node, as a static binary: init and its commands.
pub fn guest(paths: &Paths) -> Result<PathBuf> {
    let mut command = static_build(paths, "lab")?;
    progress::run(
        "building the node's init",
        &mut command,
        &progress::log_path(&paths.cache, "build-lab"),
    )?;
    Ok(binary(paths, PROGRAM))
}

/// The static `ovsgap`, if it was built.
pub fn built_ovsgap(paths: &Paths) -> Option<PathBuf> {
    Some(binary(paths, "ovsgap")).filter(|path| path.is_file())
}

/// Where the static `ovsgap` is (or will be).
pub fn ovsgap_path(paths: &Paths) -> PathBuf {
    binary(paths, "ovsgap")
}

fn binary(paths: &Paths, name: &str) -> PathBuf {
    paths
        .target
        .join("static")
        .join(TARGET)
        .join("release")
        .join(name)
}

fn static_build(paths: &Paths, package: &str) -> Result<Command> {
    host::require(paths, host::BUILD)?;
    let mut command = cargo(&paths.root);
    command.args([
        "build",
        "--release",
        "--package",
        package,
        "--target",
        TARGET,
        "--target-dir",
    ]);
    command.arg(paths.target.join("static"));
    command.env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    Ok(command)
}

/// Builds the eBPF object and with it the static `ovsgap`; returns its path.
pub fn ovsgap(paths: &Paths) -> Result<PathBuf> {
    let object = ebpf(paths)?;
    let mut command = static_build(paths, "tracer")?;
    command.env("OVSGAP_EBPF_OBJECT", &object);
    progress::run(
        "building ovsgap",
        &mut command,
        &progress::log_path(&paths.cache, "build-ovsgap"),
    )?;
    Ok(binary(paths, "ovsgap"))
}

/// Builds the eBPF object; returns its path.
fn ebpf(paths: &Paths) -> Result<PathBuf> {
    let mut command = ebpf_cargo(paths, "build")?;
    command.arg("--release");
    progress::run(
        "building the eBPF programs",
        &mut command,
        &progress::log_path(&paths.cache, "build-ebpf"),
    )?;
    Ok(paths
        .target
        .join("bpf")
        .join(BPF_TARGET)
        .join("release/ovsgap-ebpf"))
}

/// `cargo VERB` of the eBPF crate for its own target.
pub fn ebpf_cargo(paths: &Paths, verb: &str) -> Result<Command> {
    let bpf = toolchain::bpf(paths)?;
    let mut command = cargo(&paths.root);
    command.args([
        verb,
        "--package",
        "tracer-ebpf",
        "--target",
        BPF_TARGET,
        "-Zbuild-std=core",
        "--target-dir",
    ]);
    command.arg(paths.target.join("bpf"));
    // The pinned stable compiler is let use its unstable parts for this one crate: `core` must be built from
    // source for the BPF target. No other build sees this variable.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.env(
        "RUSTFLAGS",
        "--cfg=bpf_target_arch=\"x86_64\" -Cdebuginfo=2 -Clink-arg=--btf",
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bpf.bin).chain(std::env::split_paths(&path)));
    command.env("PATH", path.context("PATH holds a folder with a colon")?);
    if let Some(library) = bpf.library {
        // Cargo's own tests use this to name another source of the standard library.
        command.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
    }
    Ok(command)
}
