//! The eBPF programs that are in the kernel, as it tells of them.
//!
//! Must not depend on: what they do, how large they may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::programs::loaded_programs;

use super::mounted::{self, Running};
use super::output::Output;
use crate::words::sample::Tracer;
use crate::words::size::{FILE, Size, Sizes};

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its whole name.
    pub name: String,
    /// How large it is.
    pub size: Size,
    /// How often it has run while the kernel counted.
    pub runs: u64,
    /// For how long, in nanoseconds.
    pub run_ns: u64,
}

/// Bytes of an instruction.
const INSTRUCTION: u32 = 8;

/// All programs whose names the kernel knows in full.
pub fn loaded() -> Result<Vec<Loaded>> {
    let symbols = fs::read_to_string("/proc/kallsyms").context("reading /proc/kallsyms")?;
    let names = names(&symbols);
    let mut all = Vec::new();
    for program in loaded_programs() {
        let program = program.context("asking the kernel for its eBPF programs")?;
        let Some(name) = names.get(&format!("{:016x}", program.tag())) else {
            continue;
        };
        all.push(Loaded {
            name: name.clone(),
            size: Size {
                verified: program.verified_instruction_count().unwrap_or(0),
                translated: program.size_translated().unwrap_or(0) / INSTRUCTION,
                jited_bytes: program.size_jitted(),
            },
            runs: program.run_count(),
            run_ns: u64::try_from(program.run_time().as_nanos())?,
        });
    }
    Ok(all)
}

/// Names of programs by their tags. The kernel's own information about a program has only the first 15 characters of
/// its name; the symbol of its code is `bpf_prog_TAG_NAME` (`bpf_get_prog_name` in kernel/bpf/core.c).
fn names(symbols: &str) -> BTreeMap<String, String> {
    let symbols = symbols.lines().filter_map(|line| line.split_whitespace().nth(2));
    let named = symbols.filter_map(|symbol| symbol.strip_prefix("bpf_prog_")?.split_once('_'));
    named
        .map(|(tag, name)| (tag.to_owned(), name.to_owned()))
        .collect()
}

/// Sizes of all programs of ovsgap: to be called while it is attached.
fn sizes() -> Result<Sizes> {
    let ours = loaded()?.into_iter().filter(|program| is_ours(&program.name));
    Ok(Sizes(ours.map(|program| (program.name, program.size)).collect()))
}

/// ovsgap's programs are named after what they hook.
fn is_ours(name: &str) -> bool {
    name.starts_with("ovs_") || name.starts_with("sched_process_")
}

/// Starts ovsgap and writes how large its programs are into `/out`.
pub fn write() -> Result<()> {
    mounted::mount()?;
    let path = Path::new("/out").join(FILE);
    let running = Running::start(Tracer::Always)?;
    let sizes = serde_json::to_vec_pretty(&sizes()?)?;
    running.stop()?;
    fs::write(&path, sizes).with_context(|| format!("writing {}", path.display()))
}

/// Starts ovsgap and writes how large its programs are.
pub fn measure(out: &mut Output) -> Result<()> {
    mounted::mount()?;
    let running = Running::start(Tracer::Always)?;
    let sizes = sizes()?;
    running.stop()?;
    for (name, size) in &sizes.0 {
        out.figure(name, "verified", 1, u64::from(size.verified))?;
        out.figure(name, "translated", 1, u64::from(size.translated))?;
        out.figure(name, "jited_bytes", 1, u64::from(size.jited_bytes))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_by_its_symbol() {
        let symbols = "ffffffffc0000000 t bpf_prog_00112233445566aa_ovs_vport_send\t[bpf]\n\
                       ffffffffc0001000 T ovs_vport_send\t[openvswitch]\n";
        let names = names(symbols);
        assert_eq!(names.len(), 1);
        assert_eq!(
            names.get("00112233445566aa").map(String::as_str),
            Some("ovs_vport_send")
        );
        assert!(is_ours("ovs_vport_send") && !is_ours("hid_tail_call"));
    }
}
