//! How the allocator keeps memory that this program has freed.
//!
//! May not know: what the memory was for.

/// From this size on, in bytes, what is freed goes back to the system at once: glibc's own threshold at the start.
#[cfg(target_env = "gnu")]
const GIVEN_BACK: std::ffi::c_int = 128 << 10;

/// To be called first. Reading the kernel's types takes buffers of many MiB once; glibc would take their size as a reason to keep all
/// that are smaller (its threshold grows with what is freed, up to 32 MiB, until it is set).
pub fn give_back_what_is_freed() {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "no safe call sets parameters of libc's allocator")]
        // SAFETY: takes two numbers, under the allocator's lock; one that it does not take is refused.
        let taken = unsafe { nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, GIVEN_BACK) };
        debug_assert_eq!(taken, 1, "glibc takes thresholds of up to 32 MiB");
    }
}
