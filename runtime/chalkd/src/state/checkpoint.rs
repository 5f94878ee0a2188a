//! The checkpoint: brings what changed since the last one into the embedded store, and deletes the changelog behind it.
//!
//! Keys are coalesced (a key that changed a thousand times is written once), sorted, and written in slices, because one
//! large batch
//! stalls the store for seconds. Slices need not be atomic together: the log is replayed over them until the
//! last one, which says up to where the log is superfluous and where every partition goes on. What the engine keeps is
//! written with it (`engine.rs`).
//!
//! This file must not know what rows mean.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use chalk_connectors::Position;
use serde::{Deserialize, Serialize};

use super::hot::{Book, State, lock};
use super::key;
use super::marks::Marks;
use super::store::{Store, StoreError};

/// Rows written at once.
const SLICE_ROWS: usize = 50_000;

/// What a checkpoint did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointReport {
    /// Rows written.
    pub rows: usize,
    /// Entries of aggregations written or removed.
    pub entries: usize,
    /// Files of dedup keys deleted.
    pub key_files_deleted: usize,
    /// Changelog segments deleted.
    pub segments_deleted: usize,
    /// Rows dropped from memory.
    pub evicted: usize,
}

/// What the last slice says.
#[derive(Debug, Default, Serialize, Deserialize)]
struct SavedBook {
    applied: Vec<(u32, u64)>,
    positions: Vec<SavedPosition>,
    #[serde(default)]
    marks: Marks,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedPosition {
    source: u32,
    partition: i32,
    offset: i64,
    byte_offset: u64,
    seq: u64,
}

/// The book of the last checkpoint.
pub(super) fn load_book(store: &dyn Store) -> Result<Book, StoreError> {
    let Some(bytes) = store.get(&key::meta_key("positions"))? else { return Ok(Book::default()) };
    let saved: SavedBook = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError(format!("the stored positions are damaged: {error}")))?;
    Ok(Book {
        applied: saved.applied.into_iter().collect(),
        positions: saved
            .positions
            .into_iter()
            .map(|saved| {
                let position = Position { offset: saved.offset, byte_offset: saved.byte_offset };
                ((saved.source, saved.partition), (saved.seq, position))
            })
            .collect::<BTreeMap<_, _>>(),
        marks: saved.marks,
    })
}

fn save_book(book: &Book) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let saved = SavedBook {
        applied: book.applied.iter().map(|(log, seq)| (*log, *seq)).collect(),
        positions: book
            .positions
            .iter()
            .map(|((source, partition), (seq, position))| SavedPosition {
                source: *source,
                partition: *partition,
                offset: position.offset,
                byte_offset: position.byte_offset,
                seq: *seq,
            })
            .collect(),
        marks: book.marks.clone(),
    };
    let bytes = serde_json::to_vec(&saved).map_err(|error| StoreError(error.to_string()))?;
    Ok((key::meta_key("positions"), bytes))
}

impl State {
    /// Writes a checkpoint. One at a time; commits and queries go on meanwhile. Then rows that are in the store are
    /// dropped from memory until at most `max_rows` are left. After an error the store's content is unknown: stop.
    pub fn checkpoint(&self, max_rows: usize) -> Result<CheckpointReport, StoreError> {
        // Taken first: everything it names is in the map already, and what is merged meanwhile is replayed over it.
        let book = lock(&self.book).clone();
        self.uncheckpointed_bytes.store(0, Ordering::Relaxed);
        let mut rows = 0;
        let mut slice = Vec::new();
        for stripe in &self.stripes {
            let mut keys = std::mem::take(&mut lock(stripe).dirty);
            keys.sort_unstable();
            for store_key in keys {
                let mut stripe = lock(stripe);
                if let Some(entry) = stripe.rows.get_mut(&store_key) {
                    self.complete(&store_key, entry)?;
                    entry.dirty = false;
                    slice.push((store_key.into_vec(), entry.row.to_vec()));
                }
            }
            if slice.len() >= SLICE_ROWS {
                rows += slice.len();
                self.store.write(&slice)?;
                slice.clear();
            }
        }
        rows += slice.len();
        let (mut entries, mut key_files_deleted) = (0, 0);
        if let Some(engine) = &self.engine {
            entries = engine.checkpoint_tables(&*self.store)?;
            key_files_deleted = engine.checkpoint_keys()?;
        }
        slice.push(save_book(&book)?);
        self.store.write(&slice)?;
        self.store.settle()?;
        let segments_deleted = self.logs.delete_applied(&book.applied)?;
        Ok(CheckpointReport { rows, entries, key_files_deleted, segments_deleted, evicted: self.evict(max_rows) })
    }

    /// Drops clean rows; which ones is left to the order of the map.
    fn evict(&self, max_rows: usize) -> usize {
        let per_stripe = max_rows / self.stripes.len();
        let mut evicted = 0;
        for stripe in &self.stripes {
            let mut stripe = lock(stripe);
            let mut excess = stripe.rows.len().saturating_sub(per_stripe);
            if excess > 0 {
                let before = stripe.rows.len();
                stripe.rows.retain(|_, entry| {
                    let drop = excess > 0 && !entry.dirty;
                    excess -= usize::from(drop);
                    !drop
                });
                evicted += before - stripe.rows.len();
            }
        }
        evicted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chalk_engine::keeper::log::put_time;

    use super::super::pending::Pending;
    use super::super::recovery::recover;
    use super::super::store::MemoryStore;
    use super::*;

    /// The engine is ahead of the commits. What is saved is not: a watermark of messages that are read again would call them late.
    #[test]
    fn a_watermark_is_saved_with_the_positions_that_it_belongs_to() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::default());
        let recovered = recover(store.clone(), dir.path(), 1 << 20, None).unwrap();
        let mut writer = recovered.writer(0);
        let saved = |offset: i64| {
            let book = load_book(&*store).unwrap();
            assert_eq!(book.positions[&(0, 0)].1.offset, offset);
            let mut log = Vec::new();
            put_time(&mut log, 1, 0, offset * 10);
            assert_eq!(book.marks.log(), log);
        };
        let pending = |offset: i64| {
            let mut pending = Pending::default();
            put_time(&mut pending.events, 1, 0, offset * 10);
            pending.advance(0, 0, Position { offset, byte_offset: 0 });
            pending
        };
        recovered.state.commit(&mut writer, 0, &pending(5), false).unwrap();
        let computed_and_not_committed = pending(9);
        recovered.state.checkpoint(0).unwrap();
        saved(5);
        recovered.state.commit(&mut writer, 0, &computed_and_not_committed, false).unwrap();
        saved(5);
        recovered.state.checkpoint(0).unwrap();
        saved(9);
    }
}
