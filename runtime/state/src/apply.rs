//! Updating: a batch of events into the entries of their keys.
//!
//! The bits of the result are a function of the key's events in the order of their offsets: rows are added one by one, and batches are cut into
//! parts only to have memory on its way before it is needed (lines of the index, then entries, then blocks).
//!
//! This file must not know how windows are read, or how entries are stored.

use std::ops::Range;

use chalk_catalog::event::{EventColumn, EventData};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::arena::Block;
use crate::fold::{self, Sources};
use crate::keyed::{DIRTY, FLAGS, KEY, KeyRef, Keyed, LAST_OFFSET, OPEN, USED, mix};
use crate::layout::{KeptEvents, Layout, SERIES_HEAD, Series, StateKind};
use crate::pages::prefetch;
use crate::table::ColdStore;
use crate::{EventBatch, rows};

/// Rows of a batch that are worked on together: enough to hide the latency of memory, few enough for their lines to stay in the first cache.
const PART: usize = 256;

/// Bytes of entries and blocks up to which a table is taken to be in the second-level cache.
const CACHED_BYTES: usize = 2 << 20;

/// No number of an entry.
const NONE: u32 = u32::MAX;

/// Buffers of `apply`.
#[derive(Default)]
pub(crate) struct Work {
    hashes: Vec<u64>,
    ids: Vec<u32>,
    /// Per series, per row of the part.
    numbers: Vec<i64>,
}

impl Work {
    /// For a table of so many series.
    pub(crate) fn new(series: usize) -> Work {
        Work { numbers: vec![0; series * PART], ..Work::default() }
    }
}

/// Numbers of the buckets of one row.
#[derive(Clone, Copy)]
struct Numbers<'a> {
    all: &'a [i64],
    position: usize,
}

impl Numbers<'_> {
    #[inline(always)]
    fn get(self, series: usize) -> i64 {
        self.all[series * PART + self.position]
    }
}

/// Numbers of the buckets of the rows of a part. Times mostly go on in the bucket of the time before.
fn number(layout: &Layout, work: &mut Work, times_us: &[i64]) {
    for (series, numbers) in layout.series.iter().zip(work.numbers.chunks_exact_mut(PART)) {
        let (mut number, mut bounds) = (0, (1, 0));
        for (into, time_us) in numbers.iter_mut().zip(times_us) {
            if *time_us < bounds.0 || *time_us > bounds.1 {
                number = series.number(*time_us);
                bounds = series.bounds(number);
            }
            *into = number;
        }
    }
}

impl Keyed {
    /// Updates from a batch. Where the store fails, events before the part that needed it are in; the batch can be applied again.
    pub(crate) fn apply(
        &mut self,
        events: &EventBatch,
        closed_until_us: Option<i64>,
        cold: Option<&dyn ColdStore>,
    ) -> Result<(), String> {
        let keys = events.keys.as_ref().expect("events of keys have keys");
        self.set_over(closed_until_us);
        let layout = self.layout.clone();
        let sources = Sources::new(&layout, events);
        let mut work = std::mem::take(&mut self.work);
        let mut result = Ok(());
        for start in (0..events.len()).step_by(PART) {
            let part = start..(start + PART).min(events.len());
            self.guess(&mut work, keys, part.clone());
            number(&layout, &mut work, &events.times_us[part.clone()]);
            if self.slab.held_bytes() + self.arena.used_bytes() > CACHED_BYTES {
                self.look_ahead(&layout, &work);
            }
            result = match &keys.data {
                EventData::Words(words) => {
                    let key = |row: usize| KeyRef::Word(words[row]);
                    self.place_part(&layout, &work, events, key, part, &sources, cold)
                }
                EventData::Bytes { .. } => {
                    let key = |row: usize| KeyRef::Bytes(keys.bytes(row));
                    self.place_part(&layout, &work, events, key, part, &sources, cold)
                }
            };
            if result.is_err() {
                break;
            }
        }
        self.work = work;
        result
    }

