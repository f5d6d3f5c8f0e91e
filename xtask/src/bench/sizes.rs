//! How large the eBPF programs are, and how large they may be: a program that grows costs every packet, or is
//! refused by a verifier.
//!
//! Must not depend on: nodes, how sizes are told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use lab::words::size::{FILE, Sizes};

use crate::paths::Paths;
use crate::vm::distro::Distro;

/// Sizes by the suite whose kernel told them.
type Budget = BTreeMap<String, Sizes>;

/// A new point release of a suite's kernel may put in some more instructions or walk some more ways; a change of a program
/// that matters is larger than a tenth.
const TENTHS: u32 = 1;
/// And programs of a few instructions may grow by some.
const FEW: u32 = 16;

fn path(paths: &Paths) -> PathBuf {
    paths.root.join("xtask/src/bench/sizes.json")
}

fn read(paths: &Paths) -> Result<Budget> {
    let path = path(paths);
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}

/// The sizes that the last test on `distro` saw.
pub fn tested(paths: &Paths, distro: Distro) -> Result<Sizes> {
    of(&paths.target.join("test").join(distro.suite()))
}

/// The sizes that a run left in `folder`.
fn of(folder: &Path) -> Result<Sizes> {
    let path = folder.join(FILE);
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}

/// What is wrong with the sizes that a run on `distro` left in `folder`.
pub fn check(paths: &Paths, distro: Distro, folder: &Path) -> Result<(), String> {
    let sizes = of(folder).map_err(|error| format!("{error:#}"))?;
    let budget = read(paths).map_err(|error| format!("{error:#}"))?;
    let Some(known) = budget.get(distro.suite()) else {
        eprintln!(
            "sizes of the eBPF programs on {} are not kept: {}",
            distro.suite(),
            remedy(distro)
        );
        return Ok(());
    };
    let wrong = beyond(known, &sizes);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n{}", wrong.join("\n"), remedy(distro)))
}

fn remedy(distro: Distro) -> String {
    format!(
        "to keep the new ones: cargo xtask bench --only programs --again --distro {} (xtask/src/bench/sizes.json)",
        distro.suite()
    )
}

fn beyond(known: &Sizes, sizes: &Sizes) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, size) in &sizes.0 {
        let Some(before) = known.0.get(name) else {
            wrong.push(format!("{name} is a program without a budget"));
            continue;
        };
        let figures = [
            ("instructions verified", before.verified, size.verified),
            ("instructions", before.translated, size.translated),
        ];
        for (what, before, now) in figures {
            if now > before + before / 10 * TENTHS + FEW {
                wrong.push(format!("{name} has {now} {what}, {before} before"));
            }
        }
    }
    wrong
}

/// Keeps the sizes of a run on `distro` as its budget.
pub fn keep(paths: &Paths, distro: Distro, sizes: Sizes) -> Result<()> {
    let mut budget = read(paths).unwrap_or_default();
    budget.insert(distro.suite().to_owned(), sizes);
    let path = path(paths);
    let text = serde_json::to_string_pretty(&budget)? + "\n";
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use lab::words::size::Size;

    use super::*;

    fn sizes(verified: u32, translated: u32) -> Sizes {
        let size = Size {
            verified,
            translated,
            jited_bytes: 1,
        };
        Sizes(BTreeMap::from([("ovs_vport_send".to_owned(), size)]))
    }

    #[test]
    fn growth_beyond_a_tenth_is_told_and_shrinking_is_not() {
        let known = sizes(1000, 300);
        assert!(beyond(&known, &sizes(1100, 300)).is_empty());
        assert!(beyond(&known, &sizes(10, 20)).is_empty());
        assert_eq!(beyond(&known, &sizes(1200, 400)).len(), 2);
        assert_eq!(
            beyond(&Sizes::default(), &known),
            ["ovs_vport_send is a program without a budget"]
        );
    }
}
