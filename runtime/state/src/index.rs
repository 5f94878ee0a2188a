//! From the hash of a key to the number of its entry.
//!
//! A line of 64 bytes holds 12 one-byte tags and 12 numbers, so that a look-up touches one line and, mostly, one entry. Lines belong to
//! segments of 256, found by the first bits of the hash; a full segment is split in two (extendible hashing; Fagin et al., 1979), so
//! growth never stops to rebuild everything. Keys that do not fit into their line go on to the next, and the line counts them.
//!
//! This file must not know keys: who asks compares them.

use crate::pages::{Pages, prefetch};

/// Numbers of a line.
const SLOTS: usize = 12;
/// Lines of a segment, once there are several.
const SEGMENT_LINES: usize = 256;
/// Segments whose lines share a piece of memory.
const PIECE_SEGMENTS: usize = 512;
const LINE_WORDS: usize = 8;
/// A table with so many segments is no small one.
const HUGE_FROM_SEGMENTS: usize = 16;

/// So many segments are few: a MiB of lines.
const FEW_SEGMENTS: usize = 64;

#[repr(C)]
struct Line {
    /// 0 = free; its number is 0 then.
    tags: [u8; SLOTS],
    /// Keys of this line, or of lines before it, that went on to later lines.
    passed: u32,
    ids: [u32; SLOTS],
}

const _: () = assert!(size_of::<Line>() == LINE_WORDS * 8 && align_of::<Line>() <= 8);

/// The line of an index without memory, which is never written to.
static FREE: Line = Line { tags: [0; SLOTS], passed: 0, ids: [0; SLOTS] };

/// The first line of a segment, and the segment's number.
#[derive(Clone, Copy)]
struct Lines {
    first: *mut Line,
    segment: u32,
}

struct Segment {
    keys: u32,
    /// How many first bits of the hash its keys have in common.
    depth: u32,
}

/// From hashes to numbers.
pub(crate) struct Index {
    pieces: Vec<Pages>,
    segments: Vec<Segment>,
    /// By the first `depth` bits of the hash the first line of the segment; `FREE` as long as there are no pieces.
    directory: Vec<Lines>,
    depth: u32,
    /// Lines of a segment less one: the only segment starts small.
    line_mask: usize,
}

// SAFETY: addresses of lines in the index's own pieces.
unsafe impl Send for Lines {}
// SAFETY: as above; lines are changed only through `&mut` of the index.
unsafe impl Sync for Lines {}

#[inline]
fn tag_of(hash: u64) -> u8 {
    // All values but that of a free slot: a wrong guess costs a second look.
    let tag = (hash >> 16) as u8;
    tag + u8::from(tag == 0)
}

/// A bit per slot whose tag is this.
#[inline(always)]
fn matches(line: &Line, tag: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a line has 16 bytes to read, and every processor of this kind has these instructions.
    unsafe {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
        let tags = _mm_loadu_si128(std::ptr::from_ref(line).cast());
        _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag as i8))) as u32 & ((1 << SLOTS) - 1)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let same = line.tags.iter().enumerate().map(|(slot, candidate)| u32::from(*candidate == tag) << slot);
        same.sum()
    }
}

/// What guessing needs of an index.
#[derive(Clone, Copy)]
pub(crate) struct Guesses<'a> {
    directory: &'a [Lines],
    shift: u32,
    line_mask: usize,
}

impl Guesses<'_> {
    /// The line of a hash, and its slots that have the hash's tag.
    #[inline(always)]
    fn line(&self, hash: u64) -> (&Line, u32) {
        // SAFETY: a directory has an item for all values of so many first bits.
        let lines = unsafe { self.directory.get_unchecked(((hash >> 1) >> self.shift) as usize) };
        // SAFETY: as in `Index::line`; the index does not change meanwhile, because it is borrowed.
        let line = unsafe { &*lines.first.add(hash as usize & self.line_mask) };
        (line, matches(line, tag_of(hash)))
    }

    /// A number that is probably the hash's; none where its line has none.
    #[inline(always)]
    pub(crate) fn of(&self, hash: u64) -> Option<u32> {
        let (line, bits) = self.line(hash);
        (bits != 0).then(|| line.ids[bits.trailing_zeros() as usize])
    }

    /// A number that is probably the hash's; where its line has none, some other number that is kept, or 0.
    #[inline(always)]
    pub(crate) fn of_any(&self, hash: u64) -> u32 {
        let (line, bits) = self.line(hash);
        line.ids[(bits | 1 << (SLOTS - 1)).trailing_zeros() as usize]
    }
}

