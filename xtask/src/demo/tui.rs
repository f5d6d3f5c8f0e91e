//! `cargo xtask demo --tui`: the same restart, watched as it happens on `ovsgap watch` in the node.
//!
//! Must not depend on: how a node is made, what is drawn.

use std::io::{IsTerminal as _, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use lab::words::wire::{PROGRAM, Verdict};

use super::pump::{End, Pump};
use crate::paths::Paths;
use crate::vm::distro::Distro;
use crate::vm::image;
use crate::{compile, host, vm};

/// How long the user may look, in seconds. The prober remembers every packet, so there must be an end.
const TIME: u64 = 60 * 60;

/// What the screen is to know of the user's terminal.
const ENVIRONMENT: [&str; 6] = ["TERM", "COLORTERM", "NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG"];

/// Builds all, and shows a node's screen until the user closes it.
pub fn run(paths: &Paths, distro: Distro) -> Result<ExitCode> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        bail!("`demo --tui` needs a terminal; without one: `cargo xtask demo`");
    }
    let ovsgap = compile::ovsgap(paths)?;
    let guest = compile::guest(paths)?;
    // Before signals are caught: what is made here can be interrupted as usual.
    host::require(paths, host::LAB)?;
    image::get(paths, distro, &[])?;
    let out = paths.target.join("demo-tui");
    if out.exists() {
        std::fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    let pump = Pump::start()?;
    let run = vm::Run {
        distro,
        packages: Vec::new(),
        copy: vec![ovsgap],
        out: Some(out.clone()),
        timeout_s: TIME,
        cpus: 2,
        memory: 2048,
        argv: command(),
        screen: Some(pump.sockets().clone()),
    };
    eprintln!(
        "The screen comes up by itself; there, ? shows the keys, q ends it, and Ctrl-] ends it if all else fails."
    );
    let ended = vm::run(paths, &guest, &run);
    // The terminal is the user's again before anything is said of the node.
    let end = pump.end()?;
    answer(paths, &out, end, ended)
}

fn command() -> Vec<String> {
    let known = ENVIRONMENT.into_iter().filter_map(|name| {
        let value = std::env::var(name).ok()?;
        Some(format!("--set={name}={value}"))
    });
    let command = [PROGRAM, "screen"].map(str::to_owned);
    command.into_iter().chain(known).collect()
}

fn answer(paths: &Paths, out: &Path, end: End, ended: Result<Verdict>) -> Result<ExitCode> {
    match end {
        End::Escaped => {
            eprintln!("The node was ended; nothing of it is kept.");
            return Ok(ExitCode::SUCCESS);
        }
        End::Signal(number) => {
            eprintln!("ended by signal {number}");
            return Ok(ExitCode::from(
                128_u8.saturating_add(u8::try_from(number).unwrap_or_default()),
            ));
        }
        End::Closed | End::Lost => {}
    }
    let verdict = ended?;
    if verdict != Verdict::Code(0) {
        bail!(
            "the screen did not end as it should ({verdict:?}); what the node wrote is in {}",
            out.display()
        );
    }
    eprintln!("Look at it again, as long as you like:");
    eprintln!(
        "  {} watch {}/recording.jsonl",
        compile::ovsgap_path(paths).display(),
        out.display()
    );
    Ok(ExitCode::SUCCESS)
}
