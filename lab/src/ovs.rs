//! The real daemons of Open vSwitch: start, stop, kill, and their OpenFlow tables.
//!
//! Must not depend on: Pods' addresses, scenarios. Daemons log to files: one that kept a pipe open would keep
//! whoever reads it waiting.

use std::fs;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::clock::{self, MILLISECOND};
use crate::{command, ovsdb};

/// The bridge of the node.
pub const BRIDGE: &str = "br-int";
/// Where the node has a second one, its name.
pub const SECOND_BRIDGE: &str = "br-ext";

const DATABASE: &str = "/etc/openvswitch/conf.db";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
const RUN: &str = "/run/openvswitch";

/// How long a daemon may take to end (it frees its tables; without KVM, on a busy machine).
const END: Duration = Duration::from_secs(30);

/// Loads the kernel's modules and starts ovsdb-server with a new database.
pub fn prepare() -> Result<()> {
    command::output("modprobe", &["-a", "openvswitch", "veth"]).context("loading the kernel's modules")?;
    for folder in [RUN, "/etc/openvswitch", "/out"] {
        fs::create_dir_all(folder).with_context(|| format!("creating {folder}"))?;
    }
    command::output("ovsdb-tool", &["create", DATABASE, SCHEMA])?;
    start_database()?;
    // `ovs-ctl` writes the version; Antrea's agent sets the same upper bound for the time between two
    // revalidations.
    let version = command::output("ovs-vswitchd", &["--version"])?;
    let version = version
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().last())
        .unwrap_or_default();
    let version = format!("ovs-version={version}");
    let set = [
        "--",
        "set",
        "Open_vSwitch",
        ".",
        &version,
        "other_config:max-revalidator=200",
    ];
    command::output("ovs-vsctl", &[["--no-wait", "init"].as_slice(), &set].concat()).map(drop)
}

fn start_database() -> Result<()> {
    let remote = format!("--remote=punix:{}", ovsdb::SOCKET);
    let log = "--log-file=/out/ovsdb-server.log";
    let arguments = [DATABASE, &remote, "--pidfile", "--detach", "--no-chdir", log];
    command::output("ovsdb-server", &arguments).map(drop)
}

/// Restarts ovsdb-server alone; the database stays.
pub fn restart_database() -> Result<()> {
    let end = watch(process("ovsdb-server")?)?;
    command::output("ovs-appctl", &["-t", "ovsdb-server", "exit"])?;
    ended(&end)?;
    start_database()
}

/// Restarts both daemons by the package's own script, which saves and restores the flows.
pub fn restart_by_script(action: &str) -> Result<()> {
    command::output("ovs-ctl", &[action, "--system-id=random", "--no-monitor"]).map(drop)
}

/// Starts ovs-vswitchd and waits until it is up (`--detach` returns after the first reconfiguration).
pub fn start() -> Result<()> {
    let database = format!("unix:{}", ovsdb::SOCKET);
    let arguments = [
        &database,
        "-vconsole:emer",
        "-vsyslog:off",
        "-vfile:info",
        "--mlockall",
        "--no-chdir",
        "--log-file=/out/ovs-vswitchd.log",
        "--pidfile",
        "--detach",
    ];
    command::output("ovs-vswitchd", &arguments).map(drop)
}

/// Ends ovs-vswitchd as its scripts do, leaving the datapath as it is, and waits for its end.
pub fn exit() -> Result<()> {
    exit_by(&["exit"])
}

/// Ends ovs-vswitchd and its datapath.
pub fn exit_with_cleanup() -> Result<()> {
    exit_by(&["exit", "--cleanup"])
}

fn exit_by(arguments: &[&str]) -> Result<()> {
    let end = watch(vswitchd()?)?;
    command::output("ovs-appctl", arguments)?;
    ended(&end)
}

/// Ends ovs-vswitchd by a signal and waits for its end.
pub fn kill(signal: Signal) -> Result<()> {
    let pid = vswitchd()?;
    let end = watch(pid)?;
    kill_process(pid, signal).context("killing ovs-vswitchd")?;
    ended(&end)
}

/// Whether ovs-vswitchd runs.
pub fn is_up() -> bool {
    vswitchd().is_ok_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn vswitchd() -> Result<Pid> {
    process("ovs-vswitchd")
}

fn process(daemon: &str) -> Result<Pid> {
    let path = format!("{RUN}/{daemon}.pid");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    Pid::from_raw(text.trim().parse().with_context(|| format!("reading {path}"))?).context("a pid of 0")
}

fn watch(pid: Pid) -> Result<std::os::fd::OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).context("watching a daemon")
}

fn ended(end: &std::os::fd::OwnedFd) -> Result<()> {
    let timeout = END.try_into().context("a time that fits")?;
    if poll(&mut [PollFd::new(end, PollFlags::IN)], Some(&timeout)).context("waiting for a daemon")? == 0 {
        bail!("a daemon of Open vSwitch did not end within {} s", END.as_secs());
    }
    Ok(())
}

/// How long `ovs-ofctl` may take from its start to reading its flows.
const READY: u64 = 30 * clock::SECOND;

/// One bundle (OpenFlow 1.5, atomic) that is ready to be sent: `ovs-ofctl` is started, connects, and waits for
/// its flows.
pub struct Bundle {
    process: Child,
    flows: String,
}

impl Bundle {
    /// Prepares `flows` to be added to a bridge together.
    pub fn prepare(bridge: &str, flows: String) -> Result<Self> {
        let arguments = ["-O", "OpenFlow15", "--bundle", "add-flows", bridge, "-"];
        Ok(Self {
            process: command::start("ovs-ofctl", &arguments)?,
            flows,
        })
    }

    /// Waits until `ovs-ofctl` is connected and reads its stdin.
    pub fn wait_ready(&self) -> Result<()> {
        let path = format!("/proc/{}/syscall", self.process.id());
        let deadline = clock::now() + READY;
        while clock::now() < deadline {
            let state = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
            // The system call that it waits in: read (0 on x86-64), of stdin.
            if state.starts_with("0 0x0 ") {
                return Ok(());
            }
            // The kernel tells nobody when a process starts to wait.
            clock::sleep_until(clock::now() + 2 * MILLISECOND);
        }
        bail!(
            "ovs-ofctl did not get ready for its flows within {} s",
            READY / clock::SECOND
        )
    }

    /// Sends it; the flows are in the tables when this returns.
    pub fn commit(self) -> Result<()> {
        command::finish(self.process, "ovs-ofctl", &self.flows).map(drop)
    }
}

/// Empties a bridge's tables.
pub fn delete_flows(bridge: &str) -> Result<()> {
    command::output("ovs-ofctl", &["-O", "OpenFlow15", "del-flows", bridge]).map(drop)
}
