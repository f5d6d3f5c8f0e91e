//! Hands the eBPF object that `cargo xtask build` made to the crate, where there is one.
//!
//! Must not depend on: how the object is built. Without it everything but the loader builds and is tested, with
//! no eBPF toolchain.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const OBJECT: &str = "OVSGAP_EBPF_OBJECT";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed={OBJECT}");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(ebpf_object)");
    let Some(object) = env::var_os(OBJECT).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let object = Path::new(&object);
    println!("cargo:rerun-if-changed={}", object.display());
    let embedded = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?).join("ovsgap-ebpf");
    fs::copy(object, embedded).map_err(|error| format!("{OBJECT}={}: {error}", object.display()))?;
    println!("cargo:rustc-cfg=ebpf_object");
    Ok(())
}
