//! The programs: what each is attached to, how, and what it must know of the kernel.
//!
//! May not know: what the programs send.

use aya::programs::{KProbe, ProgramError, RawTracePoint};
use aya::{Ebpf, EbpfError};
use tracer_common::hook::Hook;
use tracer_common::offsets::{Offsets, UNKNOWN};
use tracer_core::event;

use super::remedy;

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attach {
    /// At the function's entry and at its return.
    Call,
    /// At its entry.
    Entry,
    /// To a tracepoint of the kernel proper.
    RawTracepoint,
}

/// A hook: its program is called like the kernel's function, with `_ret` appended at the return.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) hook: Hook,
    attach: Attach,
    needs: &'static [&'static [&'static str]],
}

/// To tell a datapath's ifindex from its address.
const DATAPATH: &[&str] = &[
    "datapath.ports",
    "vport.port_no",
    "vport.dp_hash_node",
    "vport.dev",
    "net_device.ifindex",
];
/// To tell a datapath's address from that of its flow table.
const TABLE: &[&str] = &["datapath.table"];
/// To read a command's arguments.
const COMMAND: &[&str] = &["genl_info.genlhdr", "genl_info.attrs"];
/// To read a megaflow's key and id.
const FLOW: &[&str] = &[
    "sw_flow.key",
    "sw_flow.id.ufid_len",
    "sw_flow.id.ufid",
    "sw_flow_key.phy.in_port",
    "sw_flow_key.recirc_id",
    "sw_flow_key.eth.src",
    "sw_flow_key.eth.dst",
    "sw_flow_key.eth.type",
    "sw_flow_key.ip.proto",
    "sw_flow_key.tp.src",
    "sw_flow_key.tp.dst",
    "sw_flow_key.ipv4.addr.src",
    "sw_flow_key.ipv4.addr.dst",
    "sw_flow_key.ipv6.addr.src",
    "sw_flow_key.ipv6.addr.dst",
];
/// To read a megaflow's actions.
const ACTIONS: &[&str] = &[
    "sw_flow.sf_acts",
    "sw_flow_actions.actions_len",
    "sw_flow_actions.actions",
];

const fn spec(hook: Hook, attach: Attach, needs: &'static [&'static [&'static str]]) -> Spec {
    Spec { hook, attach, needs }
}

/// Hooks on the kernel proper.
pub(super) const PROCESSES: &[Spec] = &[
    spec(Hook::ProcessExec, Attach::RawTracepoint, &[]),
    spec(
        Hook::ProcessFork,
        Attach::RawTracepoint,
        &[&["task_struct.pid", "task_struct.tgid"]],
    ),
    spec(Hook::ProcessExit, Attach::RawTracepoint, &[]),
];

/// Hooks on openvswitch's slow path: they cost nothing per forwarded packet.
pub(super) const SLOW_PATH: &[Spec] = &[
    spec(
        Hook::Upcall,
        Attach::Call,
        &[DATAPATH, &["sw_flow_key.phy.in_port", "dp_upcall_info.cmd"]],
    ),
    spec(Hook::FlowFlush, Attach::Call, &[TABLE, DATAPATH]),
    spec(Hook::FlowInsert, Attach::Call, &[TABLE, DATAPATH, FLOW, ACTIONS]),
    spec(Hook::FlowSet, Attach::Call, &[COMMAND]),
    spec(Hook::FlowRemove, Attach::Entry, &[TABLE, DATAPATH, FLOW]),
    spec(
        Hook::DpChange,
        Attach::Call,
        &[DATAPATH, &["datapath.user_features"]],
    ),
    spec(Hook::VportPortids, Attach::Call, &[DATAPATH, &["vport.dp"]]),
    spec(Hook::VportNew, Attach::Call, &[COMMAND]),
    spec(Hook::VportDel, Attach::Call, &[COMMAND]),
    spec(Hook::DatapathNew, Attach::Call, &[COMMAND]),
    spec(Hook::DatapathDel, Attach::Call, &[COMMAND]),
];

impl Spec {
    /// Attaches the hook and says how that went, one line a program.
    pub(super) fn attach(
        self,
        ebpf: &mut Ebpf,
        offsets: &Offsets,
        why_unknown: Option<&str>,
    ) -> Vec<event::Hook> {
        let name = self.hook.name();
        let missing = self.missing(offsets);
        let programs = self.programs();
        if !missing.is_empty() {
            let why = why_unknown.map_or_else(String::new, |why| format!(" ({why})"));
            let error = format!("not in this kernel's BTF: {}{why}", missing.join(", "));
            return programs
                .iter()
                .map(|(_, how)| report(name, how, Some(error.clone())))
                .collect();
        }
        // The return first: an entry whose return is never seen would only fill the table of calls.
        let mut reports = Vec::new();
        for (program, how) in programs.iter().rev() {
            let error = match reports.last() {
                Some(event::Hook { ok: false, error, .. }) => Some(error.clone()),
                _ => attach(ebpf, program, name)
                    .err()
                    .map(|error| remedy::of_program(&error, name)),
            };
            reports.push(report(name, how, error));
        }
        reports.reverse();
        reports
    }

    /// How the hook stands where it cannot be tried.
    pub(super) fn refuse(self, error: &str) -> Vec<event::Hook> {
        let programs = self.programs();
        programs
            .iter()
            .map(|(_, how)| report(self.hook.name(), how, Some(error.to_owned())))
            .collect()
    }

    fn programs(self) -> Vec<(String, &'static str)> {
        let entry = self.hook.name().to_owned();
        match self.attach {
            Attach::Call => {
                let exit = format!("{entry}_ret");
                vec![(entry, "kprobe"), (exit, "kretprobe")]
            }
            Attach::Entry => vec![(entry, "kprobe")],
            Attach::RawTracepoint => vec![(entry, "raw_tracepoint")],
        }
    }

    fn missing(self, offsets: &Offsets) -> Vec<String> {
        let mut missing: Vec<String> = offsets
            .members()
            .filter(|(_, _, offset)| *offset == UNKNOWN)
            .map(|(structure, path, _)| format!("{structure}.{path}"))
            .collect();
        missing.retain(|member| self.needs.iter().any(|group| group.contains(&member.as_str())));
        missing
    }
}

fn report(name: &str, how: &str, error: Option<String>) -> event::Hook {
    event::Hook {
        name: name.to_owned(),
        attach: how.to_owned(),
        ok: error.is_none(),
        error: error.unwrap_or_default(),
    }
}

/// Loads a program and attaches it; it stays so until the object is dropped.
fn attach(ebpf: &mut Ebpf, program: &str, function: &str) -> Result<(), EbpfError> {
    let found = ebpf
        .program_mut(program)
        .ok_or_else(|| ProgramError::InvalidName {
            name: program.to_owned(),
        })?;
    if let Ok(probe) = <&mut KProbe>::try_from(&mut *found) {
        probe.load()?;
        probe.attach(function, 0)?;
    } else {
        let tracepoint = <&mut RawTracePoint>::try_from(found)?;
        tracepoint.load()?;
        tracepoint.attach(function)?;
    }
    Ok(())
}
