//! Entries of keys: what they are, how they are found, made and freed.
//!
//! An entry is a row of words in a slab: key · flags · per series of buckets the partials of the open one · last offset · per series (number of
//! the open bucket · block of closed ones) · block of kept events. What most updates touch comes first, and may lie apart from the rest
//! (`Layout::entry`). Closed buckets and events are sorted rows in blocks.
//!
//! This file must not know how entries are updated, how windows are read, or how the store keeps them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chalk_catalog::aggregate::Heap;
use chalk_catalog::event::{EventColumn, EventData};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::apply::Work;
use crate::arena::{Arena, Block};
use crate::fold;
use crate::index::Index;
use crate::layout::{KeptEvents, Layout, Series, StateKind};
use crate::slab::{Entry, Slab};
use crate::table::ColdStore;
use crate::{Folded, rows};

/// Places of an entry's first words.
pub(crate) const KEY: usize = 0;
pub(crate) const FLAGS: usize = 1;

/// Changed since its image was taken.
pub(crate) const DIRTY: u64 = 1;
/// Used since the clock hand passed.
pub(crate) const USED: u64 = 2;
/// The store has an image, of this state or an earlier one.
pub(crate) const STORED: u64 = 4;
/// The entry is one.
pub(crate) const LIVE: u64 = 8;
/// From here a bit per series: whether it has an open bucket. Of tumbling windows it may be one without events ([`Keyed::is_open`]).
pub(crate) const OPEN: u32 = 8;
/// From here the stamp of the update that left the entry as entries mostly are, 0 where something changed since: one comparison tells that
/// it is dirty and used and has its open buckets where the stamp's rows go. Who takes a flag away or moves a bucket takes the stamp away.
pub(crate) const STAMP: u32 = 32;
/// Flags without the stamp.
pub(crate) const UNSTAMPED: u64 = (1 << STAMP) - 1;

/// Entries of keys.
pub(crate) struct Keyed {
    pub(crate) layout: Arc<Layout>,
    pub(crate) index: Index,
    pub(crate) slab: Slab,
    pub(crate) arena: Arena,
    pub(crate) heap: Heap,
    /// Entries that changed; a removed one may still be listed.
    pub(crate) dirty: VecDeque<u32>,
    /// Keys whose image is to be removed from the store.
    pub(crate) gone: VecDeque<Box<[u8]>>,
    /// Tumbling: per window, by start and position of the length, its number and the entries that have it, or that wait for it
    /// (`close`). Some may be listed that do neither any more, or twice.
    pub(crate) open: BTreeMap<(i64, usize), (i64, Vec<u32>)>,
    /// Tumbling: a list of a closed window, for the next one that opens.
    pub(crate) spare: Vec<u32>,
    /// Per series the first bucket that some window can still see, or, tumbling, that has not run.
    pub(crate) first_number: Vec<i64>,
    /// Tumbling: per series the first window that takes events of the batch that is applied.
    pub(crate) over_number: Vec<i64>,
    /// Kept events at or before it are seen by no window.
    pub(crate) events_until_us: Option<i64>,
    /// Where the sweep, and the clock hand, go on.
    pub(crate) sweep: u32,
    pub(crate) hand: u32,
    /// A partial that events of a cut bucket are folded into.
    pub(crate) edge: Folded,
    pub(crate) columns: Vec<EventColumn>,
    pub(crate) seed: u64,
    /// Events up to it are in, or are in images that were loaded.
    pub(crate) applied_offset: i64,
    /// No entry has a later last offset, and no event after it is in.
    pub(crate) newest_offset: i64,
    pub(crate) work: Work,
}

/// A key as a column holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyRef<'a> {
    Word(u64),
    Bytes(&'a [u8]),
}

