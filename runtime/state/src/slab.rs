//! Entries of one size, by number: they never move, so a number or an address stays good until the entry is removed.
//!
//! An entry's words are in two places where that pays: what every update touches in whole lines of memory, the rest apart, so that a
//! table whose updates fit into the second-level cache stays in it.
//!
//! This file must not know what an entry holds.

use std::ops::{Index, IndexMut};

use crate::pages::{PIECE_WORDS, Pages};

/// A table with so many words of entries is no small one.
const HUGE_FROM_WORDS: usize = 1 << 16;

/// Entries of one size.
pub(crate) struct Slab {
    /// First words of a piece's entries one behind the other, then their other words.
    pieces: Vec<Pages>,
    words: Words,
    /// Entries of a piece are two to the power of it.
    shift: u32,
    /// Numbers handed out so far.
    end: u32,
    free: Vec<u32>,
}

/// How many words an entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// In its first place.
    pub(crate) near: usize,
    /// In its second.
    pub(crate) far: usize,
}

impl Words {
    fn all(self) -> usize {
        self.near + self.far
    }

    /// Bytes of an entry.
    pub(crate) fn bytes(self) -> usize {
        self.all() * 8
    }
}

/// An entry.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    near: &'a [u64],
    far: &'a [u64],
}

/// An entry, to change.
pub(crate) struct EntryMut<'a> {
    near: &'a mut [u64],
    far: &'a mut [u64],
}

impl<'a> Entry<'a> {
    /// Words in the first place.
    #[inline(always)]
    pub(crate) fn near(self, at: usize, len: usize) -> &'a [u64] {
        &self.near[at..][..len]
    }
}

impl EntryMut<'_> {
    /// As [`Entry::near`], to change.
    #[inline(always)]
    pub(crate) fn near(&mut self, at: usize, len: usize) -> &mut [u64] {
        &mut self.near[at..][..len]
    }

    fn fill(&mut self, word: u64) {
        self.near.fill(word);
        self.far.fill(word);
    }
}

#[inline(always)]
fn word<'a>(near: &'a [u64], far: &'a [u64], at: usize) -> &'a u64 {
    match at.checked_sub(near.len()) {
        None => &near[at],
        Some(at) => &far[at],
    }
}

impl Index<usize> for Entry<'_> {
    type Output = u64;

    #[inline(always)]
    fn index(&self, at: usize) -> &u64 {
        word(self.near, self.far, at)
    }
}

impl Index<usize> for EntryMut<'_> {
    type Output = u64;

    #[inline(always)]
    fn index(&self, at: usize) -> &u64 {
        word(self.near, self.far, at)
    }
}

impl IndexMut<usize> for EntryMut<'_> {
    #[inline(always)]
    fn index_mut(&mut self, at: usize) -> &mut u64 {
        match at.checked_sub(self.near.len()) {
            None => &mut self.near[at],
            Some(at) => &mut self.far[at],
        }
    }
}

impl Slab {
    /// No entries of so many words each.
    pub(crate) fn new(words: Words) -> Slab {
        let shift = (PIECE_WORDS / words.all()).max(1).ilog2();
        Slab { pieces: Vec::new(), words, shift, end: 0, free: Vec::new() }
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
            self.pieces.push(Pages::new(self.words.all() << self.shift, is_huge));
        }
        if id as usize == HUGE_FROM_WORDS / self.words.all() {
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

    /// The piece of an entry, and its number in there.
    #[inline(always)]
    fn place(&self, id: u32) -> (&Pages, usize) {
        (&self.pieces[(id >> self.shift) as usize], (id & ((1 << self.shift) - 1)) as usize)
    }

    /// Where an entry's first words are.
    #[inline(always)]
    pub(crate) fn at(&self, id: u32) -> *mut u64 {
        let (piece, within) = self.place(id);
        // A piece has room for every number within it, so this is in the piece whichever number it is.
        piece.start().wrapping_add(within * self.words.near)
    }

    /// Where an entry's other words are.
    #[inline(always)]
    pub(crate) fn far_at(&self, id: u32) -> *mut u64 {
        let (piece, within) = self.place(id);
        piece.start().wrapping_add((self.words.near << self.shift) + within * self.words.far)
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

    /// Words of an entry.
    pub(crate) fn words(&self) -> Words {
        self.words
    }

    /// An entry.
    #[inline(always)]
    pub(crate) fn get(&self, id: u32) -> Entry<'_> {
        // SAFETY: so many initialised words of the piece begin at each; changes need `&mut self`.
        unsafe {
            Entry {
                near: std::slice::from_raw_parts(self.at(id), self.words.near),
                far: std::slice::from_raw_parts(self.far_at(id), self.words.far),
            }
        }
    }

    /// An entry, to change.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, id: u32) -> EntryMut<'_> {
        // SAFETY: as above, `&mut self` says that nobody else looks, and the two places are not one.
        unsafe {
            EntryMut {
                near: std::slice::from_raw_parts_mut(self.at(id), self.words.near),
                far: std::slice::from_raw_parts_mut(self.far_at(id), self.words.far),
            }
        }
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
        self.len() * self.words.all() * 8
    }

    /// Bytes that were taken from the system and touched.
    pub(crate) fn held_bytes(&self) -> usize {
        self.end as usize * self.words.all() * 8 + self.free.capacity() * 4
    }
}
