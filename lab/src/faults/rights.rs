//! With which capabilities `ovsgap` sees all that root sees, and what `doctor` says where one is missing.
//!
//! Must not depend on: why the kernel asks for them (docs/rights.md says it).

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::disturbed::restart;
use super::recorder::{Recorder, command, path};
use super::told::{agree, evidence, tells_the_bug};
use crate::words::report::Report;

/// A user, what it may, and what the doctor must name as missing (nothing: all is well).
type Trial = (u32, &'static [&'static str], Option<&'static str>);

/// `nobody`: owns none of the sockets.
const NOBODY: u32 = 65534;

/// Where `kernel.perf_event_paranoid` is 2, which is Linux's own.
const PLAIN: [Trial; 5] = [
    (0, &["bpf", "perfmon"], None),
    (NOBODY, &["bpf", "perfmon", "dac_override"], None),
    (0, &["perfmon"], Some("CAP_BPF")),
    (0, &["bpf"], Some("CAP_PERFMON")),
    (NOBODY, &["bpf", "perfmon"], Some("CAP_DAC_OVERRIDE")),
];

/// Where it is higher, as Debian and Ubuntu ship it.
const PARANOID: [Trial; 3] = [
    (0, &["sys_admin"], None),
    (NOBODY, &["sys_admin", "dac_override"], None),
    (0, &["bpf", "perfmon"], Some("CAP_SYS_ADMIN")),
];

const LEVEL: &str = "/proc/sys/kernel/perf_event_paranoid";

/// With the node as it is shipped, then with Linux's own level.
fn at_each_level(trial: impl Fn(bool) -> Result<()>) -> Result<()> {
    let shipped = std::fs::read_to_string(LEVEL).context("reading the level")?;
    let paranoid = shipped.trim().parse::<i32>().context("the level")? > 2;
    let first = if paranoid { trial(true) } else { Ok(()) };
    std::fs::write(LEVEL, "2").context("setting the level")?;
    let second = trial(false);
    std::fs::write(LEVEL, shipped).context("setting the level")?;
    first.and(second)
}

/// What may be locked where nobody has raised it (`MLOCK_LIMIT` of Linux before 5.16), in bytes.
const LITTLE: &str = "65536";

/// Whether maps and programs count as locked memory: before Linux 5.11, of which the lab has one.
fn counts() -> bool {
    rustix::system::uname().release().to_bytes().starts_with(b"5.10.")
}

/// What is needed beside `capabilities` where little may be locked.
fn with_memory<'a>(capabilities: &[&'a str]) -> Vec<&'a str> {
    let more = counts().then_some("sys_resource");
    capabilities.iter().copied().chain(more).collect()
}

/// Goes through all trials.
pub fn check() -> Result<()> {
    at_each_level(|paranoid| {
        let trials = if paranoid { &PARANOID[..] } else { &PLAIN[..] };
        all(trials.iter().map(|trial| go(trial, LITTLE)))
    })
}

/// What little locked memory takes: nothing from Linux 5.11 on; before, either the right to have more or as much as needed.
pub fn locked() -> Result<()> {
    at_each_level(|paranoid| {
        let few: &[&str] = if paranoid {
            &["sys_admin"]
        } else {
            &["bpf", "perfmon"]
        };
        let missing = counts().then_some("CAP_SYS_RESOURCE");
        all([
            doctor((0, few), LITTLE, missing),
            doctor((0, few), "unlimited", None),
            doctor((0, &with_memory(few)), LITTLE, None),
            missing.map_or(Ok(()), |name| refused(few, name)),
        ]
        .into_iter())
    })
}

/// `record` ends at once, and says what is missing.
fn refused(capabilities: &[&str], missing: &str) -> Result<()> {
    let out = path("refused.jsonl");
    let recorder = Recorder::spawn(limited((0, capabilities), LITTLE, &command(&out, &[])))?;
    let ended = recorder.wait()?;
    let said = ended.stderr.contains(missing) && ended.stderr.contains("64 KiB");
    ensure!(
        ended.status.code() == Some(2) && said,
        "{}: {}",
        ended.status,
        ended.stderr
    );
    ensure!(!out.exists(), "there is a recording");
    Ok(())
}

