//! The lines of a dedup set: slots of keys and times, in one of two lines of which a key lies, and how their number grows and falls.
//!
//! A group of lines at a time gets one line more (linear hashing with partial expansions; Larson, "Linear hashing with
//! partial expansions", VLDB 1980), so that room is never more than a little ahead of need, no insert waits for more than one
//! group, and nothing is copied to a larger place. Lines lie in pieces of memory that never move, in huge pages where there are many: a
//! look-up is two cache misses, and small pages would make them four.
//!
//! Line j of group g, while there are 2^k groups of n to n + 1 lines (4 ≤ n < 8), is number `j · 2^k + g` for j ≥ 4; the first
//! four are those that the group had when it was made, out of half of a group of eight. So new lines are appended, and a group of
//! eight becomes two of four by name only.
//!
//! This file must not know how keys were hashed.

use crate::pages::{Pages, prefetch};

/// Slots of a line.
pub(super) const SLOTS: usize = 4;
/// Lines of a piece of memory, as a power of two: 8 MiB.
const PIECE_SHIFT: u32 = 17;
const LINE_WORDS: usize = 8;
/// With so many lines a set is no small one.
const HUGE_FROM_LINES: usize = 1 << 15;
/// Lines of a group after a doubling of groups.
const FEWEST: u32 = 4;
/// Lines of a group that becomes two.
const MOST: u32 = 8;
/// Keys of a group that are dealt to one line at most before they have to go elsewhere: more than find a slot.
const DEALT: usize = 8;
/// So many groups before one is expanded its lines are asked for.
const GROUPS_AHEAD: usize = 2;
/// Bits of a slot's time.
pub(super) const TIME_BITS: u32 = 48;
pub(super) const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Four slots, key and time in two words: 64 bits of the key; 16 bits of it and the time. A slot of two zeros is empty.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Line {
    head: [u64; SLOTS],
    rest: [u64; SLOTS],
}

const _: () = assert!(size_of::<Line>() == LINE_WORDS * 8);

/// What a key becomes in the set: 64 bits that also say its lines, and 16 more. Never two zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Stored {
    pub(super) head: u64,
    pub(super) tail: u16,
}

/// One of a key's two places: bits that say the group, and bits that say the line in it.
#[derive(Clone, Copy)]
struct Place {
    group: u32,
    line: u32,
}

impl Stored {
    #[inline(always)]
    fn places(self) -> [Place; 2] {
        // The other half of a product with the golden ratio: the head is evenly spread already.
        let other = (self.head ^ (self.head >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        [
            Place { group: self.head as u32, line: (self.head >> 32) as u32 },
            Place {
                group: (other >> 32) as u32,
                line: (other as u32).wrapping_mul(0x9e37_79b1) ^ (other >> 47) as u32,
            },
        ]
    }
}

/// What decides whether a slot is live. Times are in units of slots' times.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) latest: i64,
    pub(super) within: u64,
}

impl View {
    pub(super) fn age(&self, time: u64) -> u64 {
        (self.latest as u64).wrapping_sub(time) & TIME_MASK
    }

    pub(super) fn is_live(&self, time: u64) -> bool {
        self.age(time) < self.within
    }

    /// Whether a message, `ahead` of the latest time, is a duplicate of what was seen at `time`.
    pub(super) fn is_duplicate(&self, time: u64, ahead: i64) -> bool {
        let age = self.age(time);
        let after = ahead.saturating_add(age as i64);
        age < self.within && after >= 0 && (after as u64) < self.within
    }
}

impl Line {
    fn stored(&self, slot: usize) -> Stored {
        Stored { head: self.head[slot], tail: (self.rest[slot] >> TIME_BITS) as u16 }
    }

    /// Key and time of a slot.
    pub(super) fn slot(&self, slot: usize) -> (Stored, u64) {
        (self.stored(slot), self.time(slot))
    }

    fn time(&self, slot: usize) -> u64 {
        self.rest[slot] & TIME_MASK
    }

