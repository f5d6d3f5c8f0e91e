//! `ovsgap doctor`: what can be seen on this node, with a remedy for each miss.
//!
//! Must not depend on: how a source works; it asks each whether it could.

mod check;
mod surroundings;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use tokio::net::UnixStream;
use tracer_core::event::{Hook, Offsets};

use check::{Check, check, draw};

use crate::cli;
use crate::source::ebpf;
use crate::writing::Shown;

/// Prints every check; fails where something would not be seen.
pub async fn run(args: &cli::Doctor) -> anyhow::Result<ExitCode> {
    let (dir, db) = super::sockets(&args.node)?;
    let (kernel, hooks) = kernel(&args.node);
    let mut checks = vec![system(), rights()];
    checks.extend(surroundings::checks());
    checks.extend([module(), types(&hooks)]);
    checks.extend(ovs(&dir, &db).await);
    checks.extend(monitors(&dir).await);
    checks.push(kernel);
    checks.extend(hooks.iter().map(hook));
    let healthy = checks.iter().all(|check| check.ok);
    super::write(&Shown::text(&draw(&checks)), None)?;
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::ERROR)
    })
}

fn system() -> Check {
    let system = rustix::system::uname();
    check(
        "kernel",
        true,
        format!("Linux {}", system.release().to_string_lossy()),
    )
}

fn rights() -> Check {
    let missing = ebpf::missing_rights();
    let detail = if missing.is_empty() {
        "those that hooks need".to_owned()
    } else {
        format!(
            "the process lacks {}: run it as root, or give it these (docs/rights.md)",
            missing.join(" and ")
        )
    };
    check("rights", missing.is_empty(), detail)
}

/// What to do about a socket that cannot be connected to.
fn remedy(error: &std::io::Error, otherwise: &str) -> String {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        "it is another user's: run as that user, or with CAP_DAC_OVERRIDE".to_owned()
    } else {
        otherwise.to_owned()
    }
}

fn module() -> Check {
    let loaded = Path::new("/sys/module/openvswitch").exists();
    let detail = if loaded {
        "loaded"
    } else {
        "not loaded: `modprobe openvswitch` (ovs-vswitchd does it for a system datapath)"
    };
    check("module openvswitch", loaded, detail)
}

/// Whether it is known where openvswitch keeps things; the hooks tell how they found it.
fn types(hooks: &[Hook]) -> Check {
    let found = |by: Offsets| hooks.iter().any(|hook| hook.ok && hook.offsets == Some(by));
    let (known, detail) = if Path::new("/sys/kernel/btf/openvswitch").exists() {
        (true, "types of the module are known")
    } else if found(Offsets::Derived) {
        (
            true,
            "no BTF of the module: its types are derived from the source of this kernel's version",
        )
    } else {
        (
            false,
            "no BTF of the module: load it, or use a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES",
        )
    };
    check("BTF openvswitch", known, detail)
}

/// How the places of what a hook reads were found.
fn found_by(offsets: Offsets) -> &'static str {
    match offsets {
        Offsets::VmlinuxBtf => "reads by the kernel's BTF",
        Offsets::ModuleBtf => "reads by the module's BTF",
        Offsets::Derived => "reads by the source of this kernel's version",
    }
}

async fn ovs(dir: &Path, db: &Path) -> Vec<Check> {
    let answer = UnixStream::connect(db).await;
    let detail = match &answer {
        Ok(_) => format!("answers at {}", db.display()),
        Err(error) => format!(
            "{}: {error}; {}",
            db.display(),
            remedy(
                error,
                "start Open vSwitch, or name its run directory with --ovs-rundir"
            )
        ),
    };
    let pid = fs::read_to_string(dir.join("ovs-vswitchd.pid")).ok();
    let daemon = match &pid {
        Some(pid) => check("ovs-vswitchd", true, format!("process {}", pid.trim())),
        None => check(
            "ovs-vswitchd",
            true,
            "not running now (no pid file in the run directory): its start will be seen",
        ),
    };
    vec![check("ovsdb-server", answer.is_ok(), detail), daemon]
}

async fn monitors(dir: &Path) -> Vec<Check> {
    let names = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut bridges: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".mgmt").map(str::to_owned))
        .collect();
    bridges.sort();
    let mut checks = Vec::new();
    for bridge in bridges {
        // A file of the folder is called so.
        let socket = dir.join(format!("{bridge}.mgmt"));
        let answer = UnixStream::connect(&socket).await;
        let detail = answer.as_ref().map_or_else(
            |error| {
                format!(
                    "{}: {error}; {}",
                    socket.display(),
                    remedy(error, "flows of this bridge will not be seen")
                )
            },
            |_| "OpenFlow management socket answers".to_owned(),
        );
        checks.push(check(&format!("bridge {bridge}"), answer.is_ok(), detail));
    }
    checks
}

/// Attaches every hook once and lets go of it.
fn kernel(node: &cli::Node) -> (Check, Vec<Hook>) {
    match ebpf::probe(ebpf::Config {
        ring_bytes: node.ring_size * 1024,
        max_runs: node.max_keys,
        ..ebpf::Config::default()
    }) {
        Ok(hooks) => {
            let attached = hooks.iter().filter(|hook| hook.ok).count();
            let detail = format!("{attached} of {} hooks can be attached", hooks.len());
            (check("eBPF", attached == hooks.len(), detail), hooks)
        }
        Err(error) => (check("eBPF", false, format!("{error:#}")), Vec::new()),
    }
}

fn hook(hook: &Hook) -> Check {
    let detail = match hook {
        Hook {
            ok: false,
            attach,
            error,
            ..
        } => format!("{attach}: {error}"),
        Hook {
            attach,
            offsets: Some(offsets),
            ..
        } => format!("{attach}, {}", found_by(*offsets)),
        Hook { attach, .. } => attach.clone(),
    };
    check(&format!("hook {}", hook.name), hook.ok, detail)
}