impl<'a> KeyRef<'a> {
    /// The key of a row.
    #[inline]
    pub(crate) fn of(column: &'a EventColumn, row: usize) -> KeyRef<'a> {
        match &column.data {
            EventData::Words(words) => KeyRef::Word(words[row]),
            EventData::Bytes { .. } => KeyRef::Bytes(column.bytes(row)),
        }
    }

    /// Appends it to a column of keys.
    pub(crate) fn push_to(self, column: &mut EventColumn) {
        match (&mut column.data, self) {
            (EventData::Words(words), KeyRef::Word(word)) => words.push(word),
            (EventData::Bytes { ends, bytes }, KeyRef::Bytes(key)) => {
                bytes.extend_from_slice(key);
                ends.push(bytes.len() as u32);
            }
            _ => panic!("keys of a table are of one kind"),
        }
    }

    /// Which comes first in a window that is closed: words as signed integers, others by their bytes.
    pub(crate) fn order(self, other: KeyRef<'_>) -> std::cmp::Ordering {
        match (self, other) {
            (KeyRef::Word(a), KeyRef::Word(b)) => (a as i64).cmp(&(b as i64)),
            (KeyRef::Bytes(a), KeyRef::Bytes(b)) => a.cmp(b),
            _ => panic!("keys of a table are of one kind"),
        }
    }

    /// Its bytes.
    pub(crate) fn with_bytes<T>(self, run: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            KeyRef::Word(word) => run(&word.to_le_bytes()),
            KeyRef::Bytes(bytes) => run(bytes),
        }
    }
}

#[inline]
pub(crate) fn mix(word: u64, seed: u64) -> u64 {
    // Two rounds of what splitmix64 ends with: every bit of the key reaches every bit of the hash that is used, and where the processor
    // multiplies words in vectors the compiler does. The seed is the process's own, so keys cannot be chosen to collide.
    let word = (word ^ seed).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 32)
}

impl Keyed {
    pub(crate) fn new(layout: &Arc<Layout>) -> Keyed {
        let series = layout.series.len();
        Keyed {
            index: Index::new(),
            slab: Slab::new(layout.entry),
            arena: Arena::default(),
            heap: Heap::default(),
            dirty: VecDeque::new(),
            gone: VecDeque::new(),
            open: BTreeMap::new(),
            spare: Vec::new(),
            first_number: vec![i64::MIN; series],
            over_number: vec![i64::MIN; series],
            events_until_us: None,
            sweep: 0,
            hand: 0,
            edge: Folded::new(layout),
            columns: Vec::new(),
            seed: seed(),
            applied_offset: i64::MIN,
            newest_offset: i64::MIN,
            work: Work::new(layout),
            layout: layout.clone(),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, key: KeyRef<'_>) -> u64 {
        match key {
            KeyRef::Word(word) => mix(word, self.seed),
            KeyRef::Bytes(bytes) => xxh3_64_with_seed(bytes, self.seed),
        }
    }

    /// The key of an entry.
    #[inline]
    pub(crate) fn key(&self, id: u32) -> KeyRef<'_> {
        let word = self.slab.get(id)[KEY];
        if self.layout.is_word_key { KeyRef::Word(word) } else { KeyRef::Bytes(self.arena.kept(Block(word))) }
    }

    /// Whether a key is the one that an entry's word says.
    #[inline(always)]
    pub(crate) fn has_key(&self, word: u64, key: KeyRef<'_>) -> bool {
        match key {
            KeyRef::Word(key) => word == key,
            KeyRef::Bytes(key) => self.arena.kept(Block(word)) == key,
        }
    }

