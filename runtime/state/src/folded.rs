//! Partials of all leaves of one key over one window: what a read gives, and what partitions are merged into.
//!
//! It has a heap of its own, so that nothing in it outlives or holds on to the table that it came from.
//!
//! This file must not know where partials are kept.

use std::sync::Arc;

use chalk_catalog::aggregate::Heap;
use chalk_types::Value;

use crate::Layout;
use crate::fold;

/// Partials of all leaves, with a heap of their own.
#[derive(Debug)]
pub struct Folded {
    pub(crate) layout: Arc<Layout>,
    pub(crate) words: Vec<u64>,
    pub(crate) heap: Heap,
    pub(crate) has_events: bool,
}

impl Folded {
    /// Empty partials.
    pub fn new(layout: &Arc<Layout>) -> Folded {
        Folded { layout: layout.clone(), words: layout.empty.clone(), heap: Heap::default(), has_events: false }
    }

    /// Makes all partials empty; memory is kept.
    pub fn clear(&mut self) {
        if self.has_events {
            fold::clear(&self.layout, &mut self.words, &mut self.heap);
            self.has_events = false;
        }
    }

    /// Adds the partials of a later stretch of events, or of a later partition.
    ///
    /// # Panics
    /// If the two are of different aggregations: a bug.
    pub fn merge(&mut self, later: &Folded) {
        assert!(Arc::ptr_eq(&self.layout, &later.layout), "partials of one aggregation");
        if later.has_events {
            self.merge_partials(&later.words, &later.heap);
        }
    }

    /// Adds partials of one or more events.
    pub(crate) fn merge_partials(&mut self, later: &[u64], later_heap: &Heap) {
        fold::merge(&self.layout, &mut self.words, &mut self.heap, later, later_heap);
        self.has_events = true;
    }

    /// Adds the partials of rows of buckets, in order.
    pub(crate) fn merge_rows(&mut self, rows: &[u64], rows_heap: &Heap) {
        if !rows.is_empty() {
            fold::merge_rows(&self.layout, &mut self.words, &mut self.heap, rows, rows_heap);
            self.has_events = true;
        }
    }

    /// The result of a leaf; an error (`integer overflow`) fails whoever asks.
    pub fn finish(&self, leaf: usize) -> Result<Value, String> {
        fold::finish(&self.layout, &self.words, &self.heap, leaf)
    }

    /// Whether no event came into it, one that no leaf counts included.
    pub fn is_empty(&self) -> bool {
        !self.has_events
    }
}
