//! The rows in memory: what commits merge into and queries read.
//!
//! Striped by the head of the key's hash, a lock for each stripe; a lock is held for one row. A row in memory may be
//! *partial*: since merging needs no base, a commit never reads the store. The first query, or the next checkpoint,
//! merges the stored row in.
//!
//! This file must not know how commits or checkpoints are written.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chalk_connectors::Position;

use super::changelog::{Changelogs, Writer};
use super::engine::EngineState;
use super::key::{self, BuildKeyHasher};
use super::marks::{Marks, read_entries};
use super::pending::Pending;
use super::row;
use super::store::{Store, StoreError};

/// Stripes; a power of two, at most 2^16.
const STRIPES: usize = 256;

/// A row in memory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) row: Box<[u8]>,
    /// Whether everything the store knows of the key is in it.
    pub(super) complete: bool,
    /// Whether it is newer than the store.
    pub(super) dirty: bool,
}

/// One stripe.
#[derive(Debug, Default)]
pub(super) struct Stripe {
    pub(super) rows: HashMap<Box<[u8]>, Entry, BuildKeyHasher>,
    pub(super) dirty: Vec<Box<[u8]>>,
}

/// What has been merged, log by log and partition by partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// Log → its last record that is in the map.
    pub(super) applied: BTreeMap<u32, u64>,
    /// Source and partition → the record that said it, and the position.
    pub(super) positions: BTreeMap<(u32, i32), (u64, Position)>,
    /// What the engine's log said up to there.
    pub(super) marks: Marks,
}

/// All online state of this process.
pub struct State {
    pub(super) stripes: Vec<Mutex<Stripe>>,
    pub(super) book: Mutex<Book>,
    pub(super) store: Arc<dyn Store>,
    pub(super) logs: Changelogs,
    pub(super) engine: Option<EngineState>,
    pub(super) next_seq: AtomicU64,
    pub(super) uncheckpointed_bytes: AtomicU64,
    /// Per source number the greatest event time of a commit of this run.
    pub(super) latest_us: Mutex<BTreeMap<u32, i64>>,
}

