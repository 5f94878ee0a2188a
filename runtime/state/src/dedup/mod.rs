//! Which ids were seen: the first message with an id is applied, the others within a time are duplicates.
//!
//! A key is remembered with the time of the message that had it first. It is forgotten as soon as some later remembered key of the set is
//! `within` or more after it: that depends on the remembered keys alone, not on where they lie in memory, so a set that was restored
//! decides as the one that was lost. A message is a duplicate when its key is remembered and its time is at or after the
//! remembered one, by less than `within`. One that is *before* it is applied and remembered too; then either counts.
//!
//! # Layout
//!
//! Lines of 64 bytes with four slots; a key has two lines and goes into the emptier one (Azar et al., "Balanced allocations", 1994); where
//! both are full, one slot in them may move to its other line (Kirsch, Mitzenmacher, "The power of one move", 2010), for several keys at
//! once (`waiting.rs`). What still finds no place goes to a small map, the stash. A slot whose key is forgotten *is* free: nothing scans for expired
//! keys. Lines are added one by one (`lines.rs`), so that slots stay about 70 % full and no insert waits for a whole set to be copied.
//!
//! A slot is 80 bits of key and 48 of time, 16 bytes; so a live key takes 22 to 23 bytes.
//!
//! # Exactness
//!
//! Integers are kept whole (a bijection of their 64 bits), so sets of them are exact. Of other keys 80 bits of a 128-bit hash are
//! kept: with 10 million ids remembered and 10 million new ones a day, a message is wrongly called a duplicate once in
//! 3 · 10⁷ years (10⁷ · 10⁷ / 2⁸⁰ a day); with a billion of each, once in 3,000 years. The hash has no secret: who chooses ids freely
//! and wants two to collide can search for it, which takes 2⁴⁰ tries at most for a pair of his own.
//!
//! Times are kept modulo 2⁴⁸ microseconds (8.9 years); a `within` of more than 2.2 years is kept in coarser units.
//!
//! This file must not know messages or resolvers.

mod lines;
mod stash;
#[cfg(test)]
mod tests;
mod waiting;

use xxhash_rust::xxh3::xxh3_128;

use lines::{Lines, Pair, SLOTS, Stored, TIME_MASK, View};
use stash::Stash;
use waiting::Waiting;

/// The key of a message in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey(pub u128);

impl DedupKey {
    /// The key of an integer or another value of one word; equal exactly where the words are.
    pub fn of_word(word: u64) -> DedupKey {
        DedupKey(u128::from(word))
    }

    /// The key of any other value: a hash of its bytes.
    pub fn of_bytes(bytes: &[u8]) -> DedupKey {
        DedupKey(xxh3_128(bytes))
    }
}

/// Bits of the longest `within`, in units of slots' times: far less than a slot can say, so that a slot that was left alone for long
/// is not mistaken for a young one.
const WITHIN_BITS: u32 = 46;
/// Rows whose lines are fetched together.
const SUB_BATCH: usize = 256;
/// How full lines are let become: the set grows by a line where they are fuller.
const FILL_LIMIT: f32 = 0.72;
/// The set gives lines back where they are emptier.
const FILL_LEAST: f32 = 0.5;
/// The least share of an insert's lines in the running average of how full lines are.
const FILL_WEIGHT: f32 = 1.0 / 512.0;
/// Of so many slots in full lines it is asked beforehand where their keys could go: mostly one of them can.
const CANDIDATES_AHEAD: usize = 3;
/// Lines that an insert adds at most.
const GROWTH_LINES: usize = 2;

/// A set of keys with the times at which they were first seen.
#[derive(Debug)]
pub struct DedupSet {
    is_word: bool,
    /// A unit of slots' times is 2^shift microseconds.
    shift: u32,
    /// In units.
    within: u64,
    lines: Lines,
    /// How full the lines of recent inserts were, averaged: lines are drawn evenly, so this is how full all are.
    fill: f32,
    /// Keys of which both lines are full, until `settle`.
    waiting: Waiting,
    /// Keys that found no slot.
    stash: Stash,
    /// With more keys in it, or more lines, it is looked at whether they find a slot now.
    stash_limit: usize,
    stash_lines: usize,
    /// The greatest time of a key, in units; none while the set is empty.
    latest: Option<i64>,
    /// `latest` at the last purge.
    purged: i64,
    inserted: Vec<(DedupKey, i64)>,
    /// Where the sweep goes on.
    swept: usize,
}

