//! What each subcommand does. Nothing may use this but `main` (and `fuzzing`, for what reads files).

pub mod check;
pub mod compare;
pub mod doctor;
pub mod manual;
pub mod record;
pub mod report;
pub mod watch;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::bail;
use rustix::stdio::stdout;
use tracer_core::report::Report;
use tracer_core::time::Timestamp;

use crate::cli::{Node, Print};
use crate::outlet;
use crate::sink::{self, Style};
use crate::source::rundir;
use crate::writing::Shown;

/// A budget is exceeded, or windows are worse than they were.
pub const EXCEEDED: u8 = 1;

/// Bad usage, no permission, no OVS, an unreadable recording.
pub const ERROR: u8 = 2;

/// What was seen does not decide it.
pub const INCONCLUSIVE: u8 = 3;

/// Run directory and database socket, from the flags or where they usually are.
pub fn sockets(node: &Node) -> anyhow::Result<(std::path::PathBuf, std::path::PathBuf)> {
    let dir = node.ovs_rundir.clone().unwrap_or_else(rundir::find);
    let db = match &node.db {
        Some(db) => rundir::parse_db(db)?,
        None => rundir::db_socket(&dir),
    };
    Ok((dir, db))
}

/// Prints a report on standard output, as [`write`] does.
pub fn print(report: &Report, print: Print, until: Option<Timestamp>) -> anyhow::Result<ExitCode> {
    let text = sink::render(
        report,
        Style {
            format: print.format,
            utc: print.utc,
            explain: print.explain,
        },
    );
    write(&text, until)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output. A reader that has gone away is no error. One that pauses, as a pager does, is waited for;
/// after a capture, whose signals end nothing more, only until then.
pub fn write(text: &Shown, until: Option<Timestamp>) -> anyhow::Result<()> {
    let written = match until {
        None => {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        Some(until) => match outlet::offer(stdout(), text.as_bytes(), until) {
            Ok(taken) if taken < text.len() => bail!(
                "whoever reads standard output took {taken} bytes of {}: read it without pause, or write it to a file",
                text.len()
            ),
            offered => offered.map(drop),
        },
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
