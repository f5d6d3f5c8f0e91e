//! Arrays of the programs, mapped into this process: read and written without a system call.
//!
//! Must not depend on: what is in them.
//!
//! While a system call copies an element of a map the kernel runs no probe on that CPU (`bpf_disable_instrumentation()` in
//! `kernel/bpf/syscall.c`), and the packets that come then are in no figure. Memory that is shared can be read at any time. It is there
//! since Linux 5.5 (`BPF_F_MMAPABLE`).

use std::marker::PhantomData;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use anyhow::{Context as _, bail, ensure};
use aya::maps::{Map, MapData};
use memmap2::{MmapOptions, MmapRaw};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The kernel's elements begin at multiples of so many bytes (`array_map_alloc()` in `kernel/bpf/arraymap.c`).
const ALIGNMENT: usize = size_of::<u64>();
/// So many bytes are mapped at a time, once something in them is asked for: all that is mapped is resident (`remap_vmalloc_range()`). A
/// multiple of every page's size.
const WINDOW: usize = 64 << 10;
/// Words in a window.
const WORDS: usize = WINDOW / ALIGNMENT;

/// An array of a loaded object.
#[derive(Debug)]
pub(super) struct Mapped<T> {
    /// Programs that are loaded later are told of it by its descriptor.
    array: MapData,
    entries: u32,
    /// From its beginning on.
    windows: Vec<MmapRaw>,
    of: PhantomData<fn() -> T>,
}

impl<T: FromBytes + IntoBytes + Immutable> Mapped<T> {
    /// Words of an element.
    const LENGTH: usize = size_of::<T>().div_ceil(ALIGNMENT);

    /// An array made with `BPF_F_MMAPABLE` whose elements are `T`.
    pub(super) fn new(map: Map) -> anyhow::Result<Self> {
        let Map::Array(array) = map else {
            bail!("it is no array");
        };
        let entries = array.info().context("asking for its size")?.max_entries();
        let mut mapped = Self {
            array,
            entries,
            windows: Vec::new(),
            of: PhantomData,
        };
        // That it can be mapped at all is to be known at the start.
        mapped.reach(0)?;
        Ok(mapped)
    }

    /// How many elements there are.
    pub(super) fn entries(&self) -> u32 {
        self.entries
    }

    /// All elements: see [`Self::read`].
    pub(super) fn all(&mut self) -> anyhow::Result<Vec<T>> {
        (0..self.entries).map(|index| self.read(index)).collect()
    }

    /// Maps what is not yet mapped of all up to an element; the place of its first word.
    fn reach(&mut self, index: u32) -> anyhow::Result<usize> {
        ensure!(index < self.entries, "there is no element {index}");
        let first = index as usize * Self::LENGTH;
        while self.windows.len() * WORDS < first + Self::LENGTH {
            let before = self.windows.len() * WINDOW;
            let rest = self.entries as usize * Self::LENGTH * ALIGNMENT - before;
            let window = MmapOptions::new()
                .offset(before as u64)
                .len(rest.min(WINDOW))
                .map_raw(self.array.fd().as_fd().as_raw_fd());
            self.windows
                .push(window.context("the kernel does not share the memory of what its programs count")?);
        }
        Ok(first)
    }

    /// The words of a window; none where it is not mapped.
    fn window(&self, window: usize) -> &[AtomicU64] {
        let Some(window) = self.windows.get(window) else {
            return &[];
        };
        #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins at a page")]
        let first = window.as_ptr().cast::<AtomicU64>();
        #[expect(unsafe_code, reason = "memory that the kernel shares")]
        // SAFETY: as long as the mapping, aligned, and there until this is dropped; whatever is written there meanwhile, any bytes are
        // words, and all access is by atomic ones.
        unsafe {
            std::slice::from_raw_parts(first, window.len() / ALIGNMENT)
        }
    }

    /// The words from a place on that are mapped.
    fn words(&self, first: usize) -> impl Iterator<Item = &AtomicU64> {
        let (window, within) = (first / WORDS, first % WORDS);
        let here = self.window(window).get(within..).unwrap_or_default();
        here.iter().chain(self.window(window + 1))
    }

    /// One word of an element: whether the whole is worth to be read.
    pub(super) fn peek(&mut self, index: u32, word: usize) -> anyhow::Result<u64> {
        let first = self.reach(index)?;
        let word = self.words(first + word).next();
        Ok(word.map_or(0, |word| word.load(Ordering::Relaxed)))
    }

    /// An element, copied front to back. A program may be writing to it: each word is whole, and no later word is older than
    /// an earlier one.
    pub(super) fn read(&mut self, index: u32) -> anyhow::Result<T> {
        let first = self.reach(index)?;
        let mut copy = T::new_zeroed();
        for (to, word) in copy.as_mut_bytes().chunks_mut(ALIGNMENT).zip(self.words(first)) {
            let word = word.load(Ordering::Acquire).to_ne_bytes();
            to.copy_from_slice(&word[..to.len()]);
        }
        Ok(copy)
    }

    /// Replaces an element, word by word.
    pub(super) fn write(&mut self, index: u32, value: &T) -> anyhow::Result<()> {
        let first = self.reach(index)?;
        for (from, word) in value.as_bytes().chunks(ALIGNMENT).zip(self.words(first)) {
            let mut bytes = [0; ALIGNMENT];
            bytes[..from.len()].copy_from_slice(from);
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
        fence(Ordering::Release);
        Ok(())
    }
}