impl DedupSet {
    /// An empty set. `is_word`: keys are made by `DedupKey::of_word`. `within_us`, which is positive, is how long a key is remembered.
    pub fn new(is_word: bool, within_us: i64) -> DedupSet {
        let within_us = within_us.max(1) as u64;
        let bits = u64::BITS - within_us.leading_zeros();
        let shift = bits.saturating_sub(WITHIN_BITS);
        DedupSet {
            is_word,
            shift,
            within: within_us >> shift,
            lines: Lines::new(),
            fill: 0.0,
            waiting: Waiting::default(),
            stash: Stash::default(),
            stash_limit: 0,
            stash_lines: 0,
            latest: None,
            purged: 0,
            inserted: Vec::new(),
            swept: 0,
        }
    }

    /// Whether a message with this key and time is a duplicate.
    pub fn check(&self, key: DedupKey, time_us: i64) -> bool {
        let Some(latest) = self.latest else { return false };
        let stored = self.stored(key);
        self.has(stored, self.lines.of(stored), View { latest, within: self.within }, time_us >> self.shift)
    }

    /// Whether a message at the time, in units, is a duplicate of a key that is remembered.
    #[inline(always)]
    fn has(&self, stored: Stored, pair: Pair, view: View, time: i64) -> bool {
        let ahead = time.saturating_sub(view.latest);
        let is_duplicate = |seen: u64| view.is_duplicate(seen, ahead);
        self.lines.get(pair.0).has(stored, is_duplicate)
            || self.lines.get(pair.1).has(stored, is_duplicate)
            || self.waiting.has(stored, is_duplicate)
            || self.stash.has(stored, is_duplicate)
    }

    /// Remembers the key, and says so in `take_inserted`.
    pub fn insert(&mut self, key: DedupKey, time_us: i64) {
        let stored = self.stored(key);
        self.put(stored, self.lines.of(stored), time_us);
        self.inserted.push((key, time_us));
        self.settle();
    }

    /// Remembers keys that were remembered before a restart: those of committed messages, and of no others. In any order; a key
    /// with its time may come twice.
    pub fn load(&mut self, keys: impl IntoIterator<Item = (DedupKey, i64)>) {
        for (key, time_us) in keys {
            let stored = self.stored(key);
            let (pair, time) = (self.lines.of(stored), self.slot_time(time_us));
            let is_it = |seen: u64| seen == time;
            let is_there = self.lines.get(pair.0).has(stored, is_it)
                || self.lines.get(pair.1).has(stored, is_it)
                || self.waiting.has(stored, is_it)
                || self.stash.has(stored, is_it);
            if !is_there {
                self.put(stored, pair, time_us);
            }
        }
        self.settle();
    }

