//! The tracers that look on: started, known to be attached, ended.
//!
//! Must not depend on: what is forwarded meanwhile.
//!
//! Whether a tracer is attached is told by the kernel and not by the tracer: the functions that are hooked stand in
//! `enabled_functions` of tracefs, whoever hooked them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::process::{self, Cost};
use crate::clock::{self, MILLISECOND, SECOND};
use crate::words::sample::Tracer;
use crate::{command, ovsdb};

const TRACEFS: &str = "/sys/kernel/tracing";
/// The functions that are called for every packet.
const PACKETS: [&str; 2] = ["ovs_execute_actions", "ovs_vport_send"];
/// How long a tracer may take to be attached or gone: without KVM, bpftrace compiles for tens of seconds.
const PATIENCE: u64 = 180 * SECOND;
/// How often it is looked whether it is.
const LOOK: u64 = 20 * MILLISECOND;
/// From the last hook to where ovsgap has told its programs to follow packets.
const TOLD: u64 = 500 * MILLISECOND;

/// Counts per port what ovsgap's hooks meet, and of the packets that meet a list of actions those that are dropped
/// there. ovsgap tells traffic apart by addresses and ports, too, and knows when; this does not.
const COUNTS: &str = r"
kprobe:openvswitch:ovs_execute_actions {
  $acts = (struct sw_flow_actions *)arg2;
  $key = (struct sw_flow_key *)arg3;
  if ($acts->actions_len == 0) { @dropped[$key->phy.in_port] = count(); }
  else { @seen[$key->phy.in_port] = count(); }
}
kprobe:openvswitch:ovs_vport_send { @sent[((struct vport *)arg0)->port_no] = count(); }
kprobe:openvswitch:ovs_dp_upcall { @key[cpu] = ((struct sw_flow_key *)arg2)->phy.in_port; }
kretprobe:openvswitch:ovs_dp_upcall /(int32)retval < 0/ { @failed[@key[cpu]] = count(); }
";
/// Keeps of each traffic over IPv4 what ovsgap keeps of the current run: packets and last time, and the bytes of what is dropped, by the
/// address and ports with which it came in. It does not tell a change of fate, and does not know a packet that comes back from userspace.
const KEYS: &str = r"
kprobe:openvswitch:ovs_execute_actions {
  $acts = (struct sw_flow_actions *)arg2;
  $key = (struct sw_flow_key *)arg3;
  $src = bswap($key->tp.src);
  $dst = bswap($key->tp.dst);
  $port = $src < $dst ? $src : $dst;
  $of = ($key->phy.in_port, $key->eth.type, $key->ipv4.addr.dst, $key->ip.proto, $port);
  if ($acts->actions_len == 0) {
    @dropped[$of] = count(); @dropped_bytes[$of] = sum(((struct sk_buff *)arg1)->len); @dropped_last[$of] = nsecs;
  } else {
    @of[cpu] = $of;
  }
}
kprobe:openvswitch:ovs_vport_send {
  $of = @of[cpu];
  @sent[$of] = count(); @sent_last[$of] = nsecs;
}
";
/// The cost of being called, without doing anything.
const EMPTY: &str = r"
kprobe:openvswitch:ovs_execute_actions { }
kprobe:openvswitch:ovs_vport_send { }
";

/// A tracer that is attached.
pub struct Running {
    kind: Tracer,
    child: Child,
    log: PathBuf,
}

/// Makes tracefs visible.
pub fn mount() -> Result<()> {
    if Path::new(TRACEFS).join("enabled_functions").exists() {
        return Ok(());
    }
    command::output("mount", &["-t", "tracefs", "tracefs", TRACEFS]).map(drop)
}

/// The recording of a tracer that is ovsgap.
pub fn recording() -> PathBuf {
    PathBuf::from("/tmp/bench.jsonl")
}

/// `ovsgap record` without a command.
pub fn ovsgap(evidence: &str) -> Command {
    let mut command = Command::new("ovsgap");
    command.args(["record", "--overwrite", "-o"]).arg(recording());
    command.args(["--evidence", evidence]);
    command
}