impl Index {
    /// No keys.
    pub(crate) fn new() -> Index {
        Index {
            pieces: Vec::new(),
            segments: vec![Segment { keys: 0, depth: 0 }],
            directory: vec![Lines { first: std::ptr::from_ref(&FREE).cast_mut(), segment: 0 }],
            depth: 0,
            line_mask: 0,
        }
    }

    #[inline(always)]
    fn lines(&self, hash: u64) -> Lines {
        // Two shifts, because shifting by 64 is none.
        self.directory[((hash >> 1) >> (63 - self.depth)) as usize]
    }

    /// The first line of a segment.
    fn first_line(&self, segment: usize) -> *mut Line {
        self.pieces[segment / PIECE_SEGMENTS].at(segment % PIECE_SEGMENTS * SEGMENT_LINES * LINE_WORDS).cast::<Line>()
    }

    /// A line of a segment; `at` is masked to the lines that there are.
    #[inline(always)]
    fn line(&self, lines: Lines, at: usize) -> &Line {
        // SAFETY: `first` is the first of at least `line_mask + 1` lines in a piece of zeroed memory of our own, aligned to its page, or the only one,
        // `FREE`; any bits are a `Line`.
        unsafe { &*lines.first.add(at & self.line_mask) }
    }

    #[inline(always)]
    fn line_mut(&mut self, lines: Lines, at: usize) -> &mut Line {
        // SAFETY: as above, and `&mut self` says that nobody else looks; callers have seen that there are pieces.
        unsafe { &mut *lines.first.add(at & self.line_mask) }
    }

