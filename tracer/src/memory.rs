//! How the allocator keeps memory that this program has freed.
//!
//! Must not depend on: what the memory was for.

/// From this size on, in bytes, what is freed goes back to the system at once: glibc's own threshold at the start. Reading the kernel's types
/// takes buffers of many MiB once, and glibc would take their size as a reason to keep all that are smaller (its threshold grows
/// with what is freed, up to 32 MiB, until it is set).
#[cfg(target_env = "gnu")]
const GIVEN_BACK: std::ffi::c_int = 128 << 10;

/// One heap for all threads: each of several would keep what it once needed, and there are few threads, which seldom meet.
#[cfg(target_env = "gnu")]
const HEAPS: std::ffi::c_int = 1;

/// To be called first, while there is one thread.
pub fn give_back_what_is_freed() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (nix::libc::M_MMAP_THRESHOLD, GIVEN_BACK),
        (nix::libc::M_ARENA_MAX, HEAPS),
    ] {
        #[expect(unsafe_code, reason = "no safe call sets parameters of libc's allocator")]
        // SAFETY: takes two numbers, under the allocator's lock; one that it does not take is refused.
        let taken = unsafe { nix::libc::mallopt(parameter, value) };
        debug_assert_eq!(taken, 1, "glibc takes parameter {parameter}");
    }
}