    /// What was inserted since the last call, in order: what the commit writes down.
    pub fn take_inserted(&mut self) -> std::vec::Drain<'_, (DedupKey, i64)> {
        self.inserted.drain(..)
    }

    /// Judges `n` messages in their order. One without a key is no duplicate. `verdict` is called with each duplicate; of the others
    /// those that are `applied` are remembered, so a message that failed leaves no key.
    pub fn admit(
        &mut self,
        n: usize,
        key_of: impl Fn(usize) -> Option<DedupKey>,
        time_of: impl Fn(usize) -> i64,
        applied: impl Fn(usize) -> bool,
        mut verdict: impl FnMut(usize),
    ) {
        let mut keys = [const { None::<(DedupKey, Stored, Pair)> }; SUB_BATCH];
        for start in (0..n).step_by(SUB_BATCH) {
            let rows = start..n.min(start + SUB_BATCH);
            let lines = self.lines.len();
            for (slot, row) in keys.iter_mut().zip(rows.clone()) {
                *slot = key_of(row).map(|key| {
                    let stored = self.stored(key);
                    let pair = self.lines.of(stored);
                    self.lines.prefetch(pair);
                    (key, stored, pair)
                });
            }
            for (key, row) in keys.iter().zip(rows) {
                let Some((key, stored, mut pair)) = *key else { continue };
                if self.lines.len() != lines {
                    pair = self.lines.of(stored);
                }
                let time_us = time_of(row);
                let view = self.latest.map(|latest| View { latest, within: self.within });
                if view.is_some_and(|view| self.has(stored, pair, view, time_us >> self.shift)) {
                    verdict(row);
                } else if applied(row) {
                    self.put(stored, pair, time_us);
                    self.inserted.push((key, time_us));
                }
            }
        }
        self.settle();
    }

    /// Keys with a time up to this are forgotten: what keeps them on disk may go.
    pub fn forgotten_until(&self) -> Option<i64> {
        Some(self.latest?.checked_sub(self.within as i64)?.saturating_mul(1 << self.shift))
    }

    /// How many keys are remembered. Looks at all of them.
    pub fn count(&self) -> usize {
        let Some(latest) = self.latest else { return 0 };
        let view = View { latest, within: self.within };
        self.lines.iter().map(|line| line.room(&view).0).sum::<usize>() + self.stash.count(&view)
    }

    /// How many keys are remembered, about: from how full the lines of recent inserts were. Looks at none of them.
    pub fn estimated_count(&self) -> usize {
        if self.latest.is_none() {
            return 0;
        }
        (f64::from(self.fill) * (self.lines.len() * SLOTS) as f64) as usize + self.stash.len()
    }

    /// Memory it takes.
    pub fn size_bytes(&self) -> usize {
        let inserted = self.inserted.capacity() * size_of::<(DedupKey, i64)>();
        size_of::<DedupSet>() + self.lines.len() * size_of::<lines::Line>() + self.stash.size_bytes() + inserted
    }

    /// Gives back memory that only forgotten keys use, looking at no more than so many lines; the next call goes on from there.
    /// Nothing else depends on it.
    pub fn sweep(&mut self, max_lines: usize) {
        let Some(latest) = self.latest else { return };
        let view = View { latest, within: self.within };
        let looked_at = max_lines.min(self.lines.len());
        let mut live = 0;
        for _ in 0..looked_at {
            self.swept = (self.swept + 1) % self.lines.len();
            live += self.lines.get(self.swept).room(&view).0;
        }
        // Few lines say little of the others.
        let seen = live as f32 / (looked_at.max(1) * SLOTS) as f32;
        self.fill += (seen - self.fill) * (looked_at as f32 / 1024.0).min(1.0);
        for _ in 0..max_lines {
            if self.fill >= FILL_LEAST {
                break;
            }
            let before = self.lines.len();
            let Some(spilled) = self.lines.contract(&view) else { break };
            self.fill *= before as f32 / self.lines.len() as f32;
            self.place_all(spilled.keys(), &view);
        }
        self.place_stashed(&view);
        self.settle();
    }

    #[inline(always)]
    fn stored(&self, key: DedupKey) -> Stored {
        if self.is_word {
            return Stored { head: mix(key.0 as u64), tail: 1 };
        }
        let (head, tail) = ((key.0 >> 64) as u64, key.0 as u16);
        Stored { head, tail: if head == 0 { tail | 1 } else { tail } }
    }

    #[inline(always)]
    fn slot_time(&self, time_us: i64) -> u64 {
        (time_us >> self.shift) as u64 & TIME_MASK
    }

    #[inline(always)]
    fn put(&mut self, stored: Stored, pair: Pair, time_us: i64) {
        let time = time_us >> self.shift;
        let latest = match self.latest {
            Some(before) if time <= before => before,
            before => {
                self.move_on(before, time);
                time
            }
        };
        let view = View { latest, within: self.within };
        if latest.saturating_sub(time) as u64 >= self.within {
            return; // forgotten at once
        }
        self.fill += (self.place(stored, pair, &view, time as u64 & TIME_MASK) - self.fill)
            * FILL_WEIGHT.max(1.0 / self.lines.len() as f32);
        if self.fill > FILL_LIMIT || self.stash.len() > self.stash_limit {
            self.grow(&view);
        }
    }

    /// A key is later than all before.
    #[inline(always)]
    fn move_on(&mut self, before: Option<i64>, time: i64) {
        match before {
            None => self.purged = time,
            Some(before) if time.saturating_sub(self.purged) >> WITHIN_BITS > 0 => self.purge(before, time),
            Some(_) => {}
        }
        self.latest = Some(time);
    }

    /// Puts a key into the emptier of its lines; gives how full they were.
    #[inline(always)]
    fn place(&mut self, stored: Stored, pair: Pair, view: &View, time: u64) -> f32 {
        let Pair(a, b) = pair;
        let ((live_a, free_a), (live_b, free_b)) = (self.lines.get(a).room(view), self.lines.get(b).room(view));
        let (line, free) = if live_a <= live_b { (a, free_a) } else { (b, free_b) };
        match free {
            Some(slot) => self.lines.get_mut(line).set(slot, stored, time),
            None => self.wait(stored, view, time),
        }
        (live_a + live_b) as f32 / (2 * SLOTS) as f32
    }

    /// Puts keys in that were taken out of the set.
    fn place_all(&mut self, keys: &[(Stored, u64)], view: &View) {
        for (stored, time) in keys {
            self.place(*stored, self.lines.of(*stored), view, *time);
        }
    }

    /// Looks at keys of the stash again.
    fn place_stashed(&mut self, view: &View) {
        let stashed = self.stash.take(view);
        self.place_all(&stashed, view);
    }

    /// Both lines of the key are full: it waits for others like it, so that memory is waited for once.
    #[inline]
    fn wait(&mut self, stored: Stored, view: &View, time: u64) {
        if self.waiting.put(stored, time) {
            self.settle_in(view);
        }
    }

    /// Keys that wait are placed.
    #[inline(always)]
    fn settle(&mut self) {
        if !self.waiting.is_empty()
            && let Some(latest) = self.latest
        {
            self.settle_in(&View { latest, within: self.within });
        }
    }

    #[inline(never)]
    fn settle_in(&mut self, view: &View) {
        let waiting = std::mem::take(&mut self.waiting);
        for (stored, _) in waiting.keys() {
            for (line, slot) in candidates(self.lines.of(*stored)).take(CANDIDATES_AHEAD) {
                self.lines.prefetch(self.lines.of(self.lines.get(line).slot(slot).0));
            }
        }
        for (stored, time) in waiting.keys() {
            self.place_in_full(*stored, view, *time);
        }
    }

    /// Both lines are full: one of their keys moves to its other line, if there is room.
    fn place_in_full(&mut self, stored: Stored, view: &View, time: u64) {
        for (line, slot) in candidates(self.lines.of(stored)) {
            let (moving, moving_time) = self.lines.get(line).slot(slot);
            let Pair(a, b) = self.lines.of(moving);
            let other = if a == line { b } else { a };
            if other != line
                && let (_, Some(free)) = self.lines.get(other).room(view)
            {
                self.lines.get_mut(other).set(free, moving, moving_time);
                return self.lines.get_mut(line).set(slot, stored, time);
            }
        }
        self.stash.put(stored, time);
    }

    /// Makes room: some groups get a line more, and keys of the stash are looked at again where there are many.
    #[inline(never)]
    fn grow(&mut self, view: &View) {
        for _ in 0..GROWTH_LINES {
            if self.fill <= FILL_LIMIT {
                break;
            }
            let before = self.lines.len();
            let spilled = self.lines.expand(view);
            self.fill *= before as f32 / self.lines.len() as f32;
            self.place_all(spilled.keys(), view);
        }
        if self.stash.len() > self.stash_limit || self.lines.len() > self.stash_lines {
            self.place_stashed(view);
            // One key with many times finds no slot however many lines there are.
            self.stash_limit = (self.lines.len() / 256 + 4).max(2 * self.stash.len());
            self.stash_lines = self.lines.len() + self.lines.len() / 4;
        }
    }

    /// Frees every forgotten slot: once in two years of event time, before a slot that was left alone could be mistaken for a young one.
    fn purge(&mut self, before: i64, latest: i64) {
        // As of the time before, every slot's age is unambiguous.
        let view = View { latest: before, within: self.within };
        self.settle_in(&view);
        let forward = latest.saturating_sub(before) as u64;
        let keep = |time: u64| view.age(time).saturating_add(forward) < view.within;
        for line in 0..self.lines.len() {
            self.lines.get_mut(line).retain(keep);
        }
        self.stash.retain(keep);
        self.purged = latest;
    }
}

/// The slots of a key's lines, from each line in turn.
fn candidates(pair: Pair) -> impl Iterator<Item = (usize, usize)> {
    (0..SLOTS).flat_map(move |slot| [(pair.0, slot), (pair.1, slot)])
}

/// A bijection that spreads (the finalizer of splitmix64).
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
