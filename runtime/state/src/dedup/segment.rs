//! A segment of a dedup set: lines of slots in two of which a key may lie.
//!
//! Two choices keep lines evenly full, and moving one key where both are full puts off the moment at which one has no place. A slot whose
//! key is forgotten is free, which the slot's time says by itself.
//!
//! This file must not know how keys were hashed or that there are other segments.

use std::collections::HashMap;

/// Slots of a line.
const SLOTS: usize = 4;
/// Lines of the smallest segment.
pub(super) const MIN_LINES: usize = 4;
/// A segment that would have more lines splits.
pub(super) const MAX_LINES: usize = 4096;
/// How full a rebuilt segment is.
const FILL_AFTER: f32 = 0.67;
/// A segment that is fuller grows.
pub(super) const FILL_LIMIT: f32 = 0.80;
/// The share of the last insert in the running average of how full lines are.
const FILL_WEIGHT: f32 = 1.0 / 64.0;
/// Bits of a slot's time.
const TIME_BITS: u32 = 48;
pub(super) const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Four slots, key and time in two words: 64 bits of the key; 16 bits of it and the time. A slot of two zeros is empty.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Line {
    head: [u64; SLOTS],
    rest: [u64; SLOTS],
}

/// What a key becomes in the set: 64 bits that also say its lines, and 16 more. Never two zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stored {
    pub(super) head: u64,
    pub(super) tail: u16,
}

/// What decides whether a slot is live. Times are in units of slots' times.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) latest: i64,
    pub(super) within: u64,
}

/// Lines of the keys whose hash begins with certain bits.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) lines: Box<[Line]>,
    /// How many bits of the hash all its keys share.
    pub(super) depth: u32,
    /// How full the lines of recent inserts were, averaged: lines are drawn evenly, so this is how full all are.
    pub(super) fill: f32,
    /// Times of keys that found no slot.
    stash: HashMap<Stored, Vec<u64>>,
    pub(super) stashed: usize,
    /// With more in the stash it is rebuilt.
    pub(super) stash_limit: usize,
}

/// How many lines hold so many keys.
pub(super) fn lines_for(live: usize) -> usize {
    ((live as f32 / FILL_AFTER / SLOTS as f32) as usize + 1).max(MIN_LINES)
}

impl View {
    pub(super) fn age(&self, time: u64) -> u64 {
        (self.latest as u64).wrapping_sub(time) & TIME_MASK
    }

    fn is_live(&self, time: u64) -> bool {
        self.age(time) < self.within
    }

    /// Whether a message, `ahead` of the latest time, is a duplicate of what was seen at `time`.
    fn is_duplicate(&self, time: u64, ahead: i64) -> bool {
        let age = self.age(time);
        let after = ahead.saturating_add(age as i64);
        age < self.within && after >= 0 && (after as u64) < self.within
    }
}

impl Line {
    fn is_empty(&self, slot: usize) -> bool {
        self.head[slot] == 0 && self.rest[slot] == 0
    }

    fn stored(&self, slot: usize) -> Stored {
        Stored { head: self.head[slot], tail: (self.rest[slot] >> TIME_BITS) as u16 }
    }

    fn is(&self, slot: usize, stored: Stored) -> bool {
        self.head[slot] == stored.head && self.rest[slot] >> TIME_BITS == u64::from(stored.tail)
    }

    fn set(&mut self, slot: usize, stored: Stored, time: u64) {
        self.head[slot] = stored.head;
        self.rest[slot] = u64::from(stored.tail) << TIME_BITS | time;
    }

    fn is_live(&self, slot: usize, view: &View) -> bool {
        !self.is_empty(slot) && view.is_live(self.rest[slot] & TIME_MASK)
    }

    /// The number of live slots, and the first that is free.
    fn room(&self, view: &View) -> (usize, Option<usize>) {
        // Without branches: which slots are live is a matter of chance, and a wrong guess costs more than all of this.
        let mut live = 0u32;
        for slot in 0..SLOTS {
            let is_taken = (self.head[slot] | self.rest[slot]) != 0;
            let is_live = is_taken & view.is_live(self.rest[slot] & TIME_MASK);
            live |= u32::from(is_live) << slot;
        }
        let free = live.trailing_ones() as usize;
        (live.count_ones() as usize, (free < SLOTS).then_some(free))
    }
}

impl Segment {
    pub(super) fn new(depth: u32, lines: usize) -> Segment {
        let lines = vec![Line::default(); lines].into_boxed_slice();
        let stash_limit = lines.len() / 16 + 4;
        Segment { lines, depth, fill: 0.0, stash: HashMap::new(), stashed: 0, stash_limit }
    }

    /// The two lines of a key.
    fn lines_of(&self, stored: Stored) -> (usize, usize) {
        let reduce = |bits: u64| (((bits & 0xffff_ffff) * self.lines.len() as u64) >> 32) as usize;
        (reduce(stored.head), reduce(stored.head.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32))
    }

