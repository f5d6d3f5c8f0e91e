//! Arrays of the programs, mapped into this process: read and written without a system call.
//!
//! May not know: what is in them.
//!
//! While a system call copies an element of a map the kernel runs no probe on that CPU (`bpf_disable_instrumentation()` in
//! `kernel/bpf/syscall.c`), and the packets that come then are in no figure. Memory that is shared can be read at any time. It is there
//! since Linux 5.5 (`BPF_F_MMAPABLE`).

use std::marker::PhantomData;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use anyhow::{Context as _, bail};
use aya::maps::{Map, MapData};
use memmap2::{MmapOptions, MmapRaw};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The kernel's elements begin at multiples of so many bytes (`array_map_alloc()` in `kernel/bpf/arraymap.c`).
const ALIGNMENT: usize = size_of::<u64>();

/// An array of a loaded object.
#[derive(Debug)]
pub(super) struct Mapped<T> {
    memory: MmapRaw,
    entries: u32,
    /// Programs that are loaded later are told of it by its descriptor.
    _array: MapData,
    of: PhantomData<fn() -> T>,
}

impl<T: FromBytes + IntoBytes + Immutable> Mapped<T> {
    const WORDS: usize = size_of::<T>().div_ceil(ALIGNMENT);

    /// Maps an array made with `BPF_F_MMAPABLE` whose elements are `T`.
    pub(super) fn new(map: Map) -> anyhow::Result<Self> {
        let Map::Array(array) = map else {
            bail!("it is no array");
        };
        let entries = array.info().context("asking for its size")?.max_entries();
        let memory = MmapOptions::new()
            .len(entries as usize * Self::WORDS * ALIGNMENT)
            .map_raw(array.fd().as_fd().as_raw_fd())
            .context("the kernel does not share its memory")?;
        Ok(Self {
            memory,
            entries,
            _array: array,
            of: PhantomData,
        })
    }

    /// How many elements there are.
    pub(super) fn entries(&self) -> u32 {
        self.entries
    }

    /// All elements, as far as they are there: see [`Self::read`].
    pub(super) fn all(&self) -> impl Iterator<Item = T> {
        (0..self.entries).filter_map(|index| self.read(index))
    }

    fn words(&self, index: u32) -> &[AtomicU64] {
        if index >= self.entries {
            return &[];
        }
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins at a page")]
        let first = self.memory.as_ptr().cast::<AtomicU64>();
        #[expect(unsafe_code, reason = "memory that the kernel shares")]
        // SAFETY: inside the mapping by the check above, aligned, and there until this is dropped; whatever is written
        // there meanwhile, any bytes are words, and all access is by atomic ones.
        unsafe {
            std::slice::from_raw_parts(first.add(index as usize * Self::WORDS), Self::WORDS)
        }
    }

    /// An element, copied front to back. A program may be writing to it: each word is whole, and no later word is older than
    /// an earlier one.
    pub(super) fn read(&self, index: u32) -> Option<T> {
        let words = self.words(index);
        let mut copy = (!words.is_empty()).then(T::new_zeroed)?;
        for (to, from) in copy.as_mut_bytes().chunks_mut(ALIGNMENT).zip(words) {
            let word = from.load(Ordering::Acquire).to_ne_bytes();
            to.iter_mut().zip(word).for_each(|(to, from)| *to = from);
        }
        Some(copy)
    }

    /// Replaces an element, word by word.
    pub(super) fn write(&mut self, index: u32, value: &T) {
        for (to, from) in self.words(index).iter().zip(value.as_bytes().chunks(ALIGNMENT)) {
            let mut word = [0; ALIGNMENT];
            word.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            to.store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        fence(Ordering::Release);
    }
}
