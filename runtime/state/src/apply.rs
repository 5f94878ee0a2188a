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
use crate::keyed::{DIRTY, FLAGS, KEY, KeyRef, Keyed, OPEN, STAMP, UNSTAMPED, USED, mix};
use crate::layout::{LINE_WORDS, Layout, Series, StateKind};
use crate::pages::prefetch;
use crate::probe::{Guessed, NONE, stamp_of};
use crate::slab::Words;
use crate::table::ColdStore;
use crate::{EventBatch, rows};

/// Rows of a batch that are worked on together: enough to hide the latency of memory, few enough for their lines to stay in the first cache.
const PART: usize = 256;

/// Bytes of entries and blocks up to which a table is taken to be in the second-level cache, where the processor hides latency by itself.
const CACHED_BYTES: usize = 2 << 20;

/// Buffers of `apply`.
#[derive(Default)]
pub(crate) struct Work {
    hashes: Vec<u64>,
    /// The entries of a part's rows.
    guessed: Guessed,
    /// Rows of a part that have to be looked at one by one.
    others: Vec<u32>,
    /// Per series, per row of the part: its bucket.
    numbers: Vec<i64>,
    /// Per series, per row of the part: the partial that it is added to.
    targets: Vec<Target>,
    /// A partial that nobody reads: of rows that no window takes.
    nowhere: Vec<u64>,
    /// Per series the first bucket that takes rows.
    lowest: Vec<i64>,
    /// What entries are stamped with that have their open buckets where `stamped` says, per series; never 0.
    stamp: u32,
    stamped: Vec<i64>,
}

impl Work {
    /// For a table laid out so.
    pub(crate) fn new(layout: &Layout) -> Work {
        let series = layout.series.len();
        Work {
            numbers: vec![0; series * PART],
            targets: vec![Target(std::ptr::null_mut()); series * PART],
            nowhere: layout.empty.clone(),
            guessed: Guessed::new(layout.entry.near),
            others: vec![0; PART],
            stamp: 1,
            stamped: vec![i64::MIN; series],
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
    /// Where all rows are newer than all entries and go to one bucket of each series: what entries that take them as they are are stamped with.
    stamp: Option<u32>,
    /// Whether their entries are guessed already.
    is_guessed: bool,
}

/// Numbers of the buckets of the rows of a part. Whether each series has them all in one bucket.
fn number(layout: &Layout, numbers: &mut [i64], times_us: &[i64]) -> bool {
    let Some(first_us) = times_us.first() else { return false };
    let mut is_one = true;
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
        is_one = false;
        for (into, time_us) in numbers.iter_mut().zip(times_us) {
            if *time_us < bounds.0 || *time_us > bounds.1 {
                number = series.number(*time_us);
                bounds = series.bounds(number);
            }
            *into = number;
        }
    }
    is_one
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
        // A batch comes again where the store failed, and changes nothing where it is in.
        let is_in = |offset: &i64| *offset <= self.applied_offset;
        let first = if events.offsets.first().is_some_and(is_in) { events.offsets.partition_point(is_in) } else { 0 };
        for start in (first..events.len()).step_by(PART) {
            let part = start..(start + PART).min(events.len());
            let last_offset = events.offsets[part.end - 1];
            let is_one = number(&layout, &mut work.numbers, &events.times_us[part.clone()]);
            let stamp = self.stamp(&mut work, is_one && events.offsets[start] > self.newest_offset);
            let is_cached = self.slab.held_bytes() + self.arena.used_bytes() <= CACHED_BYTES;
            self.hash_part(&mut work, keys, part.clone(), is_cached);
            let is_guessed = !is_cached || stamp.is_none() || !layout.is_word_key || !self.slab.is_one_piece();
            if is_guessed {
                self.guess(&mut work, stamp.is_none());
            }
            self.newest_offset = self.newest_offset.max(last_offset);
            let part = Part { layout: &layout, events, sources: &sources, start, stamp, is_guessed };
            result = match &keys.data {
                EventData::Words(words) => {
                    let words = &words[start..start + work.hashes.len()];
                    self.admit(part, &mut work, |position| KeyRef::Word(words[position]), cold)
                }
                EventData::Bytes { .. } => {
                    self.admit(part, &mut work, |position| KeyRef::Bytes(keys.bytes(part.start + position)), cold)
                }
            };
            if result.is_err() {
                break;
            }
            self.applied_offset = last_offset;
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
            [a] => self.admit_to(part, work, key, cold, [*a]),
            [a, b] => self.admit_to(part, work, key, cold, [*a, *b]),
            [a, b, c] => self.admit_to(part, work, key, cold, [*a, *b, *c]),
            more => self.admit_to(part, work, key, cold, more),
        }
    }

