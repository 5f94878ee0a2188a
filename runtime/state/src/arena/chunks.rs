//! Memory of an arena in chunks of 64 KiB: runs of neighbouring chunks are taken, given back, and taken again by whoever comes next.
//!
//! Chunks lie in pieces of 8 MiB, which ask for huge pages and come from the system untouched. A run goes to the first piece that has room for it, so
//! that pieces behind become empty; an empty piece goes back to the system, but for one. Chunks that are free and were touched (idle ones) are
//! taken first, and there are never more of them than a small share of those in use: what is more goes back to the system chunk by chunk.
//!
//! This file must not know what chunks are cut into.

use crate::pages::{PIECE_WORDS, Pages};

/// Words of a chunk.
pub(super) const CHUNK_WORDS: usize = 1 << 13;
/// Chunks of a piece: as many as a `u128` has bits.
pub(super) const PIECE_CHUNKS: usize = PIECE_WORDS / CHUNK_WORDS;
/// A table that has used so many chunks is no small one: its first piece asks for huge pages too.
const HUGE_FROM_CHUNKS: usize = 16;
/// Idle chunks that are kept in any case, and one for so many that are in use.
const IDLE_CHUNKS: usize = 4;
const USED_PER_IDLE: usize = 16;

const _: () = assert!(PIECE_CHUNKS == u128::BITS as usize);

/// Which chunks of a piece are free: a bit per chunk.
#[derive(Clone, Copy, Default)]
struct Room {
    free: u128,
    /// Of the free ones those that were touched, and so take memory.
    idle: u128,
}

/// A set of positions: a bit each. All that the 32 bits of an address reach are 256 words, and nothing is allocated when pieces come and go.
#[derive(Default)]
struct Positions(Vec<u64>);

impl Positions {
    fn set(&mut self, position: usize, is_in: bool) {
        if self.0.len() <= position / 64 {
            self.0.resize(position / 64 + 1, 0);
        }
        let (word, bit) = (&mut self.0[position / 64], 1 << (position % 64));
        *word = if is_in { *word | bit } else { *word & !bit };
    }

    /// Those in the set, ascending.
    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            let rest = std::iter::successors(Some(*bits), |bits| Some(bits & bits.wrapping_sub(1)));
            rest.take_while(|bits| *bits != 0).map(move |bits| word * 64 + bits.trailing_zeros() as usize)
        })
    }

    fn last(&self) -> Option<usize> {
        let word = self.0.iter().rposition(|bits| *bits != 0)?;
        Some(word * 64 + self.0[word].ilog2() as usize)
    }
}

/// Pieces of chunks. Chunks are numbered through: of piece p the first one is `p * PIECE_CHUNKS`.
#[derive(Default)]
pub(super) struct Chunks {
    /// By position; none where a piece went back.
    pieces: Vec<Option<Pages>>,
    rooms: Vec<Room>,
    /// Positions without a piece.
    vacant: Vec<usize>,
    /// Positions of pieces with free chunks, and with idle ones.
    with_free: Positions,
    with_idle: Positions,
    /// The piece that is kept although it is empty.
    spare: Option<usize>,
    used_chunks: usize,
    idle_chunks: usize,
    /// Whether pieces ask for huge pages.
    is_huge: bool,
    /// Words of pieces that are larger than others.
    large_words: usize,
}

/// Neighbouring chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: usize,
    pub(super) chunks: usize,
    /// Whether its memory may have been touched before.
    pub(super) is_touched: bool,
}

/// A bit per chunk of a run within its piece.
fn mask_of(first: usize, chunks: usize) -> u128 {
    (u128::MAX >> (PIECE_CHUNKS - chunks)) << (first % PIECE_CHUNKS)
}

/// The first of so many neighbouring bits that are set.
fn run_in(bits: u128, chunks: usize) -> Option<usize> {
    // A bit stays where so many bits from it on are set; each step doubles how many are known to be.
    let (mut starts, mut known) = (bits, 1);
    while known < chunks {
        let step = known.min(chunks - known);
        starts &= starts >> step;
        known += step;
    }
    (starts != 0).then(|| starts.trailing_zeros() as usize)
}

impl Chunks {
    /// So many neighbouring chunks; what they hold is not said.
    pub(super) fn take(&mut self, chunks: usize) -> Run {
        assert!((1..=PIECE_CHUNKS).contains(&chunks), "a run lies within a piece");
        let found = self.find(chunks);
        let (position, start) = found.unwrap_or_else(|| (self.add_piece(PIECE_WORDS), 0));
        let mask = mask_of(start, chunks);
        let room = &mut self.rooms[position];
        let idle = (room.idle & mask).count_ones() as usize;
        room.free &= !mask;
        room.idle &= !mask;
        self.idle_chunks -= idle;
        self.used_chunks += chunks;
        self.note(position);
        if !self.is_huge && self.used_chunks >= HUGE_FROM_CHUNKS {
            self.is_huge = true;
            self.pieces.iter().flatten().for_each(Pages::ask_for_huge_pages);
        }
        Run { first: position * PIECE_CHUNKS + start, chunks, is_touched: idle > 0 }
    }

