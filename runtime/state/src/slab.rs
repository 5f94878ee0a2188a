//! Entries of one size, by number: they never move, so a number or an address stays good until the entry is removed.
//!
//! This file must not know what an entry holds.

use crate::pages::{PIECE_WORDS, Pages};

/// A table with so many words of entries is no small one.
const HUGE_FROM_WORDS: usize = 1 << 16;

/// Entries of one size.
pub(crate) struct Slab {
    pieces: Vec<Pages>,
    /// Words of an entry.
    stride: usize,
    /// Entries of a piece are two to the power of it.
    shift: u32,
    /// Numbers handed out so far.
    end: u32,
    free: Vec<u32>,
}

impl Slab {
    /// No entries of so many words each.
    pub(crate) fn new(stride: usize) -> Slab {
        let shift = (PIECE_WORDS / stride).max(1).ilog2();
        Slab { pieces: Vec::new(), stride, shift, end: 0, free: Vec::new() }
    }

    /// Adds an entry of zeros.
    pub(crate) fn insert(&mut self) -> u32 {
        if let Some(id) = self.free.pop() {
            self.get_mut(id).fill(0);
            return id;
        }
        let id = self.end;
        if (id >> self.shift) as usize == self.pieces.len() {
            // The first piece is touched page by page, so that small tables are small.
            let is_huge = !self.pieces.is_empty();
            self.pieces.push(Pages::new(self.stride << self.shift, is_huge));
        }
        if id as usize == HUGE_FROM_WORDS / self.stride {
            self.pieces[0].ask_for_huge_pages();
        }
        self.end = id.checked_add(1).expect("fewer than 2^32 keys in a table");
        id
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, id: u32) {
        self.free.push(id);
        if self.len() == 0 {
            self.pieces.clear();
            self.free = Vec::new();
            self.end = 0;
        }
    }

    /// Where an entry is.
    #[inline(always)]
    pub(crate) fn at(&self, id: u32) -> *mut u64 {
        let within = (id & ((1 << self.shift) - 1)) as usize;
        // A piece has room for every number within it, so this is in the piece whichever number it is.
        self.pieces[(id >> self.shift) as usize].start().wrapping_add(within * self.stride)
    }

    /// Whether all entries, of which there are some, are in one piece.
    pub(crate) fn is_one_piece(&self) -> bool {
        self.pieces.len() == 1
    }

    /// Where the first piece is.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn start(&self) -> *mut u64 {
        self.pieces[0].start()
    }

    /// Words from one entry to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// An entry.
    #[inline(always)]
    pub(crate) fn get(&self, id: u32) -> &[u64] {
        // SAFETY: so many initialised words of the piece begin there; changes need `&mut self`.
        unsafe { std::slice::from_raw_parts(self.at(id), self.stride) }
    }

    /// An entry, to change.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, id: u32) -> &mut [u64] {
        // SAFETY: as above, and `&mut self` says that nobody else looks.
        unsafe { std::slice::from_raw_parts_mut(self.at(id), self.stride) }
    }

    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.end as usize - self.free.len()
    }

    /// Numbers are below this.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// Bytes of entries.
    pub(crate) fn used_bytes(&self) -> usize {
        self.len() * self.stride * 8
    }

    /// Bytes that were taken from the system and touched.
    pub(crate) fn held_bytes(&self) -> usize {
        self.end as usize * self.stride * 8 + self.free.capacity() * 4
    }
}
