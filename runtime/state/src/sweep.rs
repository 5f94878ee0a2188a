//! Forgetting: what no window sees any more, what the store has anyway, and what changed since the store was told.
//!
//! Each call does a bounded piece of work and the next goes on from there, so that nothing here stops the partition for long.
//!
//! This file must not know how windows are read.

use crate::arena::Block;
use crate::keyed::{DIRTY, FLAGS, KEY, Keyed, LIVE, OPEN, STORED, UNSTAMPED, USED};
use crate::layout::{Layout, StateKind, clamp};
use crate::pages::prefetch;
use crate::read::whole_buckets;
use crate::rows;
use crate::table::Counts;

/// How many entries ahead of the sweep memory is asked for.
const SWEEP_AHEAD: u32 = 16;

/// Where an entry has blocks of rows.
fn blocks_at(layout: &Layout) -> impl Iterator<Item = usize> {
    let events = layout.events.is_some().then(|| layout.events_at());
    layout.series.iter().map(|series| series.at + 1).chain(events)
}

impl Keyed {
    /// From now on nobody asks for a time before `low_us`.
    fn raise(&mut self, low_us: i64) {
        let layout = self.layout.clone();
        for (first, series) in self.first_number.iter_mut().zip(&layout.series) {
            let seen = match layout.kind {
                // The bucket of the first time after `low - span`.
                StateKind::Continuous => series.wide_number(i128::from(low_us) - i128::from(series.span_us) + 1),
                StateKind::Materialized => {
                    i128::from(series.number(low_us)) - whole_buckets(series.span_us, series.bucket_us) + 1
                }
                StateKind::Total | StateKind::Tumbling | StateKind::Messages => continue,
            };
            *first = (*first).max(clamp(seen));
        }
        if let Some(kept) = &layout.events {
            let until_us = i128::from(low_us) - i128::from(kept.span_us);
            if until_us >= i128::from(i64::MIN) {
                self.events_until_us = self.events_until_us.max(Some(clamp(until_us)));
            }
        }
    }

    /// Forgets what no window sees at or after `low_us`, looking at so many entries. Gives how many keys are gone.
    pub(crate) fn expire(&mut self, low_us: i64, max_entries: usize) -> usize {
        self.raise(low_us);
        let layout = self.layout.clone();
        if layout.kind == StateKind::Total {
            return 0;
        }
        let mut gone = 0;
        for _ in 0..max_entries.min(self.slab.end() as usize) {
            if self.sweep >= self.slab.end() {
                self.sweep = 0;
            }
            if self.slab.end() == 0 {
                break;
            }
            let id = self.sweep;
            self.sweep += 1;
            // Entries come one after the other, their blocks do not.
            if id + SWEEP_AHEAD < self.slab.end() {
                let entry = self.slab.get(id + SWEEP_AHEAD);
                for block in blocks_at(&layout).map(|at| Block(entry[at])) {
                    if !block.is_none() {
                        prefetch(self.arena.at(block));
                    }
                }
            }
            if self.slab.get(id)[FLAGS] & LIVE == 0 {
                continue;
            }
            // Tumbling windows go when they are closed; what is left are keys of events that came too late for all of them.
            let is_tumbling = layout.kind == StateKind::Tumbling;
            if !is_tumbling {
                self.trim(&layout, id);
            }
            self.settle(&layout, id);
            if !self.waits(id) {
                self.remove(id, true);
                gone += 1;
            }
        }
        gone
    }

    /// Whether an entry has no buckets with events.
    pub(crate) fn is_bare(&self, id: u32) -> bool {
        // Only of tumbling windows there are open buckets without.
        if self.layout.count_at.is_none() {
            return !self.waits(id);
        }
        let entry = self.slab.get(id);
        !(0..self.layout.series.len()).any(|number| Keyed::is_open(&self.layout, entry, number))
    }

    /// Whether an entry has open buckets, be they without events.
    pub(crate) fn waits(&self, id: u32) -> bool {
        let series = self.layout.series.len() as u32;
        self.slab.get(id)[FLAGS] >> OPEN & ((1 << series) - 1) != 0
    }

