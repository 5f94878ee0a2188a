//! Tumbling windows of keys: which are open, and taking one out when it is over.
//!
//! Every window lists the entries that have it, so that closing one costs what is in it, not what is in the table.
//!
//! This file must not know watermarks.

use crate::arena::Block;
use crate::keyed::{DIRTY, FLAGS, KEY, KeyRef, Keyed, LIVE, OPEN, UNSTAMPED};
use crate::layout::Layout;
use crate::pages::prefetch;
use crate::{ClosedWindow, fold, rows};

/// How many entries ahead of the one that is closed memory is asked for.
const CLOSE_AHEAD: usize = 8;

impl Keyed {
    /// Windows that have events, by start, then length.
    pub(crate) fn open_windows(&self) -> Vec<(usize, i64)> {
        self.open.keys().map(|(start_us, window)| (*window, *start_us)).collect()
    }

    /// Takes a window out, in the order of its keys.
    pub(crate) fn close(&mut self, window: usize, start_us: i64, into: &mut ClosedWindow) {
        let Some((bucket, mut ids)) = self.open.remove(&(start_us, window)) else { return };
        // An image that the store still has is not to bring it back.
        self.first_number[window] = self.first_number[window].max(bucket.saturating_add(1));
        let layout = self.layout.clone();
        // Keys mostly come again: those of which nothing was left when the last window was closed go now, if nothing came since.
        let mut bare = std::mem::take(&mut self.bare[window]);
        for id in bare.drain(..) {
            if id < self.slab.end() && self.slab.get(id)[FLAGS] & LIVE != 0 && self.is_bare(id) {
                self.remove(id, true);
            }
        }
        self.sort(&mut ids);
        for (position, id) in ids.iter().enumerate() {
            if let Some(ahead) = ids.get(position + CLOSE_AHEAD) {
                let entry = self.slab.at(*ahead);
                prefetch(entry);
                prefetch(entry.wrapping_add(layout.series[window].partial_at));
            }
            self.take_bucket(&layout, *id, window, bucket, into);
            if self.is_bare(*id) {
                bare.push(*id);
            }
        }
        self.bare[window] = bare;
        ids.clear();
        self.spare = ids;
    }

    /// Sorts entries by their keys.
    fn sort(&self, ids: &mut [u32]) {
        if !self.layout.is_word_key {
            return ids.sort_unstable_by(|a, b| self.key(*a).order(self.key(*b)));
        }
        // One integer of key and number: comparing them asks no memory and takes no branch.
        let ordered = |id: u32| u128::from(self.slab.get(id)[KEY] ^ 1 << 63) << 32 | u128::from(id);
        let mut keys: Vec<u128> = ids.iter().map(|id| ordered(*id)).collect();
        keys.sort_unstable();
        ids.iter_mut().zip(keys).for_each(|(id, key)| *id = key as u32);
    }

    /// Moves a bucket of an entry out of it.
    fn take_bucket(&mut self, layout: &Layout, id: u32, number: usize, bucket: i64, into: &mut ClosedWindow) {
        let (series, stride) = (&layout.series[number], layout.row_words());
        let Keyed { slab, arena, heap, dirty, .. } = self;
        let entry = slab.get_mut(id);
        if entry[FLAGS] & DIRTY == 0 {
            entry[FLAGS] |= DIRTY;
            dirty.push_back(id);
        }
        let mut block = Block(entry[series.at + 1]);
        let closed = rows::get(arena, block, stride);
        let count = closed.len() / stride;
        let is_open = entry[series.at] as i64 == bucket;
        let position = if is_open { count } else { rows::lower_bound(closed, stride, bucket) };
        let partial = if is_open {
            &entry[series.partial_at..][..layout.words]
        } else {
            assert_eq!(closed[position * stride] as i64, bucket, "an entry that a window lists has it");
            &closed[position * stride + 1..][..layout.words]
        };
        let key = match entry[KEY] {
            word if layout.is_word_key => KeyRef::Word(word),
            word => KeyRef::Bytes(arena.kept(Block(word))),
        };
        into.push(key, partial, heap);
        if is_open {
            entry[FLAGS] &= UNSTAMPED;
            fold::clear(layout, &mut entry[series.partial_at..][..layout.words], heap);
            // The latest of the others is the open one now.
            if count > 0 {
                let row = &rows::get(arena, block, stride)[(count - 1) * stride..];
                entry[series.at] = row[0];
                entry[series.partial_at..][..layout.words].copy_from_slice(&row[1..]);
                rows::remove(arena, &mut block, stride, count - 1);
            } else {
                entry[series.at] = 0;
                entry[FLAGS] &= !(1 << (OPEN + number as u32));
            }
        } else {
            fold::clear(
                layout,
                &mut rows::get_mut(arena, block, stride)[position * stride + 1..][..layout.words],
                heap,
            );
            rows::remove(arena, &mut block, stride, position);
        }
        entry[series.at + 1] = block.0;
    }
}
