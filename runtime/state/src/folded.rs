//! Partials of all leaves of one key over one window: what a read gives, and what partitions are merged into.
//!
//! It has a heap of its own, so that nothing in it outlives or holds on to the table that it came from.
//!
//! This file must not know where partials are kept.

use std::sync::Arc;

use chalk_catalog::aggregate::Heap;
use chalk_types::Value;

use crate::Layout;

/// Partials of all leaves, with a heap of their own.
#[derive(Debug)]
pub struct Folded {
    layout: Arc<Layout>,
    words: Vec<u64>,
    heap: Heap,
}

impl Folded {
    /// Empty partials.
    pub fn new(layout: &Arc<Layout>) -> Folded {
        Folded { layout: layout.clone(), words: Vec::new(), heap: Heap::default() }
    }

    /// Makes all partials empty; memory is kept.
    pub fn clear(&mut self) {}

    /// Adds the partials of a later stretch of events, or of a later partition.
    pub fn merge(&mut self, later: &Folded) {
        let _ = later;
    }

    /// The result of a leaf; an error (`integer overflow`) fails whoever asks.
    pub fn finish(&self, leaf: usize) -> Result<Value, String> {
        self.layout.aggregate(leaf).finish(&self.words, &self.heap)
    }

    /// Whether no event came into it, one that no leaf counts included.
    pub fn is_empty(&self) -> bool {
        true
    }
}