impl Running {
    /// Starts a tracer, once an earlier one is gone, and waits until it is attached.
    pub fn start(kind: Tracer) -> Result<Self> {
        released("an earlier tracer")?;
        let (mut command, hooked) = match kind {
            Tracer::Rest | Tracer::Armed => (ovsgap("auto"), SLOW_PATH),
            Tracer::Always => (ovsgap("always"), PACKETS.as_slice()),
            Tracer::Bpftrace => (bpftrace(COUNTS), PACKETS.as_slice()),
            Tracer::BpftraceKeys => (bpftrace(KEYS), PACKETS.as_slice()),
            Tracer::Hooks => (bpftrace(EMPTY), PACKETS.as_slice()),
            Tracer::Perf => (perf()?, PACKETS.as_slice()),
        };
        let log = PathBuf::from(format!("/out/{}.log", kind.name()));
        command
            .stdin(Stdio::null())
            .stdout(File::create("/dev/null")?)
            .stderr(File::create(&log)?);
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", kind.name()))?;
        let mut running = Self { kind, child, log };
        running.wait_for(hooked)?;
        if kind == Tracer::Armed {
            ovsdb::set_flow_restore_wait()?;
            running.wait_for(&PACKETS)?;
        }
        clock::sleep_until(clock::now() + TOLD);
        Ok(running)
    }

    fn wait_for(&mut self, functions: &[&str]) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        loop {
            let enabled = enabled()?;
            if functions.iter().all(|function| is_in(&enabled, function)) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.kind.name(), self.said());
            }
            if clock::now() > deadline {
                bail!("{} hooked nothing: {}", self.kind.name(), self.said());
            }
            // The kernel tells nobody when a function is hooked.
            clock::sleep_until(clock::now() + LOOK);
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it has cost so far.
    pub fn cost(&self) -> Result<Cost> {
        process::cost(self.child.id())
    }

    /// Ends it as Ctrl-C does, and waits until nothing is hooked; how long its end took.
    pub fn stop(mut self) -> Result<u64> {
        if self.kind == Tracer::Armed {
            ovsdb::remove_flow_restore_wait()?;
        }
        let began = clock::now();
        let pid = Pid::from_raw(self.child.id().try_into()?).context("a process without an id")?;
        kill_process(pid, Signal::INT).context("ending a tracer")?;
        self.child.wait().context("waiting for a tracer")?;
        let took = clock::now() - began;
        released(self.kind.name())?;
        if self.kind == Tracer::Perf {
            fs::write(Path::new(TRACEFS).join("kprobe_events"), "").context("removing perf's probes")?;
        }
        Ok(took)
    }
}

/// Waits until nothing is hooked. The kernel takes seconds to let go of what a tracer had hooked, and ovsgap's process does
/// not wait for it.
fn released(by: &str) -> Result<()> {
    let deadline = clock::now() + PATIENCE;
    let functions = || PACKETS.iter().chain(SLOW_PATH);
    loop {
        let enabled = enabled()?;
        if !functions().any(|function| is_in(&enabled, function)) {
            return Ok(());
        }
        if clock::now() > deadline {
            bail!("{by} left hooks behind");
        }
        // The kernel tells nobody when a function is let go.
        clock::sleep_until(clock::now() + LOOK);
    }
}

/// The function that ovsgap hooks first and the one that it hooks last.
const SLOW_PATH: &[&str] = &["ovs_dp_upcall", "ovs_dp_cmd_del"];

fn enabled() -> Result<String> {
    let path = Path::new(TRACEFS).join("enabled_functions");
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// Whether a function is in the kernel's list: `NAME [MODULE] (1) R …` or `NAME (1) R …`.
fn is_in(enabled: &str, function: &str) -> bool {
    enabled
        .lines()
        .any(|line| line.split_whitespace().next() == Some(function))
}

fn bpftrace(script: &str) -> Command {
    let mut command = Command::new("bpftrace");
    command.arg("-q").args(["-e", script]);
    command
}

fn perf() -> Result<Command> {
    let probes = PACKETS.map(|function| format!("p:ovsgap/{function} openvswitch:{function}\n"));
    fs::write(Path::new(TRACEFS).join("kprobe_events"), probes.concat()).context("making perf's probes")?;
    let mut command = Command::new("perf");
    // A pipe: perf writes into a file at any place of it.
    command.args(["record", "-q", "-a", "-e", "ovsgap:*", "-o", "-"]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let enabled = "ovs_vport_send [openvswitch] (1) R   tramp: 0x1\novs_dp_upcall_info (1)\n";
        assert!(is_in(enabled, "ovs_vport_send"));
        assert!(!is_in(enabled, "ovs_dp_upcall"));
    }
}
