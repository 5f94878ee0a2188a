//! The embedded store behind the changelog: sorted keys and values on disk, written by checkpoints only.
//!
//! fjall, one keyspace: a second, seldom-written one would pin its journals. Its batches are not durable unless asked.
//!
//! This file must not know what keys and values mean.

use std::collections::BTreeMap;
use std::fmt;
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

    /// Writes all entries or none; they are durable when it returns.
    fn write(&self, entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StoreError>;

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

    fn write(&self, entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StoreError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in entries {
            batch.insert(&self.keyspace, key.as_slice(), value.as_slice());
        }
        batch.commit().map_err(failed)
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

    fn write(&self, entries: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(entries.iter().cloned());
        Ok(())
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
}