    /// The piece, and the chunk in it, where so many free ones begin.
    fn find(&self, chunks: usize) -> Option<(usize, usize)> {
        if chunks == 1
            && let Some(position) = self.with_idle.iter().next()
        {
            return Some((position, self.rooms[position].idle.trailing_zeros() as usize));
        }
        self.with_free.iter().find_map(|position| Some((position, run_in(self.rooms[position].free, chunks)?)))
    }

    /// A piece with memory, at a position of its own.
    fn add_piece(&mut self, words: usize) -> usize {
        // The first piece is touched page by page, so that small tables are small.
        let pages = Some(Pages::new(words, self.is_huge || words > PIECE_WORDS));
        let room = Room { free: if words > PIECE_WORDS { 0 } else { u128::MAX }, idle: 0 };
        match self.vacant.pop() {
            Some(position) => {
                (self.pieces[position], self.rooms[position]) = (pages, room);
                position
            }
            None => {
                self.pieces.push(pages);
                self.rooms.push(room);
                self.pieces.len() - 1
            }
        }
    }

    /// Gives back a run, of which so many words were touched.
    pub(super) fn give(&mut self, run: Run, touched_words: usize) {
        let position = run.first / PIECE_CHUNKS;
        let touched = touched_words.div_ceil(CHUNK_WORDS).min(run.chunks);
        let room = &mut self.rooms[position];
        room.free |= mask_of(run.first, run.chunks);
        if touched > 0 {
            room.idle |= mask_of(run.first, touched);
        }
        self.used_chunks -= run.chunks;
        self.idle_chunks += touched;
        if room.free == u128::MAX {
            match self.spare {
                Some(spare) if spare != position => self.drop_piece(position),
                _ => self.spare = Some(position),
            }
        }
        self.note(position);
        while self.idle_chunks > self.used_chunks / USED_PER_IDLE + IDLE_CHUNKS && self.release_last() {}
    }

    /// Returns the memory of the last idle chunks to the system; whether it took it.
    fn release_last(&mut self) -> bool {
        let Some(position) = self.with_idle.last() else { return false };
        let idle = self.rooms[position].idle;
        let above = idle.leading_zeros() as usize;
        let chunks = (idle << above).leading_ones() as usize;
        let start = PIECE_CHUNKS - above - chunks;
        let Some(pages) = &mut self.pieces[position] else { return false };
        if !pages.release(start * CHUNK_WORDS, chunks * CHUNK_WORDS) {
            return false;
        }
        self.rooms[position].idle &= !mask_of(start, chunks);
        self.idle_chunks -= chunks;
        self.note(position);
        true
    }

    /// Returns a piece without blocks to the system.
    fn drop_piece(&mut self, position: usize) {
        self.idle_chunks -= self.rooms[position].idle.count_ones() as usize;
        self.rooms[position] = Room::default();
        self.pieces[position] = None;
        self.vacant.push(position);
    }

    /// A piece's room has changed.
    fn note(&mut self, position: usize) {
        let room = self.rooms[position];
        self.with_free.set(position, room.free != 0);
        self.with_idle.set(position, room.idle != 0);
        if self.spare == Some(position) && room.free != u128::MAX {
            self.spare = None;
        }
    }

    /// Memory for what is larger than a piece; gives its first chunk.
    pub(super) fn take_large(&mut self, words: usize) -> usize {
        self.large_words += words;
        self.add_piece(words) * PIECE_CHUNKS
    }

    /// Gives it back.
    pub(super) fn give_large(&mut self, first: usize) {
        let position = first / PIECE_CHUNKS;
        self.large_words -= self.pieces[position].as_ref().map_or(0, Pages::len);
        self.drop_piece(position);
    }

    /// Positions of pieces that there have ever been.
    pub(super) fn positions(&self) -> usize {
        self.pieces.len()
    }

    /// The piece at a position.
    ///
    /// # Panics
    /// If it went back: a bug.
    #[inline(always)]
    pub(super) fn piece(&self, position: usize) -> &Pages {
        self.pieces[position].as_ref().expect("the block is in use")
    }

    /// The piece at a position, to change.
    #[inline(always)]
    pub(super) fn piece_mut(&mut self, position: usize) -> &mut Pages {
        self.pieces[position].as_mut().expect("the block is in use")
    }

