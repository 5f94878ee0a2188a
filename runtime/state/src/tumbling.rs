//! Tumbling windows of keys: which are open, and taking one out when it is over.
//!
//! Every window lists the entries that have it, so that closing one costs what is in it, not what is in the table.
//!
//! This file must not know watermarks.

use chalk_catalog::event::{EventColumn, EventData};

use crate::arena::Block;
use crate::keyed::{DIRTY, FLAGS, KeyRef, Keyed, LIVE, OPEN};
use crate::layout::SERIES_HEAD;
use crate::{Folded, fold, rows};

impl Keyed {
    /// Windows that have events, by start, then length.
    pub(crate) fn open_windows(&self) -> Vec<(usize, i64)> {
        self.open.keys().map(|(start_us, window)| (*window, *start_us)).collect()
    }

    /// Takes a window out, key by key in the order of their bytes.
    pub(crate) fn close(&mut self, window: usize, start_us: i64, visit: &mut dyn FnMut(&EventColumn, &Folded)) {
        let Some((bucket, mut ids)) = self.open.remove(&(start_us, window)) else { return };
        // An image that the store still has is not to bring it back.
        self.first_number[window] = self.first_number[window].max(bucket.saturating_add(1));
        if self.layout.is_word_key {
            ids.sort_unstable_by_key(|id| match self.key(*id) {
                KeyRef::Word(word) => word.swap_bytes(),
                KeyRef::Bytes(_) => 0,
            });
        } else {
            ids.sort_unstable_by(|a, b| match (self.key(*a), self.key(*b)) {
                (KeyRef::Bytes(a), KeyRef::Bytes(b)) => a.cmp(b),
                _ => std::cmp::Ordering::Equal,
            });
        }
        let mut key = EventColumn::new(&self.layout.plan().key.kind);
        let mut folded = Folded::new(&self.layout);
        let mut bare = Vec::new();
        for id in ids {
            key.clear();
            push_key(&mut key, self.key(id));
            self.take_bucket(id, window, bucket, &mut folded);
            visit(&key, &folded);
            folded.clear();
            if self.is_bare(id) {
                bare.push(id);
            }
        }
        // Keys mostly come again: those of which nothing is left go when a later window closes and still nothing is.
        for id in std::mem::replace(&mut self.bare[window], bare) {
            if id < self.slab.end() && self.slab.get(id)[FLAGS] & LIVE != 0 && self.is_bare(id) {
                self.remove(id, true);
            }
        }
    }

    /// Moves a bucket of an entry out of it.
    fn take_bucket(&mut self, id: u32, number: usize, bucket: i64, into: &mut Folded) {
        let layout = self.layout.clone();
        let (series, stride) = (&layout.series[number], layout.row_words());
        let entry = self.slab.get_mut(id);
        if entry[FLAGS] & DIRTY == 0 {
            entry[FLAGS] |= DIRTY;
            self.dirty.push_back(id);
        }
        let mut block = Block(entry[series.at + 1]);
        let closed = rows::get(&self.arena, block, stride);
        let count = closed.len() / stride;
        if entry[series.at] as i64 != bucket {
            let position = rows::lower_bound(closed, stride, bucket);
            assert_eq!(closed[position * stride] as i64, bucket, "an entry that a window lists has it");
            self.take_row(&mut block, position, into);
        } else {
            let partials = &mut entry[series.at + SERIES_HEAD..][..layout.words];
            into.merge_partials(partials, &self.heap);
            fold::clear(&layout, partials, &mut self.heap);
            // The latest of the others is the open one now.
            if count > 0 {
                let row = &rows::get(&self.arena, block, stride)[(count - 1) * stride..];
                entry[series.at] = row[0];
                entry[series.at + SERIES_HEAD..][..layout.words].copy_from_slice(&row[1..]);
                rows::remove(&mut self.arena, &mut block, stride, count - 1);
            } else {
                entry[series.at] = 0;
                entry[FLAGS] &= !(1 << (OPEN + number as u32));
            }
        }
        self.slab.get_mut(id)[series.at + 1] = block.0;
    }

    fn take_row(&mut self, block: &mut Block, position: usize, into: &mut Folded) {
        let layout = self.layout.clone();
        let stride = layout.row_words();
        let row = &mut rows::get_mut(&mut self.arena, *block, stride)[position * stride..][..stride];
        into.merge_partials(&row[1..], &self.heap);
        fold::clear(&layout, &mut row[1..], &mut self.heap);
        rows::remove(&mut self.arena, block, stride, position);
    }
}

/// Appends a key to a column of keys.
pub(crate) fn push_key(column: &mut EventColumn, key: KeyRef<'_>) {
    match (&mut column.data, key) {
        (EventData::Words(words), KeyRef::Word(word)) => words.push(word),
        (EventData::Bytes { ends, bytes }, KeyRef::Bytes(key)) => {
            bytes.extend_from_slice(key);
            ends.push(bytes.len() as u32);
        }
        _ => panic!("keys of a table are of one kind"),
    }
}
