//! Updating: a batch of events into the entries of their keys.
//!
//! A batch is worked on in parts, each in passes: entries are found, with their memory on its way before it is needed (lines of the index, then
//! entries, then blocks); each row is admitted to its buckets; then, aggregate by aggregate, all rows are added. The bits of
//! the result are a function of the key's events in the order of their offsets: a bucket gets its rows in that order.
//!
//! This file must not know how buckets are opened and closed, how windows are read, or how entries are stored.

use std::ops::Range;

use chalk_catalog::event::{EventColumn, EventData};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::arena::Block;
use crate::fold::Sources;
use crate::group::Target;
use crate::keyed::{DIRTY, FLAGS, KEY, KeyRef, Keyed, LAST_OFFSET, OPEN, USED, mix};
use crate::layout::{Layout, SERIES_HEAD, StateKind};
use crate::pages::prefetch;
use crate::table::ColdStore;
use crate::{EventBatch, rows};

/// Rows of a batch that are worked on together: enough to hide the latency of memory, few enough for their lines to stay in the first cache.
const PART: usize = 256;

/// Bytes of entries and blocks up to which a table is taken to be in the second-level cache, where the processor hides latency by itself.
const CACHED_BYTES: usize = 2 << 20;

/// No number of an entry.
const NONE: u32 = u32::MAX;

/// Buffers of `apply`.
#[derive(Default)]
pub(crate) struct Work {
    hashes: Vec<u64>,
    /// The entries that keys of a part are most probably: their numbers, and where they are; null where there is none.
    ids: Vec<u32>,
    entries: Vec<Target>,
    /// Per series, per row of the part: its bucket.
    numbers: Vec<i64>,
    /// Per series, per row of the part: the partial that it is added to.
    targets: Vec<Target>,
    /// A partial that nobody reads: of rows that no window takes.
    nowhere: Vec<u64>,
    /// Per series the first bucket that takes rows.
    lowest: Vec<i64>,
}

impl Work {
    /// For a table laid out so.
    pub(crate) fn new(layout: &Layout) -> Work {
        let series = layout.series.len();
        Work {
            numbers: vec![0; series * PART],
            targets: vec![Target(std::ptr::null_mut()); series * PART],
            nowhere: layout.empty.clone(),
            ..Work::default()
        }
    }
}

/// Rows that are worked on together.
#[derive(Clone, Copy)]
struct Part<'a> {
    layout: &'a Layout,
    events: &'a EventBatch,
    sources: &'a Sources<'a>,
    /// The first of them.
    start: usize,
}