    /// As `admit`, to these series.
    #[inline(always)]
    fn admit_to<'a>(
        &mut self,
        part: Part<'_>,
        work: &mut Work,
        key_of: impl Fn(usize) -> KeyRef<'a>,
        cold: Option<&dyn ColdStore>,
        series: impl AsRef<[Series]>,
    ) -> Result<(), String> {
        let Part { layout, events, start, stamp, is_guessed, .. } = part;
        let Work { hashes, guessed, numbers, others, targets, nowhere, lowest, .. } = work;
        let (series, last_offset_at) = (series.as_ref(), layout.last_offset_at);
        let Words { near, far } = layout.entry;
        let nowhere = Target(nowhere.as_mut_ptr());
        let len = hashes.len();
        let offsets = &events.offsets[start..start + len];
        let mut left = len;
        if let Some(stamp) = stamp {
            // SAFETY: nobody else has the table.
            left = unsafe {
                match &events.keys.as_ref().expect("events of keys have keys").data {
                    EventData::Words(words) if !is_guessed => {
                        guessed.probe(&self.index, &self.slab, stamp, (hashes, &words[start..start + len]), others)
                    }
                    _ => guessed.mark(stamp, |position, word| self.has_key(word, key_of(position)), others),
                }
            };
            if left == 0 {
                for series in series {
                    // SAFETY: all entries are stamped, so their partials are those of open buckets, which nobody else looks at.
                    unsafe {
                        let entries = (&guessed.entries[..], series.partial_at);
                        part.sources.add_all(layout, entries, nowhere, &mut self.heap, start);
                    }
                }
                return Ok(());
            }
            for (series, targets) in series.iter().zip(targets.chunks_exact_mut(PART)) {
                for (target, entry) in targets.iter_mut().zip(&guessed.entries) {
                    *target = Target(entry.0.wrapping_add(series.partial_at));
                }
            }
        } else {
            others.iter_mut().zip(0..).for_each(|(other, position)| *other = position);
        }
        let others = &others[..left];
        self.look_ahead(layout, others, guessed, numbers);
        // What an entry's flags are, mostly.
        let usual = DIRTY | USED | ((1 << series.len()) - 1) << OPEN;
        let is_lowest = |(lowest, numbers): (&i64, &[i64])| numbers[..len].iter().all(|number| number >= lowest);
        let is_usual =
            stamp.is_none() && layout.events.is_none() && lowest.iter().zip(numbers.chunks_exact(PART)).all(is_lowest);
        // Rows from here on are not added yet.
        let mut pending = 0;
        for (number, position) in others.iter().map(|position| *position as usize).enumerate() {
            let (entry, key, offset) = (guessed.entries[position].0, key_of(position), offsets[position]);
            // SAFETY: the address is of an entry or of `nobody`, all of whose words are initialised; nobody else has the table.
            let word = |at: usize| unsafe { *entry.add(at) };
            // Where the entry would begin if its other words were behind its first; of entries alone, not of `nobody`.
            let other_words = || match far {
                0 => entry,
                _ => self.slab.far_at(guessed.ids[position]).wrapping_sub(near),
            };
            // SAFETY: as above.
            let other = |at: usize| unsafe { *other_words().add(at) };
            let is_in = |number: usize| other(series[number].at) as i64 == numbers[number * PART + position];
            let is_as_usual = match stamp {
                Some(stamp) => {
                    guessed.ids[position] != NONE && stamp_of(word(FLAGS)) == stamp && self.has_key(word(KEY), key)
                }
                None => {
                    is_usual
                        && word(FLAGS) & usual == usual
                        && self.has_key(word(KEY), key)
                        && (other(last_offset_at) as i64) < offset
                        && (0..series.len()).all(is_in)
                }
            };
            if is_as_usual {
                // SAFETY: as above; `nobody` has no flags.
                unsafe { *other_words().add(last_offset_at) = offset as u64 };
                for (number, series) in series.iter().enumerate() {
                    targets[number * PART + position] = Target(entry.wrapping_add(series.partial_at));
                }
                continue;
            }
            // An entry may have been made since the guess, never removed.
            let is_guess = guessed.ids[position] != NONE && self.has_key(word(KEY), key);
            let found =
                if is_guess { Ok(guessed.ids[position]) } else { self.find_or_make(hashes[position], key, cold) };
            let id = match found {
                Ok(id) => id,
                Err(error) => {
                    self.note_offsets(part, (hashes, &key_of), others, number, nowhere, targets);
                    // SAFETY: as below.
                    unsafe { self.add_rows(part, targets, pending..len, nowhere) };
                    return Err(error);
                }
            };
            if self.slab.get(id)[last_offset_at] as i64 >= offsets[pending] {
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

    /// The store failed, so `others` of a part are not admitted from the one at `failed` on; all other rows are going to be added, and are known by
    /// the last offsets of their entries when the batch comes again.
    #[cold]
    fn note_offsets<'a>(
        &mut self,
        part: Part<'_>,
        (hashes, key_of): (&[u64], &dyn Fn(usize) -> KeyRef<'a>),
        others: &[u32],
        failed: usize,
        nowhere: Target,
        targets: &mut [Target],
    ) {
        for position in &others[failed..] {
            targets.iter_mut().skip(*position as usize).step_by(PART).for_each(|target| *target = nowhere);
        }
        // Those that were admitted one by one have noted theirs.
        let mut others = others.iter().copied().peekable();
        for (position, hash) in hashes.iter().enumerate() {
            if others.next_if_eq(&(position as u32)).is_none() {
                let id = self.find(*hash, key_of(position)).expect("the row is going to be added to it");
                self.slab.get_mut(id)[part.layout.last_offset_at] = part.events.offsets[part.start + position] as u64;
            }
        }
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
        let Part { layout, events, start, sources, stamp, .. } = part;
        let (row, mut entry) = (start + position, self.slab.get_mut(id));
        let offset = events.offsets[row];
        let targets = targets.iter_mut().skip(position).step_by(PART);
        if offset <= entry[layout.last_offset_at] as i64 {
            return targets.for_each(|target| *target = nowhere);
        }
        entry[layout.last_offset_at] = offset as u64;
        let flags = entry[FLAGS];
        if flags & (DIRTY | USED) != DIRTY | USED {
            entry[FLAGS] = flags | DIRTY | USED;
            if flags & DIRTY == 0 {
                self.dirty.push_back(id);
            }
        }
        let mut is_stamped = true;
        for (number, (series, target)) in layout.series.iter().zip(targets).enumerate() {
            let (entry, bucket) = (self.slab.get_mut(id), numbers[number * PART + position]);
            let is_open = flags >> (OPEN + number as u32) & 1 == 1;
            *target = if bucket < lowest[number] {
                nowhere
            } else if is_open && entry[series.at] as i64 == bucket {
                Target(self.slab.at(id).wrapping_add(series.partial_at))
            } else if self.place_elsewhere(layout, id, row, sources, number, bucket) {
                nowhere
            } else {
                Target(self.slab.at(id).wrapping_add(series.partial_at))
            };
            is_stamped &= *target != nowhere;
        }
        if let Some(stamp) = stamp.filter(|_| is_stamped) {
            let mut entry = self.slab.get_mut(id);
            entry[FLAGS] = (entry[FLAGS] & UNSTAMPED) | u64::from(stamp) << STAMP;
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
            unsafe { part.sources.add_all(part.layout, (&targets[rows.clone()], 0), nowhere, &mut self.heap, first) };
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

    /// What entries are stamped with that take rows of the buckets in `numbers` as they are, where there can be such entries.
    fn stamp(&mut self, work: &mut Work, is_one: bool) -> Option<u32> {
        let numbers = || work.numbers.iter().step_by(PART);
        if !is_one
            || self.layout.events.is_some()
            || numbers().zip(&work.lowest).any(|(number, lowest)| number < lowest)
        {
            return None;
        }
        if !numbers().eq(&work.stamped) {
            work.stamped.clear();
            work.stamped.extend(work.numbers.iter().step_by(PART));
            self.next_stamp(work);
        }
        Some(work.stamp)
    }

    /// `stamped` has changed: no entry has its stamp yet.
    fn next_stamp(&mut self, work: &mut Work) {
        work.stamp = work.stamp.wrapping_add(1).max(1);
        if work.stamp == 1 {
            // All were used once: the oldest must not be taken for new ones.
            (0..self.slab.end()).for_each(|id| self.slab.get_mut(id)[FLAGS] &= UNSTAMPED);
        }
    }

    /// Tumbling: entries are going to be left with their open bucket of a series there, be it before rows for it come or after. Gives what those are
    /// stamped with that have the buckets of all series where the stamp says.
    pub(crate) fn stamp_next(&mut self, number: usize, bucket: i64) -> u32 {
        let mut work = std::mem::take(&mut self.work);
        if work.stamped[number] < bucket {
            work.stamped[number] = bucket;
            self.next_stamp(&mut work);
        }
        let stamp = work.stamp;
        self.work = work;
        stamp
    }

    /// Whether an entry has its open buckets where the stamp says.
    pub(crate) fn is_where_stamped(&self, id: u32) -> bool {
        let entry = self.slab.get(id);
        let series = self.layout.series.iter().zip(&self.work.stamped).enumerate();
        series.fold(true, |is_there, (number, (series, bucket))| {
            is_there && entry[FLAGS] >> (OPEN + number as u32) & 1 == 1 && entry[series.at] as i64 == *bucket
        })
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
    fn guess(&self, work: &mut Work, is_all_read: bool) {
        let Words { near, far } = self.layout.entry;
        let (near, far) = (near.min(32), if is_all_read { far.min(32) } else { 0 });
        let Work { hashes, guessed, .. } = work;
        guessed.guess(self.index.guesses(), &self.slab, hashes, |id, entry| {
            (0..near).step_by(LINE_WORDS).for_each(|word| prefetch(entry.wrapping_add(word)));
            if far > 0 {
                prefetch_all(self.slab.far_at(id), far);
            }
        });
        if !self.layout.is_word_key {
            for (entry, _) in guessed.entries.iter().zip(&guessed.ids).filter(|(_, id)| **id != NONE) {
                // SAFETY: as in `admit_to`.
                prefetch(self.arena.at(Block(unsafe { *entry.0.add(KEY) })));
            }
        }
    }

    /// Asks for blocks of rows' entries that are going to be changed: first their heads, then the rows at their ends, which the heads tell.
    fn look_ahead(&self, layout: &Layout, others: &[u32], guessed: &Guessed, numbers: &[i64]) {
        let others = || others.iter().map(|position| *position as usize);
        let Words { near, far } = layout.entry;
        if far > 0 {
            let known = others().map(|position| guessed.ids[position]).filter(|id| *id != NONE);
            known.for_each(|id| prefetch_all(self.slab.far_at(id), far.min(32)));
        }
        if layout.kind == StateKind::Total || self.arena.used_bytes() <= CACHED_BYTES {
            return;
        }
        let stride = layout.row_words();
        for is_second in [false, true] {
            for position in others() {
                // As in `admit_to`.
                let (id, entry) = (guessed.ids[position], guessed.entries[position].0);
                let start = match far {
                    0 => entry,
                    _ if id == NONE => continue,
                    _ => self.slab.far_at(id).wrapping_sub(near),
                };
                // SAFETY: as in `admit_to`; nothing changes it meanwhile.
                let word = |at: usize| unsafe { *start.add(at) };
                for (number, series) in layout.series.iter().enumerate() {
                    if word(series.at) as i64 != numbers[number * PART + position] {
                        self.prefetch_rows(Block(word(series.at + 1)), stride, is_second);
                    }
                }
                if let Some(kept) = &layout.events {
                    self.prefetch_rows(Block(word(layout.events_at())), kept.stride, is_second);
                }
            }
        }
    }

    #[inline]
    fn prefetch_rows(&self, block: Block, stride: usize, is_second: bool) {
        if block.is_none() {
        } else if is_second {
            // A row is put behind the last, and what no window sees any more is dropped at the front.
            let rows = rows::get(&self.arena, block, stride).as_ptr_range();
            prefetch(rows.start);
            prefetch(rows.start.wrapping_add(LINE_WORDS));
            prefetch(rows.end.wrapping_sub(stride));
            prefetch(rows.end.wrapping_add(stride - 1));
        } else {
            prefetch(self.arena.at(block));
        }
    }
}

/// Asks for the lines of so many words.
#[inline(always)]
fn prefetch_all(start: *const u64, words: usize) {
    (0..words).step_by(LINE_WORDS).for_each(|word| prefetch(start.wrapping_add(word)));
    prefetch(start.wrapping_add(words - 1));
}
