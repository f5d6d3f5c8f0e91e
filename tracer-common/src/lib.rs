//! The wire between ovsgap's eBPF programs and its userspace: records, counters, names, offsets.
//!
//! May not know: std, aya, or what a record means.
//!
//! Both sides are built from this one crate, so layouts agree by construction; zerocopy's derives
//! refuse a type with padding, so no byte of the kernel's stack can leak out.
#![no_std]

pub mod counters;
pub mod hook;
pub mod latency;
pub mod offsets;
pub mod record;
pub mod run;

/// Names of the maps and of the read-only globals, as userspace asks for them.
pub mod names {
    /// Ring buffer of records.
    pub const RECORDS: &str = "RECORDS";
    /// Per-CPU array of one [`crate::hook::Lost`]: records that did not fit.
    pub const LOST: &str = "LOST";
    /// Per-CPU hash: [`crate::counters::UpcallKey`] → [`crate::counters::UpcallCount`].
    pub const UPCALLS: &str = "UPCALLS";
    /// Per-CPU hash: datapath ifindex → [`crate::counters::UpcallTotals`].
    pub const UPCALL_TOTALS: &str = "UPCALL_TOTALS";
    /// Per-CPU array of one [`crate::latency::Waits`].
    pub const WAITS: &str = "WAITS";
    /// Array of one [`crate::run::Control`]: a section of the object.
    pub const CONTROL: &str = ".data.control";
    /// Hash: [`crate::run::RunKey`] → [`crate::run::Run`].
    pub const RUNS: &str = "RUNS";
    /// When the fate of each traffic last changed, as [`RUNS`] without the CPU.
    pub const CHANGES: &str = "CHANGES";
    /// Read-only global of type [`crate::offsets::Offsets`].
    pub const OFFSETS: &str = "OFFSETS";
}
