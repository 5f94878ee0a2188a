//! Reading: a key's partials over a window, folded oldest to newest.
//!
//! The fold is canonical: which partials are merged, and in which order, is a function of the key's events and the time that is asked
//! for, whatever batches, restarts or sweeps came between. Buckets wholly inside an exact window give their partial; a bucket that an edge
//! cuts gives one of its own, of its events inside, by time and then by offset.
//!
//! This file must not know how entries are found or updated.

use std::cmp::Ordering;

use crate::arena::Block;
use crate::keyed::Keyed;
use crate::layout::{BoundWindow, Series, StateKind, clamp};
use crate::{Folded, fold, rows};

impl Keyed {
    /// Folds an entry's partials over a window, as of now, into `into`.
    pub(crate) fn fold(&mut self, id: u32, window: usize, now_us: i64, into: &mut Folded) {
        let BoundWindow { duration_us, series: number } = self.layout.windows[window];
        let series = self.layout.series[number];
        match self.layout.kind {
            StateKind::Total => self.fold_buckets(id, number, 0, 0, into),
            StateKind::Tumbling => {
                let bucket = i128::from(series.number(now_us));
                self.fold_buckets(id, number, bucket, bucket, into);
            }
            StateKind::Materialized => {
                let last = i128::from(series.number(now_us));
                let first = last - whole_buckets(duration_us, series.bucket_us) + 1;
                self.fold_buckets(id, number, first, last, into);
            }
            StateKind::Continuous => self.fold_exact(id, number, &series, duration_us, now_us, into),
            StateKind::Messages => panic!("messages are not aggregated"),
        }
    }

    /// Merges the buckets from `first` to `last`.
    fn fold_buckets(&self, id: u32, number: usize, first: i128, last: i128, into: &mut Folded) {
        if first > last {
            return;
        }
        let (first, last) = (clamp(first), clamp(last));
        let layout = &self.layout;
        let (entry, series, stride) = (self.slab.get(id), &layout.series[number], layout.row_words());
        let closed = rows::get(&self.arena, Block(entry[series.at + 1]), stride);
        let from = rows::lower_bound(closed, stride, first);
        let until = rows::upper_bound(closed, stride, last);
        into.merge_rows(&closed[from * stride..until.max(from) * stride], &self.heap);
        if Keyed::is_open(layout, entry, number) && (first..=last).contains(&(entry[series.at] as i64)) {
            into.merge_partials(entry.near(series.partial_at, layout.words), &self.heap);
        }
    }

    /// The window `(now - duration, now]`.
    fn fold_exact(
        &mut self,
        id: u32,
        number: usize,
        series: &Series,
        duration_us: i64,
        now_us: i64,
        into: &mut Folded,
    ) {
        // First and last time inside, and the buckets that they are in.
        let (oldest, newest) = (i128::from(now_us) - i128::from(duration_us) + 1, i128::from(now_us));
        let (low, high) = (series.wide_number(oldest), series.wide_number(newest));
        let is_low_cut = series.start(low) != oldest;
        let is_high_cut = series.start(high + 1) - 1 != newest;
        if low == high && (is_low_cut || is_high_cut) {
            return self.fold_events(id, oldest, newest, into);
        }
        if is_low_cut {
            self.fold_events(id, oldest, series.start(low + 1) - 1, into);
        }
        self.fold_buckets(id, number, low + i128::from(is_low_cut), high - i128::from(is_high_cut), into);
        if is_high_cut {
            self.fold_events(id, series.start(high), newest, into);
        }
    }

    /// Makes one partial of the events between two times, both included, and merges it.
    fn fold_events(&mut self, id: u32, oldest: i128, newest: i128, into: &mut Folded) {
        let layout = &self.layout;
        let kept = layout.events.as_ref().expect("exact windows keep their events");
        let block = Block(self.slab.get(id)[layout.events_at()]);
        let events = rows::get(&self.arena, block, kept.stride);
        let from = match oldest.cmp(&i128::from(i64::MIN)) {
            Ordering::Less => 0,
            _ if oldest > i128::from(i64::MAX) => return,
            _ => rows::lower_bound(events, kept.stride, clamp(oldest)),
        };
        if newest < i128::from(i64::MIN) {
            return;
        }
        let until = rows::upper_bound(events, kept.stride, clamp(newest));
        if from >= until {
            return;
        }
        let edge = &mut self.edge;
        let cut = &events[from * kept.stride..until * kept.stride];
        fold::update_kept(layout, kept, &mut edge.words, &mut edge.heap, cut, &self.arena, &mut self.columns);
        edge.has_events = true;
        into.merge(edge);
        edge.clear();
    }
}

/// Buckets that a window of buckets covers, the running one included.
pub(crate) fn whole_buckets(duration_us: i64, bucket_us: i64) -> i128 {
    (i128::from(duration_us) + i128::from(bucket_us) - 1) / i128::from(bucket_us)
}
