//! A window that is over, taken out of tables: its keys in order, and the partials of each.
//!
//! Rows lie one behind the other, because a window has as many as there are keys: taking one out is a copy of a few words, and windows
//! of several partitions are merged in one pass.
//!
//! This file must not know where partials come from.

use std::cmp::Ordering;
use std::sync::Arc;

use chalk_catalog::ColumnBuilder;
use chalk_catalog::aggregate::Heap;
use chalk_catalog::event::EventColumn;
use chalk_types::Value;

use crate::keyed::KeyRef;
use crate::{Layout, fold};

/// Keys of a window with their partials, ascending: words as signed integers, texts and bytes by their bytes.
pub struct ClosedWindow {
    layout: Arc<Layout>,
    keys: EventColumn,
    /// Per key the partials of all leaves.
    words: Vec<u64>,
    heap: Heap,
}

impl ClosedWindow {
    /// No keys.
    pub fn new(layout: &Arc<Layout>) -> ClosedWindow {
        let keys = EventColumn::new(&layout.plan().key.kind);
        ClosedWindow { layout: layout.clone(), keys, words: Vec::new(), heap: Heap::default() }
    }

    /// Forgets all keys; memory of words is kept.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.words.clear();
        if self.layout.has_heap() {
            self.heap = Heap::default();
        }
    }

    /// Keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys.
    pub fn keys(&self) -> &EventColumn {
        &self.keys
    }

    /// The result of a leaf for a key; an error (`integer overflow`) fails whoever asks.
    pub fn finish(&self, row: usize, leaf: usize) -> Result<Value, String> {
        fold::finish(&self.layout, self.partial(row), &self.heap, leaf)
    }

    /// The results of a leaf for keys of these rows, appended to a column. Where one has no result the column has a null, and its position among
    /// `rows` and the error are appended to `failed`.
    pub fn finish_column(
        &self,
        leaf: usize,
        rows: &[usize],
        out: &mut ColumnBuilder,
        failed: &mut Vec<(usize, String)>,
    ) {
        let partials = fold::Partials { words: &self.words, rows };
        fold::finish_all(&self.layout, partials, &self.heap, leaf, out, failed);
    }

    /// The windows of several partitions as one: a key's partials are merged in the order of the partitions.
    ///
    /// # Panics
    /// If they are of different aggregations: a bug.
    pub fn merge(layout: &Arc<Layout>, mut parts: Vec<ClosedWindow>) -> ClosedWindow {
        assert!(parts.iter().all(|part| Arc::ptr_eq(&part.layout, layout)), "windows of one aggregation");
        parts.retain(|part| !part.is_empty());
        if parts.len() < 2 {
            return parts.pop().unwrap_or_else(|| ClosedWindow::new(layout));
        }
        let rows = parts.iter().enumerate().flat_map(|(number, part)| (0..part.len()).map(move |row| (number, row)));
        let mut rows: Vec<(usize, usize)> = rows.collect();
        let key = |(part, row): (usize, usize)| KeyRef::of(&parts[part].keys, row);
        // Each part is in order, and so a run that the sort finds; equal keys stay in the order of the parts.
        rows.sort_by(|a, b| key(*a).order(key(*b)));
        let mut merged = ClosedWindow::new(layout);
        let mut last = None;
        for (part, row) in rows {
            let from = &parts[part];
            let is_same = last.is_some_and(|last| key(last).order(key((part, row))) == Ordering::Equal);
            if is_same {
                let at = merged.words.len() - layout.words;
                fold::merge(layout, &mut merged.words[at..], &mut merged.heap, from.partial(row), &from.heap);
            } else {
                merged.push(key((part, row)), from.partial(row), &from.heap);
            }
            last = Some((part, row));
        }
        merged
    }

    fn partial(&self, row: usize) -> &[u64] {
        &self.words[row * self.layout.words..][..self.layout.words]
    }

    /// Appends a key that is greater than all before.
    pub(crate) fn push(&mut self, key: KeyRef<'_>, partial: &[u64], heap: &Heap) {
        key.push_to(&mut self.keys);
        if !self.layout.has_heap() {
            return self.words.extend_from_slice(partial);
        }
        let at = self.words.len();
        self.words.extend_from_slice(&self.layout.empty);
        fold::merge(&self.layout, &mut self.words[at..], &mut self.heap, partial, heap);
    }
}
