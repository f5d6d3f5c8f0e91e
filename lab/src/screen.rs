//! A node to look at: `ovsgap watch` on its second serial line, and Open vSwitch restarted under traffic meanwhile.
//!
//! Must not depend on: what is at the line's other end, beyond its size.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustix::termios::{OptionalActions, Winsize, tcdrain, tcgetattr, tcsetattr, tcsetwinsize};

use crate::clock::{self, MILLISECOND, SECOND};
use crate::node::Node;
use crate::traffic::spec;
use crate::traffic::{self, Prober};
use crate::words::rates::Rates;
use crate::words::scenario;
use crate::words::wire::{self, PROGRAM};
use crate::{init, run};

/// Where everything is written; what the user writes from inside the screen, too.
const OUT: &str = "/out";

/// The fastest that a 16550 is set to. The emulated one does not slow down what is sent, but the kernel waits by it.
const BAUD: u32 = 115_200;

/// Time for the user to look at a node on which all is well, before a restart and between two.
const LOOK: [u64; 2] = [8 * SECOND, 30 * SECOND];

/// Exit codes from here on are those of a program that a signal ended: it has not put the terminal in order.
const SIGNALLED: i32 = 128;

/// What is restarted, one after another: the wrong order, then the right one.
const RESTARTS: [&str; 2] = ["bug-300", "fixed"];

/// How long the sources of `ovsgap watch` may take to tell what there is (2 s without KVM). Where one cannot, the restart
/// comes all the same, and the screen says what was missed.
const SOURCES: u64 = 30 * SECOND;

/// How often the recording is looked at.
const PERIOD: u64 = 100 * MILLISECOND;

/// What the screen is told of its terminal.
#[derive(clap::Args)]
pub struct Args {
    /// NAME=VALUE of the environment of `ovsgap watch`; repeatable
    #[arg(long)]
    set: Vec<String>,
    #[command(flatten)]
    rates: Rates,
}

/// A program for the second serial line.
#[derive(clap::Args)]
pub struct Line {
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<String>,
}

/// Brings a node up and shows it until the user closes the screen. Says on stderr how far it is, but nothing while the
/// screen is there: it would be drawn over.
pub fn run(args: &Args) -> Result<ExitCode> {
    eprintln!("bringing up 3 Pods and traffic between them …");
    let node = Node::up(3, false)?;
    let prober = Prober::start(spec::ring(&node.pods, &[], args.rates), &node.pods, false)?;
    traffic::status::serve(Arc::clone(&prober.progress))?;
    run::baseline(&node, &prober)?;
    let recording = Path::new(OUT).join("recording.jsonl");
    let mut port = open()?;
    let mut watch = Command::new(PROGRAM)
        .args(["line", "--", "ovsgap", "watch", "-o"])
        .arg(&recording)
        .current_dir(OUT)
        .envs(args.set.iter().filter_map(|pair| pair.split_once('=')))
        .spawn()
        .context("starting ovsgap watch")?;
    std::thread::spawn(move || restarts(&recording));
    let status = watch.wait().context("waiting for ovsgap watch")?;
    if status.code().is_some_and(|code| code < SIGNALLED) {
        port.write_all(b"\n")
            .context("saying that the screen is closed")?;
    }
    fs::write(
        Path::new(OUT).join("truth.json"),
        serde_json::to_vec(&prober.stop()?)?,
    )
    .context("writing truth.json")?;
    Ok(exit_code(status))
}

/// The port to the host. The serial line has the size of the user's terminal from here on.
fn open() -> Result<File> {
    let port = init::open_port(wire::SCREEN)?;
    let line = open_line()?;
    let mut attributes = tcgetattr(&line).context("reading the serial line's settings")?;
    attributes
        .set_speed(BAUD)
        .context("setting the serial line's speed")?;
    tcsetattr(&line, OptionalActions::Now, &attributes).context("setting the serial line's speed")?;
    let mut sizes = BufReader::new(port.try_clone().context("sharing the port")?).lines();
    let first = sizes.next().context("no size of the screen came")??;
    resize(&line, &first)?;
    std::thread::spawn(move || {
        for size in sizes.map_while(Result::ok) {
            // Once the program on the line has ended, nothing has a size any more.
            let _ = resize(&line, &size);
        }
    });
    Ok(port)
}

fn open_line() -> Result<File> {
    let path = wire::SCREEN_LINE;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.open(path).with_context(|| format!("opening {path}"))
}

/// Gives the line a size; the kernel tells the program on it.
fn resize(line: &File, size: &str) -> Result<()> {
    let (columns, rows) = wire::size(size).with_context(|| format!("`{size}` is no size of a screen"))?;
    let size = Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(line, size).context("setting the serial line's size")
}

/// Runs a program whose terminal is the serial line. When the leader of a session ends, its terminal is hung up: this
/// process is the leader, and ends when all that the program has drawn is on its way.
pub fn on_line(line: &Line) -> Result<ExitCode> {
    let [program, arguments @ ..] = line.program.as_slice() else {
        bail!("there is no program")
    };
    rustix::process::setsid().context("starting a session")?;
    let terminal = open_line()?;
    rustix::process::ioctl_tiocsctty(&terminal).context("taking the serial line as terminal")?;
    let stdio = || terminal.try_clone().map(Stdio::from).context("sharing the line");
    let status = Command::new(program)
        .args(arguments)
        .stdin(stdio()?)
        .stdout(stdio()?)
        .stderr(stdio()?)
        .status()
        .with_context(|| format!("starting {program}"))?;
    tcdrain(&terminal).context("emptying the serial line")?;
    Ok(exit_code(status))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| SIGNALLED + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// One restart after another, each when the user has had time to look. What they say goes to a file.
fn restarts(recording: &Path) {
    let deadline = clock::now() + SOURCES;
    while !sees(recording) && clock::now() < deadline {
        clock::sleep_until(clock::now() + PERIOD);
    }
    for (name, look) in RESTARTS.iter().zip(LOOK) {
        clock::sleep_until(clock::now() + look);
        if let Err(error) = restart(name) {
            // The screen shows what became of the node; why is for whoever reads the files.
            let _ = fs::write(Path::new(OUT).join("error"), format!("{name}: {error:#}\n"));
            return;
        }
    }
}

/// Whether every source has told of the state before the restart: hooks are attached, and the bridge's flows known.
fn sees(recording: &Path) -> bool {
    let text = fs::read_to_string(recording).unwrap_or_default();
    text.contains("{\"hook\":") && text.contains("{\"open_flow_snapshot\":")
}

fn restart(name: &str) -> Result<()> {
    let scenario = scenario::find(name).context("there is no such scenario")?;
    let folder = PathBuf::from(OUT).join(name);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let log = File::create(folder.join("restart.log")).context("creating the restart's log")?;
    let status = Command::new(PROGRAM)
        .args(run::restart(scenario, &folder)?)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("starting the restart")?;
    if !status.success() {
        bail!("the restart failed ({status}): {name}/restart.log says why");
    }
    Ok(())
}