fn all(trials: impl Iterator<Item = Result<()>>) -> Result<()> {
    let wrong: Vec<String> = trials
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn go((user, capabilities, missing): &Trial, memory: &str) -> Result<()> {
    doctor((*user, &with_memory(capabilities)), memory, *missing)
}

fn doctor(who: (u32, &[&str]), memory: &str, missing: Option<&str>) -> Result<()> {
    let mut doctor = Command::new("ovsgap");
    doctor.arg("doctor");
    let output = limited(who, memory, &doctor)
        .output()
        .context("starting setpriv")?;
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let (user, capabilities) = who;
    let who = format!("user {user} with {capabilities:?} and {memory} bytes of locked memory");
    match missing {
        None => ensure!(
            output.status.success() && !told.contains("MISS"),
            "{who}: {}:\n{told}",
            output.status
        ),
        Some(name) => {
            ensure!(!output.status.success(), "{who}: all is well without {name}");
            ensure!(told.contains(name), "{who}: {name} is not named:\n{told}");
        }
    }
    Ok(())
}

/// A whole recording of a restart with few rights beside one with all of them: both say the same. (`--evidence always`:
/// else they would not arm at the same moment.)
pub fn recorded() -> Result<()> {
    at_each_level(|paranoid| {
        if paranoid {
            return beside_root(NOBODY, &["sys_admin", "dac_override"]);
        }
        // Who owns the sockets, as `openvswitch` does where the daemons run as that user; and somebody else.
        beside_root(0, &["bpf", "perfmon"])?;
        beside_root(NOBODY, &["bpf", "perfmon", "dac_override"])
    })
}

fn beside_root(user: u32, capabilities: &[&str]) -> Result<()> {
    let more = ["--evidence", "always"];
    let whole = Recorder::start(command(&path("root.jsonl"), &more))?;
    let out = path("few.jsonl");
    let rights = with_memory(capabilities);
    let few = Recorder::start(limited((user, &rights), LITTLE, &command(&out, &more)))?;
    restart()?;
    let few = few
        .end()
        .with_context(|| format!("user {user} with {capabilities:?}"))?;
    let (whole, few) = (whole.end()?.report(0)?, few.report(0)?);
    tells_the_bug(&whole)?;
    tells_the_bug(&few)?;
    let (one, other) = (evidence(&whole), evidence(&few));
    ensure!(
        one == other,
        "root: {one:?}\nuser {user} with {capabilities:?}: {other:?}"
    );
    agree(&whole, &few)?;
    let hooks = |report: &Report| report.capture.hooks.iter().filter(|hook| hook.ok).count();
    ensure!(
        hooks(&few) == few.capture.hooks.len() && hooks(&whole) == hooks(&few),
        "{:?}",
        few.capture.hooks
    );
    let made = std::fs::metadata(&out).context("the recording")?;
    ensure!(
        made.permissions().mode() & 0o777 == 0o600 && made.uid() == user,
        "{made:?}"
    );
    Ok(())
}

/// The same command as a user with these capabilities and no others, who may lock so many bytes of memory.
fn limited((user, capabilities): (u32, &[&str]), memory: &str, inner: &Command) -> Command {
    let names: Vec<String> = capabilities.iter().map(|name| number(name)).collect();
    let list = format!(",+{}", names.join(",+"));
    let mut command = Command::new("prlimit");
    command.args([format!("--memlock={memory}:{memory}"), "setpriv".to_owned()]);
    command.args([
        format!("--reuid={user}"),
        "--clear-groups".to_owned(),
        format!("--inh-caps=-all{list}"),
        format!("--ambient-caps=-all{list}"),
        format!("--bounding-set=-all{list}"),
    ]);
    command.arg(inner.get_program()).args(inner.get_args());
    command
}

/// A capability as setpriv knows it: by its number, where it is younger than Debian 11's libcap-ng.
fn number(name: &str) -> String {
    match name {
        "perfmon" => "cap_38".to_owned(),
        "bpf" => "cap_39".to_owned(),
        other => other.to_owned(),
    }
}