    /// Bytes of touched memory that nobody has, of memory larger than a piece, and of what is known of pieces.
    pub(super) fn held_bytes(&self) -> usize {
        let known = size_of::<Option<Pages>>() + size_of::<Room>();
        (self.idle_chunks * CHUNK_WORDS + self.large_words) * 8 + self.pieces.len() * known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_where_they_are() {
        assert_eq!(run_in(0b0111_0110, 2), Some(1));
        assert_eq!(run_in(0b0111_0110, 3), Some(4));
        assert_eq!(run_in(0b0111_0110, 4), None);
        assert_eq!(run_in(u128::MAX, 128), Some(0));
        assert_eq!(run_in(u128::MAX << 1, 128), None);
        assert_eq!(run_in(u128::MAX << 1, 127), Some(1));
        assert_eq!(run_in(1 << 127, 1), Some(127));
        assert_eq!(run_in(0, 1), None);
        assert_eq!(mask_of(128 + 3, 2), 0b11000);
        assert_eq!(mask_of(0, 128), u128::MAX);
    }

    #[test]
    fn positions_are_a_set() {
        let mut positions = Positions::default();
        assert_eq!((positions.iter().next(), positions.last()), (None, None));
        for position in [63, 5, 200, 64, 5] {
            positions.set(position, true);
        }
        assert_eq!(positions.iter().collect::<Vec<usize>>(), [5, 63, 64, 200]);
        assert_eq!(positions.last(), Some(200));
        positions.set(200, false);
        positions.set(5, false);
        assert_eq!((positions.iter().next(), positions.last()), (Some(63), Some(64)));
    }

    #[test]
    fn runs_do_not_overlap_and_empty_pieces_go_back_but_one() {
        let mut chunks = Chunks::default();
        let runs: Vec<Run> = (0..300).map(|count| chunks.take(1 + count % 7)).collect();
        let mut taken: Vec<usize> = runs.iter().flat_map(|run| run.first..run.first + run.chunks).collect();
        assert!(runs.iter().all(|run| run.first / 128 == (run.first + run.chunks - 1) / 128 && !run.is_touched));
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count);
        assert!(chunks.positions() > 8 && chunks.positions() < 12, "{}", chunks.positions());
        for run in &runs {
            chunks.give(*run, run.chunks * CHUNK_WORDS);
        }
        assert_eq!(chunks.pieces.iter().flatten().count(), 1);
        assert_eq!((chunks.used_chunks, chunks.with_free.iter().count()), (0, 1));
        assert!(chunks.idle_chunks <= IDLE_CHUNKS || cfg!(not(target_os = "linux")));
        let position = chunks.take(128).first / PIECE_CHUNKS;
        assert!(chunks.pieces[position].is_some() && chunks.spare.is_none() && chunks.idle_chunks == 0);
        assert_eq!(chunks.pieces.iter().flatten().count(), 1, "the spare one is used");
    }

    #[test]
    fn idle_chunks_are_taken_first_and_are_few() {
        let mut chunks = Chunks::default();
        let runs: Vec<Run> = (0..64).map(|_| chunks.take(1)).collect();
        for run in &runs[10..12] {
            chunks.give(*run, 5);
        }
        assert_eq!(chunks.idle_chunks, 2);
        assert_eq!(chunks.take(1), Run { first: 10, chunks: 1, is_touched: true });
        assert_eq!(chunks.take(1), Run { first: 11, chunks: 1, is_touched: true });
        assert_eq!(chunks.take(1), Run { first: 64, chunks: 1, is_touched: false });
        // What was never touched takes no memory.
        chunks.give(Run { first: 64, chunks: 1, is_touched: false }, 0);
        assert_eq!(chunks.idle_chunks, 0);
        chunks.piece_mut(0).slice_mut(0, 64 * CHUNK_WORDS).fill(1);
        for run in &runs {
            chunks.give(*run, CHUNK_WORDS);
            let limit = chunks.used_chunks / USED_PER_IDLE + IDLE_CHUNKS;
            // Where the system takes no single chunks back, they wait for their piece to be empty.
            assert!(chunks.idle_chunks <= limit || cfg!(not(target_os = "linux")));
        }
    }

    #[test]
    fn what_is_larger_than_a_piece_has_a_piece_of_its_own() {
        let mut chunks = Chunks::default();
        let run = chunks.take(3);
        let large = chunks.take_large(3 * PIECE_WORDS + 5);
        assert_eq!((run.first, large), (0, 128));
        chunks.piece_mut(1).slice_mut(0, 3 * PIECE_WORDS + 5).fill(9);
        assert_eq!(chunks.take(128).first, 256, "no run is cut from it");
        let held = chunks.held_bytes();
        chunks.give_large(large);
        assert!(chunks.held_bytes() + 3 * PIECE_WORDS * 8 <= held);
        assert_eq!(chunks.take(128).first, 128, "its position is used again");
    }
}
