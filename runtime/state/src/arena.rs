//! Blocks of words of any size: sorted rows of buckets and events, long keys.
//!
//! Sizes are classed (a step is an eighth to a quarter of the size), freed blocks wait in a list per class, and a piece of memory whose last
//! block is freed goes back to the system: so expiry frees memory.
//!
//! This file must not know what blocks hold.

use crate::pages::{PIECE_WORDS, Pages, bytes_of, bytes_of_mut};

/// Words of a unit: sizes and places are multiples of it.
const UNIT: usize = 4;
/// Units of a piece.
const PIECE_UNITS: usize = PIECE_WORDS / UNIT;
/// The first pieces are smaller, so that small tables are small.
const FIRST_PIECES: [usize; 2] = [1 << 12, 1 << 16];

/// Where a block is, and of which class; a word, so that it can be kept in one. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block(pub(crate) u64);

impl Block {
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
fn class_of(units: usize) -> usize {
    if units <= 8 {
        return units - 1;
    }
    let doubling = ((units - 1) / 8).ilog2() as usize;
    8 + 4 * doubling + units.div_ceil(2 << doubling) - 5
}

struct Piece {
    pages: Option<Pages>,
    /// Units handed out from its start.
    taken: usize,
    /// Units of blocks that are in use.
    used: usize,
}

/// Blocks of words.
#[derive(Default)]
pub(crate) struct Arena {
    pieces: Vec<Piece>,
    /// Per class the first units of free blocks.
    free: Vec<Vec<u32>>,
    /// The piece that blocks are taken from.
    current: usize,
    /// Positions in `pieces` without memory.
    spare: Vec<usize>,
    used_units: usize,
}

impl Arena {
    /// A block of so many words or more; what it holds is not said.
    pub(crate) fn alloc(&mut self, words: usize) -> Block {
        let class = class_of(words.div_ceil(UNIT).max(1));
        let units = units_of(class);
        self.used_units += units;
        let unit = match self.free.get_mut(class).and_then(Vec::pop) {
            Some(unit) => unit as usize,
            None => self.take(units),
        };
        self.pieces[unit / PIECE_UNITS].used += units;
        Block(unit as u64 | (class as u64 + 1) << 32)
    }

    fn take(&mut self, units: usize) -> usize {
        let fits = |piece: &Piece| piece.pages.as_ref().is_some_and(|pages| piece.taken + units <= pages.len() / UNIT);
        if !self.pieces.get(self.current).is_some_and(fits) {
            let ordinary = FIRST_PIECES.get(self.pieces.len()).copied().unwrap_or(PIECE_WORDS);
            let words = ordinary.max(units * UNIT);
            let piece = Piece { pages: Some(Pages::new(words, words >= PIECE_WORDS)), taken: 0, used: 0 };
            let position = match self.spare.pop() {
                Some(position) => {
                    self.pieces[position] = piece;
                    position
                }
                None => {
                    self.pieces.push(piece);
                    self.pieces.len() - 1
                }
            };
            assert!(position < (1 << 32) / PIECE_UNITS, "places of blocks fit into 32 bits");
            // A block larger than a piece has one of its own, and small blocks go on where they were.
            let is_own = units > PIECE_UNITS;
            if is_own {
                self.pieces[position].taken = units;
                return position * PIECE_UNITS;
            }
            self.current = position;
        }
        let piece = &mut self.pieces[self.current];
        let unit = self.current * PIECE_UNITS + piece.taken;
        piece.taken += units;
        unit
    }

    /// Frees a block.
    pub(crate) fn free(&mut self, block: Block) {
        if block.is_none() {
            return;
        }
        let (class, unit) = (block.class(), block.unit());
        let units = units_of(class);
        self.used_units -= units;
        let position = unit / PIECE_UNITS;
        self.pieces[position].used -= units;
        if self.free.len() <= class {
            self.free.resize_with(class + 1, Vec::new);
        }
        self.free[class].push(unit as u32);
        if self.pieces[position].used == 0 && self.pieces[position].taken * UNIT >= FIRST_PIECES[0] {
            self.give_back(position);
        }
    }

    /// Returns a piece without blocks to the system.
    fn give_back(&mut self, position: usize) {
        for list in &mut self.free {
            list.retain(|unit| *unit as usize / PIECE_UNITS != position);
        }
        self.pieces[position] = Piece { pages: None, taken: 0, used: 0 };
        self.spare.push(position);
    }

    /// Where a block's words are; they stay there until it is freed.
    #[inline]
    pub(crate) fn at(&self, block: Block) -> *mut u64 {
        let unit = block.unit();
        self.pieces[unit / PIECE_UNITS].pages.as_ref().expect("the block is in use").at(unit % PIECE_UNITS * UNIT)
    }

    /// A block's words.
    #[inline]
    pub(crate) fn slice(&self, block: Block) -> &[u64] {
        if block.is_none() {
            return &[];
        }
        let unit = block.unit();
        let pages = self.pieces[unit / PIECE_UNITS].pages.as_ref().expect("the block is in use");
        pages.slice(unit % PIECE_UNITS * UNIT, block.words())
    }

    /// A block's words, to change.
    #[inline]
    pub(crate) fn slice_mut(&mut self, block: Block) -> &mut [u64] {
        if block.is_none() {
            return &mut [];
        }
        let unit = block.unit();
        let pages = self.pieces[unit / PIECE_UNITS].pages.as_mut().expect("the block is in use");
        pages.slice_mut(unit % PIECE_UNITS * UNIT, block.words())
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
        let lists: usize = self.free.iter().map(|list| list.capacity() * 4).sum();
        lists + self.pieces.iter().map(|piece| piece.taken * UNIT * 8).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_asked_for_without_much_more() {
        for units in 1..5000 {
            let class = class_of(units);
            assert!(units_of(class) >= units, "{units}");
            assert!(class == 0 || units_of(class - 1) < units, "{units}");
            assert!(units_of(class) * 4 <= units * 5, "{units}");
        }
    }

    #[test]
    fn freed_blocks_are_used_again_and_empty_pieces_go_back() {
        let mut arena = Arena::default();
        let blocks: Vec<Block> = (0..200_000).map(|_| arena.alloc(30)).collect();
        let large = arena.alloc(3 * PIECE_WORDS);
        arena.slice_mut(large).fill(7);
        let after = arena.alloc(5);
        assert!(arena.held_bytes() >= arena.used_bytes());
        let held = arena.held_bytes();
        arena.free(blocks[0]);
        assert_eq!(arena.alloc(31), blocks[0], "the same class");
        blocks.iter().for_each(|block| arena.free(*block));
        arena.free(large);
        arena.slice_mut(after).fill(1);
        assert!(arena.held_bytes() < held / 4, "{} of {held}", arena.held_bytes());
        assert_eq!(arena.used_bytes(), after.words() * 8);
        let again = arena.alloc(3 * PIECE_WORDS);
        assert_eq!(arena.slice(again).len(), again.words());
        assert_eq!(arena.slice(after)[0], 1);
    }

    #[test]
    fn bytes_come_back() {
        let mut arena = Arena::default();
        for len in 0..40 {
            let bytes: Vec<u8> = (0..len).collect();
            let block = arena.keep(&bytes);
            assert_eq!(arena.kept(block), bytes);
        }
    }
}
