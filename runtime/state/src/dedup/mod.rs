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
//! both are full, one slot in them may move to its other line (Kirsch, Mitzenmacher, "The power of one move", 2010). What still finds
//! no place goes to a small map, the stash. A slot whose key is forgotten *is* free: nothing scans for expired
//! keys. Lines are in segments of at most 256 KiB, found by the head of the hash; one segment grows at a time, by a fifth, or splits
//! in two, so no insert waits for a whole set to be copied.
//!
//! A slot is 80 bits of key and 48 of time, 16 bytes; slots are 67 to 80 % full, so a live key takes 20 to 24 bytes.
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

mod segment;
#[cfg(test)]
mod tests;

use xxhash_rust::xxh3::xxh3_128;

use segment::{FILL_LIMIT, MAX_LINES, MIN_LINES, Segment, Stored, TIME_MASK, View, lines_for};

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
const SUB_BATCH: usize = 128;

/// A set of keys with the times at which they were first seen.
#[derive(Debug)]
pub struct DedupSet {
    is_word: bool,
    /// A unit of slots' times is 2^shift microseconds.
    shift: u32,
    /// In units.
    within: u64,
    /// Segments by the first `depth` bits of the hash.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
    /// The greatest time of a key, in units; none while the set is empty.
    latest: Option<i64>,
    /// `latest` at the last purge.
    purged: i64,
    inserted: Vec<(DedupKey, i64)>,
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
            directory: vec![0],
            depth: 0,
            segments: vec![Segment::new(0, MIN_LINES)],
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
        let view = View { latest, within: self.within };
        self.segments[self.segment_of(stored)].has(stored, &view, time_us >> self.shift)
    }

    /// Remembers the key, and says so in `take_inserted`.
    pub fn insert(&mut self, key: DedupKey, time_us: i64) {
        self.put(key, time_us);
        self.inserted.push((key, time_us));
    }

    /// Remembers keys that were remembered before a restart: those of committed messages, and of no others. In any order; a key
    /// with its time may come twice.
    pub fn load(&mut self, keys: impl IntoIterator<Item = (DedupKey, i64)>) {
        for (key, time_us) in keys {
            let stored = self.stored(key);
            let time = (time_us >> self.shift) as u64 & TIME_MASK;
            if !self.segments[self.segment_of(stored)].contains(stored, time) {
                self.put(key, time_us);
            }
        }
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
        let mut keys = [None; SUB_BATCH];
        for start in (0..n).step_by(SUB_BATCH) {
            let rows = start..n.min(start + SUB_BATCH);
            for (slot, row) in keys.iter_mut().zip(rows.clone()) {
                *slot = key_of(row);
                if let Some(key) = slot {
                    let stored = self.stored(*key);
                    self.segments[self.segment_of(stored)].prefetch(stored);
                }
            }
            for (key, row) in keys.iter().zip(rows) {
                let Some(key) = *key else { continue };
                let time_us = time_of(row);
                if self.check(key, time_us) {
                    verdict(row);
                } else if applied(row) {
                    self.insert(key, time_us);
                }
            }
        }
    }

    /// Keys with a time up to this are forgotten: what keeps them on disk may go.
    pub fn forgotten_until(&self) -> Option<i64> {
        Some(self.latest?.checked_sub(self.within as i64)?.saturating_mul(1 << self.shift))
    }

    /// How many keys are remembered. Looks at all of them.
    pub fn count(&self) -> usize {
        let Some(latest) = self.latest else { return 0 };
        let view = View { latest, within: self.within };
        self.segments.iter().map(|segment| segment.count(&view)).sum()
    }

    /// Memory it takes.
    pub fn size_bytes(&self) -> usize {
        let segments: usize = self.segments.iter().map(Segment::size_bytes).sum();
        segments
            + self.directory.capacity() * size_of::<u32>()
            + self.inserted.capacity() * size_of::<(DedupKey, i64)>()
    }

    /// Gives back memory that only forgotten keys use, in the next `max_segments` segments. Nothing else depends on it.
    pub fn sweep(&mut self, max_segments: usize) {
        let Some(latest) = self.latest else { return };
        let view = View { latest, within: self.within };
        for _ in 0..max_segments.min(self.segments.len()) {
            self.swept = (self.swept + 1) % self.segments.len();
            let segment = &mut self.segments[self.swept];
            let lines = lines_for(segment.count(&view));
            if lines * 2 < segment.lines.len() {
                segment.rebuild(&view, lines);
            }
        }
    }

    fn stored(&self, key: DedupKey) -> Stored {
        if self.is_word {
            return Stored { head: mix(key.0 as u64), tail: 1 };
        }
        let (head, tail) = ((key.0 >> 64) as u64, key.0 as u16);
        Stored { head, tail: if head == 0 { tail | 1 } else { tail } }
    }

    fn segment_of(&self, stored: Stored) -> usize {
        // With depth 0 there is one entry, and a shift by 64 is none.
        self.directory[stored.head.checked_shr(u64::BITS - self.depth).unwrap_or(0) as usize] as usize
    }

    fn put(&mut self, key: DedupKey, time_us: i64) {
        let time = time_us >> self.shift;
        let latest = match self.latest {
            None => {
                self.purged = time;
                time
            }
            Some(before) if time > before => {
                if time.saturating_sub(self.purged) >> WITHIN_BITS > 0 {
                    self.purge(before, time);
                }
                time
            }
            Some(latest) => latest,
        };
        self.latest = Some(latest);
        let view = View { latest, within: self.within };
        if latest.saturating_sub(time) as u64 >= self.within {
            return; // forgotten at once
        }
        let stored = self.stored(key);
        let number = self.segment_of(stored);
        let segment = &mut self.segments[number];
        segment.insert(stored, &view, time as u64 & TIME_MASK);
        if segment.fill > FILL_LIMIT || segment.stashed > segment.stash_limit {
            self.grow(number, &view);
        }
    }

    /// Frees every forgotten slot: once in two years of event time, before a slot that was left alone could be mistaken for a young one.
    fn purge(&mut self, before: i64, latest: i64) {
        // As of the time before, every slot's age is unambiguous.
        let view = View { latest: before, within: self.within };
        let forward = latest.saturating_sub(before) as u64;
        for segment in &mut self.segments {
            segment.retain(|time| view.age(time).saturating_add(forward) < view.within);
        }
        self.purged = latest;
    }

    /// Makes room in a segment.
    fn grow(&mut self, number: usize, view: &View) {
        let segment = &mut self.segments[number];
        let lines = lines_for(segment.count(view));
        if lines <= MAX_LINES || segment.depth >= u32::BITS / 2 {
            segment.rebuild(view, lines);
            return;
        }
        let depth = segment.depth + 1;
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|entry| [*entry, *entry]).collect();
            self.depth = depth;
        }
        let new_number = self.segments.len();
        let mut halves = [Segment::new(depth, lines / 2 + 1), Segment::new(depth, lines / 2 + 1)];
        self.segments[number].for_each(view, &mut |stored, time| {
            halves[(stored.head >> (u64::BITS - depth) & 1) as usize].insert(stored, view, time);
        });
        for half in &mut halves {
            half.settle(view);
        }
        let [first, second] = halves;
        self.segments[number] = first;
        self.segments.push(second);
        let shift = self.depth - depth;
        for (index, entry) in self.directory.iter_mut().enumerate() {
            if *entry as usize == number && index >> shift & 1 == 1 {
                *entry = new_number as u32;
            }
        }
    }
}

/// A bijection that spreads (the finalizer of splitmix64).
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
