//! The wire between ovsgap's eBPF programs and its userspace: records, counters, names, offsets.
//!
//! Must not depend on: std, aya, or what a record means.
//!
//! Both sides are built from this one crate, so layouts agree by construction; zerocopy's derives
//! refuse a type with padding, so no byte of the kernel's stack can leak out.
#![no_std]

pub mod counters;
pub mod hook;
pub mod latency;
pub mod lost;
pub mod offsets;
pub mod record;
pub mod run;
pub mod slot;

/// Names of the maps and of the read-only globals, as userspace asks for them.
pub mod names {
    /// The maps of a table whose values are in slots.
    #[derive(Clone, Copy, Debug)]
    pub struct Table {
        /// Hash: key → number of the slot.
        pub index: &'static str,
        /// Array of [`crate::slot::Slot`].
        pub slots: &'static str,
        /// Queue of [`crate::slot::Span`]: slots that nobody has.
        pub vacant: &'static str,
    }

    /// Ring buffer of records.
    pub const RECORDS: &str = "RECORDS";
    /// Array of one [`crate::lost::Lost`] for each CPU: what could not be told.
    pub const LOST: &str = "LOST";
    /// Table: [`crate::counters::UpcallKey`] → [`crate::counters::UpcallCount`].
    pub const UPCALLS: Table = Table {
        index: "UPCALLS",
        slots: "UPCALL_SLOTS",
        vacant: "UPCALL_VACANT",
    };
    /// Array of one [`crate::latency::Waits`] for each CPU.
    pub const WAITS: &str = "WAITS";
    /// Hash of calls that have not returned: thread and hook → two arguments, and when it was entered.
    pub const CALLS: &str = "CALLS";
    /// Array of one number: userspace's tick.
    pub const TICK: &str = "TICK";
    /// Array of one number: a section of the object ([`crate::run::FOLLOWED`]).
    pub const SESSION: &str = ".data.session";
    /// Table: [`crate::run::RunKey`] → [`crate::run::Run`].
    pub const RUNS: Table = Table {
        index: "RUNS",
        slots: "RUN_SLOTS",
        vacant: "RUN_VACANT",
    };
    /// When the fate of each traffic last changed, by the key of [`RUNS`] without the CPU.
    pub const CHANGES: &str = "CHANGES";
    /// Read-only global of type [`crate::offsets::Offsets`].
    pub const OFFSETS: &str = "OFFSETS";
}