    /// A bit per slot that has the key.
    #[inline(always)]
    fn matches(&self, stored: Stored) -> u32 {
        let mut bits = 0;
        for slot in 0..SLOTS {
            let is_it = (self.head[slot] == stored.head) & (self.rest[slot] >> TIME_BITS == u64::from(stored.tail));
            bits |= u32::from(is_it) << slot;
        }
        bits
    }

    /// Whether some slot has the key, with a time that is as asked.
    #[inline(always)]
    pub(super) fn has(&self, stored: Stored, is_wanted: impl Fn(u64) -> bool) -> bool {
        let bits = self.matches(stored);
        bits != 0 && (0..SLOTS).any(|slot| bits >> slot & 1 == 1 && is_wanted(self.time(slot)))
    }

    pub(super) fn set(&mut self, slot: usize, stored: Stored, time: u64) {
        self.head[slot] = stored.head;
        self.rest[slot] = u64::from(stored.tail) << TIME_BITS | time;
    }

    /// The number of live slots, and the first that is free.
    #[inline(always)]
    pub(super) fn room(&self, view: &View) -> (usize, Option<usize>) {
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

    /// Frees the slots whose times are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        for slot in 0..SLOTS {
            if !keep(self.time(slot)) {
                (self.head[slot], self.rest[slot]) = (0, 0);
            }
        }
    }
}

/// The two lines of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair(pub(super) usize, pub(super) usize);

/// All lines of a set.
pub(super) struct Lines {
    pieces: Vec<Pages>,
    /// Lines.
    count: usize,
    /// There are 2^`groups` groups.
    groups: u32,
    /// Lines of a group that is not expanded.
    width: u32,
    /// Groups before it have a line more.
    split: usize,
}

