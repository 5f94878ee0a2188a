//! Spans: runs of chunks that are cut into blocks of one class, and per class those that have room, in lists by how full they are.
//!
//! The lists are why nothing here searches: the fullest span with room is at hand, and a span goes from one list to another when an eighth of its
//! blocks more or less are in use.
//!
//! This file must not know memory.

use super::chunks::Run;
use super::{CHUNK_UNITS, NONE};

/// Levels of how full spans with room are.
const LEVELS: usize = 8;
/// Spans from this level on are full enough for their blocks to stay.
const DENSE: u8 = 7;

/// A span. There is one of these per chunk; a span's is that of its first chunk, and of its other chunks only `back` counts.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    /// How many chunks before this one the span begins.
    back: u8,
    /// Eighths of its blocks that are in use; of a full one, which is in no list, `LEVELS`.
    level: u8,
    class: u8,
    chunks: u8,
    /// Blocks in use.
    pub(super) used: u16,
    /// Below so many, and from so many on, it is of another level.
    low: u16,
    high: u16,
    /// Blocks that there is room for.
    blocks: u16,
    /// Units that were handed out from its start.
    pub(super) taken: u32,
    /// Units from its start that were touched, by blocks of this span or of earlier ones.
    pub(super) touched: u32,
    /// The first free block's unit, counted from the span's first; each has the next one's in its first word.
    pub(super) free: u32,
    /// Its neighbours in the list of its class and level.
    before: u32,
    after: u32,
}

impl Span {
    /// Whether it is of another level than it was when it was put into its list.
    #[inline(always)]
    pub(super) fn has_changed_level(&self) -> bool {
        self.used < self.low || self.used >= self.high
    }
}

/// Spans of a class that have room, by level.
#[derive(Clone, Copy)]
struct Shelf {
    heads: [u32; LEVELS],
    /// A bit per level whether there are any.
    levels: u8,
}

const EMPTY: Shelf = Shelf { heads: [NONE; LEVELS], levels: 0 };

/// Spans, by the number of their first chunk.
#[derive(Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
    /// By class.
    shelves: Vec<Shelf>,
}

impl Spans {
    /// Makes room for spans of so many chunks.
    pub(super) fn cover(&mut self, chunks: usize) {
        if self.spans.len() < chunks {
            self.spans.resize(chunks, Span::default());
        }
    }

    /// A span of the class, cut into blocks of so many units, none in use. Gives its number.
    pub(super) fn add(&mut self, run: Run, class: usize, units: usize) -> u32 {
        for (back, span) in self.spans[run.first..run.first + run.chunks].iter_mut().enumerate() {
            span.back = back as u8;
        }
        let room = run.chunks * CHUNK_UNITS;
        self.spans[run.first] = Span {
            class: class as u8,
            chunks: run.chunks as u8,
            blocks: (room / units) as u16,
            touched: if run.is_touched { room as u32 } else { 0 },
            free: NONE,
            ..Span::default()
        };
        if self.shelves.len() <= class {
            self.shelves.resize(class + 1, EMPTY);
        }
        let number = run.first as u32;
        self.put_on_shelf(number);
        number
    }

    /// Forgets a span; gives its chunks.
    pub(super) fn remove(&mut self, number: u32) -> Run {
        self.take_off_shelf(number);
        let span = &self.spans[number as usize];
        Run { first: number as usize, chunks: usize::from(span.chunks), is_touched: span.touched > 0 }
    }

