//! `ovsgap completions` and `ovsgap man`: what a package installs beside the program, from the command line as it is.
//!
//! Must not depend on: what the commands do.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::cli::{Cli, Completions, ManPages};
use crate::writing::Shown;

/// What no option says; in roff.
const STATUS: &str = "\
.SH \"EXIT STATUS\"\n\
.TP\n0\nDone; a check has passed.\n\
.TP\n1\nA budget is exceeded.\n\
.TP\n2\nAn error or bad usage: no root, no module, no Open vSwitch, a damaged file; standard error says what to do.\n\
.TP\n3\nNot enough was seen to decide.\n\
.SH FILES\n\
.TP\n/run/openvswitch, /var/run/openvswitch, /var/run/antrea/openvswitch\nWhere Open vSwitch is looked for.\n";

/// Prints the completions for a shell.
pub fn completions(args: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ovsgap", &mut script);
    super::write(&Shown::text(&String::from_utf8_lossy(&script)), None)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `ovsgap.1`, and `ovsgap-COMMAND.1` for each command.
pub fn pages(args: &ManPages) -> anyhow::Result<ExitCode> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    page(args, &root, "ovsgap")?;
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("ovsgap-{}", command.get_name());
        page(args, command, &name)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(args: &ManPages, command: &clap::Command, name: &str) -> anyhow::Result<()> {
    let path = args.folder.join(format!("{name}.1"));
    // Built, a command of a command is called `ovsgap-report` in a title and `ovsgap report` in its usage.
    let command = command.clone().version(env!("CARGO_PKG_VERSION"));
    let source = concat!("ovsgap ", env!("CARGO_PKG_VERSION"));
    let mut text = Vec::new();
    Man::new(command).source(source).render(&mut text)?;
    text.extend_from_slice(STATUS.as_bytes());
    fs::write(&path, text).with_context(|| format!("cannot write {}: does its folder exist?", path.display()))
}
