//! With which capabilities `ovsgap doctor` finds all it needs, and what it says where one is missing.
//!
//! May not know: why the kernel asks for them (docs/rights.md says it).

use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// A user, what it may, and what the doctor must name as missing (nothing: all is well).
type Trial = (u32, &'static [&'static str], Option<&'static str>);

/// `nobody`: owns none of the sockets.
const NOBODY: u32 = 65534;

const TRIALS: [Trial; 5] = [
    (0, &["bpf", "perfmon"], None),
    (NOBODY, &["bpf", "perfmon", "dac_override"], None),
    (0, &["perfmon"], Some("CAP_BPF")),
    (0, &["bpf"], Some("CAP_PERFMON")),
    (NOBODY, &["bpf", "perfmon"], Some("CAP_DAC_OVERRIDE")),
];

/// Goes through all trials.
pub fn check() -> Result<()> {
    let wrong: Vec<String> = TRIALS
        .iter()
        .filter_map(|trial| go(trial).err())
        .map(|error| format!("{error:#}"))
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        bail!("{}", wrong.join("\n"))
    }
}

fn go((user, capabilities, missing): &Trial) -> Result<()> {
    let list = format!(",+{}", capabilities.join(",+"));
    let mut command = Command::new("setpriv");
    command.args([
        format!("--reuid={user}"),
        "--clear-groups".to_owned(),
        format!("--inh-caps=-all{list}"),
        format!("--ambient-caps=-all{list}"),
        format!("--bounding-set=-all{list}"),
    ]);
    let output = command
        .args(["ovsgap", "doctor"])
        .output()
        .context("starting setpriv")?;
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let who = format!("user {user} with {capabilities:?}");
    match missing {
        None => ensure!(output.status.success(), "{who}: {}:\n{told}", output.status),
        Some(name) => {
            ensure!(!output.status.success(), "{who}: all is well without {name}");
            ensure!(told.contains(name), "{who}: {name} is not named:\n{told}");
        }
    }
    Ok(())
}