    pub(super) fn prefetch(&self, stored: Stored) {
        let (a, b) = self.lines_of(stored);
        prefetch(&self.lines[a]);
        prefetch(&self.lines[b]);
    }

    pub(super) fn has(&self, stored: Stored, view: &View, time: i64) -> bool {
        let ahead = time.saturating_sub(view.latest);
        let (a, b) = self.lines_of(stored);
        let in_line = |line: &Line| {
            (0..SLOTS).any(|slot| line.is(slot, stored) && view.is_duplicate(line.rest[slot] & TIME_MASK, ahead))
        };
        let in_stash =
            || self.stash.get(&stored).is_some_and(|times| times.iter().any(|time| view.is_duplicate(*time, ahead)));
        in_line(&self.lines[a]) || in_line(&self.lines[b]) || self.stashed > 0 && in_stash()
    }

    /// Whether the key is there with exactly this time, forgotten or not.
    pub(super) fn contains(&self, stored: Stored, time: u64) -> bool {
        let (a, b) = self.lines_of(stored);
        let in_line = |line: &Line| (0..SLOTS).any(|slot| line.is(slot, stored) && line.rest[slot] & TIME_MASK == time);
        in_line(&self.lines[a])
            || in_line(&self.lines[b])
            || self.stash.get(&stored).is_some_and(|times| times.contains(&time))
    }

    pub(super) fn insert(&mut self, stored: Stored, view: &View, time: u64) {
        let (a, b) = self.lines_of(stored);
        let ((live_a, free_a), (live_b, free_b)) = (self.lines[a].room(view), self.lines[b].room(view));
        self.fill += ((live_a + live_b) as f32 / (2 * SLOTS) as f32 - self.fill) * FILL_WEIGHT;
        match (free_a, free_b) {
            (Some(slot), _) if live_a <= live_b => self.lines[a].set(slot, stored, time),
            (_, Some(slot)) => self.lines[b].set(slot, stored, time),
            (Some(slot), None) => self.lines[a].set(slot, stored, time),
            (None, None) => match self.make_room(a, view).or_else(|| self.make_room(b, view)) {
                Some((line, slot)) => self.lines[line].set(slot, stored, time),
                None => {
                    self.stash.entry(stored).or_default().push(time);
                    self.stashed += 1;
                }
            },
        }
    }

    /// Moves one key of a full line to its other line, if there is room; gives the slot.
    fn make_room(&mut self, line: usize, view: &View) -> Option<(usize, usize)> {
        for slot in 0..SLOTS {
            let moving = self.lines[line].stored(slot);
            let (a, b) = self.lines_of(moving);
            let other = if a == line { b } else { a };
            if other != line
                && let (_, Some(free)) = self.lines[other].room(view)
            {
                let time = self.lines[line].rest[slot] & TIME_MASK;
                self.lines[other].set(free, moving, time);
                return Some((line, slot));
            }
        }
        None
    }

    pub(super) fn for_each(&self, view: &View, visit: &mut dyn FnMut(Stored, u64)) {
        for line in &self.lines {
            for slot in 0..SLOTS {
                if line.is_live(slot, view) {
                    visit(line.stored(slot), line.rest[slot] & TIME_MASK);
                }
            }
        }
        for (stored, times) in &self.stash {
            times.iter().filter(|time| view.is_live(**time)).for_each(|time| visit(*stored, *time));
        }
    }

    pub(super) fn count(&self, view: &View) -> usize {
        let mut count = 0;
        self.for_each(view, &mut |_, _| count += 1);
        count
    }

    pub(super) fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        for line in &mut self.lines {
            for slot in 0..SLOTS {
                if !keep(line.rest[slot] & TIME_MASK) {
                    (line.head[slot], line.rest[slot]) = (0, 0);
                }
            }
        }
        self.stash.retain(|_, times| {
            times.retain(|time| keep(*time));
            !times.is_empty()
        });
        self.stashed = self.stash.values().map(Vec::len).sum();
    }

    /// The same live keys in so many lines.
    pub(super) fn rebuild(&mut self, view: &View, lines: usize) {
        let mut new = Segment::new(self.depth, lines);
        self.for_each(view, &mut |stored, time| new.insert(stored, view, time));
        new.settle(view);
        *self = new;
    }

    /// Begins to measure anew, after it was filled.
    pub(super) fn settle(&mut self, view: &View) {
        self.fill = self.count(view) as f32 / (self.lines.len() * SLOTS) as f32;
        // One key with many times finds no slot however large the segment is.
        self.stash_limit = self.stash_limit.max(self.stashed * 2);
    }

    pub(super) fn size_bytes(&self) -> usize {
        let stash = self.stash.capacity() * size_of::<(Stored, Vec<u64>)>() + self.stashed * size_of::<u64>();
        size_of::<Segment>() + size_of_val(&*self.lines) + stash
    }
}

/// Asks for the line before it is needed.
fn prefetch(line: &Line) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no effect but on caches, whatever the address; this one is of a reference.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
