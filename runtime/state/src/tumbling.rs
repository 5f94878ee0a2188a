//! Tumbling windows of keys: which are open, and taking one out when it is over.
//!
//! Every window lists the entries that have it, so that closing one costs what is in it, not what is in the table. Keys mostly come again: an
//! entry of which nothing is left waits for the next window with an open bucket that has no events, so its next event finds it like any other.
//! If none comes until that window is closed, it goes.
//!
//! This file must not know watermarks.

use crate::arena::Block;
use crate::keyed::{DIRTY, FLAGS, KEY, KeyRef, Keyed, LIVE, OPEN, STAMP, UNSTAMPED, USED};
use crate::layout::{Layout, StateKind};
use crate::pages::prefetch;
use crate::{ClosedWindow, fold, rows};

/// How many entries ahead of the one that is closed memory is asked for.
const CLOSE_AHEAD: usize = 8;

/// A window that is taken out.
struct Closing<'a> {
    layout: &'a Layout,
    /// Position of the length.
    number: usize,
    /// The window.
    bucket: i64,
    /// What entries are stamped with that wait for the next.
    stamp: u32,
    /// Those that do.
    waiting: Vec<u32>,
}

impl Keyed {
    /// Windows with events that end at or before the time, by start, then length. Those that keys only waited for are gone after that.
    pub(crate) fn open_windows(&mut self, until_us: i64) -> Vec<(usize, i64)> {
        let series = &self.layout.series;
        let over = self.open.keys().filter(|(start_us, window)| series[*window].end(*start_us) <= until_us);
        let mut windows: Vec<(usize, i64)> = over.map(|(start_us, window)| (*window, *start_us)).collect();
        windows.retain(|(window, start_us)| self.has_events(*window, *start_us));
        windows
    }

    /// Whether a window has events; otherwise it is forgotten.
    fn has_events(&mut self, window: usize, start_us: i64) -> bool {
        let (bucket, ids) = &self.open[&(start_us, window)];
        if ids.iter().any(|id| self.partial_of(*id, window, *bucket).is_some()) {
            return true;
        }
        let (bucket, ids) = self.open.remove(&(start_us, window)).expect("it was there");
        for id in ids {
            self.wait_no_more(id, window, bucket);
        }
        false
    }

    /// Takes a window out, in the order of its keys.
    pub(crate) fn close(&mut self, window: usize, start_us: i64, into: &mut ClosedWindow) {
        let Some((bucket, mut ids)) = self.open.remove(&(start_us, window)) else { return };
        let next = bucket.saturating_add(1);
        // An image that the store still has is not to bring it back.
        self.first_number[window] = self.first_number[window].max(next);
        let layout = self.layout.clone();
        let stamp = self.stamp_next(window, next);
        let waiting = std::mem::take(&mut self.spare);
        let mut closing = Closing { layout: &layout, number: window, bucket, stamp, waiting };
        ids.retain(|id| self.is_live(*id));
        self.sort(&mut ids);
        ids.dedup();
        for (position, id) in ids.iter().enumerate() {
            if let Some(ahead) = ids.get(position + CLOSE_AHEAD) {
                prefetch(self.slab.at(*ahead));
                prefetch(self.slab.at(*ahead).wrapping_add(layout.series[window].partial_at));
                prefetch(self.slab.far_at(*ahead));
            }
            self.take_bucket(&mut closing, *id, into);
        }
        ids.clear();
        let Closing { mut waiting, .. } = closing;
        if !waiting.is_empty() {
            // In the order of their keys, which is how the next window wants them: the shorter list goes behind.
            let listed = &mut self.list(window, next).1;
            if listed.len() < waiting.len() {
                std::mem::swap(listed, &mut waiting);
            }
            listed.append(&mut waiting);
        }
        self.spare = if ids.capacity() > waiting.capacity() { ids } else { waiting };
    }

    /// The list of a window.
    fn list(&mut self, window: usize, bucket: i64) -> &mut (i64, Vec<u32>) {
        let (start_us, _) = self.layout.series[window].bounds(bucket);
        let spare = &mut self.spare;
        self.open.entry((start_us, window)).or_insert_with(|| (bucket, std::mem::take(spare)))
    }

    /// The entry has a bucket of that window from now on. Of other windows nothing is noted.
    pub(crate) fn note_window(&mut self, id: u32, window: usize, bucket: i64) {
        if self.layout.kind == StateKind::Tumbling {
            self.list(window, bucket).1.push(id);
        }
    }

