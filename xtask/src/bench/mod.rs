//! `cargo xtask bench`: what ovsgap costs the node that it watches, beside other tracers, and the page about it.
//!
//! Must not depend on: how a figure is taken (the node does).

mod page;
mod samples;
pub mod sizes;
mod spread;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum as _};
use lab::words::sample::{FILE, Part, Tracer};
use lab::words::size::{Size, Sizes};
use lab::words::wire::{PROGRAM, Verdict};

use crate::paths::Paths;
use crate::vm::distro::Distro;
use crate::{compile, vm};
use samples::Samples;

/// What is measured, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// What the node is made of
    #[arg(long, value_enum, default_value = "trixie")]
    pub distro: Distro,
    /// Which parts (comma-separated); none: all
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// Which tracers (comma-separated); none: all
    #[arg(long, value_enum, value_delimiter = ',')]
    pub tracers: Vec<Tracer>,
    /// How often each is measured [default: by the part]
    #[arg(long)]
    pub rounds: Option<u32>,
    /// Milliseconds of each measurement [default: by the part]
    #[arg(long)]
    pub millis: Option<u64>,
    /// How many Pods (comma-separated), of the part that grows
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 500])]
    pub pods: Vec<u16>,
    /// Run on a machine that counts instructions, whatever the part
    #[arg(long)]
    pub counted: bool,
    /// Run nothing: write the page anew from what the last runs left in target/bench, and keep the sizes of programs that
    /// the last `cargo xtask test` saw
    #[arg(long)]
    pub again: bool,
}

/// Debian packages of the other tracers.
const OTHERS: [&str; 3] = ["bpftrace", "bpftool", "linux-perf"];

/// How long one node may take.
const LONGEST_S: u64 = 1800;

/// Runs the parts, prints their tables and writes them into the page.
pub fn run(paths: &Paths, bench: &Bench) -> Result<()> {
    let parts = if bench.only.is_empty() {
        Part::value_variants()
    } else {
        &bench.only
    };
    for &part in parts {
        if part == Part::Programs && bench.again {
            sizes::keep(paths, bench.distro, sizes::tested(paths, bench.distro)?)?;
        }
        let samples = if bench.again {
            left(paths, bench.distro, part)?
        } else {
            measure(paths, bench, part)?
        };
        let Some(samples) = samples else { continue };
        if part == Part::Programs && !bench.again {
            sizes::keep(paths, bench.distro, sizes_of(&samples)?)?;
        }
        let text = table::render(part, &samples);
        writeln!(std::io::stdout(), "{text}").context("writing to stdout")?;
        // The page is about one distribution and all tracers; others are measured to look at.
        if bench.distro == Distro::Trixie && !bench.counted && bench.tracers.is_empty() {
            page::put(paths, part, &samples.machine, &text)?;
        }
    }
    Ok(())
}

/// Where the samples of a part are kept.
fn kept(paths: &Paths, distro: Distro, part: Part) -> std::path::PathBuf {
    paths.target.join("bench").join(distro.suite()).join(part.name())
}

fn left(paths: &Paths, distro: Distro, part: Part) -> Result<Option<Samples>> {
    let path = kept(paths, distro, part).join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Samples::read(&text).map(Some),
        Err(_) => Ok(None),
    }
}

fn measure(paths: &Paths, bench: &Bench, part: Part) -> Result<Option<Samples>> {
    if part != Part::Pods {
        return in_node(paths, bench, part, None).map(Some);
    }
    let mut all = Samples::default();
    for &pods in &bench.pods {
        let one = in_node(paths, bench, part, Some(pods))?;
        all.machine = one.machine;
        all.all.extend(one.all);
    }
    Ok(Some(all))
}

/// Rounds and milliseconds where none are asked for.
fn defaults(part: Part) -> (u32, u64) {
    match part {
        Part::Instructions => (1, 500),
        Part::Rate => (4, 2000),
        Part::Storm => (4, 6000),
        Part::Pods => (1, 10_000),
        Part::Attach => (5, 0),
        Part::Programs => (1, 0),
    }
}

fn in_node(paths: &Paths, bench: &Bench, part: Part, pods: Option<u16>) -> Result<Samples> {
    let (ovsgap, guest) = (compile::ovsgap(paths)?, compile::guest(paths)?);
    let kept = kept(paths, bench.distro, part);
    let out = pods.map_or_else(|| kept.clone(), |pods| kept.join(pods.to_string()));
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("removing {}", out.display()))?;
    }
    let (rounds, millis) = defaults(part);
    let mut argv: Vec<String> = [PROGRAM, "bench", part.name()].map(str::to_owned).to_vec();
    argv.push(format!("--rounds={}", bench.rounds.unwrap_or(rounds)));
    argv.push(format!("--millis={}", bench.millis.unwrap_or(millis)));
    argv.extend(pods.map(|pods| format!("--pods={pods}")));
    argv.extend(
        bench
            .tracers
            .iter()
            .map(|tracer| format!("--tracers={}", tracer.name())),
    );
    let others = matches!(part, Part::Instructions | Part::Rate);
    let run = vm::Run {
        distro: bench.distro,
        packages: OTHERS
            .iter()
            .filter(|_| others)
            .map(|&name| name.to_owned())
            .collect(),
        copy: vec![ovsgap],
        out: Some(out.clone()),
        timeout_s: LONGEST_S,
        cpus: 2,
        memory: 2048,
        argv,
        screen: None,
    };
    let verdict = if bench.counted || part == Part::Instructions {
        vm::run_counted(paths, &guest, &run)?
    } else {
        vm::run(paths, &guest, &run)?
    };
    if verdict != Verdict::Code(0) {
        bail!(
            "the bench did not run to its end ({verdict:?}); what there is is in {}",
            out.display()
        );
    }
    let path = out.join(FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Samples::read(&text)
}

fn sizes_of(samples: &Samples) -> Result<Sizes> {
    let mut sizes: BTreeMap<String, Size> = BTreeMap::new();
    for sample in &samples.all {
        let size = sizes.entry(sample.of.clone()).or_default();
        let value = u32::try_from(sample.value).context("a size")?;
        match sample.what.as_str() {
            "verified" => size.verified = value,
            "translated" => size.translated = value,
            "jited_bytes" => size.jited_bytes = value,
            _ => {}
        }
    }
    Ok(Sizes(sizes))
}
