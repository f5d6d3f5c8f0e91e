//! What building for the BPF target needs beyond the pinned toolchain: the source of `core`, and bpf-linker.
//!
//! Must not depend on: our crates. The toolchain itself is left as it is, but for rustup's own `rust-src` component.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::apt;
use crate::cargo::cargo;
use crate::host;
use crate::paths::Paths;
use crate::progress;

/// bpf-linker's version; it links against the LLVM that the toolchain brings.
const BPF_LINKER: &str = "0.13.0";

/// The Debian suite whose `rust-src` is of the toolchain's version.
const RUST_SRC_SUITE: &str = "trixie-backports";

/// The pinned toolchain as `rustc` describes it.
struct Rust {
    release: String,
    llvm_major: String,
    sysroot: PathBuf,
}

/// What a build for the BPF target is to be run with.
pub struct Bpf {
    /// Folder with `bpf-linker`, to come first on PATH.
    pub bin: PathBuf,
    /// The `library` folder of the toolchain's source, where it is not in the toolchain itself.
    pub library: Option<PathBuf>,
}

/// Gets both, from the cache where they are there already.
pub fn bpf(paths: &Paths) -> Result<Bpf> {
    let rust = Rust::ask(&paths.root)?;
    Ok(Bpf {
        library: rust_src(paths, &rust)?,
        bin: bpf_linker(paths, &rust)?,
    })
}

impl Rust {
    fn ask(root: &Path) -> Result<Self> {
        let ask = |argument: &[&str]| -> Result<String> {
            let output = Command::new("rustc").args(argument).current_dir(root).output();
            let output = output.context("starting rustc; install Rust with rustup and run again")?;
            if !output.status.success() {
                bail!(
                    "rustc {}: {}",
                    argument.join(" "),
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let about = ask(&["-vV"])?;
        Ok(Self {
            release: field(&about, "release: ")
                .context("rustc -vV names no release")?
                .to_owned(),
            llvm_major: field(&about, "LLVM version: ")
                .and_then(|version| version.split('.').next())
                .context("rustc -vV names no LLVM version")?
                .to_owned(),
            sysroot: ask(&["--print", "sysroot"])?.into(),
        })
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

/// The source of `core`: in the toolchain, by rustup, else from Debian's package of the same version (`Some`).
fn rust_src(paths: &Paths, rust: &Rust) -> Result<Option<PathBuf>> {
    let installed = rust.sysroot.join("lib/rustlib/src/rust/library/Cargo.lock");
    if installed.is_file() {
        return Ok(None);
    }
    let debian = paths
        .cache
        .join("tools")
        .join(format!("rust-src-{}", rust.release));
    let library = debian.join(format!("usr/src/rustc-{}/library", rust.release));
    if library.is_dir() {
        return Ok(Some(library));
    }
    let log = progress::log_path(&paths.cache, "rust-src");
    let mut rustup = Command::new("rustup");
    rustup
        .args(["component", "add", "rust-src"])
        .current_dir(&paths.root);
    match progress::run("adding rust-src to the toolchain", &mut rustup, &log) {
        Ok(()) if installed.is_file() => return Ok(None),
        Ok(()) => eprintln!("rustup added no rust-src; taking Debian's package"),
        Err(error) => eprintln!("{error:#}\nrustup could not add rust-src; taking Debian's package"),
    }
    apt::unpack(
        paths,
        RUST_SRC_SUITE,
        &[&format!("rust-src={}*", rust.release)],
        &debian,
    )
    .context(
        "the source of Rust's core library is needed to build for BPF: run `rustup component add rust-src`",
    )?;
    if !library.is_dir() {
        bail!("Debian's rust-src has no {}", library.display());
    }
    Ok(Some(library))
}

/// The folder with `bpf-linker`, built against the toolchain's own LLVM: no LLVM package, and the versions match.
fn bpf_linker(paths: &Paths, rust: &Rust) -> Result<PathBuf> {
    let root = paths
        .cache
        .join("tools")
        .join(format!("bpf-linker-{BPF_LINKER}-rust-{}", rust.release));
    let bin = root.join("bin");
    if bin.join("bpf-linker").is_file() {
        return Ok(bin);
    }
    host::require(paths, host::BUILD)?;
    let lib = root.join("llvm/lib");
    fs::create_dir_all(&lib).with_context(|| format!("creating {}", lib.display()))?;
    let (name, library) = llvm(&rust.sysroot)?;
    for link in ["libLLVM.so", name.as_str()] {
        let link = lib.join(link);
        let _ = fs::remove_file(&link);
        symlink(&library, &link).with_context(|| format!("linking {}", link.display()))?;
    }
    let mut install = cargo(&paths.root);
    install.args([
        "install",
        "bpf-linker",
        "--version",
        BPF_LINKER,
        "--locked",
        "--no-default-features",
    ]);
    install
        .args(["--features", &format!("llvm-{}", rust.llvm_major), "--root"])
        .arg(&root);
    install.env("LLVM_PREFIX", root.join("llvm"));
    progress::run(
        "building bpf-linker (once)",
        &mut install,
        &progress::log_path(&paths.cache, "bpf-linker"),
    )?;
    Ok(bin)
}

/// Name and path of the toolchain's LLVM, such as `libLLVM.so.22.1-rust-1.95.0-stable`.
fn llvm(sysroot: &Path) -> Result<(String, PathBuf)> {
    let lib = sysroot.join("lib");
    for entry in fs::read_dir(&lib)
        .with_context(|| format!("reading {}", lib.display()))?
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("libLLVM.so.") {
            return Ok((name, entry.path()));
        }
    }
    bail!(
        "the toolchain has no libLLVM.so in {}; use one installed by rustup",
        lib.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustc_tells_its_release_and_llvm() {
        let about = "rustc 1.95.0 (x)\nrelease: 1.95.0\nLLVM version: 22.1.2";
        assert_eq!(field(about, "release: "), Some("1.95.0"));
        assert_eq!(field(about, "LLVM version: "), Some("22.1.2"));
        assert_eq!(field(about, "nothing: "), None);
    }
}
