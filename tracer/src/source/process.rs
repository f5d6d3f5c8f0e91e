//! The processes of OVS that run when the capture begins, from `/proc`.
//!
//! Must not depend on: hooks. What starts and exits later comes from the hooks; this is what they begin with.
//! PIDs are those of the PID namespace that `/proc` was mounted in; the hooks report those of the initial one.

use std::io;
use std::path::{Path, PathBuf};

use tracer_core::event::{EventKind, Process};
use tracer_core::id::Pid;

use super::outbox::Outbox;
use super::{EventSender, clock};

/// The daemons whose coming and going makes a restart.
const DAEMONS: [&str; 2] = ["ovs-vswitchd", "ovsdb-server"];

/// Where to look.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where procfs is mounted.
    pub proc: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { proc: "/proc".into() }
    }
}

/// Reports each running daemon of OVS once, by PID, and ends.
pub async fn run(config: Config, events: EventSender) -> anyhow::Result<()> {
    let mut outbox = Outbox::new(events);
    match running(&config.proc) {
        Ok(found) => {
            for process in found {
                outbox.put(clock::now(), EventKind::ProcessSeen(process)).await;
            }
        }
        Err(error) => {
            let detail = format!(
                "cannot list {}: {error}; mount procfs there so that running daemons are known",
                config.proc.display()
            );
            let name = "process".to_owned();
            outbox
                .put(
                    clock::now(),
                    EventKind::Source {
                        name,
                        ok: false,
                        detail,
                    },
                )
                .await;
        }
    }
    Ok(())
}

/// The daemons of OVS that run now. A process that ends while it is looked at is left out.
pub fn running(proc: &Path) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(proc)? {
        let path = entry?.path();
        let is_process = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
        if !is_process {
            continue;
        }
        let Ok(stat) = std::fs::read(path.join("stat")) else {
            continue;
        };
        let process = parse_stat(&String::from_utf8_lossy(&stat));
        found.extend(process.filter(|process| DAEMONS.contains(&process.comm.as_str())));
    }
    found.sort();
    Ok(found)
}

/// `pid (comm) state ppid …`, proc(5); `comm` may itself hold blanks and parentheses.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    let parent = rest.split_ascii_whitespace().nth(1)?;
    Some(Process {
        pid: Pid(pid.parse().ok()?),
        parent: Pid(parent.parse().ok()?),
        comm: comm.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comm_with_parentheses_is_read_whole() {
        let process = parse_stat("17 (a) b (c)) S 4 17 17 0 -1 4194560 0").unwrap();
        assert_eq!(
            process,
            Process {
                pid: Pid(17),
                parent: Pid(4),
                comm: "a) b (c)".into()
            }
        );
        assert_eq!(parse_stat("17 (half"), None);
        assert_eq!(parse_stat(""), None);
    }
}