impl Lines {
    /// One group of the fewest lines.
    pub(super) fn new() -> Lines {
        let mut lines = Lines { pieces: Vec::new(), count: 0, groups: 0, width: FEWEST, split: 0 };
        (0..FEWEST).for_each(|_| lines.push());
        lines
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn push(&mut self) {
        if self.count >> PIECE_SHIFT == self.pieces.len() {
            // Memory of the first piece is taken page by page, so that small sets are small.
            self.pieces.push(Pages::new(LINE_WORDS << PIECE_SHIFT, self.count > 0));
        }
        if self.count == HUGE_FROM_LINES {
            self.pieces[0].ask_for_huge_pages();
        }
        self.count += 1;
    }

    fn pop(&mut self) {
        self.count -= 1;
        // One spare piece stays, so that a set that wavers does not give memory back again and again.
        self.pieces.truncate((self.count >> PIECE_SHIFT) + 2);
    }

    #[inline(always)]
    fn at(&self, line: usize) -> *mut Line {
        self.pieces[line >> PIECE_SHIFT].start().wrapping_add((line & ((1 << PIECE_SHIFT) - 1)) * LINE_WORDS).cast()
    }

    #[inline(always)]
    pub(super) fn get(&self, line: usize) -> &Line {
        // SAFETY: a piece has room for every number within it, is zeroed memory of our own and aligned to its page; any bits are a `Line`;
        // changes need `&mut self`.
        unsafe { &*self.at(line) }
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, line: usize) -> &mut Line {
        // SAFETY: as above, and `&mut self` says that nobody else looks.
        unsafe { &mut *self.at(line) }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Line> {
        (0..self.count).map(|line| self.get(line))
    }

    #[inline(always)]
    pub(super) fn prefetch(&self, pair: Pair) {
        prefetch(self.at(pair.0).cast());
        prefetch(self.at(pair.1).cast());
    }

    /// The two lines of a key.
    #[inline(always)]
    pub(super) fn of(&self, stored: Stored) -> Pair {
        let [a, b] = stored.places();
        Pair(self.line_of(a), self.line_of(b))
    }

    #[inline(always)]
    fn line_of(&self, place: Place) -> usize {
        let group = self.group_of(place);
        let width = self.width + u32::from(group < self.split);
        self.number(group, self.line_in_group(place, width))
    }

    #[inline(always)]
    fn group_of(&self, place: Place) -> usize {
        place.group as usize & ((1 << self.groups) - 1)
    }

    /// Which of the lines of a group of so many.
    #[inline(always)]
    fn line_in_group(&self, place: Place, width: u32) -> usize {
        // Of eight lines the bit that will tell the two groups of four apart comes first.
        let halved = (place.group >> self.groups) << 31 | place.line >> 1;
        let bits = if width == MOST { halved } else { place.line };
        ((u64::from(bits) * u64::from(width)) >> 32) as usize
    }

    /// The number of a group's line.
    #[inline(always)]
    fn number(&self, group: usize, line: usize) -> usize {
        // The first lines of a group are those that it had when it was made: of group 0 the first of all.
        let made = (group | 1).ilog2();
        let first = if group == 0 { line } else { ((line + 3) << made) + group };
        if line < FEWEST as usize { first } else { (line << self.groups) + group }
    }

    /// Gives the next group a line more. Keys that find no slot in their line of the group are handed over, to be put in again.
    pub(super) fn expand(&mut self, view: &View) -> Spilled {
        let group = self.split;
        self.push();
        let spilled = self.regroup(group, self.width, self.width + 1, view);
        self.split += 1;
        if self.split == 1 << self.groups {
            (self.split, self.width) = (0, self.width + 1);
            if self.width == MOST {
                (self.groups, self.width) = (self.groups + 1, FEWEST);
            }
        }
        self.prefetch_group(self.split + GROUPS_AHEAD);
        spilled
    }

    /// Takes the line back that was given last, and hands over as `expand` does. None where there are no fewer.
    pub(super) fn contract(&mut self, view: &View) -> Option<Spilled> {
        let (mut groups, mut width, mut split) = (self.groups, self.width, self.split);
        if split == 0 {
            if width == FEWEST {
                groups = groups.checked_sub(1)?;
                width = MOST;
            }
            width -= 1;
            split = 1 << groups;
        }
        (self.groups, self.width, self.split) = (groups, width, split - 1);
        let spilled = self.regroup(self.split, width + 1, width, view);
        self.pop();
        Some(spilled)
    }

    /// Asks for the lines of a group that is going to be expanded soon.
    #[inline]
    fn prefetch_group(&self, group: usize) {
        if group < 1 << self.groups {
            (0..self.width as usize).for_each(|line| prefetch(self.at(self.number(group, line)).cast()));
        }
    }

    /// Deals the live keys of a group of `from` lines to `to` lines.
    fn regroup(&mut self, group: usize, from: u32, to: u32, view: &View) -> Spilled {
        let mut dealt = [[(0u64, 0u64); DEALT]; MOST as usize];
        let mut counts = [0usize; MOST as usize];
        let mut spilled = Spilled { keys: [(Stored::default(), 0); MOST as usize * SLOTS], count: 0 };
        for line in 0..from as usize {
            let line = self.get_mut(self.number(group, line));
            let Line { head, rest } = std::mem::take(line);
            for (head, rest) in head.into_iter().zip(rest) {
                let stored = Stored { head, tail: (rest >> TIME_BITS) as u16 };
                let [a, b] = stored.places();
                let place = if self.group_of(a) == group { a } else { b };
                let into = self.line_in_group(place, to);
                // Without branches: which slots are live is a matter of chance.
                let is_live = (head | rest != 0) & view.is_live(rest & TIME_MASK);
                let count = &mut counts[into];
                dealt[into][*count] = (head, rest);
                *count += usize::from(is_live);
                if *count == DEALT {
                    *count -= 1;
                    spilled.push(stored, rest & TIME_MASK);
                }
            }
        }
        for (line, (dealt, count)) in dealt.iter().zip(counts).take(to as usize).enumerate() {
            for (head, rest) in dealt.get(SLOTS..count).unwrap_or_default() {
                spilled.push(Stored { head: *head, tail: (rest >> TIME_BITS) as u16 }, rest & TIME_MASK);
            }
            let into = self.get_mut(self.number(group, line));
            for (slot, key) in dealt.iter().enumerate().take(SLOTS) {
                (into.head[slot], into.rest[slot]) = if slot < count { *key } else { (0, 0) };
            }
        }
        spilled
    }
}

/// Keys of a group that found no slot in it.
pub(super) struct Spilled {
    keys: [(Stored, u64); MOST as usize * SLOTS],
    count: usize,
}

impl Spilled {
    fn push(&mut self, stored: Stored, time: u64) {
        self.keys[self.count] = (stored, time);
        self.count += 1;
    }

    /// With their times.
    pub(super) fn keys(&self) -> &[(Stored, u64)] {
        &self.keys[..self.count]
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} lines", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever its number of lines, a set spreads keys over all of them, and a group's two halves are two groups.
    #[test]
    fn every_line_is_some_keys_and_no_key_is_beyond() {
        let view = View { latest: 0, within: 1 };
        let mut lines = Lines::new();
        let heads = |seed: u64| (0..4_000u64).map(move |n| super::super::mix(n * 7 + seed));
        let mut before = Vec::new();
        for step in 0..200 {
            let mut counts = vec![0u32; lines.len()];
            for head in heads(1) {
                let Pair(first, second) = lines.of(Stored { head, tail: 1 });
                counts[first] += 1;
                counts[second] += 1;
            }
            let expected = 8_000.0 / lines.len() as f32;
            // Groups that are not expanded yet have up to a quarter more.
            let is_even =
                counts.iter().all(|count| (*count as f32 - expected).abs() < expected * 0.3 + 8.0 * expected.sqrt());
            assert!(is_even, "step {step}: {expected} {counts:?}");
            before.push(heads(2).map(|head| lines.of(Stored { head, tail: 1 })).collect::<Vec<_>>());
            lines.expand(&view);
        }
        // The way back is the same.
        while let Some(expected) = before.pop() {
            assert!(lines.contract(&view).is_some());
            let found: Vec<_> = heads(2).map(|head| lines.of(Stored { head, tail: 1 })).collect();
            assert!(found == expected, "{} lines", lines.len());
        }
        assert!(lines.contract(&view).is_none());
    }

    /// However the number of lines changes, each key is in one of its lines or handed over, once.
    #[test]
    fn a_group_keeps_its_keys_or_hands_them_over() {
        let view = View { latest: 100, within: 100 };
        let mut lines = Lines::new();
        let (mut there, mut spilled_count) = (std::collections::BTreeSet::new(), 0);
        for step in 0..4_000u64 {
            let stored = Stored { head: super::super::mix(step), tail: step as u16 | 1 };
            let forgotten = Stored { head: !stored.head, tail: 1 };
            let Pair(first, second) = lines.of(stored);
            for (line, stored, time) in [(first, stored, 50), (second, forgotten, 0)] {
                if let (_, Some(slot)) = lines.get(line).room(&view) {
                    lines.get_mut(line).set(slot, stored, time);
                    there.extend((time == 50).then_some(step));
                }
            }
            let spilled = if step % 3 == 2 { lines.contract(&view) } else { Some(lines.expand(&view)) };
            let spilled = spilled.expect("there are more than the fewest");
            spilled_count += spilled.keys().len();
            for (stored, time) in spilled.keys() {
                let step = (0..=step).find(|step| super::super::mix(*step) == stored.head).expect("a key of the set");
                assert_eq!((*time, stored.tail), (50, step as u16 | 1));
                assert!(there.remove(&step), "{step} was there");
            }
            if step % 64 == 0 {
                let live = lines.iter().map(|line| line.room(&view).0).sum::<usize>();
                assert_eq!(live, there.len(), "step {step}");
            }
        }
        for step in &there {
            let stored = Stored { head: super::super::mix(*step), tail: *step as u16 | 1 };
            let Pair(first, second) = lines.of(stored);
            assert!(lines.get(first).has(stored, |_| true) || lines.get(second).has(stored, |_| true), "{step}");
        }
        assert!(there.len() > 2_000 && spilled_count > 20, "{} there, {spilled_count} handed over", there.len());
    }
}
