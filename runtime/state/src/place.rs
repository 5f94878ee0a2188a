//! Buckets and events of one entry: a bucket is opened, closed, or found among the closed ones; an event is kept.
//!
//! What no window sees any more is forgotten where its memory is at hand.
//!
//! This file must not know batches, or how entries are found.

use crate::arena::Block;
use crate::fold::{self, Sources};
use crate::keyed::{FLAGS, Keyed, OPEN, UNSTAMPED};
use crate::layout::{KeptEvents, Layout, Series, StateKind};
use crate::{EventBatch, rows};

impl Keyed {
    /// A row is in a bucket that is not the open one: either the bucket is opened, and the row is yet to be added; or the row is added to a
    /// closed one, which is put among them if it is not there. Whether it was added.
    #[inline(never)]
    pub(crate) fn place_elsewhere(
        &mut self,
        layout: &Layout,
        id: u32,
        row: usize,
        sources: &Sources<'_>,
        number: usize,
        bucket: i64,
    ) -> bool {
        let (stride, series) = (layout.row_words(), &layout.series[number]);
        let mut entry = self.slab.get_mut(id);
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
            sources.add(layout, closed, &mut self.heap, row);
            return true;
        }
        // One without events just moves on.
        if is_open && (layout.count_at.is_none() || Keyed::is_open(layout, self.slab.get(id), number)) {
            self.close_open(layout, id, number, series);
        }
        self.note_window(id, number, bucket);
        let mut entry = self.slab.get_mut(id);
        entry[FLAGS] = (entry[FLAGS] & UNSTAMPED) | 1 << (OPEN + number as u32);
        entry[series.at] = bucket as u64;
        let open = entry.near(series.partial_at, stride - 1);
        open.copy_from_slice(&layout.empty);
        false
    }

    /// Puts the open bucket behind the closed ones. What no window sees any more goes: memory is at hand now.
    fn close_open(&mut self, layout: &Layout, id: u32, number: usize, series: &Series) {
        let stride = layout.row_words();
        let mut entry = self.slab.get_mut(id);
        let mut block = Block(entry[series.at + 1]);
        let is_expiring = layout.kind != StateKind::Tumbling;
        if is_expiring && (entry[series.at] as i64) < self.first_number[number] {
            fold::clear(layout, entry.near(series.partial_at, layout.words), &mut self.heap);
            if !block.is_none() {
                self.drop_rows(layout, id, series, usize::MAX);
            }
            return;
        }
        let closed = rows::get(&self.arena, block, stride).len() / stride;
        let row = rows::insert(&mut self.arena, &mut block, stride, closed);
        row[0] = entry[series.at];
        row[1..].copy_from_slice(entry.near(series.partial_at, stride - 1));
        entry[series.at + 1] = block.0;
        if is_expiring {
            self.forget_first(layout, id, series, number);
        }
    }

    /// A bucket was closed: its block is at hand, so what no window sees any more goes now.
    fn forget_first(&mut self, layout: &Layout, id: u32, series: &Series, number: usize) {
        let stride = layout.row_words();
        let closed = rows::get(&self.arena, Block(self.slab.get(id)[series.at + 1]), stride);
        let first = self.first_number[number];
        if closed.first().is_some_and(|word| (*word as i64) < first) {
            let count = closed.chunks_exact(stride).take_while(|row| (row[0] as i64) < first).count();
            self.drop_rows(layout, id, series, count);
        }
    }

    /// Keeps an event for exact windows, behind those of the same time.
    pub(crate) fn keep(&mut self, layout: &Layout, id: u32, kept: &KeptEvents, events: &EventBatch, row: usize) {
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
