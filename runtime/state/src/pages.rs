//! Memory in large pieces that never move: what entries, blocks and lines of the index lie in.
//!
//! A piece comes from the system zeroed and untouched, so that reserving it costs nothing, and nothing is copied when state grows. Large pieces ask
//! for huge pages: most of what an update costs in a large table is address translation and cache misses.
//!
//! This file must not know what lies in it.

use memmap2::MmapMut;

/// Words of an ordinary piece.
pub(crate) const PIECE_WORDS: usize = 1 << 20;

/// Words of 64 KiB: no system's ordinary pages are larger.
const RELEASED_WORDS: usize = 1 << 13;

/// A piece of memory: words that stay where they are until it is dropped.
pub(crate) struct Pages {
    /// Owns the memory.
    map: MmapMut,
    start: *mut u64,
    words: usize,
}

// SAFETY: the piece owns its memory; the pointer is nothing but its address.
unsafe impl Send for Pages {}
// SAFETY: memory is changed only through `&mut` of the structure that owns the piece.
unsafe impl Sync for Pages {}

impl Pages {
    /// So many words, all zero. Running out of memory ends the process, as everywhere.
    pub(crate) fn new(words: usize, is_huge: bool) -> Pages {
        let bytes = words.max(1) * 8;
        let mut map = match MmapMut::map_anon(bytes) {
            Ok(map) => map,
            Err(_) => std::alloc::handle_alloc_error(
                std::alloc::Layout::from_size_align(bytes, 8).expect("a size that fits into memory"),
            ),
        };
        let start = map.as_mut_ptr().cast::<u64>();
        let pages = Pages { map, start, words };
        if is_huge {
            pages.ask_for_huge_pages();
        }
        pages
    }

    /// From now on memory of the piece is given in huge pages when it is touched for the first time.
    pub(crate) fn ask_for_huge_pages(&self) {
        // Advice only: where huge pages are switched off, small ones do.
        #[cfg(target_os = "linux")]
        let _ = self.map.advise(memmap2::Advice::HugePage);
        #[cfg(not(target_os = "linux"))]
        let _ = &self.map;
    }

    /// Returns the memory of words to the system, which gives it again, zeroed, when they are touched: what they held is lost. Whether the
    /// system took it. It takes multiples of [`RELEASED_WORDS`] only.
    pub(crate) fn release(&mut self, start: usize, len: usize) -> bool {
        assert!(start <= self.words && len <= self.words - start, "words of the piece");
        if !start.is_multiple_of(RELEASED_WORDS) || !len.is_multiple_of(RELEASED_WORDS) {
            return false;
        }
        #[cfg(target_os = "linux")]
        {
            use memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: whole pages of this piece, at which nobody else looks (`&mut self`). In private memory without a file zeros take their place:
            // words, all the same.
            unsafe { self.map.unchecked_advise_range(DontNeed, start * 8, len * 8).is_ok() }
        }
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Words of the piece.
    pub(crate) fn len(&self) -> usize {
        self.words
    }

    /// Where the first word is.
    #[inline(always)]
    pub(crate) fn start(&self) -> *mut u64 {
        self.start
    }

    /// Where a word is. It stays there as long as the piece lives.
    ///
    /// # Panics
    /// If the piece does not reach so far.
    #[inline]
    pub(crate) fn at(&self, word: usize) -> *mut u64 {
        assert!(word <= self.words, "a word of the piece");
        // SAFETY: within the piece, or one past its end.
        unsafe { self.start.add(word) }
    }

    /// Words to read.
    #[inline]
    pub(crate) fn slice(&self, start: usize, len: usize) -> &[u64] {
        assert!(start <= self.words && len <= self.words - start, "words of the piece");
        // SAFETY: within the piece, which is initialised (zeroed) memory; changes need `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start.add(start), len) }
    }

    /// Words to change.
    #[inline]
    pub(crate) fn slice_mut(&mut self, start: usize, len: usize) -> &mut [u64] {
        assert!(start <= self.words && len <= self.words - start, "words of the piece");
        // SAFETY: within the piece, and `&mut self` says that nobody else looks.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// Asks for the cache line of an address; a hint that changes nothing.
#[inline(always)]
pub(crate) fn prefetch(address: *const u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which never faults, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a hint, which never faults, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Words as the bytes that they are in memory.
pub(crate) fn bytes_of(words: &[u64]) -> &[u8] {
    // SAFETY: every byte of a word is a byte, and alignment only falls.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
}

/// Words as the bytes that they are in memory, to change.
pub(crate) fn bytes_of_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: every byte of a word is a byte, any bytes are words, and alignment only falls.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 8) }
}