    /// Asks for the line that a hash is looked up in.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch(self.lines(hash).first.wrapping_add(hash as usize & self.line_mask).cast());
    }

    /// For guessing many at once.
    #[inline(always)]
    pub(crate) fn guesses(&self) -> Guesses<'_> {
        Guesses { directory: &self.directory, shift: 63 - self.depth, line_mask: self.line_mask }
    }

    /// The number that is kept under the hash, and that `is_it` says yes to.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let lines = self.lines(hash);
        let mut at = hash as usize;
        for _ in 0..=self.line_mask {
            let line = self.line(lines, at);
            let mut bits = matches(line, tag_of(hash));
            while bits != 0 {
                let id = line.ids[bits.trailing_zeros() as usize];
                if is_it(id) {
                    return Some(id);
                }
                bits &= bits - 1;
            }
            if line.passed == 0 {
                return None;
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// Keeps a number under a hash; `hash_of` gives the hash of any number that is kept.
    pub(crate) fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        if self.pieces.is_empty() {
            self.pieces.push(Pages::new(PIECE_SEGMENTS * SEGMENT_LINES * LINE_WORDS, false));
            self.directory[0].first = self.first_line(0);
        }
        let mut lines = self.lines(hash);
        while self.is_full(lines.segment) {
            self.grow(lines, &hash_of);
            lines = self.lines(hash);
        }
        self.place(hash, id);
    }

    /// Whether a segment takes no more keys: at four fifths. While there are few segments they are in the second-level cache, and it is not memory that
    /// counts but that keys are in their own lines: at three quarters.
    fn is_full(&self, segment: u32) -> bool {
        let (full, of) = if self.segments.len() < FEW_SEGMENTS { (3, 4) } else { (4, 5) };
        self.segments[segment as usize].keys as usize * of >= (self.line_mask + 1) * SLOTS * full
    }

    fn place(&mut self, hash: u64, id: u32) {
        let lines = self.lines(hash);
        self.segments[lines.segment as usize].keys += 1;
        let mut at = hash as usize;
        for _ in 0..=self.line_mask {
            let line = self.line_mut(lines, at);
            let free = matches(line, 0);
            if free != 0 {
                let slot = free.trailing_zeros() as usize;
                line.tags[slot] = tag_of(hash);
                line.ids[slot] = id;
                return;
            }
            line.passed += 1;
            at = at.wrapping_add(1);
        }
        unreachable!("a segment is never full");
    }

    /// Makes room: the only segment doubles while it is small; later a segment is split.
    fn grow(&mut self, lines: Lines, hash_of: &impl Fn(u32) -> u64) {
        let segment = lines.segment as usize;
        let mut kept = Vec::with_capacity(self.segments[segment].keys as usize);
        for at in 0..=self.line_mask {
            let line = self.line_mut(lines, at);
            let taken = line.tags.iter().zip(&line.ids).filter(|(tag, _)| **tag != 0);
            kept.extend(taken.map(|(_, id)| *id));
            *line = Line { ..FREE };
        }
        if self.line_mask + 1 < SEGMENT_LINES {
            self.line_mask = self.line_mask * 2 + 1;
        } else {
            self.split(segment);
        }
        self.segments[segment].keys = 0;
        kept.into_iter().for_each(|id| self.place(hash_of(id), id));
    }

    /// Gives the half of a segment's hashes whose next bit is 1 to a new segment.
    fn split(&mut self, segment: usize) {
        let depth = self.segments[segment].depth + 1;
        assert!(depth < 40, "keys' hashes differ in their first bits");
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|lines| [*lines; 2]).collect();
            self.depth += 1;
        }
        let new = self.segments.len();
        self.segments.push(Segment { keys: 0, depth });
        self.segments[segment].depth = depth;
        if new == HUGE_FROM_SEGMENTS {
            self.pieces[0].ask_for_huge_pages();
        }
        if new / PIECE_SEGMENTS == self.pieces.len() {
            self.pieces.push(Pages::new(PIECE_SEGMENTS * SEGMENT_LINES * LINE_WORDS, true));
        }
        let (bit, first) = (self.depth - depth, self.first_line(new));
        for (place, lines) in self.directory.iter_mut().enumerate() {
            if lines.segment as usize == segment && place >> bit & 1 == 1 {
                *lines = Lines { first, segment: new as u32 };
            }
        }
    }

    /// Forgets a number that is kept under the hash.
    ///
    /// # Panics
    /// If it is not: a bug.
    pub(crate) fn remove(&mut self, hash: u64, id: u32) {
        assert!(!self.pieces.is_empty(), "the number is kept");
        let lines = self.lines(hash);
        let mut at = hash as usize;
        for _ in 0..=self.line_mask {
            let line = self.line_mut(lines, at);
            let found = (0..SLOTS).find(|slot| line.tags[*slot] != 0 && line.ids[*slot] == id);
            if let Some(slot) = found {
                (line.tags[slot], line.ids[slot]) = (0, 0);
                self.segments[lines.segment as usize].keys -= 1;
                return;
            }
            assert!(line.passed > 0, "the number is kept");
            line.passed -= 1;
            at = at.wrapping_add(1);
        }
        unreachable!("the number is kept");
    }

    /// Bytes that it holds.
    pub(crate) fn size_bytes(&self) -> usize {
        let lines = if self.pieces.is_empty() { 0 } else { self.segments.len() * (self.line_mask + 1) };
        lines * LINE_WORDS * 8 + self.segments.len() * size_of::<Segment>() + self.directory.len() * size_of::<Lines>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn hash(key: u64) -> u64 {
        (key ^ (key >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    #[test]
    fn it_finds_what_a_map_finds_through_growth_and_removal() {
        let mut index = Index::new();
        let mut map = HashMap::new();
        let mut keys: Vec<u64> = Vec::new();
        for step in 0..120_000u64 {
            let key = hash(step % 70_000 + 1);
            if let Some(id) = map.remove(&key) {
                index.remove(hash(key), id);
                assert_eq!(index.find(hash(key), |id| keys[id as usize] == key), None);
            } else {
                let id = keys.len() as u32;
                keys.push(key);
                map.insert(key, id);
                index.insert(hash(key), id, |id| hash(keys[id as usize]));
            }
        }
        for key in (0..70_001).map(hash) {
            assert_eq!(index.find(hash(key), |id| keys[id as usize] == key), map.get(&key).copied());
        }
        assert!(index.segments.len() > 8);
        assert_eq!(index.segments.iter().map(|segment| segment.keys as usize).sum::<usize>(), map.len());
    }
}