    /// The entry of a key in memory.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: KeyRef<'_>) -> Option<u32> {
        self.index.find(hash, |id| self.has_key(self.slab.get(id)[KEY], key))
    }

    /// The entry of a key, from the store where it is not in memory.
    pub(crate) fn find_or_load(
        &mut self,
        hash: u64,
        key: KeyRef<'_>,
        cold: Option<&dyn ColdStore>,
    ) -> Result<Option<u32>, String> {
        if let Some(id) = self.find(hash, key) {
            return Ok(Some(id));
        }
        let Some(cold) = cold else { return Ok(None) };
        match key.with_bytes(|bytes| cold.get(bytes))? {
            Some(image) => self.load_image(hash, key, &image).map(Some),
            None => Ok(None),
        }
    }

    /// A new entry for a key that has none.
    pub(crate) fn insert(&mut self, hash: u64, key: KeyRef<'_>) -> u32 {
        let word = match key {
            KeyRef::Word(word) => word,
            KeyRef::Bytes(bytes) => self.arena.keep(bytes).0,
        };
        let id = self.slab.insert();
        let mut entry = self.slab.get_mut(id);
        (entry[KEY], entry[self.layout.last_offset_at], entry[FLAGS]) = (word, i64::MIN as u64, LIVE);
        let (slab, arena, seed, is_word) = (&self.slab, &self.arena, self.seed, self.layout.is_word_key);
        self.index.insert(hash, id, |id| {
            let word = slab.get(id)[KEY];
            if is_word { mix(word, seed) } else { xxh3_64_with_seed(arena.kept(Block(word)), seed) }
        });
        id
    }

    /// Frees an entry and all it holds. `is_gone`: for good, so that the store forgets it too.
    pub(crate) fn remove(&mut self, id: u32, is_gone: bool) {
        let layout = self.layout.clone();
        let hash = self.hash(self.key(id));
        self.index.remove(hash, id);
        if is_gone && self.slab.get(id)[FLAGS] & STORED != 0 {
            let bytes = self.key(id).with_bytes(|bytes| Box::from(bytes));
            self.gone.push_back(bytes);
        }
        for (number, series) in layout.series.iter().enumerate() {
            self.drop_rows(&layout, id, series, usize::MAX);
            self.drop_open(&layout, id, number, series);
        }
        if let Some(kept) = &layout.events {
            self.drop_events(&layout, id, kept, usize::MAX);
        }
        if !layout.is_word_key {
            self.arena.free(Block(self.slab.get(id)[KEY]));
        }
        self.slab.get_mut(id)[FLAGS] = 0;
        self.slab.remove(id);
    }

    /// Forgets the first closed buckets of a series, at most all.
    pub(crate) fn drop_rows(&mut self, layout: &Layout, id: u32, series: &Series, count: usize) {
        let stride = layout.row_words();
        let mut block = Block(self.slab.get(id)[series.at + 1]);
        let count = count.min(rows::get(&self.arena, block, stride).len() / stride);
        if layout.has_heap() {
            for row in rows::get_mut(&mut self.arena, block, stride)[..count * stride].chunks_exact_mut(stride) {
                fold::clear(layout, &mut row[1..], &mut self.heap);
            }
        }
        rows::drop_front(&mut self.arena, &mut block, stride, count);
        self.slab.get_mut(id)[series.at + 1] = block.0;
    }

    /// Whether a series has an open bucket with events. One without has no closed buckets either. No rows of the entry may be pending.
    #[inline]
    pub(crate) fn is_open(layout: &Layout, entry: Entry<'_>, number: usize) -> bool {
        let has_events = |count_at| entry[layout.series[number].partial_at + count_at] > 0;
        entry[FLAGS] >> (OPEN + number as u32) & 1 == 1 && layout.count_at.is_none_or(has_events)
    }

    /// Forgets the open bucket of a series.
    pub(crate) fn drop_open(&mut self, layout: &Layout, id: u32, number: usize, series: &Series) {
        let mut entry = self.slab.get_mut(id);
        entry[FLAGS] &= UNSTAMPED & !(1 << (OPEN + number as u32));
        entry[series.at] = 0;
        fold::clear(layout, entry.near(series.partial_at, layout.words), &mut self.heap);
    }

    /// Forgets the first kept events, at most all.
    pub(crate) fn drop_events(&mut self, layout: &Layout, id: u32, kept: &KeptEvents, count: usize) {
        let at = layout.events_at();
        let mut block = Block(self.slab.get(id)[at]);
        let count = count.min(rows::get(&self.arena, block, kept.stride).len() / kept.stride);
        for column in kept.columns.iter().filter(|column| !column.is_word) {
            for row in 0..count {
                let word = rows::get(&self.arena, block, kept.stride)[row * kept.stride + column.at];
                self.arena.free(Block(word));
            }
        }
        rows::drop_front(&mut self.arena, &mut block, kept.stride, count);
        self.slab.get_mut(id)[at] = block.0;
    }

    /// Tumbling: windows that end at or before the time have run.
    pub(crate) fn set_closed(&mut self, until_us: i64) {
        if self.layout.kind == StateKind::Tumbling {
            for (first, series) in self.first_number.iter_mut().zip(&self.layout.series) {
                // They are the ones before the window that the time is in.
                *first = (*first).max(series.number(until_us));
            }
        }
    }
}

/// A seed of this process's own.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
