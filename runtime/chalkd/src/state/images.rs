//! Images of entries of aggregations in the embedded store: where tables find what they do not hold in memory.
//!
//! A table asks for every key it does not know. Most keys it does not know are new, so once a table has everything in memory, which is
//! when its loader is through and nothing was evicted, the store is not asked.
//!
//! A checkpoint tells a table's removed keys here *before* it lets go of the table, and withdraws them when the store has removed them:
//! in between the store still has images of keys that are gone, which nobody may see.
//!
//! This file must not know what images say.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use chalk_engine::ColdEntries;

use super::key::table_prefix;
use super::store::{Store, StoreError};

/// The images of all tables.
pub struct Images {
    store: Arc<dyn Store>,
    /// Feed number and partition → whether its every entry is in memory.
    complete: RwLock<BTreeMap<(u32, i64), bool>>,
    /// Store keys of entries that are gone, as far as the store still has them.
    gone: RwLock<HashSet<Vec<u8>>>,
}

impl Images {
    /// Those in the store.
    pub fn new(store: Arc<dyn Store>) -> Images {
        Images { store, complete: RwLock::default(), gone: RwLock::default() }
    }

    /// Whether every entry of the table is in memory.
    pub fn is_complete(&self, feed: u32, partition: i64) -> Result<bool, StoreError> {
        let known = self.complete.read().unwrap_or_else(PoisonError::into_inner).get(&(feed, partition)).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        // The first look at a table that was not there: nothing is stored of it, so all there is will be in memory.
        let mut is_empty = true;
        self.store.scan(&table_prefix(feed, partition), None, 1, &mut |_, _| {
            is_empty = false;
            Ok(())
        })?;
        let mut complete = self.complete.write().unwrap_or_else(PoisonError::into_inner);
        Ok(*complete.entry((feed, partition)).or_insert(is_empty))
    }

    /// Says whether every entry of the table is in memory.
    pub(super) fn set_complete(&self, feed: u32, partition: i64, is_complete: bool) {
        self.complete.write().unwrap_or_else(PoisonError::into_inner).insert((feed, partition), is_complete);
    }

    /// The entry is gone; the store may still have it.
    pub(super) fn is_going(&self, store_key: Vec<u8>) {
        self.gone.write().unwrap_or_else(PoisonError::into_inner).insert(store_key);
    }

    /// The store has removed everything that was gone.
    pub(super) fn are_removed(&self) {
        self.gone.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl ColdEntries for Images {
    fn get(&self, feed: u32, partition: i64, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        if self.is_complete(feed, partition).map_err(|error| error.to_string())? {
            return Ok(None);
        }
        let mut store_key = table_prefix(feed, partition);
        store_key.extend_from_slice(key);
        if self.gone.read().unwrap_or_else(PoisonError::into_inner).contains(&store_key) {
            return Ok(None);
        }
        self.store.get(&store_key).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::MemoryStore;
    use super::*;

    #[test]
    fn the_store_is_asked_only_for_what_memory_may_lack() {
        let store = Arc::new(MemoryStore::default());
        let mut store_key = table_prefix(1, 0);
        store_key.extend_from_slice(b"k");
        store.write(&[(store_key.clone(), b"image".to_vec())]).unwrap();
        let images = Images::new(store.clone());
        assert_eq!(images.get(1, 0, b"k").unwrap(), Some(b"image".to_vec()));
        assert_eq!(images.get(1, 0, b"other").unwrap(), None);
        assert!(!images.is_complete(1, 0).unwrap());
        assert!(images.is_complete(1, 1).unwrap(), "nothing is stored of another partition");
        images.is_going(store_key);
        assert_eq!(images.get(1, 0, b"k").unwrap(), None, "it is gone, though the store still has it");
        images.are_removed();
        images.set_complete(1, 0, true);
        assert_eq!(images.get(1, 0, b"k").unwrap(), None, "all is in memory");
    }
}