    #[inline(always)]
    pub(super) fn get(&self, number: u32) -> &Span {
        &self.spans[number as usize]
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut Span {
        &mut self.spans[number as usize]
    }

    /// The number of the span that a chunk is of.
    #[inline(always)]
    pub(super) fn of_chunk(&self, chunk: usize) -> u32 {
        chunk as u32 - u32::from(self.spans[chunk].back)
    }

    /// The first of the fullest spans of the class that have room.
    #[inline(always)]
    pub(super) fn fullest(&self, class: usize) -> u32 {
        match self.shelves.get(class) {
            Some(shelf) if shelf.levels != 0 => shelf.heads[shelf.levels.ilog2() as usize],
            _ => NONE,
        }
    }

    /// A span of the same class with room that is at least as full, for blocks of one that is sparse.
    #[inline]
    pub(super) fn fuller_than_sparse(&self, number: u32) -> u32 {
        let span = self.get(number);
        if span.level >= DENSE {
            return NONE;
        }
        let fullest = self.fullest(usize::from(span.class));
        // Where it is the first one itself, the second one may do.
        let other = if fullest == number { span.after } else { fullest };
        // Of two spans the fuller one becomes fuller, so blocks do not go to and fro.
        if other == NONE || self.get(other).used < span.used { NONE } else { other }
    }

    /// Puts a span whose level has changed into the list that it belongs to.
    pub(super) fn move_to_level(&mut self, number: u32) {
        self.take_off_shelf(number);
        self.put_on_shelf(number);
    }

    fn put_on_shelf(&mut self, number: u32) {
        let span = &mut self.spans[number as usize];
        let (used, blocks) = (usize::from(span.used), usize::from(span.blocks));
        let level = used * LEVELS / blocks;
        span.level = level as u8;
        // Of level l are spans with l/8 of their blocks in use, and not with (l + 1)/8.
        span.low = (level * blocks).div_ceil(LEVELS) as u16;
        span.high = ((level + 1) * blocks).div_ceil(LEVELS) as u16;
        if level == LEVELS {
            return;
        }
        let shelf = &mut self.shelves[usize::from(span.class)];
        let head = std::mem::replace(&mut shelf.heads[level], number);
        shelf.levels |= 1 << level;
        (span.before, span.after) = (NONE, head);
        if head != NONE {
            self.spans[head as usize].before = number;
        }
    }

    fn take_off_shelf(&mut self, number: u32) {
        let Span { level, class, before, after, .. } = self.spans[number as usize];
        if usize::from(level) == LEVELS {
            return;
        }
        if after != NONE {
            self.spans[after as usize].before = before;
        }
        if before != NONE {
            self.spans[before as usize].after = after;
            return;
        }
        let shelf = &mut self.shelves[usize::from(class)];
        shelf.heads[usize::from(level)] = after;
        if after == NONE {
            shelf.levels &= !(1 << level);
        }
    }

    /// Bytes of what is known of spans.
    pub(super) fn size_bytes(&self) -> usize {
        self.spans.len() * size_of::<Span>() + self.shelves.len() * size_of::<Shelf>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds spans of eight blocks each, with so many in use.
    fn spans(used: &[u16]) -> Spans {
        let mut spans = Spans::default();
        spans.cover(used.len());
        for (first, used) in used.iter().enumerate() {
            let number = spans.add(Run { first, chunks: 1, is_touched: false }, 3, CHUNK_UNITS / 8);
            spans.get_mut(number).used = *used;
            assert_eq!(spans.get(number).has_changed_level(), *used > 0);
            spans.move_to_level(number);
            assert!(!spans.get(number).has_changed_level());
        }
        spans
    }

    #[test]
    fn the_fullest_with_room_comes_first() {
        let mut spans = spans(&[3, 8, 5, 7, 7, 1]);
        let mut order = Vec::new();
        while spans.fullest(3) != NONE {
            order.push(spans.fullest(3));
            spans.remove(spans.fullest(3));
        }
        assert_eq!(order, [4, 3, 2, 0, 5]);
        assert_eq!((spans.fullest(2), spans.fullest(9)), (NONE, NONE));
    }

    #[test]
    fn blocks_of_sparse_spans_go_to_fuller_ones() {
        let spans = spans(&[3, 8, 5, 3]);
        assert_eq!(spans.fuller_than_sparse(0), 2);
        assert_eq!(spans.fuller_than_sparse(2), NONE, "it is the fullest");
        assert_eq!(spans.fuller_than_sparse(1), NONE, "it is full");
        let spans = self::spans(&[3, 3, 7]);
        assert_eq!(spans.fuller_than_sparse(2), NONE, "it is full enough");
        let spans = self::spans(&[3, 3]);
        assert_eq!(
            (spans.fuller_than_sparse(0), spans.fuller_than_sparse(1)),
            (1, 0),
            "the fuller one of two that are alike"
        );
    }

    #[test]
    fn a_chunk_knows_its_span() {
        let mut spans = Spans::default();
        spans.cover(9);
        spans.add(Run { first: 2, chunks: 5, is_touched: true }, 0, 7);
        assert!((2..7).all(|chunk| spans.of_chunk(chunk) == 2));
        assert_eq!(spans.get(2).touched as usize, 5 * CHUNK_UNITS);
        assert_eq!(spans.remove(2), Run { first: 2, chunks: 5, is_touched: true });
    }
}
