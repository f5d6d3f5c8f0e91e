//! Troubles of ovsgap's own: each is made in a node with traffic, under the real program.
//!
//! Must not depend on: what else a report should say (`judge` does), the host.

mod disturbed;
mod ending;
mod groups;
mod module;
mod readers;
mod recorder;
mod rights;
mod sockets;
mod told;
mod untouched;
mod world;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use crate::clock::{self, MILLISECOND};
use crate::node::Node;
use crate::traffic::Prober;
use crate::traffic::spec;
use crate::words::rates::RATES;
use crate::words::trouble::{FILE, Found};
use crate::{run, traffic};

/// One trouble: makes it, and says what is wrong.
type Fault = fn() -> Result<()>;

/// All of them, in their order: the one that moves the clock is last.
const ALL: [(&str, Fault); 35] = [
    ("nothing is written to anything", untouched::check),
    (
        "a recorder that is killed leaves nothing behind",
        untouched::killed,
    ),
    ("a recording is its owner's alone", world::private),
    (
        "few capabilities suffice, and a missing one is named",
        rights::check,
    ),
    ("a recording with few capabilities is root's", rights::recorded),
    ("little locked memory suffices, or is named", rights::locked),
    ("a ring that overflows is told", world::starved),
    (
        "a ring that overflows makes no restart good or bad",
        world::starved_for_nothing,
    ),
    ("a recorder that is killed leaves a recording", ending::killed),
    (
        "a recorder that is killed in a window leaves a recording",
        ending::killed_midway,
    ),
    ("SIGTERM ends a recording as Ctrl-C does", ending::terminated),
    ("Ctrl-C before it traces ends it", ending::interrupted_early),
    (
        "Ctrl-C in the middle of a restart ends it",
        ending::interrupted_midway,
    ),
    ("a full disk ends the recording, not the report", world::full_disk),
    (
        "a pipe that closes ends the recording, not the report",
        world::closed_pipe,
    ),
    (
        "a recording whose reader stands still ends, and so does ovsgap",
        readers::stands_still,
    ),
    ("a recording whose reader pauses loses nothing", readers::pauses),
    (
        "a recording that is read byte by byte loses nothing",
        readers::drips,
    ),
    ("a recording that nobody reads is told", readers::never_comes),
    (
        "a report whose reader stands still is in the recording",
        readers::report_unread,
    ),
    ("words that nobody reads hold nothing up", readers::words_unread),
    ("an OVSDB that hangs is told", sockets::silent_database),
    ("an OVSDB that closes is told", sockets::closed_database),
    ("an OVSDB that sends garbage is told", sockets::garbage_database),
    (
        "an OVSDB that sends one byte at a time is understood",
        sockets::slow_database,
    ),
    ("an OpenFlow that hangs is told", sockets::silent_openflow),
    ("an OpenFlow that closes is told", sockets::closed_openflow),
    (
        "an OpenFlow that sends garbage is told",
        sockets::garbage_openflow,
    ),
    (
        "an OpenFlow that sends one byte at a time is understood",
        sockets::slow_openflow,
    ),
    ("flows go with their group and their meter", groups::check),
    ("two recorders see the same", world::two),
    ("a processor that is unplugged loses nothing", world::unplugged),
    ("a module that goes while it is watched is told", module::unloaded),
    ("a module that comes back is watched again", module::loaded_again),
    ("a clock that is set changes nothing", world::clock_set),
];

/// Brings up a node with traffic and goes through those whose names hold one of `wanted` (none: all).
pub fn run(wanted: &[String]) -> Result<()> {
    let chosen: Vec<_> = ALL
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())))
        .collect();
    ensure!(!chosen.is_empty(), "no trouble's name holds one of {wanted:?}");
    let node = Node::up(3, false)?;
    let prober = Prober::start(spec::ring(&node.pods, &[], RATES), &node.pods, false)?;
    traffic::status::serve(Arc::clone(&prober.progress))?;
    run::baseline(&node, &prober)?;
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(Path::new("/out").join(FILE))
        .context("opening the file of findings")?;
    for (name, fault) in chosen {
        eprintln!("{name} …");
        let began = clock::now();
        let problem = fault().err().map(|error| format!("{error:#}"));
        if let Some(problem) = &problem {
            eprintln!("  {problem}");
        }
        let found = Found {
            name: (*name).to_owned(),
            problem,
            ends_ms: recorder::ends(),
            took_ms: (clock::now() - began) / MILLISECOND,
        };
        writeln!(file, "{}", serde_json::to_string(&found)?).context("writing a finding")?;
    }
    traffic::status::gone();
    prober.stop().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::trouble::USUAL;

    #[test]
    fn each_usual_one_is_one() {
        for usual in USUAL {
            let named = ALL.iter().filter(|(name, _)| name.contains(usual)).count();
            assert_eq!(named, 1, "{usual}");
        }
    }
}
