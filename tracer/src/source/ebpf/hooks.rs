//! The programs: what each is attached to, how, and what it must know of the kernel.
//!
//! Must not depend on: what the programs send.

use aya::programs::kprobe::KProbeLinkId;
use aya::programs::{KProbe, Program, ProgramError};
use aya::{Ebpf, EbpfError};
use tracer_common::hook::Hook;
use tracer_common::offsets::UNKNOWN;
use tracer_core::event;

use super::offsets::{self, Layout};
use super::remedy;
use super::symbols::{self, Found};

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attach {
    /// At the function's entry and at its return.
    Call,
    /// At its entry.
    Entry,
    /// At its return.
    Return,
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

/// To know a packet again by its first bytes.
const LINEAR: &[&str] = &[
    "sk_buff.len",
    "sk_buff.data_len",
    "sk_buff.head",
    "sk_buff.data",
    "sk_buff.network_header",
];

/// To follow a packet.
const PACKET: &[&str] = &[
    "sk_buff.len",
    "sk_buff.cb",
    "ovs_skb_cb.input_vport",
    "sw_flow_key.ipv6.nd.target",
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
    spec(Hook::PacketExecute, Attach::Entry, &[COMMAND, LINEAR]),
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

/// Hooks on every packet, attached while packets are followed. In the order in which they are attached: what a
/// packet meets first comes last, so that none is followed half.
pub(super) const PACKETS: &[Spec] = &[
    spec(Hook::PacketExecute, Attach::Return, &[]),
    spec(Hook::PacketExtract, Attach::Entry, &[]),
    spec(Hook::Send, Attach::Entry, &[PACKET, DATAPATH]),
    spec(Hook::Execute, Attach::Entry, &[PACKET, DATAPATH, FLOW, ACTIONS]),
];

impl Spec {
    /// Attaches the hook and says how that went, one line a program.
    pub(super) fn attach(self, ebpf: &mut Ebpf, layout: &Layout) -> Vec<(event::Hook, Option<Link>)> {
        let name = self.hook.name();
        if let Some(error) = self.missing(layout) {
            return self
                .refuse(&error)
                .into_iter()
                .map(|report| (report, None))
                .collect();
        }
        // The return first: an entry whose return is never seen would only fill the table of calls.
        let mut reports: Vec<(event::Hook, Option<Link>)> = Vec::new();
        for (program, how) in self.programs().into_iter().rev() {
            let attached = match reports.last() {
                Some((event::Hook { ok: false, error, .. }, _)) => Err(error.clone()),
                _ => self.attach_program(ebpf, &program),
            };
            let error = attached.as_ref().err().cloned();
            let hook = event::Hook {
                offsets: self.offsets(layout),
                ..report(name, how, error)
            };
            reports.push((hook, attached.ok()));
        }
        reports.reverse();
        reports
    }

    /// Attaches one of the hook's programs, to the function by another name where the kernel lists it under that alone.
    fn attach_program(self, ebpf: &mut Ebpf, program: &str) -> Result<Link, String> {
        let name = self.hook.name();
        let error = match attach(ebpf, program, name) {
            Ok(link) => return Ok(link),
            Err(error) => error,
        };
        let function = remedy::is_absent(&error) && self.attach != Attach::RawTracepoint;
        // At its return nothing is read of a call but that it ended.
        let reads_arguments = self.attach != Attach::Return;
        // A list that cannot be read leaves it at what the kernel said.
        match function.then(|| symbols::find(name, reads_arguments)) {
            Some(Ok(Found::Hookable(symbol))) => {
                tracing::info!("{name} is hooked as {symbol}: that is what this kernel calls it");
                attach(ebpf, program, &symbol).map_err(|error| remedy::of_program(&error, &symbol))
            }
            Some(Ok(Found::Refused(why))) => Err(why),
            _ => Err(remedy::of_program(&error, name)),
        }
    }

    /// Loads the hook's programs, and says which cannot be.
    pub(super) fn prepare(self, ebpf: &mut Ebpf, layout: &Layout) -> Vec<event::Hook> {
        let name = self.hook.name();
        if let Some(error) = self.missing(layout) {
            return self.refuse(&error);
        }
        let programs = self.programs().into_iter();
        let refused = programs.filter_map(|(program, how)| {
            let error = load(ebpf, &program).err()?;
            Some(report(name, how, Some(remedy::of_program(&error, name))))
        });
        refused.collect()
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
            Attach::Return => vec![(format!("{entry}_ret"), "kretprobe")],
            Attach::RawTracepoint => vec![(entry, "raw_tracepoint")],
        }
    }

    /// How the places of what the hook needs were found.
    fn offsets(self, layout: &Layout) -> Option<event::Offsets> {
        let needed = || self.needs.iter().copied().flatten();
        let of_module = |member: &&str| !offsets::is_of_kernel(member);
        let found = if needed().any(of_module) {
            layout.of_module
        } else {
            event::Offsets::VmlinuxBtf
        };
        needed().next().map(|_| found)
    }

    fn missing(self, layout: &Layout) -> Option<String> {
        let members = layout.offsets.members();
        let mut missing: Vec<String> = members
            .filter(|(_, _, offset)| *offset == UNKNOWN)
            .map(|(structure, path, _)| format!("{structure}.{path}"))
            .collect();
        missing.retain(|member| self.needs.iter().any(|group| group.contains(&member.as_str())));
        let why = layout
            .why_unknown
            .as_deref()
            .map_or_else(String::new, |why| format!(" ({why})"));
        (!missing.is_empty()).then(|| format!("not in this kernel's BTF: {}{why}", missing.join(", ")))
    }
}

/// What keeps a program attached.
pub(super) enum Link {
    /// A kprobe or kretprobe of this program.
    Probe(String, KProbeLinkId),
    /// Stays until the object is dropped.
    Tracepoint,
}

impl Link {
    /// Takes the program off the function; it stays loaded.
    pub(super) fn let_go(self, ebpf: &mut Ebpf) -> Result<(), EbpfError> {
        if let Self::Probe(program, link) = self {
            <&mut KProbe>::try_from(program_mut(ebpf, &program)?)?.detach(link)?;
        }
        Ok(())
    }
}

fn report(name: &str, how: &str, error: Option<String>) -> event::Hook {
    event::Hook {
        name: name.to_owned(),
        attach: how.to_owned(),
        ok: error.is_none(),
        error: error.unwrap_or_default(),
        offsets: None,
    }
}

/// Loads a program, where it is not.
fn load(ebpf: &mut Ebpf, program: &str) -> Result<(), EbpfError> {
    let loaded = match program_mut(ebpf, program)? {
        Program::KProbe(probe) => probe.load(),
        Program::RawTracePoint(tracepoint) => tracepoint.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    };
    match loaded {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Attaches a program.
fn attach(ebpf: &mut Ebpf, program: &str, function: &str) -> Result<Link, EbpfError> {
    load(ebpf, program)?;
    match program_mut(ebpf, program)? {
        Program::KProbe(probe) => Ok(Link::Probe(program.to_owned(), probe.attach(function, 0)?)),
        Program::RawTracePoint(tracepoint) => {
            tracepoint.attach(function)?;
            Ok(Link::Tracepoint)
        }
        _ => Err(ProgramError::UnexpectedProgramType.into()),
    }
}

fn program_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program, ProgramError> {
    ebpf.program_mut(name).ok_or_else(|| ProgramError::InvalidName {
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use tracer_common::offsets::Offsets;

    use super::*;

    #[test]
    fn each_hook_tells_how_what_it_reads_was_found() {
        let layout = Layout {
            offsets: Offsets::unknown(),
            of_module: event::Offsets::Derived,
            why_unknown: None,
        };
        let of = |hook: Hook| {
            let mut specs = [PROCESSES, SLOW_PATH].into_iter().flatten();
            specs
                .find(|spec| spec.hook == hook)
                .and_then(|spec| spec.offsets(&layout))
        };
        assert_eq!(of(Hook::ProcessExec), None);
        assert_eq!(of(Hook::FlowSet), Some(event::Offsets::VmlinuxBtf));
        assert_eq!(of(Hook::FlowFlush), Some(event::Offsets::Derived));
    }
}
