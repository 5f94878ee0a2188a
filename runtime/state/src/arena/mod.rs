//! Blocks of words of any size: sorted rows of buckets and events, long keys.
//!
//! Sizes are classed (a step is an eighth to a quarter of the size), and blocks of a class share spans: runs of chunks that belong to the class as
//! long as there are blocks in them (Bonwick, "The slab allocator", 1994). Keys that grow together leave one class for the next, so spans of the
//! one become empty and serve the other: memory follows what is used.
//!
//! A block is taken from the fullest span with room, which leaves sparse ones to become empty, and what passes by its blocks anyway moves
//! them out of sparse spans ([`Arena::settle`]). A free block holds the place of the next one, which is on its way to the cache when it is needed.
//!
//! This file must not know what blocks hold.

mod chunks;
mod spans;
#[cfg(test)]
mod tests;

use self::chunks::{CHUNK_WORDS, Chunks, PIECE_CHUNKS};
use self::spans::Spans;
use crate::pages::{PIECE_WORDS, bytes_of, bytes_of_mut, prefetch};

/// Words of a unit: sizes and places are multiples of it.
const UNIT: usize = 4;
/// Units of a piece, and of a chunk.
const PIECE_UNITS: usize = PIECE_WORDS / UNIT;
const CHUNK_UNITS: usize = CHUNK_WORDS / UNIT;
/// No span, no unit.
const NONE: u32 = u32::MAX;

/// Where a block is, and of which class; a word, so that it can be kept in one. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block(pub(crate) u64);

impl Block {
    fn new(unit: usize, class: usize) -> Block {
        Block(unit as u64 | (class as u64 + 1) << 32)
    }

    /// Whether there is no block.
    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    fn unit(self) -> usize {
        self.0 as u32 as usize
    }

    fn class(self) -> usize {
        (self.0 >> 32) as usize - 1
    }

    /// Words that it has room for.
    #[inline]
    pub(crate) fn words(self) -> usize {
        if self.is_none() { 0 } else { units_of(self.class()) * UNIT }
    }
}

/// Units of a block of the class: 1 to 8, then four steps per doubling.
#[inline]
fn units_of(class: usize) -> usize {
    if class < 8 { class + 1 } else { (2 << ((class - 8) / 4)) * (5 + (class - 8) % 4) }
}

/// The least class of so many units.
#[inline]
fn class_of(units: usize) -> usize {
    if units <= 8 {
        return units - 1;
    }
    let doubling = ((units - 1) / 8).ilog2() as usize;
    8 + 4 * doubling + units.div_ceil(2 << doubling) - 5
}

/// Chunks of a span of blocks of so many units: as few as leave no more than a sixteenth of them over.
fn chunks_of(units: usize) -> usize {
    let leaves_little = |chunks: &usize| *chunks * CHUNK_UNITS % units * 16 <= *chunks * CHUNK_UNITS;
    (units.div_ceil(CHUNK_UNITS)..).find(leaves_little).unwrap_or(1)
}

/// Blocks of words.
#[derive(Default)]
pub(crate) struct Arena {
    chunks: Chunks,
    spans: Spans,
    used_units: usize,
    /// Units of spans that were touched.
    touched_units: usize,
}

impl Arena {
    /// A block of so many words or more; what it holds is not said.
    pub(crate) fn alloc(&mut self, words: usize) -> Block {
        let class = class_of(words.div_ceil(UNIT).max(1));
        if units_of(class) > PIECE_UNITS {
            return self.alloc_large(class);
        }
        let span = match self.spans.fullest(class) {
            NONE => self.add_span(class),
            fullest => fullest,
        };
        self.alloc_in(span, class)
    }

    /// A block of a span that has room.
    fn alloc_in(&mut self, number: u32, class: usize) -> Block {
        let units = units_of(class);
        self.used_units += units;
        let first = number as usize * CHUNK_UNITS;
        let span = self.spans.get_mut(number);
        span.used += 1;
        let unit = if span.free == NONE {
            let unit = first + span.taken as usize;
            span.taken += units as u32;
            self.touched_units += span.taken.saturating_sub(span.touched) as usize;
            span.touched = span.touched.max(span.taken);
            unit
        } else {
            let unit = first + span.free as usize;
            span.free = self.chunks.piece(unit / PIECE_UNITS).slice(unit % PIECE_UNITS * UNIT, 1)[0] as u32;
            unit
        };
        if span.has_changed_level() {
            self.spans.move_to_level(number);
        }
        self.prefetch_free(class);
        Block::new(unit, class)
    }

    /// Asks for the free block that the class gives next, so that its place in the list of free ones is at hand then.
    #[inline]
    fn prefetch_free(&self, class: usize) {
        let next = self.spans.fullest(class);
        if next != NONE && self.spans.get(next).free != NONE {
            let unit = next as usize * CHUNK_UNITS + self.spans.get(next).free as usize;
            prefetch(self.chunks.piece(unit / PIECE_UNITS).at(unit % PIECE_UNITS * UNIT));
        }
    }

