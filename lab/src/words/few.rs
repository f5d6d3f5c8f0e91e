//! How few packets may be missing from a count for it to be right all the same.
//!
//! Must not depend on: what was counted. Both sides ask: the node of two recorders, the host of one and the kernel.

/// One in how many upcalls the hooks may miss, if the report says so. The kernel runs no kprobe on a CPU that is
/// already inside one (`kprobe_running()`): an upcall of a softirq that interrupts the handler of a probe in
/// ovs-vswitchd's own calls is not seen, and under emulation those handlers take a hundred times longer.
pub const UNSEEN: u64 = 50;

/// Whether no more than one in so many is missing (one, where there are not so many).
pub fn is_few(missing: u64, of: u64, one_in: u64) -> bool {
    missing * one_in <= of.max(one_in)
}
