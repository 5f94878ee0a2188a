//! The embedded store behind the changelog: sorted keys and values on disk, written by checkpoints only.
//!
//! fjall, one keyspace: a second, seldom-written one would pin its journals. Its batches are not durable unless asked.
//!
//! This file must not know what keys and values mean.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

/// Why state cannot be read or written; a sentence for the person who runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

/// A sorted map on disk.
pub trait Store: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes all entries and removes the keys, or none of it; it is durable when it returns.
    fn apply(&self, entries: &[(Vec<u8>, Vec<u8>)], removed: &[Vec<u8>]) -> Result<(), StoreError>;

    /// Writes all entries or none; they are durable when it returns.
    fn write(&self, entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StoreError> {
        self.apply(entries, &[])
    }

    /// Visits up to `max` entries whose keys begin with `prefix` and come after `after`, in order. Gives the key of the last one, if
    /// there may be more.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// Brings what was written to its place, so that a start has nothing to repair and no journal is kept for it.
    fn settle(&self) -> Result<(), StoreError>;

    /// Bytes on disk.
    fn size_bytes(&self) -> u64;
}

/// Journals are kept up to this size; the least that fjall accepts, because the changelog is the journal that counts.
const MAX_JOURNAL_BYTES: u64 = 64 << 20;
/// fjall's memory for recently written keys.
const MEMTABLE_BYTES: u64 = 32 << 20;

/// The store on disk.
pub struct FjallStore {
    database: Database,
    keyspace: Keyspace,
}

impl FjallStore {
    /// Opens or creates the store in that folder.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<FjallStore, StoreError> {
        let failed = |error: fjall::Error| match error {
            fjall::Error::Locked => {
                StoreError(format!("the store in `{}` is in use by another process", path.display()))
            }
            error => StoreError(format!("cannot open the store in `{}`: {error}", path.display())),
        };
        let database = Database::builder(path)
            .cache_size(cache_bytes)
            .max_journaling_size(MAX_JOURNAL_BYTES)
            // With one thread a flush can wait for ever for a compaction (fjall #257).
            .worker_threads(2)
            .open()
            .map_err(failed)?;
        let keyspace = database
            .keyspace("state", || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES))
            .map_err(failed)?;
        Ok(FjallStore { database, keyspace })
    }
}

fn failed(error: fjall::Error) -> StoreError {
    StoreError(format!("the embedded store failed: {error}"))
}

impl Store for FjallStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.keyspace.get(key).map_err(failed)?.map(|value| value.to_vec()))
    }

    fn apply(&self, entries: &[(Vec<u8>, Vec<u8>)], removed: &[Vec<u8>]) -> Result<(), StoreError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in entries {
            batch.insert(&self.keyspace, key.as_slice(), value.as_slice());
        }
        for key in removed {
            batch.remove(&self.keyspace, key.as_slice());
        }
        batch.commit().map_err(failed)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let start = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let mut count = 0;
        for entry in self.keyspace.range::<&[u8], _>((start, Bound::Unbounded)) {
            let (key, value) = entry.into_inner().map_err(failed)?;
            if !key.starts_with(prefix) {
                break;
            }
            visit(&key, &value)?;
            count += 1;
            if count >= max {
                return Ok(Some(key.to_vec()));
            }
        }
        Ok(None)
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.keyspace.rotate_memtable_and_wait().map_err(failed)
    }

    fn size_bytes(&self) -> u64 {
        self.database.disk_space().unwrap_or(0)
    }
}

/// A store in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn apply(&self, entries: &[(Vec<u8>, Vec<u8>)], removed: &[Vec<u8>]) -> Result<(), StoreError> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.extend(entries.iter().cloned());
        removed.iter().for_each(|key| drop(map.remove(key)));
        Ok(())
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        max: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let start = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<_> = map
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(max)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        drop(map);
        found.iter().try_for_each(|(key, value)| visit(key, value))?;
        Ok(found.into_iter().nth(max - 1).map(|(key, _)| key))
    }

    fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = FjallStore::open(dir.path(), 8 << 20).unwrap();
        store.write(&[(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"2".to_vec())]).unwrap();
        store.settle().unwrap();
        store.write(&[(b"a".to_vec(), b"3".to_vec())]).unwrap();
        let in_use = FjallStore::open(dir.path(), 8 << 20).err().unwrap();
        assert!(in_use.to_string().contains("in use by another process"), "{in_use}");
        drop(store);
        let store = FjallStore::open(dir.path(), 8 << 20).unwrap();
        assert_eq!(store.get(b"a").unwrap(), Some(b"3".to_vec()));
        assert_eq!(store.get(b"b").unwrap(), Some(b"2".to_vec()));
        assert_eq!(store.get(b"c").unwrap(), None);
    }

    #[test]
    fn a_scan_goes_over_a_prefix_piece_by_piece_and_sees_no_removed_key() {
        let dir = tempfile::tempdir().unwrap();
        let stores: [Box<dyn Store>; 2] =
            [Box::new(FjallStore::open(dir.path(), 8 << 20).unwrap()), Box::<MemoryStore>::default()];
        for store in stores {
            let entries: Vec<_> =
                ["a", "b1", "b2", "b3", "b4", "c"].iter().map(|key| (key.as_bytes().to_vec(), Vec::new())).collect();
            store.write(&entries).unwrap();
            store.apply(&[], &[b"b3".to_vec()]).unwrap();
            let (mut found, mut after, mut pieces) = (Vec::new(), None, 0);
            loop {
                let mut visit = |key: &[u8], _: &[u8]| {
                    found.push(String::from_utf8(key.to_vec()).unwrap());
                    Ok(())
                };
                after = store.scan(b"b", after.as_deref(), 2, &mut visit).unwrap();
                pieces += 1;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!((found.join(" "), pieces), ("b1 b2 b4".to_owned(), 2));
        }
    }
}
