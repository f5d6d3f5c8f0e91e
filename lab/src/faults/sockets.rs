//! Sockets of Open vSwitch that hang, close, send garbage, or send one byte at a time.
//!
//! Must not depend on: other troubles.

use std::io::{Read as _, Write as _, copy};
use std::net::Shutdown;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};

use super::disturbed::restart;
use super::recorder::{Recorder, command, path};
use super::told::tells_the_bug;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::ovs::BRIDGE;
use crate::ovsdb;
use crate::words::report::Report;

/// What a server does to whoever connects.
#[derive(Clone, Copy, Debug)]
enum Lie {
    /// Nothing.
    Silent,
    /// Closes at once.
    Closed,
    /// Answers with what is no message.
    Garbage,
    /// Passes on what the real one says, each byte by itself.
    Slow,
}

/// Neither JSON-RPC nor OpenFlow.
const GARBAGE: &[u8] = b"}{ this is no message\n\0\x01\xff\xff\xff\xff";

pub fn silent_database() -> Result<()> {
    database(Lie::Silent)
}

pub fn closed_database() -> Result<()> {
    database(Lie::Closed)
}

pub fn garbage_database() -> Result<()> {
    database(Lie::Garbage)
}

pub fn slow_database() -> Result<()> {
    let db = listen("slow-database.sock", Lie::Slow, ovsdb::SOCKET)?;
    tells_the_bug(&recorded(&["--db", text(&db)?])?)
}

pub fn silent_openflow() -> Result<()> {
    openflow(Lie::Silent)
}

pub fn closed_openflow() -> Result<()> {
    openflow(Lie::Closed)
}

pub fn garbage_openflow() -> Result<()> {
    openflow(Lie::Garbage)
}

pub fn slow_openflow() -> Result<()> {
    tells_the_bug(&recorded(&["--ovs-rundir", text(&rundir(Lie::Slow)?)?])?)
}

/// Without OVSDB nobody knows Pods, nor the flag.
fn database(lie: Lie) -> Result<()> {
    let db = listen(&format!("{lie:?}-database.sock"), lie, ovsdb::SOCKET)?;
    let report = recorded(&["--db", text(&db)?])?;
    ensure!(report.verdict != "pass", "the verdict is pass");
    is_told(&report, "ovsdb")
}

/// Without the flow monitor the kernel's megaflows and packets still tell what was lost.
fn openflow(lie: Lie) -> Result<()> {
    let out = path("lied.jsonl");
    let folder = rundir(lie)?;
    let recorder = Recorder::start(command(&out, &["--ovs-rundir", text(&folder)?]))?;
    restart()?;
    given_up(&out)?;
    let report = recorder.end()?.report(0)?;
    tells_the_bug(&report)?;
    is_told(&report, &format!("openflow {BRIDGE}"))
}

/// Waits until the recording says that the monitor is down.
fn given_up(out: &Path) -> Result<()> {
    let until = clock::now() + PATIENCE;
    while clock::now() < until {
        let text = std::fs::read_to_string(out).context("reading the recording")?;
        if text.contains("\"open_flow_down\"") {
            return Ok(());
        }
        clock::sleep_until(clock::now() + 100 * MILLISECOND);
    }
    bail!(
        "a monitor that answers nothing right is not given up after {} s",
        PATIENCE / SECOND
    )
}

/// For how long ovsgap waits for an answer (an ovs-vswitchd that starts is slow to give one), and some.
const PATIENCE: u64 = 30 * SECOND;

fn recorded(more: &[&str]) -> Result<Report> {
    let recorder = Recorder::start(command(&path("lied.jsonl"), more))?;
    restart()?;
    recorder.end()?.report(0)
}

fn is_told(report: &Report, source: &str) -> Result<()> {
    let mut findings = report.coverage.iter();
    let told = findings.any(|one| one.kind == "source_down" && one.detail.starts_with(source));
    ensure!(told, "nothing is said of {source}: {:?}", report.coverage);
    Ok(())
}

/// A run directory with the real database and a bridge's socket that lies.
fn rundir(lie: Lie) -> Result<PathBuf> {
    let folder = path(&format!("{lie:?}-openflow"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    symlink(ovsdb::SOCKET, folder.join("db.sock")).context("linking the database's socket")?;
    let socket = format!("{BRIDGE}.mgmt");
    let real: &'static str = "/run/openvswitch/br-int.mgmt";
    listen_at(&folder.join(socket), lie, real)?;
    Ok(folder)
}

fn listen(name: &str, lie: Lie, real: &'static str) -> Result<PathBuf> {
    let socket = path(name);
    listen_at(&socket, lie, real)?;
    Ok(socket)
}

fn listen_at(socket: &Path, lie: Lie, real: &'static str) -> Result<()> {
    let listener =
        UnixListener::bind(socket).with_context(|| format!("listening at {}", socket.display()))?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Who is gone needs no answer.
            thread::spawn(move || answer(client, lie, real));
        }
    });
    Ok(())
}

fn answer(mut client: UnixStream, lie: Lie, real: &str) -> Result<()> {
    match lie {
        Lie::Closed => return Ok(()),
        Lie::Silent => {}
        Lie::Garbage => client.write_all(GARBAGE)?,
        Lie::Slow => {
            let server = UnixStream::connect(real)?;
            let (mut asks, mut asked) = (client.try_clone()?, server.try_clone()?);
            thread::spawn(move || {
                // Either end may go first; then the other goes, too.
                let _ = copy(&mut asks, &mut asked);
                asked.shutdown(Shutdown::Both)
            });
            for byte in std::io::BufReader::new(server).bytes() {
                client.write_all(&[byte?])?;
            }
            client.shutdown(Shutdown::Both)?;
            return Ok(());
        }
    }
    // Held for as long as the other end is there.
    copy(&mut client, &mut std::io::sink())?;
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a name that is no text")
}