    /// Sorts entries by their keys; mostly they are in order but for a few.
    fn sort(&self, ids: &mut [u32]) {
        if !self.layout.is_word_key {
            return ids.sort_by(|a, b| self.key(*a).order(self.key(*b)));
        }
        // One integer of key and number: comparing them asks no memory and takes no branch.
        let ordered = |id: u32| u128::from(self.slab.get(id)[KEY] ^ 1 << 63) << 32 | u128::from(id);
        let mut keys: Vec<u128> = ids.iter().map(|id| ordered(*id)).collect();
        keys.sort();
        ids.iter_mut().zip(keys).for_each(|(id, key)| *id = key as u32);
    }

    /// Whether there is an entry of that number.
    fn is_live(&self, id: u32) -> bool {
        id < self.slab.end() && self.slab.get(id)[FLAGS] & LIVE != 0
    }

    /// The partial of an entry in a window, if it has events there: the open one, or the position of a closed one.
    fn partial_of(&self, id: u32, number: usize, bucket: i64) -> Option<Option<usize>> {
        if !self.is_live(id) {
            return None;
        }
        let (entry, series, stride) = (self.slab.get(id), &self.layout.series[number], self.layout.row_words());
        if !Keyed::is_open(&self.layout, entry, number) {
            return None;
        }
        if entry[series.at] as i64 == bucket {
            return Some(None);
        }
        let closed = rows::get(&self.arena, Block(entry[series.at + 1]), stride);
        let position = rows::lower_bound(closed, stride, bucket);
        let is_there = closed.get(position * stride).is_some_and(|found| *found as i64 == bucket);
        is_there.then_some(Some(position))
    }

    /// An entry without events in a window that was closed, or is forgotten: if that is what it waited for, it goes.
    #[cold]
    fn wait_no_more(&mut self, id: u32, number: usize, bucket: i64) {
        if !self.is_live(id) {
            return;
        }
        let (layout, entry) = (self.layout.clone(), self.slab.get(id));
        let series = &layout.series[number];
        let waits = entry[FLAGS] >> (OPEN + number as u32) & 1 == 1 && entry[series.at] as i64 == bucket;
        if waits && !Keyed::is_open(&layout, entry, number) {
            self.drop_open(&layout, id, number, series);
            if !self.waits(id) {
                self.remove(id, true);
            }
        }
    }

    /// Moves a bucket of an entry out of it.
    fn take_bucket(&mut self, closing: &mut Closing<'_>, id: u32, into: &mut ClosedWindow) {
        let Closing { layout, number, bucket, .. } = *closing;
        let Some(place) = self.partial_of(id, number, bucket) else {
            return self.wait_no_more(id, number, bucket);
        };
        let (series, stride) = (&layout.series[number], layout.row_words());
        let Keyed { slab, arena, heap, dirty, .. } = self;
        let mut entry = slab.get_mut(id);
        if entry[FLAGS] & DIRTY == 0 {
            entry[FLAGS] |= DIRTY;
            dirty.push_back(id);
        }
        let mut block = Block(entry[series.at + 1]);
        let key = match entry[KEY] {
            word if layout.is_word_key => KeyRef::Word(word),
            word => KeyRef::Bytes(arena.kept(Block(word))),
        };
        if let Some(position) = place {
            let words = position * stride + 1..(position + 1) * stride;
            into.push(key, &rows::get(arena, block, stride)[words.clone()], heap);
            fold::clear(layout, &mut rows::get_mut(arena, block, stride)[words], heap);
            rows::remove(arena, &mut block, stride, position);
            entry[series.at + 1] = block.0;
            return;
        }
        let partial = entry.near(series.partial_at, layout.words);
        into.push(key, partial, heap);
        fold::clear(layout, partial, heap);
        entry[FLAGS] = (entry[FLAGS] & UNSTAMPED) | USED;
        let count = rows::get(arena, block, stride).len() / stride;
        if count > 0 {
            // The latest of the others is the open one now.
            let row = &rows::get(arena, block, stride)[(count - 1) * stride..];
            entry[series.at] = row[0];
            entry.near(series.partial_at, layout.words).copy_from_slice(&row[1..]);
            rows::remove(arena, &mut block, stride, count - 1);
            entry[series.at + 1] = block.0;
            return;
        }
        entry[series.at] = bucket.saturating_add(1) as u64;
        closing.waiting.push(id);
        if self.is_where_stamped(id) {
            self.slab.get_mut(id)[FLAGS] |= u64::from(closing.stamp) << STAMP;
        }
    }
}
