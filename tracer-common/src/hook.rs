//! The kernel functions and tracepoints that are hooked, by number and by name.
//!
//! Must not depend on: how they are attached.

macro_rules! hooks {
    ($($(#[$doc:meta])* $variant:ident = $id:literal => $name:literal,)+) => {
        /// A hooked kernel function or tracepoint: the first index into [`crate::lost::Lost`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Hook {
            $($(#[$doc])* $variant = $id,)+
        }

        impl Hook {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The kernel's name of it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

hooks! {
    /// A packet is sent to userspace.
    Upcall = 0 => "ovs_dp_upcall",
    /// All megaflows are dropped.
    FlowFlush = 1 => "ovs_flow_tbl_flush",
    /// A megaflow is put into the table.
    FlowInsert = 2 => "ovs_flow_tbl_insert",
    /// A megaflow's actions are replaced.
    FlowSet = 3 => "ovs_flow_cmd_set",
    /// A megaflow is taken out of the table.
    FlowRemove = 4 => "ovs_flow_tbl_remove",
    /// A datapath's features or portids are set.
    DpChange = 5 => "ovs_dp_change",
    /// A vport's portids are set.
    VportPortids = 6 => "ovs_vport_set_upcall_portids",
    /// A vport is added.
    VportNew = 7 => "ovs_vport_cmd_new",
    /// A vport is deleted.
    VportDel = 8 => "ovs_vport_cmd_del",
    /// A datapath is added.
    DatapathNew = 9 => "ovs_dp_cmd_new",
    /// A datapath is deleted.
    DatapathDel = 10 => "ovs_dp_cmd_del",
    /// A process executes a program.
    ProcessExec = 11 => "sched_process_exec",
    /// A process forks.
    ProcessFork = 12 => "sched_process_fork",
    /// A process exits.
    ProcessExit = 13 => "sched_process_exit",
    /// A packet meets an action list.
    Execute = 14 => "ovs_execute_actions",
    /// A packet is sent to a port.
    Send = 15 => "ovs_vport_send",
    /// A packet that comes from userspace is looked at.
    PacketExtract = 16 => "ovs_flow_key_extract_userspace",
    /// A packet that comes from userspace is done with.
    PacketExecute = 17 => "ovs_packet_cmd_execute",
}