    /// Adds the rows of a part to their buckets, in their order.
    #[inline(always)]
    fn place_part<'a>(
        &mut self,
        layout: &Layout,
        work: &Work,
        events: &EventBatch,
        key: impl Fn(usize) -> KeyRef<'a>,
        part: Range<usize>,
        sources: &Sources<'_>,
        cold: Option<&dyn ColdStore>,
    ) -> Result<(), String> {
        let rows = part.zip(&work.ids).zip(&work.hashes).enumerate();
        for (position, ((row, guess), hash)) in rows {
            let key = key(row);
            // An entry may have been made since the guess, never removed.
            let id =
                if *guess != NONE && self.is_key(*guess, key) { *guess } else { self.find_or_make(*hash, key, cold)? };
            self.place(layout, id, events, row, sources, Numbers { all: &work.numbers, position });
        }
        Ok(())
    }

    /// The entry of a key that is not in memory, most probably.
    #[inline(never)]
    fn find_or_make(&mut self, hash: u64, key: KeyRef<'_>, cold: Option<&dyn ColdStore>) -> Result<u32, String> {
        Ok(match self.find_or_load(hash, key, cold)? {
            Some(id) => id,
            None => self.insert(hash, key),
        })
    }

    /// Tumbling: windows that end at or before the time take nothing of the events that are applied next, whether they have run or not.
    fn set_over(&mut self, until_us: Option<i64>) {
        if self.layout.kind == StateKind::Tumbling {
            for (over, series) in self.over_number.iter_mut().zip(&self.layout.series) {
                *over = until_us.map_or(i64::MIN, |until_us| series.number(until_us));
            }
        }
    }

    /// Hashes of the keys of a part, and the entries that they are most probably, with memory under way: lines of the index for all,
    /// then entries for all.
    fn guess(&self, work: &mut Work, keys: &EventColumn, part: Range<usize>) {
        work.hashes.clear();
        work.ids.clear();
        match &keys.data {
            EventData::Words(words) => {
                work.hashes.extend(words[part].iter().map(|word| {
                    let hash = mix(*word, self.seed);
                    self.index.prefetch(hash);
                    hash
                }));
            }
            EventData::Bytes { .. } => {
                work.hashes.extend(part.map(|row| {
                    let hash = xxh3_64_with_seed(keys.bytes(row), self.seed);
                    self.index.prefetch(hash);
                    hash
                }));
            }
        }
        let words = self.layout.entry_words().min(32);
        work.ids.extend(work.hashes.iter().map(|hash| {
            let Some(id) = self.index.guess(*hash) else { return NONE };
            let address = self.slab.at(id);
            for word in (0..words).step_by(8) {
                prefetch(address.wrapping_add(word));
            }
            prefetch(address.wrapping_add(words - 1));
            id
        }));
        if !self.layout.is_word_key {
            for id in work.ids.iter().filter(|id| **id != NONE) {
                prefetch(self.arena.at(Block(self.slab.get(*id)[KEY])));
            }
        }
    }

    /// Asks for blocks of a part that are going to be changed: first their heads, then the rows at their ends, which the heads tell.
    fn look_ahead(&self, layout: &Layout, work: &Work) {
        if layout.kind == StateKind::Total {
            return;
        }
        let stride = layout.row_words();
        for is_second in [false, true] {
            for (position, id) in work.ids.iter().enumerate().filter(|(_, id)| **id != NONE) {
                let entry = self.slab.get(*id);
                for (number, series) in layout.series.iter().enumerate() {
                    if entry[series.at] as i64 != work.numbers[number * PART + position] {
                        self.prefetch_rows(Block(entry[series.at + 1]), stride, is_second);
                    }
                }
                if let Some(kept) = &layout.events {
                    self.prefetch_rows(Block(entry[layout.events_at()]), kept.stride, is_second);
                }
            }
        }
    }

    #[inline]
    fn prefetch_rows(&self, block: Block, stride: usize, is_second: bool) {
        if block.is_none() {
        } else if is_second {
            let end = rows::get(&self.arena, block, stride).as_ptr_range().end;
            prefetch(end.wrapping_sub(stride));
            prefetch(end.wrapping_add(stride - 1));
        } else {
            prefetch(self.arena.at(block));
        }
    }

    /// Adds a row to its buckets.
    #[inline(always)]
    fn place(
        &mut self,
        layout: &Layout,
        id: u32,
        events: &EventBatch,
        row: usize,
        sources: &Sources<'_>,
        numbers: Numbers<'_>,
    ) {
        let entry = self.slab.get_mut(id);
        let offset = events.offsets[row];
        if offset <= entry[LAST_OFFSET] as i64 {
            return;
        }
        entry[LAST_OFFSET] = offset as u64;
        let flags = entry[FLAGS];
        if flags & (DIRTY | USED) != DIRTY | USED {
            entry[FLAGS] = flags | DIRTY | USED;
            if flags & DIRTY == 0 {
                self.dirty.push_back(id);
            }
        }
        for (number, series) in layout.series.iter().enumerate() {
            let bucket = numbers.get(number);
            if bucket < self.first_number[number] || bucket < self.over_number[number] {
                continue;
            }
            let entry = self.slab.get_mut(id);
            if flags >> (OPEN + number as u32) & 1 == 1 && entry[series.at] as i64 == bucket {
                sources.add(layout, &mut entry[series.at + SERIES_HEAD..], &mut self.heap, row);
            } else {
                self.place_elsewhere(layout, id, row, sources, number, bucket);
            }
        }
        if let Some(kept) = &layout.events
            && self.events_until_us.is_none_or(|until_us| events.times_us[row] > until_us)
        {
            self.keep(layout, id, kept, events, row);
        }
    }

    /// Adds a row to a bucket that is not the open one: it is opened, found among the closed ones, or put among them.
    #[inline(never)]
    fn place_elsewhere(
        &mut self,
        layout: &Layout,
        id: u32,
        row: usize,
        sources: &Sources<'_>,
        number: usize,
        bucket: i64,
    ) {
        let (stride, series) = (layout.row_words(), &layout.series[number]);
        let entry = self.slab.get_mut(id);
        let is_open = entry[FLAGS] >> (OPEN + number as u32) & 1 == 1;
        let mut block = Block(entry[series.at + 1]);
        if is_open && (entry[series.at] as i64) > bucket {
            let closed = rows::get(&self.arena, block, stride);
            let position = rows::lower_bound(closed, stride, bucket);
            if closed.get(position * stride).is_none_or(|found| *found as i64 != bucket) {
                let closed = rows::insert(&mut self.arena, &mut block, stride, position);
                closed[0] = bucket as u64;
                closed[1..].copy_from_slice(&layout.empty);
                entry[series.at + 1] = block.0;
                self.note_window(id, number, bucket);
            }
            let closed = &mut rows::get_mut(&mut self.arena, block, stride)[position * stride + 1..][..stride - 1];
            return sources.add(layout, closed, &mut self.heap, row);
        }
        if is_open {
            self.close_open(layout, id, number, series);
        }
        let entry = self.slab.get_mut(id);
        entry[FLAGS] |= 1 << (OPEN + number as u32);
        entry[series.at] = bucket as u64;
        let open = &mut entry[series.at + SERIES_HEAD..][..stride - 1];
        open.copy_from_slice(&layout.empty);
        sources.add(layout, open, &mut self.heap, row);
        self.note_window(id, number, bucket);
    }

    /// Puts the open bucket behind the closed ones. What no window sees any more goes: memory is at hand now.
    fn close_open(&mut self, layout: &Layout, id: u32, number: usize, series: &Series) {
        let stride = layout.row_words();
        let entry = self.slab.get_mut(id);
        let mut block = Block(entry[series.at + 1]);
        let is_expiring = layout.kind != StateKind::Tumbling;
        if is_expiring && (entry[series.at] as i64) < self.first_number[number] {
            fold::clear(layout, &mut entry[series.at + SERIES_HEAD..][..layout.words], &mut self.heap);
            if !block.is_none() {
                self.drop_rows(id, series, usize::MAX);
            }
            return;
        }
        let closed = rows::get(&self.arena, block, stride).len() / stride;
        let row = rows::insert(&mut self.arena, &mut block, stride, closed);
        row[0] = entry[series.at];
        row[1..].copy_from_slice(&entry[series.at + SERIES_HEAD..][..stride - 1]);
        entry[series.at + 1] = block.0;
        if is_expiring {
            self.forget_first(id, series, number);
        }
    }

    /// A bucket was closed: its block is at hand, so what no window sees any more goes now.
    fn forget_first(&mut self, id: u32, series: &Series, number: usize) {
        let stride = self.layout.row_words();
        let closed = rows::get(&self.arena, Block(self.slab.get(id)[series.at + 1]), stride);
        let first = self.first_number[number];
        if closed.first().is_some_and(|word| (*word as i64) < first) {
            let count = closed.chunks_exact(stride).take_while(|row| (row[0] as i64) < first).count();
            self.drop_rows(id, series, count);
        }
    }

    /// Keeps an event for exact windows, behind those of the same time.
    fn keep(&mut self, layout: &Layout, id: u32, kept: &KeptEvents, events: &EventBatch, row: usize) {
        let at = layout.events_at();
        let mut block = Block(self.slab.get(id)[at]);
        let position = rows::upper_bound(rows::get(&self.arena, block, kept.stride), kept.stride, events.times_us[row]);
        // Bytes first: what follows holds on to the row.
        let mut words = [0u64; 8];
        let mut long = Vec::new();
        let columns = if kept.columns.len() <= words.len() {
            &mut words[..kept.columns.len()]
        } else {
            long.resize(kept.columns.len(), 0);
            &mut long[..]
        };
        for (word, column) in columns.iter_mut().zip(&kept.columns) {
            let source = &events.columns[column.column];
            *word = if column.is_word {
                source.word(row)
            } else if source.is_valid(row) {
                self.arena.keep(source.bytes(row)).0
            } else {
                0
            };
        }
        let event = rows::insert(&mut self.arena, &mut block, kept.stride, position);
        event[0] = events.times_us[row] as u64;
        if let Some(at) = kept.offset_at {
            event[at] = events.offsets[row] as u64;
        }
        if let Some(at) = kept.flags_at {
            event[at..at + layout.conditions.len().div_ceil(64)].fill(0);
            for (number, condition) in layout.conditions.iter().enumerate() {
                event[at + number / 64] |= u64::from(condition.is_met(&events.columns, row)) << (number % 64);
            }
        }
        for (word, column) in columns.iter().zip(&kept.columns) {
            event[column.at] = *word;
        }
        self.slab.get_mut(id)[at] = block.0;
    }
}
