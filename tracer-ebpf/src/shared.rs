//! Words in memory that programs on several CPUs share.
//!
//! Must not depend on: what they say.

use core::cell::UnsafeCell;

/// A word that more than one writes to, and that is read without a look-up: it is in a section that the kernel knows
/// as a map of one value, whose address is part of the program.
#[repr(transparent)]
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: read and written whole, by single instructions.
unsafe impl<T: Copy> Sync for Shared<T> {}

impl<T: Copy> Shared<T> {
    /// With a first value.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// What is there now.
    #[inline(always)]
    pub fn read(&self) -> T {
        // SAFETY: initialised plain old data that is always there.
        unsafe { core::ptr::read_volatile(self.0.get()) }
    }

    /// Puts another there: whichever CPU writes last is as good.
    #[inline(always)]
    pub fn write(&self, value: T) {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(self.0.get(), value) }
    }
}