    /// Forgets what no window sees of an entry.
    pub(crate) fn trim(&mut self, layout: &Layout, id: u32) {
        let stride = layout.row_words();
        for (number, series) in layout.series.iter().enumerate() {
            let first = self.first_number[number];
            let entry = self.slab.get(id);
            let closed = rows::get(&self.arena, Block(entry[series.at + 1]), stride);
            let is_open = entry[FLAGS] >> (OPEN + number as u32) & 1 == 1;
            let is_open_seen = entry[series.at] as i64 >= first;
            let old = if closed.first().is_some_and(|word| (*word as i64) < first) {
                closed.chunks_exact(stride).take_while(|row| (row[0] as i64) < first).count()
            } else {
                0
            };
            self.drop_rows(layout, id, series, old);
            if is_open && !is_open_seen {
                self.drop_open(layout, id, number, series);
            }
        }
        if let (Some(kept), Some(until_us)) = (&layout.events, self.events_until_us) {
            let events = rows::get(&self.arena, Block(self.slab.get(id)[layout.events_at()]), kept.stride);
            if events.first().is_some_and(|word| *word as i64 <= until_us) {
                let old = rows::upper_bound(events, kept.stride, until_us);
                self.drop_events(layout, id, kept, old);
            }
        }
    }

    /// Moves an entry's blocks to where memory is well used, so that what freed blocks left can be given back. Texts of kept events stay
    /// where they are: each would have to be looked for.
    fn settle(&mut self, layout: &Layout, id: u32) {
        let key = (!layout.is_word_key).then_some(KEY);
        let mut entry = self.slab.get_mut(id);
        for at in blocks_at(layout).chain(key) {
            if let Some(block) = self.arena.settle(Block(entry[at])) {
                entry[at] = block.0;
            }
        }
    }

    /// What is kept, in numbers.
    pub(crate) fn counts(&self) -> Counts {
        let (layout, stride) = (&self.layout, self.layout.row_words());
        let mut counts = Counts { keys: self.slab.len(), records: vec![0; layout.series.len()], events: 0 };
        for id in (0..self.slab.end()).filter(|id| self.slab.get(*id)[FLAGS] & LIVE != 0) {
            let entry = self.slab.get(id);
            for (records, series) in counts.records.iter_mut().zip(&layout.series) {
                *records += rows::get(&self.arena, Block(entry[series.at + 1]), stride).len() / stride;
            }
            if let Some(kept) = &layout.events {
                counts.events +=
                    rows::get(&self.arena, Block(entry[layout.events_at()]), kept.stride).len() / kept.stride;
            }
        }
        counts
    }

    /// Gives images of entries that changed, at most so many. Whether there are more.
    pub(crate) fn take_dirty(&mut self, max_entries: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) -> bool {
        let mut image = Vec::new();
        let mut left = max_entries;
        // Removals first: a key that came back has its image written after them.
        while left > 0 && !self.gone.is_empty() {
            let key = self.gone.pop_front().unwrap_or_default();
            visit(&key, None);
            left -= 1;
        }
        while left > 0 {
            let Some(id) = self.dirty.pop_front() else { break };
            // A number may be listed of an entry that was removed, or twice.
            let is_dirty = id < self.slab.end() && self.slab.get(id)[FLAGS] & (LIVE | DIRTY) == LIVE | DIRTY;
            if !is_dirty {
                continue;
            }
            // An entry of which nothing is left waits for its key's next event; the store need not keep it.
            if self.is_bare(id) {
                if self.slab.get(id)[FLAGS] & STORED != 0 {
                    self.key(id).with_bytes(|key| visit(key, None));
                    left -= 1;
                }
                self.slab.get_mut(id)[FLAGS] &= UNSTAMPED & !(DIRTY | STORED);
                continue;
            }
            image.clear();
            self.put_image(id, &mut image);
            self.key(id).with_bytes(|key| visit(key, Some(&image)));
            let mut entry = self.slab.get_mut(id);
            entry[FLAGS] = (entry[FLAGS] & UNSTAMPED & !DIRTY) | STORED;
            left -= 1;
        }
        !self.gone.is_empty() || !self.dirty.is_empty()
    }

    /// Drops entries that the store has as they are, those not used since the hand last passed first.
    pub(crate) fn evict(&mut self, keep_entries: usize) -> usize {
        // Windows that are to be closed need all their keys.
        if self.layout.kind == StateKind::Tumbling {
            return 0;
        }
        let mut dropped = 0;
        // The first turn takes marks away, the second finds entries without.
        for _ in 0..2 * self.slab.end() as usize {
            if self.slab.len() <= keep_entries || self.slab.end() == 0 {
                break;
            }
            if self.hand >= self.slab.end() {
                self.hand = 0;
            }
            let id = self.hand;
            self.hand += 1;
            let mut entry = self.slab.get_mut(id);
            if entry[FLAGS] & (LIVE | STORED | DIRTY) != LIVE | STORED {
                continue;
            }
            if entry[FLAGS] & USED != 0 {
                entry[FLAGS] &= UNSTAMPED & !USED;
                continue;
            }
            self.remove(id, false);
            dropped += 1;
        }
        dropped
    }
}