    /// A span of the class without blocks, in its list.
    #[cold]
    fn add_span(&mut self, class: usize) -> u32 {
        let units = units_of(class);
        let run = self.chunks.take(chunks_of(units));
        self.cover();
        let number = self.spans.add(run, class, units);
        self.touched_units += self.spans.get(number).touched as usize;
        number
    }

    /// Every chunk has a place among spans.
    fn cover(&mut self) {
        let chunks = self.chunks.positions() * PIECE_CHUNKS;
        assert!(chunks <= (1 << 32) / CHUNK_UNITS, "places of blocks fit into 32 bits");
        self.spans.cover(chunks);
    }

    /// Frees a block.
    pub(crate) fn free(&mut self, block: Block) {
        if block.is_none() {
            return;
        }
        let (class, unit) = (block.class(), block.unit());
        let units = units_of(class);
        self.used_units -= units;
        if units > PIECE_UNITS {
            return self.chunks.give_large(unit / CHUNK_UNITS);
        }
        let number = self.spans.of_chunk(unit / CHUNK_UNITS);
        let span = self.spans.get_mut(number);
        span.used -= 1;
        if span.used == 0 {
            return self.drop_span(number);
        }
        let next = std::mem::replace(&mut span.free, (unit - number as usize * CHUNK_UNITS) as u32);
        let has_changed_level = span.has_changed_level();
        self.chunks.piece_mut(unit / PIECE_UNITS).slice_mut(unit % PIECE_UNITS * UNIT, 1)[0] = u64::from(next);
        if has_changed_level {
            self.spans.move_to_level(number);
        }
    }

    /// Gives back the chunks of a span without blocks.
    #[cold]
    fn drop_span(&mut self, number: u32) {
        let touched = self.spans.get(number).touched as usize;
        self.touched_units -= touched;
        let run = self.spans.remove(number);
        self.chunks.give(run, touched * UNIT);
    }

    /// Moves a block out of a sparse span into a fuller one, where there is one. Its new place; none where it stays.
    #[inline]
    pub(crate) fn settle(&mut self, block: Block) -> Option<Block> {
        if block.is_none() || units_of(block.class()) > PIECE_UNITS {
            return None;
        }
        match self.spans.fuller_than_sparse(self.spans.of_chunk(block.unit() / CHUNK_UNITS)) {
            NONE => None,
            span => Some(self.move_to(span, block)),
        }
    }

    fn move_to(&mut self, span: u32, block: Block) -> Block {
        let new = self.alloc_in(span, block.class());
        let words = block.words();
        // SAFETY: both blocks are in use, of one class, and different, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(self.at(block), self.at(new), words) }
        self.free(block);
        new
    }

    /// A block of a class that is larger than a piece.
    fn alloc_large(&mut self, class: usize) -> Block {
        let units = units_of(class);
        self.used_units += units;
        let chunk = self.chunks.take_large(units * UNIT);
        self.cover();
        Block::new(chunk * CHUNK_UNITS, class)
    }

    /// Where a block's words are; they stay there until it is freed or settled.
    #[inline]
    pub(crate) fn at(&self, block: Block) -> *mut u64 {
        let unit = block.unit();
        self.chunks.piece(unit / PIECE_UNITS).at(unit % PIECE_UNITS * UNIT)
    }

    /// A block's words.
    #[inline]
    pub(crate) fn slice(&self, block: Block) -> &[u64] {
        if block.is_none() {
            return &[];
        }
        let unit = block.unit();
        self.chunks.piece(unit / PIECE_UNITS).slice(unit % PIECE_UNITS * UNIT, block.words())
    }

    /// A block's words, to change.
    #[inline]
    pub(crate) fn slice_mut(&mut self, block: Block) -> &mut [u64] {
        if block.is_none() {
            return &mut [];
        }
        let unit = block.unit();
        self.chunks.piece_mut(unit / PIECE_UNITS).slice_mut(unit % PIECE_UNITS * UNIT, block.words())
    }

    /// Keeps bytes.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Block {
        let block = self.alloc(1 + bytes.len().div_ceil(8));
        let words = self.slice_mut(block);
        words[0] = bytes.len() as u64;
        bytes_of_mut(&mut words[1..])[..bytes.len()].copy_from_slice(bytes);
        block
    }

    /// The bytes that a block keeps.
    #[inline]
    pub(crate) fn kept(&self, block: Block) -> &[u8] {
        let words = self.slice(block);
        &bytes_of(&words[1..])[..words[0] as usize]
    }

    /// Bytes of blocks in use.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_units * UNIT * 8
    }

    /// Bytes that were taken from the system and touched.
    pub(crate) fn held_bytes(&self) -> usize {
        self.touched_units * UNIT * 8 + self.chunks.held_bytes() + self.spans.size_bytes()
    }
}
