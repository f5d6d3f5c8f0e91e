//! What has arrived so far, and the question a restart asks of the prober: does the traffic flow again?
//!
//! Must not depend on: sockets of streams, OVS.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::spec::Spec;
use crate::clock::{self, MILLISECOND, SECOND};

/// Where the prober answers.
const SOCKET: &str = "/run/ovsgap-lab-traffic.sock";

/// How often the counts are looked at while somebody waits.
const LOOK: u64 = 5 * MILLISECOND;

/// How long the sending thread may take to notice that a stream is to be silent: it looks before each packet, and
/// a packet that it had begun must be out before its Pod goes.
const SENT: u64 = 50 * MILLISECOND;

/// How far one stream has come.
#[derive(Debug)]
pub struct Progress {
    src: String,
    dst: String,
    flows: bool,
    arrived: AtomicU64,
    silent: AtomicBool,
}

impl Progress {
    /// A stream of which nothing has arrived.
    pub fn new(spec: &Spec) -> Self {
        Self {
            src: spec.src.clone(),
            dst: spec.dst.clone(),
            flows: spec.flows,
            arrived: AtomicU64::new(0),
            silent: AtomicBool::new(false),
        }
    }

    /// Whether nothing of this stream is to be sent any more.
    pub fn is_silent(&self) -> bool {
        self.silent.load(Ordering::SeqCst)
    }

    fn is_of(&self, pods: &[String]) -> bool {
        pods.contains(&self.src) || pods.contains(&self.dst)
    }

    /// A packet arrived.
    pub fn arrived(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is asked of the prober.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    /// Does every stream that should flow, but for those of the Pods in `without`, flow from now on?
    Flows { until_ns: u64, without: Vec<String> },
    /// Send nothing to or from these Pods any more.
    Silence { pods: Vec<String> },
}

/// How many packets in a row make a stream one that flows: the first one may be a late one.
const SOME: u64 = 3;

/// Waits for packets of every stream that should flow to arrive from now on; false when `until` comes first.
pub fn wait_here(progress: &[Progress], until: u64, without: &[String]) -> bool {
    let left_out = |one: &&Progress| !one.flows || one.is_silent() || one.is_of(without);
    let watched: Vec<_> = progress.iter().filter(|one| !left_out(one)).collect();
    let base: Vec<u64> = watched
        .iter()
        .map(|one| one.arrived.load(Ordering::Relaxed))
        .collect();
    loop {
        let flows = watched
            .iter()
            .zip(&base)
            .all(|(one, base)| one.arrived.load(Ordering::Relaxed) >= base + SOME);
        if flows || clock::now() >= until {
            return flows;
        }
        clock::sleep_until(clock::now() + LOOK);
    }
}

/// Answers questions until the process ends.
pub fn serve(progress: Arc<[Progress]>) -> Result<()> {
    let _ = std::fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET).with_context(|| format!("listening at {SOCKET}"))?;
    std::thread::spawn(move || {
        for asker in listener.incoming().map_while(Result::ok) {
            // Whoever asked and went away misses the answer.
            let _ = answer(&asker, &progress);
        }
    });
    Ok(())
}

fn answer(asker: &UnixStream, progress: &[Progress]) -> Result<()> {
    let mut line = String::new();
    BufReader::new(asker.try_clone()?).read_line(&mut line)?;
    let answer = match serde_json::from_str(&line)? {
        Question::Flows { until_ns, without } => wait_here(progress, until_ns, &without),
        Question::Silence { pods } => {
            for one in progress.iter().filter(|one| one.is_of(&pods)) {
                one.silent.store(true, Ordering::SeqCst);
            }
            // A packet that was being sent meanwhile is out when the next interval has passed.
            clock::sleep_until(clock::now() + SENT);
            true
        }
    };
    writeln!(&mut &*asker, "{answer}").context("answering")
}

/// Whether a prober runs.
pub fn is_there() -> bool {
    Path::new(SOCKET).exists()
}

/// Asks the prober to tell when all streams flow; false after `seconds`.
pub fn wait(without: &[String], seconds: u64) -> Result<bool> {
    ask(&Question::Flows {
        until_ns: clock::now() + seconds * SECOND,
        without: without.to_vec(),
    })
}

/// Makes the prober send nothing to or from these Pods any more.
pub fn silence(pods: &[String]) -> Result<()> {
    ask(&Question::Silence { pods: pods.to_vec() }).map(drop)
}

fn ask(question: &Question) -> Result<bool> {
    let mut prober = UnixStream::connect(SOCKET).with_context(|| format!("asking at {SOCKET}"))?;
    writeln!(prober, "{}", serde_json::to_string(question)?)?;
    let mut line = String::new();
    BufReader::new(prober)
        .read_line(&mut line)
        .context("reading the prober's answer")?;
    Ok(line.trim() == "true")
}

/// The prober has ended.
pub fn gone() {
    let _ = std::fs::remove_file(SOCKET);
}
