//! The state of one aggregation and one source partition: its keys, and what is kept of each.
//!
//! One owner works on a table at a time: whoever reads the partition updates it in the order of offsets.
//!
//! This file must not know logs, stores or other partitions.

use std::sync::Arc;

use chalk_catalog::event::EventColumn;

use crate::{EventBatch, Folded, Layout};

/// Images of entries that are not in memory.
pub trait ColdStore: Send + Sync {
    /// The image last given for the key's bytes; none where there is none.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String>;
}

/// The state of one aggregation and one source partition.
#[derive(Debug)]
pub struct Table {
    layout: Arc<Layout>,
}

impl Table {
    /// An empty table.
    pub fn new(layout: &Arc<Layout>) -> Table {
        Table { layout: layout.clone() }
    }

    /// What it is laid out by.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Updates from events in order. Events that are not newer than their entry's last offset are passed over, so a replay changes nothing.
    /// Tumbling windows whose end is at or before `closed_until_us` have run and take nothing any more.
    pub fn apply(
        &mut self,
        events: &EventBatch,
        closed_until_us: Option<i64>,
        cold: Option<&dyn ColdStore>,
    ) -> Result<(), String> {
        let _ = (events, closed_until_us, cold);
        Ok(())
    }

    /// Folds a key's partials over a window of the plan, as of now, into `into`, which is empty; false where the key is unknown.
    /// Of tumbling aggregations: over the window that `now_us` lies in.
    pub fn read(
        &mut self,
        key: &EventColumn,
        row: usize,
        window: usize,
        now_us: i64,
        into: &mut Folded,
        cold: Option<&dyn ColdStore>,
    ) -> Result<bool, String> {
        let _ = (key, row, window, now_us, into, cold);
        Ok(false)
    }

    /// Tumbling: windows that have events, as (position of the length, start), ascending by start, then length.
    pub fn open_windows(&self) -> Vec<(usize, i64)> {
        Vec::new()
    }

    /// Tumbling: takes a window out, key by key in the order of their bytes; the key is in row 0 of the column.
    pub fn close(&mut self, window: usize, start_us: i64, visit: &mut dyn FnMut(&EventColumn, &Folded)) {
        let _ = (window, start_us, visit);
    }

    /// `AggregationKind::Messages`: takes the messages of a window out, in offset order.
    pub fn close_messages(&mut self, window: usize, start_us: i64) -> EventBatch {
        let _ = (window, start_us);
        EventBatch::new(self.layout.plan())
    }

    /// Frees what no window can see at or after `low_us`, looking at no more than `max_entries` entries; the next call goes on from there.
    /// Gives how many keys are gone.
    pub fn expire(&mut self, low_us: i64, max_entries: usize) -> usize {
        let _ = (low_us, max_entries);
        0
    }

    /// Gives images of entries that changed since they were last given, at most `max_entries`; none where the key is gone.
    /// Whether there are more.
    pub fn take_dirty(&mut self, max_entries: usize, visit: &mut dyn FnMut(&[u8], Option<&[u8]>)) -> bool {
        let _ = (max_entries, visit);
        false
    }

    /// Takes an image in; ignored where the key is in memory. An error says what is wrong with the image.
    pub fn load(&mut self, key: &[u8], image: &[u8]) -> Result<(), String> {
        let _ = (key, image);
        Ok(())
    }

    /// Drops entries that have not changed since they were last given to the store, those not used for long first, until
    /// `keep_entries` are left. Gives how many.
    pub fn evict(&mut self, keep_entries: usize) -> usize {
        let _ = keep_entries;
        0
    }

    /// Keys in memory.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether no key is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that it holds.
    pub fn size_bytes(&self) -> usize {
        0
    }

    /// Every key in memory, in no particular order; the key is in the given row of the column.
    pub fn for_each_key(&self, visit: &mut dyn FnMut(&EventColumn, usize)) {
        let _ = visit;
    }
}