/// Numbers of the buckets of the rows of a part.
fn number(layout: &Layout, numbers: &mut [i64], times_us: &[i64]) {
    let Some(first_us) = times_us.first() else { return };
    let (least_us, most_us) =
        times_us.iter().fold((*first_us, *first_us), |(least, most), time| (least.min(*time), most.max(*time)));
    for (series, numbers) in layout.series.iter().zip(numbers.chunks_exact_mut(PART)) {
        let numbers = &mut numbers[..times_us.len()];
        let mut number = series.number(least_us);
        let mut bounds = series.bounds(number);
        // Mostly all are in one bucket.
        if most_us <= bounds.1 {
            numbers.fill(number);
            continue;
        }
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
    /// Updates from a batch. Where the store fails, events before the one that needed it are in; the batch can be applied again.
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
        work.lowest.clear();
        work.lowest.extend(self.first_number.iter().zip(&self.over_number).map(|(first, over)| *first.max(over)));
        let mut result = Ok(());
        for start in (0..events.len()).step_by(PART) {
            let part = start..(start + PART).min(events.len());
            number(&layout, &mut work.numbers, &events.times_us[part.clone()]);
            let is_cached = self.slab.held_bytes() + self.arena.used_bytes() <= CACHED_BYTES;
            self.hash_part(&mut work, keys, part.clone(), is_cached);
            self.guess(&mut work);
            if !is_cached {
                self.look_ahead(&layout, &work);
            }
            let part = Part { layout: &layout, events, sources: &sources, start };
            result = match &keys.data {
                EventData::Words(words) => {
                    let words = &words[part.start..];
                    self.admit(part, &mut work, |position| KeyRef::Word(words[position]), cold)
                }
                EventData::Bytes { .. } => {
                    self.admit(part, &mut work, |position| KeyRef::Bytes(keys.bytes(part.start + position)), cold)
                }
            };
            if result.is_err() {
                break;
            }
        }
        self.work = work;
        result
    }

    /// Admits the rows of a part to their buckets, and adds them.
    #[inline(always)]
    fn admit<'a>(
        &mut self,
        part: Part<'_>,
        work: &mut Work,
        key: impl Fn(usize) -> KeyRef<'a>,
        cold: Option<&dyn ColdStore>,
    ) -> Result<(), String> {
        // Loops over a number of series that is known are twice as fast.
        match &part.layout.series[..] {
            [a] => self.admit_to(part, work, key, cold, [a.at]),
            [a, b] => self.admit_to(part, work, key, cold, [a.at, b.at]),
            [a, b, c] => self.admit_to(part, work, key, cold, [a.at, b.at, c.at]),
            more => self.admit_to(part, work, key, cold, more.iter().map(|series| series.at).collect::<Vec<_>>()),
        }
    }

    /// As `admit`, to series that begin at these places of an entry.
    #[inline(always)]
    fn admit_to<'a>(
        &mut self,
        part: Part<'_>,
        work: &mut Work,
        key: impl Fn(usize) -> KeyRef<'a>,
        cold: Option<&dyn ColdStore>,
        series: impl AsRef<[usize]>,
    ) -> Result<(), String> {
        let Part { layout, events, start, .. } = part;
        let Work { hashes, ids, entries, numbers, targets, nowhere, lowest } = work;
        let (series, nowhere) = (series.as_ref(), Target(nowhere.as_mut_ptr()));
        let len = entries.len();
        let offsets = &events.offsets[start..start + len];
        // What an entry's flags are, mostly.
        let usual = DIRTY | USED | ((1 << series.len()) - 1) << OPEN;
        let is_lowest = |(lowest, numbers): (&i64, &[i64])| numbers[..len].iter().all(|number| number >= lowest);
        let is_usual = layout.events.is_none() && lowest.iter().zip(numbers.chunks_exact(PART)).all(is_lowest);
        // Rows from here on are not added yet.
        let mut pending = 0;
        for position in 0..len {
            let (entry, key, offset) = (entries[position].0, key(position), offsets[position]);
            let is_in_open = |number: usize| {
                // SAFETY: as below.
                unsafe { *entry.add(series[number]) as i64 == numbers[number * PART + position] }
            };
            // SAFETY: the address is of an entry, all of whose words are initialised; nobody else has the table.
            let is_as_usual = is_usual
                && !entry.is_null()
                && unsafe {
                    self.has_key(*entry.add(KEY), key)
                        && (*entry.add(LAST_OFFSET) as i64) < offset
                        && *entry.add(FLAGS) & usual == usual
                }
                && (0..series.len()).all(is_in_open);
            if is_as_usual {
                // SAFETY: as above.
                unsafe { *entry.add(LAST_OFFSET) = offset as u64 };
                for (number, at) in series.iter().enumerate() {
                    targets[number * PART + position] = Target(entry.wrapping_add(at + SERIES_HEAD));
                }
                continue;
            }
            // An entry may have been made since the guess, never removed.
            // SAFETY: as above.
            let is_guess = !entry.is_null() && unsafe { self.has_key(*entry.add(KEY), key) };
            let found = if is_guess { Ok(ids[position]) } else { self.find_or_make(hashes[position], key, cold) };
            let id = match found {
                Ok(id) => id,
                Err(error) => {
                    // SAFETY: as below.
                    unsafe { self.add_rows(part, targets, pending..position, nowhere) };
                    return Err(error);
                }
            };
            if self.slab.get(id)[LAST_OFFSET] as i64 >= offsets[pending] {
                // What is not added yet belongs to the entry's buckets as they are.
                // SAFETY: as below.
                unsafe { self.add_rows(part, targets, pending..position, nowhere) };
                pending = position;
            }
            self.admit_row(part, id, position, numbers, lowest, nowhere, targets);
        }
        // SAFETY: targets are open partials in entries, which never move, none of which was removed or closed since (before buckets of an
        // entry are closed, what is pending for it is added); `nowhere` is a partial of our own.
        unsafe { self.add_rows(part, targets, pending..len, nowhere) };
        Ok(())
    }

    /// Admits a row whose entry is not as entries mostly are. Nothing is pending for the entry.
    #[inline(never)]
    fn admit_row(
        &mut self,
        part: Part<'_>,
        id: u32,
        position: usize,
        numbers: &[i64],
        lowest: &[i64],
        nowhere: Target,
        targets: &mut [Target],
    ) {
        let Part { layout, events, start, sources } = part;
        let (row, entry) = (start + position, self.slab.get_mut(id));
        let offset = events.offsets[row];
        let targets = targets.iter_mut().skip(position).step_by(PART);
        if offset <= entry[LAST_OFFSET] as i64 {
            return targets.for_each(|target| *target = nowhere);
        }
        entry[LAST_OFFSET] = offset as u64;
        let flags = entry[FLAGS];
        if flags & (DIRTY | USED) != DIRTY | USED {
            entry[FLAGS] = flags | DIRTY | USED;
            if flags & DIRTY == 0 {
                self.dirty.push_back(id);
            }
        }
        for (number, (series, target)) in layout.series.iter().zip(targets).enumerate() {
            let (entry, bucket) = (self.slab.get_mut(id), numbers[number * PART + position]);
            let is_open = flags >> (OPEN + number as u32) & 1 == 1;
            *target = if bucket < lowest[number] {
                nowhere
            } else if is_open && entry[series.at] as i64 == bucket {
                Target(self.slab.at(id).wrapping_add(series.at + SERIES_HEAD))
            } else if self.place_elsewhere(layout, id, row, sources, number, bucket) {
                nowhere
            } else {
                Target(self.slab.at(id).wrapping_add(series.at + SERIES_HEAD))
            };
        }
        if let Some(kept) = &layout.events
            && self.events_until_us.is_none_or(|until_us| events.times_us[row] > until_us)
        {
            self.keep(layout, id, kept, events, row);
        }
    }

    /// Adds rows of a part to their targets.
    ///
    /// # Safety
    /// As `Sources::add_all`, for the targets of these rows.
    #[inline(never)]
    unsafe fn add_rows(&mut self, part: Part<'_>, targets: &[Target], rows: Range<usize>, nowhere: Target) {
        for targets in targets.chunks_exact(PART) {
            let first = part.start + rows.start;
            // SAFETY: as the caller promises.
            unsafe { part.sources.add_all(part.layout, &targets[rows.clone()], nowhere, &mut self.heap, first) };
        }
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

    /// Hashes of the keys of a part, with their lines of the index under way.
    fn hash_part(&self, work: &mut Work, keys: &EventColumn, part: Range<usize>, is_cached: bool) {
        work.hashes.clear();
        match &keys.data {
            EventData::Words(words) => work.hashes.extend(words[part].iter().map(|word| mix(*word, self.seed))),
            EventData::Bytes { .. } => {
                work.hashes.extend(part.map(|row| xxh3_64_with_seed(keys.bytes(row), self.seed)));
            }
        }
        if !is_cached {
            work.hashes.iter().for_each(|hash| self.index.prefetch(*hash));
        }
    }

    /// The entries that keys of a part are most probably, with their memory under way.
    fn guess(&self, work: &mut Work) {
        let last = self.layout.entry_words().min(32) - 1;
        work.ids.clear();
        self.index.guess_all(&work.hashes, &mut work.ids, NONE);
        work.entries.clear();
        work.entries.extend(work.ids.iter().map(|id| {
            if *id == NONE {
                return Target(std::ptr::null_mut());
            }
            let entry = self.slab.at(*id);
            prefetch(entry);
            prefetch(entry.wrapping_add(last));
            Target(entry)
        }));
        // An entry of up to twelve words begins at the half of a line, so that it is in two lines.
        if last >= 12 {
            for entry in &work.entries {
                (8..last).step_by(8).for_each(|word| prefetch(entry.0.wrapping_add(word)));
            }
        }
        if !self.layout.is_word_key {
            for entry in work.entries.iter().filter(|entry| !entry.0.is_null()) {
                // SAFETY: as in `admit_to`.
                prefetch(self.arena.at(Block(unsafe { *entry.0.add(KEY) })));
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
            for (position, entry) in work.entries.iter().enumerate().filter(|(_, entry)| !entry.0.is_null()) {
                // SAFETY: as in `admit_to`; nothing changes it meanwhile.
                let entry = unsafe { std::slice::from_raw_parts(entry.0, layout.entry_words()) };
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
}