/// A lock whose data stays valid whatever its last holder did.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn new(store: Arc<dyn Store>, logs: Changelogs, book: Book, engine: Option<EngineState>) -> State {
        State {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            book: Mutex::new(book),
            store,
            logs,
            engine,
            next_seq: AtomicU64::new(1),
            uncheckpointed_bytes: AtomicU64::new(0),
            latest_us: Mutex::default(),
        }
    }

    /// What the engine keeps, where the program has an engine.
    pub fn engine(&self) -> Option<&EngineState> {
        self.engine.as_ref()
    }

    /// The embedded store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The greatest event time of a source's commits in this run.
    pub fn latest_us(&self, source: u32) -> Option<i64> {
        lock(&self.latest_us).get(&source).copied()
    }

    pub(super) fn stripe(&self, store_key: &[u8]) -> &Mutex<Stripe> {
        &self.stripes[(key::hash_of(store_key) >> (64 - STRIPES.ilog2())) as usize]
    }

    /// Commits: appends to the log, then merges into the map. When it returns, a crash cannot take it back (with `sync`
    /// a power cut cannot either).
    pub fn commit(&self, writer: &mut Writer, log: u32, pending: &Pending, sync: bool) -> Result<(), StoreError> {
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        writer.append(&self.logs, seq, pending, sync)?;
        let rows = pending.rows.iter().map(|(key, row)| (&**key, &row[..]));
        let positions =
            pending.positions.iter().map(|((source, partition), position)| (*source, *partition, *position));
        if let Some(engine) = &self.engine {
            engine.add_keys(log, seq, &pending.events)?;
        }
        self.apply(log, seq, rows, positions, &pending.events)?;
        if let Some(engine) = &self.engine {
            engine.commits(log);
            if pending.has_closes {
                engine.closes_committed();
            }
        }
        let mut latest_us = lock(&self.latest_us);
        for (source, time_us) in &pending.latest_us {
            let known = latest_us.entry(*source).or_insert(*time_us);
            *known = (*time_us).max(*known);
        }
        drop(latest_us);
        self.uncheckpointed_bytes.fetch_add(pending.size_bytes() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Merges a record into the map.
    pub(super) fn apply<'a>(
        &self,
        log: u32,
        seq: u64,
        rows: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        positions: impl Iterator<Item = (u32, i32, Position)>,
        events: &[u8],
    ) -> Result<(), StoreError> {
        for (key, row) in rows {
            let mut stripe = lock(self.stripe(key));
            let stripe = &mut *stripe;
            let became_dirty = match stripe.rows.get_mut(key) {
                Some(entry) => match row::merge(&entry.row, row) {
                    Some(merged) => {
                        entry.row = merged.into_boxed_slice();
                        !std::mem::replace(&mut entry.dirty, true)
                    }
                    None => false,
                },
                None => {
                    stripe.rows.insert(key.into(), Entry { row: row.into(), complete: false, dirty: true });
                    true
                }
            };
            if became_dirty {
                stripe.dirty.push(key.into());
            }
        }
        let mut book = lock(&self.book);
        let applied = book.applied.entry(log).or_insert(0);
        *applied = seq.max(*applied);
        for (source, partition, position) in positions {
            let known = book.positions.entry((source, partition)).or_insert((0, position));
            if seq >= known.0 {
                *known = (seq, position);
            }
        }
        read_entries(events, |entry| book.marks.take(&entry)).map_err(StoreError)
    }

    /// The committed row of a key.
    pub fn read(&self, store_key: &[u8]) -> Result<Option<Box<[u8]>>, StoreError> {
        // The lock is held while the store is read, so that the row cannot be checkpointed and evicted in between.
        let mut stripe = lock(self.stripe(store_key));
        match stripe.rows.get_mut(store_key) {
            Some(entry) => {
                self.complete(store_key, entry)?;
                Ok(Some(entry.row.clone()))
            }
            None => match self.store.get(store_key)? {
                Some(row) => {
                    let row = row.into_boxed_slice();
                    stripe.rows.insert(store_key.into(), Entry { row: row.clone(), complete: true, dirty: false });
                    Ok(Some(row))
                }
                None => Ok(None),
            },
        }
    }

    /// Merges what the store knows into a partial row.
    pub(super) fn complete(&self, store_key: &[u8], entry: &mut Entry) -> Result<(), StoreError> {
        if !entry.complete {
            if let Some(stored) = self.store.get(store_key)? {
                // The row in memory is the newer one: on equal stamps its values stand.
                entry.row = row::merge(&stored, &entry.row).unwrap_or(stored).into_boxed_slice();
            }
            entry.complete = true;
        }
        Ok(())
    }

    /// Where a partition goes on after the last commit.
    pub fn position(&self, source: u32, partition: i32) -> Option<Position> {
        lock(&self.book).positions.get(&(source, partition)).map(|(_, position)| *position)
    }

    /// Every partition's position.
    pub fn positions(&self) -> Vec<((u32, i32), Position)> {
        lock(&self.book).positions.iter().map(|(partition, (_, position))| (*partition, *position)).collect()
    }

    /// Rows in memory, and those of them that are newer than the store.
    pub fn row_counts(&self) -> (usize, usize) {
        self.stripes.iter().fold((0, 0), |(rows, dirty), stripe| {
            let stripe = lock(stripe);
            (rows + stripe.rows.len(), dirty + stripe.dirty.len())
        })
    }

    /// Bytes that the embedded store takes on disk.
    pub fn store_bytes(&self) -> u64 {
        self.store.size_bytes()
    }

    /// Bytes of changelog that are sealed and not yet superfluous.
    pub fn changelog_bytes(&self) -> u64 {
        self.logs.sealed_bytes()
    }

    /// Bytes committed since the last checkpoint, about.
    pub fn uncheckpointed_bytes(&self) -> u64 {
        self.uncheckpointed_bytes.load(Ordering::Relaxed)
    }
}
